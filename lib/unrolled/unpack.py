"""Open an archive safely: nothing outside its folder, no links, no bombs, whole or not at all."""

import os
import shutil
import stat
import tarfile
import uuid
import zipfile
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from .fetch import DataError, forget, need_room, sweep

LIMIT = 1 << 29  # bytes that an archive may unfold to: twenty times what the largest one here needs
MEMBERS = 100_000  # things that it may hold

Archive = zipfile.ZipFile | tarfile.TarFile


class Member(NamedTuple):
    """One thing in an archive."""

    name: str
    kind: str  # "file", "folder" or "other"
    size: int  # bytes, as the archive says
    info: zipfile.ZipInfo | tarfile.TarInfo


def unpack(archive: Path, folder: Path, limit: int = LIMIT) -> Path:
    """Unpack a zip or tar archive (gz, bz2, xz too) into folder, unless that was done before.

    A DataError refuses paths that are absolute or lead outside, links, devices, and more than `limit` bytes.
    The folder gets its name when it is complete.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder.parent)
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    try:
        part.mkdir()
        _fill(part, archive, limit)
        _settle(part, folder)
    except DataError:
        raise
    except Exception as error:  # a broken archive fails in the ways of four compression libraries
        reason = " ".join(str(error).split())
        raise DataError(f"cannot unpack {archive}: {reason}. Delete it and try again") from error
    finally:
        forget(part)
    return folder


def _fill(part: Path, archive: Path, limit: int) -> None:
    """Look at every member, and only then write."""
    with zipfile.ZipFile(archive) if zipfile.is_zipfile(archive) else tarfile.open(archive) as opened:
        found = _checked(opened, archive.name, limit)
        need_room(part, sum(member.size for _, member in found), archive.name)
        for place, member in found:
            _put(opened, member, part / place)


def _checked(opened: Archive, name: str, limit: int) -> list[tuple[PurePosixPath, Member]]:
    """The members and their places; refused as soon as one of them is suspicious, before the rest is read."""
    found: list[tuple[PurePosixPath, Member]] = []
    total = 0
    for member in _members(opened):
        total += member.size
        found.append((_place(member, name), member))
        if total > limit or len(found) > MEMBERS:
            raise _refusal(name, f"it unfolds to more than {limit} bytes or {MEMBERS} files")
    return found


def _members(opened: Archive) -> Iterator[Member]:
    if isinstance(opened, tarfile.TarFile):
        for info in opened:
            kind = "file" if info.isreg() else "folder" if info.isdir() else "other"
            yield Member(info.name, kind, info.size, info)
        return
    for info in opened.infolist():
        mode = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive comes from Windows
        plain = mode in (0, stat.S_IFREG, stat.S_IFDIR)
        kind = "other" if not plain else "folder" if info.is_dir() else "file"
        yield Member(info.filename, kind, info.file_size, info)


def _place(member: Member, archive: str) -> PurePosixPath:
    """Where the member goes, below the folder; a DataError for anywhere else."""
    place = PurePosixPath(member.name)
    if place.is_absolute() or ".." in place.parts or set(member.name) & set("\\:\0"):
        raise _refusal(archive, f"{member.name!r} leads outside its folder")
    if member.kind == "other":
        raise _refusal(archive, f"{member.name!r} is a link or a device")
    return place


def _put(opened: Archive, member: Member, target: Path) -> None:
    """Write one member. Neither tarfile nor zipfile reads on beyond the size that was announced."""
    (target if member.kind == "folder" else target.parent).mkdir(parents=True, exist_ok=True)
    if member.kind == "file":
        tar = isinstance(opened, tarfile.TarFile)
        with opened.extractfile(member.info) if tar else opened.open(member.info) as source:
            _copy(source, target)


def _copy(source: BufferedIOBase, target: Path) -> None:
    with open(target, "xb") as file:  # x: two members of one name are an error
        shutil.copyfileobj(source, file)


def _settle(part: Path, folder: Path) -> None:
    """Give the folder its name, unless another program was faster."""
    try:
        os.rename(part, folder)
    except OSError:
        if not folder.is_dir():
            raise


def _refusal(archive: str, reason: str) -> DataError:
    return DataError(f"{archive} is refused: {reason}. Nothing was unpacked")
