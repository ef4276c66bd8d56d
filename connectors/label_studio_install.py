"""Installs Label Studio into a virtual environment of its own, so that its pins do not bind ours."""

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.errors import ServerError

VERSION = "1.23.2"
LOCK = Path(__file__).with_name("label_studio.lock")  # its pins and those of all it needs, for every platform
_MARK = "labelloom-complete"

Say = Callable[[str], None]


def executable(home: Path) -> Path:
    """Return where the `label-studio` command of an environment lies."""
    return home / "bin" / "label-studio"


def is_installed(home: Path) -> bool:
    """Return whether a finished install of the wanted version is there."""
    mark = home / _MARK
    return mark.is_file() and mark.read_text() == VERSION and executable(home).is_file()


def install(home: Path, say: Say) -> Path:
    """Install Label Studio under `home` unless it is there, and return its command.

    An environment cannot be renamed once it exists (its scripts hold its path), so the last thing written is a mark;
    without it an earlier attempt was cut short and is thrown away. A file lock keeps two installs apart.

    Raises:
        ServerError: uv failed; its last lines are in the message.
    """
    if is_installed(home):
        return executable(home)
    home.parent.mkdir(parents=True, exist_ok=True)
    with _locked(home.with_name(home.name + ".lock"), say):
        if not is_installed(home):
            if home.exists():
                say("Removing an unfinished install of Label Studio")
                shutil.rmtree(home)
            say(f"Installing Label Studio {VERSION} into {home} (once, about a minute)")
            _uv("venv", "--python", sys.executable, str(home))
            _uv("pip", "install", "--compile-bytecode", "--python", str(home / "bin" / "python"), "-r", str(LOCK))
            (home / _MARK).write_text(VERSION)
    return executable(home)


@contextmanager
def _locked(path: Path, say: Say) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another install of Label Studio to finish")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _uv(*arguments: str) -> None:
    import uv

    done = subprocess.run([uv.find_uv_bin(), "--no-progress", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-8:])
        msg = f"uv {' '.join(arguments[:2])} failed while installing Label Studio {VERSION}:\n{tail}"
        raise ServerError(
            msg, fix="Check the connection to the package index and the free disk space, then run it again."
        )
