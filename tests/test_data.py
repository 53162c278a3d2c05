"""The two tiers of data: what is found where, what is said when it is not, and that the registry is right."""

import builtins
import gzip
import hashlib
import io
import json
import os
import re
import socket
import tarfile
from pathlib import Path

import pytest
import torch
from unrolled import data, stories
from unrolled.fetch import DataError, Entry

ROOT = Path(__file__).parents[1]
MIRROR = Path(os.environ.get("UNROLLED_DATA") or ROOT.parent / "shared" / "data")
REAL = data.registry
PLAY = b"To be,\r\nor not to be?\n"


def entry(name, file, content, *urls):
    return Entry(name, file, len(content), hashlib.sha256(content).hexdigest(), urls, "ours", "a play")


def archive():
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        info = tarfile.TarInfo("sub/x.txt")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"xyz"))
    return raw.getvalue()


FILES = {
    "play/in.txt": PLAY,
    "pair/a.en.gz": gzip.compress(b"a dog"),
    "pair/a.fr.gz": gzip.compress(b"un chien"),
    "sounds/all.tar.gz": archive(),
    "pictures/p.bin": b"\xff\xfe\xfd\x80",
}


@pytest.fixture(autouse=True)
def small_world(tmp_path, monkeypatch):
    """A registry of five files, an empty cache, no network: what each test adds is all there is."""
    small = tuple(entry(file.split("/")[0], file, content) for file, content in FILES.items())
    monkeypatch.setattr(data, "registry", lambda: small)
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UNROLLED_OFFLINE", "1")
    monkeypatch.delenv("UNROLLED_DATA", raising=False)
    data._spare.cache_clear()


def put(folder, *files, content=None):
    for file in files or FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(FILES[file] if content is None else content)
    return folder


@pytest.fixture
def fetched(monkeypatch):
    """Online, with a fetch that always delivers; the list of what it was asked for."""
    asked = []

    def fetch(wanted, path):
        asked.append(wanted.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FILES[wanted.file])
        return path

    monkeypatch.setattr(data, "fetch", fetch)
    monkeypatch.setenv("UNROLLED_OFFLINE", "0")
    return asked


def test_the_given_folder_comes_first_then_the_cache_then_the_network(tmp_path, monkeypatch, fetched):
    assert data.path("play") == tmp_path / "cache" / "play" / "in.txt"
    assert data.path("play") == tmp_path / "cache" / "play" / "in.txt"
    assert fetched == ["play/in.txt"]
    monkeypatch.setenv("UNROLLED_DATA", str(put(tmp_path / "given")))
    assert data.path("play") == tmp_path / "given" / "play" / "in.txt"


def test_a_given_folder_without_the_file_is_passed_over(tmp_path, monkeypatch, fetched):
    monkeypatch.setenv("UNROLLED_DATA", str(put(tmp_path / "given", "pictures/p.bin")))
    assert data.path("play").read_bytes() == PLAY and fetched == ["play/in.txt"]


@pytest.mark.parametrize("content", [PLAY[:-1], PLAY.replace(b"T", b"t")])
def test_R2_a_given_file_is_checked_too(tmp_path, monkeypatch, fetched, content):
    monkeypatch.setenv("UNROLLED_DATA", str(put(tmp_path / "given", "play/in.txt", content=content)))
    with pytest.raises(DataError, match=r"in.txt is damaged: expected .*, got .*unset UNROLLED_DATA"):
        data.path("play")
    assert not data.available("play") and fetched == []


def test_a_given_folder_that_is_none_is_named(monkeypatch):
    monkeypatch.setenv("UNROLLED_DATA", "/no/such/folder")
    with pytest.raises(DataError, match="UNROLLED_DATA is '/no/such/folder'"):
        data.path("play")


def test_R2_a_damaged_file_in_the_cache_is_fetched_again(tmp_path, fetched):
    put(tmp_path / "cache", "play/in.txt", content=PLAY.lower())
    assert data.path("play").read_bytes() == PLAY and fetched == ["play/in.txt"]


