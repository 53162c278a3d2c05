"""Archives: nothing gets out of its folder, no bomb goes off, and half an archive never counts as one."""

import io
import os
import signal
import stat
import struct
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest
from unrolled.fetch import DataError
from unrolled.unpack import unpack

FILES = {"read me.txt": b"hello\n", "sub/caf\u00e9.bin": bytes(range(256)) * 300}


def tar_of(path, members, mode="w:gz"):
    """members: name -> bytes, or a TarInfo with nothing in it."""
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name) if isinstance(content, bytes) else content
            info.size = len(content) if isinstance(content, bytes) else 0
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return path


def zip_of(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return path


def special(kind, target=""):
    info = tarfile.TarInfo("odd")
    info.type, info.linkname = kind, target
    return info


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def everything(tmp_path):
    return sorted(p.name for p in tmp_path.rglob("*"))


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
def test_an_archive_unfolds_to_its_files(tmp_path, name):
    kind = name.rpartition(".")[2]
    if kind == "zip":
        archive = zip_of(tmp_path / name, FILES)
    else:
        archive = tar_of(tmp_path / name, FILES, "w" if kind == "tar" else f"w:{kind}")
    assert contents(unpack(archive, tmp_path / "out")) == FILES


def test_folders_and_dots_in_an_archive_are_fine(tmp_path):
    here, sub = tarfile.TarInfo("./"), tarfile.TarInfo("./sub")
    here.type = sub.type = tarfile.DIRTYPE
    archive = tar_of(tmp_path / "a.tar", {"./": here, "./sub": sub, "./sub/x": b"x"}, "w")
    assert contents(unpack(archive, tmp_path / "out")) == {"sub/x": b"x"}


def test_an_archive_is_unpacked_once(tmp_path):
    archive = zip_of(tmp_path / "a.zip", FILES)
    folder = unpack(archive, tmp_path / "out")
    archive.unlink()
    assert unpack(archive, folder) == folder and contents(folder) == FILES


EVIL = {
    "parent.tar.gz": {"fine": b"x", "../escaped": b"x"},
    "deep.tar.gz": {"a/../../escaped": b"x"},
    "absolute.tar.gz": {"/tmp/unrolled-escaped": b"x"},
    "backslash.tar.gz": {"..\\escaped": b"x"},
    "drive.tar.gz": {"C:escaped": b"x"},
    "symlink.tar.gz": {"odd": special(tarfile.SYMTYPE, "/etc/passwd"), "fine": b"x"},
    "hardlink.tar.gz": {"odd": special(tarfile.LNKTYPE, "../escaped")},
    "pipe.tar.gz": {"odd": special(tarfile.FIFOTYPE)},
    "device.tar.gz": {"odd": special(tarfile.CHRTYPE)},
    "parent.zip": {"fine": b"x", "../escaped": b"x"},
    "absolute.zip": {"/tmp/unrolled-escaped": b"x"},
    "bomb.zip": {"zeros": bytes(20_000_000)},
    "bomb.tar.gz": {"zeros": bytes(20_000_000)},
    "many.zip": {f"{i}": bytes(300_000) for i in range(10)},
}


@pytest.mark.parametrize("name", EVIL)
def test_R9_an_evil_archive_is_refused_whole(tmp_path, name):
    archive = (zip_of if name.endswith("zip") else tar_of)(tmp_path / name, EVIL[name])
    with pytest.raises(DataError, match=f"{name} is refused: .*Nothing was unpacked"):
        unpack(archive, tmp_path / "folder" / "out", limit=1_000_000)
    assert everything(tmp_path) == sorted(["folder", name])
    assert not os.path.exists("/tmp/unrolled-escaped")


def test_R9_the_bomb_is_a_small_file(tmp_path):
    bomb = zip_of(tmp_path / "bomb.zip", EVIL["bomb.zip"])
    assert 20_000_000 / bomb.stat().st_size > 900


def test_R9_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="link or a device"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_R9_an_archive_that_lies_about_a_size_is_refused(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"zeros": bytes(5_000_000)})
    honest = struct.pack("<I", 5_000_000)
    archive.write_bytes(archive.read_bytes().replace(honest, struct.pack("<I", 10)))
    with pytest.raises(DataError, match="a.zip"):
        unpack(archive, tmp_path / "out", limit=1_000_000)
    assert everything(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("make, name", [(zip_of, "a.zip"), (tar_of, "a.tar.gz")])
def test_a_broken_archive_leaves_nothing(tmp_path, make, name, share):
    archive = make(tmp_path / name, {f"{i}": os.urandom(5000) for i in range(5)})
    raw = archive.read_bytes()
    archive.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(DataError, match=f"cannot unpack .*{name}.*Delete it"):
        unpack(archive, tmp_path / "out")
    assert everything(tmp_path) == [name]


def test_no_room_is_seen_before_the_first_file(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(DataError, match="no room for a.zip"):
        unpack(zip_of(tmp_path / "a.zip", FILES), tmp_path / "out")
    assert everything(tmp_path) == ["a.zip"]


KILLED = """
import os, signal, sys, pathlib
from unrolled import unpack as u
copy, seen = u._copy, []
def killed(source, target, *rest):
    if seen: os.kill(os.getpid(), signal.SIGKILL)
    seen.append(copy(source, target, *rest))
u._copy = killed
u.unpack(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
"""


def test_R7_a_killed_unpacking_is_done_again(tmp_path):
    archive, folder = tar_of(tmp_path / "a.tar.gz", FILES), tmp_path / "out"
    run = subprocess.run([sys.executable, "-c", KILLED, str(archive), str(folder)])
    (part,) = tmp_path.glob(".*.part")
    assert run.returncode == -signal.SIGKILL and not folder.exists() and len(contents(part)) == 1
    os.utime(part, (time.time() - 90_000,) * 2)
    assert contents(unpack(archive, folder)) == FILES
    assert not part.exists()
