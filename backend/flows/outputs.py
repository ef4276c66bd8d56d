"""Files that a command was asked to write: the one place that says why it cannot."""

from pathlib import Path

from backend.core.errors import UsageError
from backend.imaging.files import write_atomic


def check_output(path: Path) -> None:
    """Refuse a place that is a folder, before any work is done for it.

    Raises:
        UsageError: it is.
    """
    if path.is_dir():
        msg = f"cannot write {path}: it is a folder"
        raise UsageError(msg, fix="give the name of a file in it")


def write_output(path: Path, data: bytes) -> None:
    """Write a file that the user named.

    Raises:
        UsageError: the system does not let us.
    """
    check_output(path)
    try:
        write_atomic(path, data)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}"
        raise UsageError(msg, fix="give a file in a folder that can be written") from error
