"""Downloads: every fault of a network or a disk is injected, and none leaves anything but whole files.

The names R2 to R8 are rows of the list of faults that this project holds itself to.
"""

import errno
import hashlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import filelock
import pytest
from unrolled import fetch as fetching
from unrolled.fetch import DataError, Entry, check, fetch

GOOD = bytes(range(256)) * 400  # 102,400 bytes
SHA = hashlib.sha256(GOOD).hexdigest()
PORTAL = b"<!DOCTYPE html><html>Welcome to the hotel. Please log in.</html>"


class Faulty(http.server.BaseHTTPRequestHandler):
    """A server whose addresses name what is wrong with them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        getattr(self, self.path.strip("/").partition("?")[0])()

    def send(self, body, length=True, status=200):
        self.close_connection = True
        self.send_response(status)
        if length:
            self.send_header("Content-Length", str(len(GOOD) if length is True else length))
        self.end_headers()
        self.wfile.write(body)

    def good(self):
        self.send(GOOD)

    def flipped(self):
        self.send(GOOD[:500] + b"\x00" + GOOD[501:])

    def cut(self):
        self.send(GOOD[:1000])

    def cut_without_length(self):
        self.send(GOOD[:1000], length=False)

    def empty(self):
        self.send(b"", length=False)

    def longer(self):
        self.send(GOOD * 2, length=2 * len(GOOD))

    def portal(self):
        self.send(PORTAL, length=len(PORTAL))

    def forbidden(self):
        self.send(PORTAL, length=len(PORTAL), status=403)

    def busy(self):
        self.send(b"", length=False, status=503)

    def moved(self):
        self.send_response(302)
        self.send_header("Location", "/good")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def round_and_round(self):
        self.send_response(302)
        self.send_header("Location", "/round_and_round")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def half(self):
        """Half of the file, then nothing more until the test ends."""
        self.send(GOOD[: len(GOOD) // 2])
        self.server.over.wait(30)

    def dripping(self):
        self.send(b"")
        while not self.server.over.wait(0.05):
            self.wfile.write(b"x")

    def silent(self):
        self.server.over.wait(30)

    def nonsense(self):
        self.close_connection = True
        self.wfile.write(b"\x00\x01 no HTTP at all\r\n\r\n")

    def flaky(self):
        self.good() if self.server.asked.count("/flaky") > 1 else self.busy()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):  # clients that hang up are what these tests are about
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(("127.0.0.1", 0), Faulty) as found:
        found.asked, found.over = [], threading.Event()
        threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True).start()
        yield found
        found.over.set()
        found.shutdown()


def entry(server, *addresses):
    urls = tuple(f"http://127.0.0.1:{server.server_port}/{address}" for address in addresses)
    return Entry("play", "play/in put.bin", len(GOOD), SHA, urls, "ours", "bytes")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "cach\u00e9 dir" / "play" / "in put.bin"


def left_over(place):
    """What lies beside the file, apart from its lock."""
    return sorted(p.name for p in place.parent.iterdir() if p.suffix != ".lock")


@pytest.mark.parametrize("address", ["good", "moved"])
def test_a_whole_file_arrives(server, place, address):
    assert fetch(entry(server, address), place) == place
    assert place.read_bytes() == GOOD and left_over(place) == [place.name]


def test_a_file_that_is_there_is_not_fetched_again(server, place):
    for _ in range(3):
        fetch(entry(server, "good"), place)
    assert server.asked == ["/good"]


BAD = {
    "flipped": f"expected sha256 {SHA}, got [0-9a-f]{{64}} ",
    "cut": "expected 102400 bytes, got 1000 ",
    "cut_without_length": "expected 102400 bytes, got 1000 ",
    "empty": "expected 102400 bytes, got 0 ",
    "longer": "expected 102400 bytes, got 102401 ",
    "portal": "got 64, a web page: does this network ask to log in",
    "forbidden": "the server answered 403",
    "busy": "the server answered 503",
    "round_and_round": "the server answered 302",
    "nonsense": "no sensible answer",
}


@pytest.mark.parametrize("address", BAD)
def test_R2_R3_R4_a_wrong_answer_is_refused_in_one_line(server, place, address):
    with pytest.raises(DataError) as error:
        fetch(entry(server, address), place)
    message = str(error.value)
    assert re.search(BAD[address], message), message
    assert all(part in message for part in ("play/in put.bin", address, "Try again", "UNROLLED_DATA"))
    assert "\n" not in message and left_over(place) == []


@pytest.mark.parametrize("address", [*BAD, "dripping", "silent", "half"])
def test_R3_R4_the_next_mirror_helps_out(server, place, address, monkeypatch):
    monkeypatch.setattr(fetching, "SECONDS", 2.0)
    monkeypatch.setattr(fetching, "STALL", 0.5)
    fetch(entry(server, address, "good"), place)
    assert place.read_bytes() == GOOD and left_over(place) == [place.name]


@pytest.mark.parametrize("address", ["dripping", "silent", "half"])
def test_R4_a_slow_server_is_given_up_when_the_time_is_over(server, place, address):
    with pytest.raises(DataError, match="no answer: (too slow|nothing within|timed out)"):
        fetch(entry(server, address), place, seconds=0.6)
    assert left_over(place) == []


def test_R4_the_time_for_all_mirrors_is_a_minute():
    assert fetching.SECONDS <= 60 and fetching.STALL < fetching.SECONDS


def test_R4_each_mirror_gets_a_share_of_the_time(server, place, monkeypatch):
    shares = []
    monkeypatch.setattr(fetching, "_from_one", lambda url, e, p, share: shares.append(share) or "no")
    with pytest.raises(DataError):
        fetch(entry(server, "a", "b", "c"), place, seconds=30)
    assert len(shares) == 6 and shares[:3] == pytest.approx([10, 15, 30], abs=1)


def test_a_mirror_gets_a_second_chance(server, place):
    fetch(entry(server, "flaky"), place)
    assert server.asked == ["/flaky", "/flaky"] and place.read_bytes() == GOOD


def test_a_refused_connection_is_named(place):
    nobody = Entry("play", "play/x", 1, SHA, ("http://127.0.0.1:9/x",), "", "")
    with pytest.raises(DataError, match="no answer: .*refused.*127.0.0.1:9"):
        fetch(nobody, place)


def test_R2_the_old_file_stays_when_the_new_one_is_wrong(server, place):
    place.parent.mkdir(parents=True)
    place.write_bytes(b"an older file")
    with pytest.raises(DataError):
        fetch(entry(server, "flipped"), place)
    assert place.read_bytes() == b"an older file"
    fetch(entry(server, "good"), place)
    assert place.read_bytes() == GOOD


def test_R5_a_full_disk_is_seen_before_the_first_byte(server, place, monkeypatch):
    other = place.parent / "other.bin"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"mine")
    usage = type("Usage", (), {"free": 5000})
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(DataError) as error:
        fetch(entry(server, "good"), place)
    facts = ("in put.bin", str(place.parent), "5000 bytes free", str(len(GOOD) + (1 << 20)), "UNROLLED_CACHE")
    assert all(fact in str(error.value) for fact in facts)
    assert server.asked == [] and left_over(place) == ["other.bin"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_R5_a_disk_that_fills_up_meanwhile_is_no_fault_of_the_server(server, place, monkeypatch, code):
    def full(number):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fetching.os, "fsync", full)
    with pytest.raises(DataError, match="no room for play/in put.bin"):
        fetch(entry(server, "good", "good"), place)
    assert server.asked == ["/good"] and left_over(place) == []


CHILD = """
import sys, time, pathlib, json
from unrolled.fetch import Entry, fetch
facts, lock = json.loads(sys.argv[1]), sys.argv[4]
place, go = map(pathlib.Path, sys.argv[2:4])
if lock == "broken":
    import filelock
    def acquire(self, *args, **kwargs): raise NotImplementedError
    filelock.FileLock.acquire = acquire
