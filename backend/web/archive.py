"""Datasets as zip files: written while they are sent, and read with suspicion."""

import os
import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from backend.core.errors import UsageError, shown

CHUNK = 1 << 20
MOST_FILES = 200_000
MOST_BYTES = 8 << 30  # unpacked
FREE_BYTES = 64 << 20  # up to here a small archive may unpack to anything: labels shrink a lot
MOST_RATIO = 100
LONGEST_NAME, DEEPEST = 200, 16

_BIG = 1 << 31  # a file that grew since it was looked at must not need a longer header than it has
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class _Pipe:
    """A file that can only be written; what was written is taken out by `drain`."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: the reader takes what is there."""

    def drain(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def stream_zip(folder: Path) -> Iterator[bytes]:
    """Yield a zip file of a folder, a megabyte in memory at a time; links inside are left out.

    Images do not shrink, so nothing is compressed.
    """
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:  # type: ignore[call-overload]  # it needs write and flush only
        for path in _files(folder):
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            info = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
            with path.open("rb") as source, archive.open(info, "w", force_zip64=info.file_size >= _BIG) as target:
                while data := source.read(CHUNK):
                    target.write(data)
                    yield pipe.drain()
    yield pipe.drain()


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield path


def unpack(archive: IO[bytes], target: Path) -> int:
    """Unpack a stranger's zip file into an empty folder; return the number of files.

    Raises:
        UsageError: not a zip file, or one that holds too much, names that lead elsewhere, links or locked files.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked(opened.infolist())
            for info, place in entries:
                path = target.joinpath(*place.parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(info) as source, path.open("xb") as file:
                    _copy(source, file, info.file_size)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OverflowError, ValueError) as error:
        msg = f"the zip file cannot be read: {str(error)[:200]}"
        raise UsageError(msg, fix="make it again with an ordinary zip program") from error
    except FileExistsError as error:
        msg = "two files of the zip are the same where case is ignored"
        raise UsageError(msg, fix="rename one of them") from error
    return len(entries)


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    written = 0
    while data := source.read(CHUNK):
        written += len(data)
        if written > size:
            msg = "a file is longer than the archive says"
            raise UsageError(msg)
        target.write(data)


def _checked(entries: list[zipfile.ZipInfo]) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    files = [info for info in entries if not info.is_dir()]
    if not files or len(entries) > MOST_FILES:
        msg = f"the zip file holds {len(entries)} entries"
        raise UsageError(msg, fix=f"1 to {MOST_FILES} files can be uploaded at once")
    size, packed = sum(info.file_size for info in files), sum(info.compress_size for info in files)
    if size > MOST_BYTES or size > max(FREE_BYTES, MOST_RATIO * packed):
        msg = f"the zip file would unpack from {packed} to {size} bytes"
        raise UsageError(
            msg, fix=f"at most {MOST_BYTES >> 30} GB, and {MOST_RATIO} times the packed size, are unpacked"
        )
    found = [(info, _place(info)) for info in files]
    seen: set[str] = set()
    for _, place in found:
        key = str(place).casefold()
        if key in seen:
            msg = f"{shown(str(place))} stands twice in the zip file"
            raise UsageError(msg, fix="names must differ by more than their case")
        seen.add(key)
    return found


def _place(info: zipfile.ZipInfo) -> PurePosixPath:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG} or info.flag_bits & 1:
        msg = f"{shown(info.filename)} is a link, a device or locked with a password"
        raise UsageError(msg, fix="put plain files into the zip file")
    parts = info.filename.split("/")
    if len(parts) > DEEPEST or not all(map(_good, parts)):
        msg = f"{shown(info.filename)} is not a file name that can be unpacked"
        raise UsageError(msg, fix="use relative names, without '..', backslashes, colons and control characters")
    return PurePosixPath(*parts)


def _good(part: str) -> bool:
    if part in {"", ".", ".."} or len(part.encode("utf-8", "replace")) > LONGEST_NAME:
        return False
    return not (_UNSAFE.search(part) or _RESERVED.fullmatch(part) or part[-1] in " .")
