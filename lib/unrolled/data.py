"""The data of the book, in two tiers.

*Embedded* data is always there: the stories of `stories`, and the digits that scikit-learn carries. *Real*
data comes from a public address on first use. A file is looked for in the folder that the environment
variable UNROLLED_DATA names, in the cache (UNROLLED_CACHE moves it), and then at its addresses in turn,
unless UNROLLED_OFFLINE=1 forbids that. Its sha256 is checked wherever it comes from.
"""

import gzip
import json
import os
import tempfile
from functools import cache
from pathlib import Path

import platformdirs
import torch

from . import stories
from .fetch import DataError, Entry, check, fetch
from .shapes import Int, Tensor
from .unpack import unpack

__all__ = ["DataError", "available", "digits", "files", "folder", "names", "path", "text"]


@cache
def registry() -> tuple[Entry, ...]:
    """All files of the real tier: size, sha256, addresses, licence, and what they are."""
    facts = json.loads(Path(__file__).with_name("data_registry.json").read_text(encoding="utf-8"))
    return tuple(Entry(**{**fact, "urls": tuple(fact["urls"])}) for fact in facts)


def names() -> list[str]:
    """The data sets of the real tier."""
    return sorted({entry.name for entry in registry()})


def files(name: str) -> list[Entry]:
    """The files of a data set, with their licence and what they are."""
    found = [entry for entry in registry() if entry.name == name]
    if not found:
        raise ValueError(f"name is {name!r}: the data sets are {', '.join(names())}")
    return found


def path(name: str, file: str | None = None) -> Path:
    """Where a file of a data set is on this machine, after fetching it if need be.

    file: which one, where the data set has several ("train.en.gz"). DataError when it cannot be had whole.
    """
    entry = _entry(name, file)
    local = _given(entry)
    if local:
        return local
    cached = _home() / entry.file
    wrong = check(cached, entry)
    if not wrong:
        return cached
    if _offline():
        damaged = f"is damaged in the cache ({wrong}; delete {cached})"
        raise DataError(
            f"{entry.file} {damaged if cached.exists() else 'is not on this machine'}, and UNROLLED_OFFLINE "
            f"forbids fetching it. Unset that, or set UNROLLED_DATA to a folder that holds the file"
        )
    return fetch(entry, _writable() / entry.file)


def available(name: str) -> bool:
    """Whether all files of a data set are on this machine, and whole. Opens no connection."""
    return all(_is_here(entry) for entry in files(name))


def folder(name: str, file: str | None = None) -> Path:
    """The folder with what an archive of the real tier holds, unpacked on first use."""
    entry = _entry(name, file)
    place = f"{entry.file}.{entry.sha256[:8]}"  # another archive of the same name gets another folder
    unpacked = _home() / place
    return unpacked if unpacked.is_dir() else unpack(path(name, file), _writable() / place)


def text(name: str, file: str | None = None, *, required: bool = False) -> str:
    """The text of a file, line ends as they are; .gz is opened.

    Where it cannot be had, 2,000 of our own stories take its place, and a printed note says so and why;
    with `required` a DataError does.
    """
    try:
        place = path(name, file)
    except DataError as error:
        if required:
            raise
        print(f"Note: {error}. The embedded stories take its place.")
        return stories.text(2000)
    raw = place.read_bytes()
    try:
        return (gzip.decompress(raw) if place.suffix == ".gz" else raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{place.name} is no text ({error.reason}): open it by data.path") from None


def digits() -> tuple[Int[Tensor, "N 8 8"], Int[Tensor, "N"]]:
    """1,797 handwritten digits: images of 8 x 8 pixels from 0 (paper) to 16 (ink), and their labels.

    They come with scikit-learn (the test part of UCI's "Optical Recognition of Handwritten Digits", 1998).
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("data.digits() needs scikit-learn: pip install scikit-learn") from error
    found = load_digits()
    return torch.tensor(found.images, dtype=torch.long), torch.tensor(found.target, dtype=torch.long)


def _entry(name: str, file: str | None) -> Entry:
    """The one entry that is meant; `file` is its last name."""
    found = files(name)
    known = [entry.file.rpartition("/")[2] for entry in found]
    if file is None and len(found) == 1:
        return found[0]
    if file not in known:
        raise ValueError(f"file is {file!r}: {name} has {', '.join(known)}")
    return found[known.index(file)]


def _given(entry: Entry) -> Path | None:
    """The file in the folder UNROLLED_DATA, if it is there; a wrong one is an error, no reason to go on."""
    given = os.environ.get("UNROLLED_DATA")
    if not given:
        return None
    place = Path(given) / entry.file
    if not Path(given).is_dir():
        raise DataError(f"UNROLLED_DATA is {given!r}, and there is no such folder: correct it, or unset it")
    if not place.exists():
        return None
    wrong = check(place, entry)
    if wrong:
        raise DataError(f"{place} is damaged: {wrong}. Replace it, or unset UNROLLED_DATA")
    return place


def _is_here(entry: Entry) -> bool:
    try:
        return bool(_given(entry)) or not check(_home() / entry.file, entry)
    except DataError:
        return False


def _offline() -> bool:
    return os.environ.get("UNROLLED_OFFLINE", "0") not in ("", "0")


def _home() -> Path:
    """The cache."""
    return Path(os.environ.get("UNROLLED_CACHE") or platformdirs.user_cache_dir("unrolled"))


def _writable() -> Path:
    """The cache, or a temporary folder where nothing can be written to the cache."""
    try:
        _home().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=_home()):
            return _home()
    except OSError:
        return _spare(_home())


@cache
def _spare(home: Path) -> Path:
    """One temporary folder for this process, and one note about it."""
    spare = Path(tempfile.mkdtemp(prefix="unrolled-"))
    print(f"Note: {home} cannot be written, so files go to {spare}. Set UNROLLED_CACHE to a folder of yours.")
    return spare
