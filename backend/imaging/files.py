"""Files that are either whole or absent, whatever happens while they are written."""

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.core.errors import Held

_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EINVAL}


def write_atomic(path: str | Path, data: bytes | Iterable[bytes], *, fsync: bool = False) -> None:
    """Write a file by renaming a complete temporary one over it; missing folders are made.

    fsync: also survive a power cut (slow; for manifests and progress files).

    Raises:
        OSError: full disk, read-only folder and the like; `filename` is `path`, and nothing is left behind.
    """
    target = Path(path)

    def fill(temporary: Path) -> None:
        with temporary.open("xb") as stream:
            stream.writelines([data] if isinstance(data, bytes) else data)
            if fsync:
                stream.flush()
                os.fsync(stream.fileno())

    with _blaming(target):
        _replace(target, fill)
        if fsync:
            _sync_folder(target.parent)


@contextmanager
def alone(lock: Path, message: str) -> Iterator[None]:
    """Hold a lock file, as only one process can at a time; the system lets go of it even after kill -9.

    Raises:
        Held: another process holds it; the error says `message`.
    """
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Held(message, fix="wait for it, or stop it") from error
        yield


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Make `target` the same file as `source` by hard link, or a copy where links do not work.

    An existing target is replaced, so a repeat is harmless. The bytes are those of `source` either way.

    Raises:
        OSError: the source is missing, the disk is full or the folder is read-only; nothing is left behind.
    """
    origin, goal = Path(source), Path(target)
    if origin.is_symlink():
        origin = origin.resolve(strict=True)

    def fill(place: Path) -> None:
        try:
            os.link(origin, place)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            shutil.copyfile(origin, place)

    with _blaming(goal):
        if _linked(origin, goal):
            return
    origin = origin.resolve(strict=True)
    with _blaming(goal):
        if not (goal.exists() and goal.samefile(origin)):
            _replace(goal, fill)


def _linked(origin: Path, goal: Path) -> bool:
    """Link where nothing lies yet, which is atomic without a temporary name; return whether that worked."""
    try:
        os.link(origin, goal)
    except FileNotFoundError:
        return False  # the source or the target's folder is missing
    except OSError as error:
        if error.errno == errno.EEXIST or error.errno in _NO_LINK:
            return False
        raise
    return True


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed writers left below a folder; nobody else may be writing there."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)


def _replace(target: Path, fill: Callable[[Path], None]) -> None:
    """Have a new temporary file filled and rename it to `target`.

    No file is made only to be removed again: some file systems take long to give out a number that was just free.
    """
    temporary = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        try:
            fill(temporary)
        except FileNotFoundError:  # no such folder a moment ago, but another process may have made it since: try again
            target.parent.mkdir(parents=True, exist_ok=True)
            fill(temporary)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def _blaming(target: Path) -> Iterator[None]:
    """Name the file that was meant in errors of the system, whatever temporary name they speak of."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; only POSIX systems can, and need to."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
