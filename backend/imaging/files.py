"""Files that are either whole or absent, whatever happens while they are written."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EINVAL}


def write_atomic(path: str | Path, data: bytes | Iterable[bytes], *, fsync: bool = False) -> None:
    """Write a file by renaming a complete temporary one over it; missing folders are made.

    fsync: also survive a power cut (slow; for manifests and progress files).

    Raises:
        OSError: full disk, read-only folder and the like; `filename` is `path`, and nothing is left behind.
    """
    target = Path(path)

    def fill(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            stream.writelines([data] if isinstance(data, bytes) else data)
            if fsync:
                stream.flush()
                os.fsync(stream.fileno())

    _replace(target, fill)
    if fsync:
        _sync_folder(target.parent)


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Make `target` the same file as `source` by hard link, or a copy where links do not work.

    An existing target is replaced, so a repeat is harmless. The bytes are those of `source` either way.

    Raises:
        OSError: the source is missing, the disk is full or the folder is read-only; nothing is left behind.
    """
    origin, goal = Path(source).resolve(strict=True), Path(target)

    def fill(temporary: Path) -> None:
        temporary.unlink()
        try:
            os.link(origin, temporary)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            shutil.copyfile(origin, temporary)

    if goal.exists() and goal.samefile(origin):
        return
    _replace(goal, fill)


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed writers left below a folder; nobody else may be writing there."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)


def _replace(target: Path, fill: Callable[[Path], None]) -> None:
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(0o644)
        fill(temporary)
        temporary.replace(target)
        temporary = None
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; only POSIX systems can, and need to."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
