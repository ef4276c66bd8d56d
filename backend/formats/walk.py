"""Finding the files of a dataset folder, and text in whatever encoding it came."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from backend.imaging.containers import IMAGE_SUFFIXES

_JUNK = {"__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini"}


def is_image(name: str) -> bool:
    """Tell whether a file name has an image's suffix, in any case."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 - called for every file of a tree


def is_junk(name: str) -> bool:
    """Tell whether a file or folder name is left by an operating system or a tool, or is hidden."""
    return name.startswith(".") or name in _JUNK


def within(root: Path, path: str | Path) -> bool:
    """Tell whether a path lies below `root` after every link in it is followed; an endless link does not."""
    try:
        return Path(path).resolve(strict=True).is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return False


LEADS_OUT = "is a link that leads out of the dataset, and was not followed"
NOWHERE = "is a link that leads nowhere"
NO_FILE = "is neither a file nor a folder"
HIDDEN = "is hidden"


def walk(root: Path) -> Iterator[str]:
    """Yield the files below `root` as sorted '/'-separated relative paths, without hidden ones.

    Links are followed where they stay below `root`, each real folder once, so a loop of links ends. Links that lead
    out, and what is no regular file, are left out: `entries` names them.
    """
    return (path for path, reason in entries(root) if reason is None)


def entries(root: Path, top: str | None = None) -> Iterator[tuple[str, str | None]]:
    """Yield every file below `root` with the reason why it is not read, if there is one; `top`: links may lead there.

    A folder appears only as a link that is not followed. Of what is hidden, only images appear.
    """
    seen: set[str] = set()
    top = top or os.path.realpath(root)
    stack = [""]
    while stack:
        relative = stack.pop()
        folder = root / relative
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            found = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue  # an unreadable folder has no readable images
        below: list[str] = []
        for entry in found:
            if is_junk(entry.name) and not _hides_image(entry.name):
                continue
            path = f"{relative}/{entry.name}" if relative else entry.name
            reason = HIDDEN if is_junk(entry.name) else _reason(entry, top)
            if reason is None and entry.is_dir():
                below.append(path)
            else:
                yield path, reason
        stack += reversed(below)


def _hides_image(name: str) -> bool:
    return is_image(name) and not name.startswith("._")  # those are a Mac's notes on a file


def _reason(entry: "os.DirEntry[str]", top: str) -> str | None:
    """Return why an entry is not read, or None; only links cost a look at the file system."""
    if not entry.is_symlink():
        return None if entry.is_file() or entry.is_dir() else NO_FILE
    real = os.path.realpath(entry.path)
    if real != top and not real.startswith(os.path.join(top, "")):  # noqa: PTH118 - text, as realpath gives it
        return LEADS_OUT
    try:
        status = os.stat(real)  # noqa: PTH116
    except OSError:
        return NOWHERE
    return None if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) else NO_FILE


def walk_near(root: Path, belongs: Callable[[str], bool]) -> Iterator[str]:
    """Yield the files directly in `root` and below those of its folders whose name `belongs`, as `walk` does.

    What lies in other folders may be another dataset.
    """
    top = os.path.realpath(root)
    folders: list[str] = []
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        if is_junk(entry.name) or _reason(entry, top):
            continue
        if entry.is_dir():
            folders += [entry.name] if belongs(entry.name) else []
        else:
            yield entry.name
    for name in folders:
        yield from (f"{name}/{path}" for path, reason in entries(root / name, top) if reason is None)


def images_below(root: Path) -> Iterator[str]:
    """Yield the image files below `root`, as `walk` does."""
    return (path for path in walk(root) if is_image(path))


def decode_text(data: bytes) -> str:
    """Return text from UTF-8 (with or without BOM), UTF-16 with BOM, Korean cp949, or at last Latin-1."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", errors="replace")
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def read_text(path: Path) -> str:
    """Return a text file's content, decoded as `decode_text` does.

    Raises:
        OSError: it cannot be read.
    """
    return decode_text(path.read_bytes())


def read_names(path: Path) -> tuple[str, ...]:
    """Return the names of a class list, one a line, without blank lines at its end."""
    return tuple(line.strip() for line in read_text(path).strip().splitlines())


def inside(root: Path, relative: str) -> Path | None:
    """Return `root / relative`, or None where the text leads out of `root` ('..', an absolute path)."""
    path = os.path.normpath(relative.replace("\\", "/"))
    if path.startswith(("..", "/")) or Path(path).is_absolute():
        return None
    return root / path