while not go.exists(): time.sleep(0.001)
facts["urls"] = tuple(facts["urls"])
assert fetch(Entry(**facts), place).stat().st_size == facts["bytes"]
"""


def children(n, wanted, place, go, lock="whole"):
    facts = json.dumps(wanted._asdict())
    command = [sys.executable, "-c", CHILD, facts, str(place), str(go), lock]
    return [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(n)]


def test_R7_a_killed_download_does_no_harm(server, place, tmp_path):
    (tmp_path / "go").touch()
    (child,) = children(1, entry(server, "half"), place, tmp_path / "go")
    for _ in range(3000):
        parts = list(place.parent.glob(".*.part")) if place.parent.exists() else []
        if parts and parts[0].stat().st_size >= 1000:
            break
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert parts[0].exists() and not place.exists()
    fetch(entry(server, "good"), place)
    assert place.read_bytes() == GOOD


def test_R7_what_was_left_behind_goes_after_a_day(server, place):
    place.parent.mkdir(parents=True)
    old, new, folder = (place.parent / name for name in (".a.1.part", ".b.2.part", ".c.3.part"))
    old.touch(), new.touch(), folder.mkdir()
    (folder / "half").touch()
    for path in (old, folder):
        os.utime(path, (time.time() - 90_000,) * 2)
    fetch(entry(server, "good"), place)
    assert left_over(place) == [".b.2.part", place.name]


@pytest.mark.parametrize("trial", range(3))
def test_R8_eight_programs_fetch_once(server, place, tmp_path, trial):
    started = children(8, entry(server, "good"), place, tmp_path / "go")
    (tmp_path / "go").touch()
    assert [(child.communicate()[1], child.returncode) for child in started] == [(b"", 0)] * 8
    assert server.asked == ["/good"] and place.read_bytes() == GOOD


def test_R8_without_working_locks_the_file_is_whole_all_the_same(server, place, tmp_path):
    started = children(8, entry(server, "good"), place, tmp_path / "go", lock="broken")
    (tmp_path / "go").touch()
    assert [(child.communicate()[1], child.returncode) for child in started] == [(b"", 0)] * 8
    assert place.read_bytes() == GOOD and left_over(place) == [place.name]


def test_a_lock_that_never_comes_free_is_explained(server, place):
    place.parent.mkdir(parents=True)
    with filelock.FileLock(f"{place}.lock"):
        with pytest.raises(DataError, match="another program has been fetching play/in put.bin"):
            fetch(entry(server, "good"), place, seconds=0.2)
    assert server.asked == []


def test_check_says_what_is_wrong(server, place):
    wanted = entry(server)
    assert check(place, wanted) == "it is not there"
    place.parent.mkdir(parents=True)
    place.write_bytes(GOOD[:-1])
    assert check(place, wanted) == "expected 102400 bytes, got 102399"
    place.write_bytes(GOOD[:-1] + b"\x00")
    assert check(place, wanted).startswith(f"expected sha256 {SHA}, got ")
    place.write_bytes(GOOD)
    assert check(place, wanted) == ""
