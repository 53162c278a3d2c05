"""Bring a public file to this machine: whole, or not at all.

Nothing is believed before its sha256 is right. A file is written beside its place under a name of its own
and then renamed, so a crash, a full disk or a second program never leaves half a file where others look.
"""

import errno
import hashlib
import http.client
import os
import queue
import shutil
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import filelock

SECONDS = 60.0  # all mirrors together, and waiting for another program that fetches the same file
STALL = 10.0  # one answer of a server
DAY = 86_400.0
CHUNK = 1 << 16
SPARE = 1 << 20  # bytes to leave free on the disk


class DataError(RuntimeError):
    """A file cannot be had: which, why, and what to do, in one line."""


class Entry(NamedTuple):
    """One file of the registry."""

    name: str  # the data set
    file: str  # path below a data folder, with forward slashes
    bytes: int
    sha256: str
    urls: tuple[str, ...]  # tried in turn
    licence: str
    what: str


def check(path: Path, entry: Entry) -> str:
    """What is wrong with a file, in words; "" when its bytes are those of the registry."""
    if not path.is_file():
        return "it is not there"
    size = path.stat().st_size
    if size != entry.bytes:
        return f"expected {entry.bytes} bytes, got {size}"
    with open(path, "rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if got == entry.sha256 else f"expected sha256 {entry.sha256}, got {got}"


def fetch(entry: Entry, path: Path, seconds: float | int | None = None) -> Path:
    """Download the entry to path, from the first of its URLs that delivers, within `seconds` in all.

    Each URL gets its share of the time, and a second chance after the others. DataError names what each of
    them sent instead. What stood at path before stays until the new file is whole.
    """
    deadline = time.monotonic() + (SECONDS if seconds is None else seconds)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path, entry, deadline):
        sweep(path.parent)
        if check(path, entry):  # another program may have fetched it while this one waited
            need_room(path.parent, entry.bytes, entry.file)
            _from_any(entry, path, deadline)
    return path


def _from_any(entry: Entry, path: Path, deadline: float) -> None:
    """Try the URLs, twice around, until one delivers."""
    failures: dict[str, str] = {}
    for i, url in enumerate(entry.urls * 2):
        share = (deadline - time.monotonic()) / max(1, len(entry.urls) - i)
        if share <= 0:
            break
        failures[url] = _from_one(url, entry, path, share)
        if not failures[url]:
            return
    reasons = "; ".join(f"{reason} (from {url})" for url, reason in failures.items())
    raise DataError(
        f"cannot fetch {entry.file}: {reasons or 'no time left'}. Try again later, or set UNROLLED_DATA to a "
        f"folder that holds {entry.file}"
    )


def _from_one(url: str, entry: Entry, path: Path, seconds: float) -> str:
    """Download to a file beside path, check, rename; "" or what went wrong."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        _within(seconds, lambda: _stream(url, part, entry.bytes, time.monotonic() + 0.9 * seconds))
        wrong = check(part, entry)
        if wrong:
            return wrong + _portal(part)
        os.replace(part, path)
        return ""
    except urllib.error.HTTPError as error:
        return f"the server answered {error.code}"
    except OSError as error:  # no network, refused, reset, timed out
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # no fault of the server: another one would not help
            raise no_room(path.parent, entry.bytes, entry.file) from error
        return f"no answer: {getattr(error, 'reason', None) or error or type(error).__name__}"
    except (http.client.HTTPException, ValueError) as error:  # it does not speak HTTP, or moved to nowhere
        return f"no sensible answer: {type(error).__name__}"
    finally:
        forget(part)


def _stream(url: str, part: Path, size: int, deadline: float) -> None:
    """Copy at most size + 1 bytes, so that an endless answer is found out too."""
    request = urllib.request.Request(url, headers={"User-Agent": "unrolled"})
    with urllib.request.urlopen(request, timeout=STALL) as answer, open(part, "xb") as file:
        while chunk := answer.read1(min(CHUNK, size + 1 - file.tell())):
            file.write(chunk)
            _hurry(deadline, file.tell(), size)
        file.flush()
        os.fsync(file.fileno())


def _hurry(deadline: float, got: int, size: int) -> None:
    """A server that sends one byte a second never stalls, and never ends."""
    if time.monotonic() > deadline:
        raise TimeoutError(f"too slow, {got} of {size} bytes when the time was over")


def _within(seconds: float, job: Callable[[], Any]) -> None:
    """Do the job in a thread and wait so long for it: looking up a host name heeds no other timeout."""
    outcome: queue.SimpleQueue = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put(job())
        except Exception as error:
            outcome.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        result = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"nothing within {seconds:.0f} s") from None
    if isinstance(result, Exception):
        raise result


def _portal(part: Path) -> str:
    """A hint when a web page came: hotels answer every question with their own page."""
    head = part.read_bytes()[:200].lstrip().lower() if part.is_file() else b""
    page = head.startswith((b"<!doctype", b"<html"))
    return ", a web page: does this network ask to log in?" if page else ""


@contextmanager
def _alone(path: Path, entry: Entry, deadline: float) -> Iterator[None]:
    """Keep other programs from fetching the same file meanwhile, where the file system can do that.

    Only a courtesy that saves traffic: on some network drives a lock keeps nobody out, and the file is whole
    all the same, because of the rename.
    """
    lock = filelock.FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=max(0.0, deadline - time.monotonic()), poll_interval=0.05)
    except filelock.Timeout:
        raise DataError(f"another program has been fetching {entry.file} all the time: try again") from None
    except (OSError, NotImplementedError):
        pass  # a file system without locks
    try:
        yield
    finally:
        lock.release()


def need_room(folder: Path, size: int, what: str) -> None:
    """DataError unless the disk below folder has room for size bytes, and a little more."""
    if shutil.disk_usage(folder).free < size + SPARE:
        raise no_room(folder, size, what)


def no_room(folder: Path, size: int, what: str) -> DataError:
    """The error for a full disk, or a full quota."""
    free = shutil.disk_usage(folder).free
    return DataError(
        f"no room for {what}: {folder} has {free} bytes free and {size + SPARE} are needed. Free some space, "
        f"or set UNROLLED_CACHE to a folder on another disk"
    )


def sweep(folder: Path) -> None:
    """Remove what a killed program left here more than a day ago."""
    for part in folder.glob(".*.part"):
        if time.time() - _changed(part) > DAY:
            forget(part)


def _changed(part: Path) -> float:
    """When it was last written to; now, if another program has just removed it."""
    try:
        return part.stat().st_mtime
    except OSError:
        return time.time()


def forget(part: Path) -> None:
    """Remove an unfinished file or folder, if it is still there."""
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
        return
    try:
        part.unlink(missing_ok=True)
    except OSError:
        pass  # still open in the thread that was given up (Windows): swept away another day