def test_R2_a_damaged_file_in_the_cache_is_named_offline_and_kept(tmp_path):
    place = put(tmp_path / "cache", "play/in.txt", content=PLAY.lower()) / "play" / "in.txt"
    with pytest.raises(DataError) as error:
        data.path("play")
    for part in ("play/in.txt is damaged", "expected sha256", "got", f"delete {place}"):
        assert part in str(error.value)
    assert place.read_bytes() == PLAY.lower()


@pytest.fixture
def no_sockets(monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(socket, "create_connection", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)


def test_R1_offline_the_stories_take_the_place_of_a_text(no_sockets, capsys):
    assert data.text("play") == stories.text(2000)
    assert capsys.readouterr().out == (
        "Note: play/in.txt is not on this machine, and UNROLLED_OFFLINE forbids fetching it. Unset that, or "
        "set UNROLLED_DATA to a folder that holds the file. The embedded stories take its place.\n"
    )


def test_R1_a_required_text_is_an_error_instead(no_sockets):
    with pytest.raises(DataError, match="play/in.txt is not on this machine"):
        data.text("play", required=True)


def test_R1_R4_a_text_that_no_server_gives_is_replaced_with_a_note(monkeypatch, capsys):
    wanted = entry("play", "play/in.txt", PLAY, "http://127.0.0.1:9/in.txt")
    monkeypatch.setattr(data, "registry", lambda: (wanted,))
    monkeypatch.setenv("UNROLLED_OFFLINE", "")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert data.text("play") == stories.text(2000)
    told = capsys.readouterr().out
    assert told.startswith("Note: cannot fetch play/in.txt: no answer") and told.count("\n") == 1


def test_a_text_keeps_its_line_ends_and_gz_is_opened(tmp_path, capsys):
    put(tmp_path / "cache")
    assert data.text("play").encode() == PLAY
    assert data.text("pair", "a.fr.gz") == "un chien"
    assert capsys.readouterr().out == ""


def test_what_is_no_text_is_named(tmp_path):
    put(tmp_path / "cache")
    with pytest.raises(ValueError, match="p.bin is no text"):
        data.text("pictures")


def test_available_looks_without_asking_anyone(tmp_path, fetched, no_sockets):
    assert not data.available("play")
    put(tmp_path / "cache", "play/in.txt", "pair/a.en.gz")
    assert data.available("play") and not data.available("pair")
    assert fetched == []


def test_names_and_files_of_the_registry():
    assert data.names() == ["pair", "pictures", "play", "sounds"]
    assert [found.file for found in data.files("pair")] == ["pair/a.en.gz", "pair/a.fr.gz"]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: data.path("plays"), "name is 'plays': the data sets are pair, pictures, play, sounds"),
        (lambda: data.available("plays"), "name is 'plays'"),
        (lambda: data.text("pair"), "file is None: pair has a.en.gz, a.fr.gz"),
        (lambda: data.path("pair", "b.gz"), "file is 'b.gz': pair has a.en.gz, a.fr.gz"),
    ],
)
def test_a_wrong_name_gets_the_right_ones(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_an_archive_opens_into_a_folder_of_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNROLLED_DATA", str(put(tmp_path / "given")))
    found = data.folder("sounds")
    assert (found / "sub" / "x.txt").read_bytes() == b"xyz" and found.is_relative_to(tmp_path / "cache")
    monkeypatch.delenv("UNROLLED_DATA")
    assert data.folder("sounds") == found


@pytest.fixture
def read_only(tmp_path, monkeypatch):
    """A cache of another user's, mode 0500: a root user, whom modes do not stop, becomes nobody meanwhile."""
    cache = put(tmp_path / "cache", "pictures/p.bin")
    cache.chmod(0o500)
    monkeypatch.setattr(data.tempfile, "tempdir", "/tmp")
    if os.geteuid() == 0:
        for parent in (tmp_path, *tmp_path.parents):
            if not parent.stat().st_mode & 0o001:     # nobody may not walk through it
                parent.chmod(0o755)
        cache.chmod(0o555)
        os.seteuid(65534)
        yield cache
        os.seteuid(0)
    else:
        yield cache
    cache.chmod(0o700)


def test_R6_a_cache_that_cannot_be_written_is_replaced_with_a_note(read_only, fetched, capsys):
    place = data.path("play")
    told = capsys.readouterr().out
    assert place.read_bytes() == PLAY and not place.is_relative_to(read_only)
    assert data.path("play") == place
    assert f"{read_only} cannot be written" in told and "UNROLLED_CACHE" in told and told.count("\n") == 1
    assert capsys.readouterr().out == "" and not (read_only / "play").exists()


def test_R6_what_such_a_cache_has_is_used(read_only, capsys):
    assert data.path("pictures") == read_only / "pictures" / "p.bin"
    assert capsys.readouterr().out == ""


def test_R6_a_cache_below_a_file_is_replaced_too(tmp_path, monkeypatch, fetched):
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path / "file" / "cache"))
    assert data.path("play").read_bytes() == PLAY


def test_digits_are_small_pictures_with_labels():
    images, labels = data.digits()
    assert images.shape == (1797, 8, 8) and labels.shape == (1797,)
    assert images.dtype == labels.dtype == torch.long
    assert (images.min(), images.max()) == (0, 16) and set(labels.tolist()) == set(range(10))


def test_without_scikit_learn_the_cure_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        data.digits()


def real_registry():
    raw = (ROOT / "lib" / "unrolled" / "data_registry.json").read_text(encoding="utf-8")
    return [Entry(**fact) for fact in json.loads(raw)]


def test_the_registry_is_sound():
    found = real_registry()
    assert len({e.file for e in found}) == len(found) > 50
    for e in found:
        assert e.file.startswith(e.name + "/") and ".." not in e.file and "\\" not in e.file
        assert e.bytes > 0 and re.fullmatch("[0-9a-f]{64}", e.sha256)
        assert e.urls and all(url.startswith("https://") for url in e.urls)
        assert e.licence and e.what


def test_most_files_have_a_second_address():
    assert sum(len({url.split("/")[2] for url in e.urls}) > 1 for e in real_registry()) >= 54


def test_the_library_carries_the_registry_as_it_is_written():
    assert list(REAL()) == [e._replace(urls=tuple(e.urls)) for e in real_registry()]


needs_mirror = pytest.mark.skipif(
    not (MIRROR / "tinyshakespeare").is_dir(), reason="no mirror of the public data: set UNROLLED_DATA to it"
)


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setattr(data, "registry", REAL)
    monkeypatch.setenv("UNROLLED_DATA", str(MIRROR))


@pytest.mark.realdata
@needs_mirror
@pytest.mark.parametrize("name", sorted({e.name for e in real_registry()}))
def test_the_mirror_has_what_the_registry_says(mirror, name):
    for found in data.files(name):
        assert data.path(name, found.file.rpartition("/")[2]) == MIRROR / found.file
    assert data.available(name)


@pytest.mark.realdata
@needs_mirror
def test_the_registry_says_what_the_manifest_of_the_mirror_says(mirror):
    manifest = json.loads((MIRROR / "manifest.json").read_text(encoding="utf-8"))
    facts = {m["file"]: (m["dataset"], m["bytes"], m["sha256"], m["licence"]) for m in manifest}
    assert facts == {e.file: (e.name, e.bytes, e.sha256, e.licence) for e in data.registry()}
    urls = {e.file: set(e.urls) for e in data.registry()}
    assert all({m["url"], *m["alt_urls"]} <= urls[m["file"]] for m in manifest)


@pytest.mark.realdata
@needs_mirror
@pytest.mark.parametrize("name, member", [("fsdd", "0_jackson_0.wav"), ("tatoeba_fra_eng", "fra.txt")])
def test_the_archives_of_the_mirror_open(mirror, name, member):
    assert any(found.name == member for found in data.folder(name).rglob("*"))


@pytest.mark.realdata
@needs_mirror
def test_shakespeare_has_65_characters(mirror, capsys):
    text = data.text("tinyshakespeare", required=True)
    assert len(text) == 1_115_394 and len(set(text)) == 65 and capsys.readouterr().out == ""
