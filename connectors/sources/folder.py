"""Images in a folder on this machine, with what files beside them and the files themselves say of their licence."""

import json
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from connectors.sources.base import Access, Candidate, Json, Query, Ready, Source, SourceFault
from connectors.sources.embedded import embedded
from connectors.sources.stated import Stated, license_of, stated

NAME = "folder"
_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
_MAGIC = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF....WEBP|II\*\0|MM\0\*|....ftyp(?:avif|heic|mif1)", re.DOTALL
)
_SIDECAR = 1 << 20  # bytes; what is larger is no note about an image
_TITLE = 1000  # characters


def search(query: Query, access: Access) -> Iterator[Candidate]:
    """Yield the images below a folder, folder by folder, numbers in names counted as numbers.

    What cannot be read, and links that lead out of the folder, are offered with an address that nothing can fetch, so
    that they end among the rejected ones.

    Raises:
        SourceFault: there is no such folder.
    """
    root = Path(query.text).expanduser()
    if not query.text.strip() or not root.is_dir():
        msg = f"{query.text!r} is not a folder"
        raise SourceFault(kind="bad_request", message=msg, fix="Name a folder of images.")
    if query.wanted is not None and query.wanted < 1:
        return
    root = root.resolve()
    for rank, (path, problem) in enumerate(_walk(root, root), start=1):
        name = _shown(str(path.relative_to(root)))
        if problem is not None:
            yield Candidate(url=f"{problem}: {name}", source=NAME, query=query.text, rank=rank, extra={"path": name})
        else:
            yield _candidate(path, name, query.text, rank)


def path_of(url: str) -> Path:
    """Return the file of a `file:` address, byte for byte, whatever encoding its name has."""
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(url).path)))


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts 2.jpg before 10.jpg, and a name alike however its accents or syllables are composed."""
    parts = re.split(r"(\d+)", unicodedata.normalize("NFC", name).casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts if part]


def _walk(folder: Path, root: Path) -> Iterator[tuple[Path, str | None]]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: (natural(entry.name), entry.name))
    except OSError as error:
        yield folder, f"cannot be read ({error.strerror})"
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if entry.is_symlink() and not path.resolve().is_relative_to(root):
            yield path, "a link that leads out of the folder"
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(path, root)
        elif entry.is_file() and _is_image(path):  # a folder linked from within is met where it lies
            yield path, None


def _is_image(path: Path) -> bool:
    if path.suffix.lower() in _SUFFIXES:
        return True
    try:
        with path.open("rb") as stream:
            return _MAGIC.match(stream.read(16)) is not None
    except OSError:
        return False


def _candidate(path: Path, name: str, query: str, rank: int) -> Candidate:
    note, caption = _note(path)
    inside = embedded(path) if note.license.raw is None or note.creator is None else None
    license_ = note.license
    if inside is not None and license_.raw is None:
        license_ = license_of(inside.rights, inside.statement, "file")
    return Candidate(
        url="file://" + "".join(chr(b) if chr(b) in _PLAIN else f"%{b:02X}" for b in os.fsencode(path)),
        source=NAME,
        query=query,
        rank=rank,
        page_url=note.page_url,
        title=note.title or caption or _shown(path.stem),
        license=license_,
        creator=note.creator or (inside.credit if inside else None),
        label=note.label,
        extra={**note.extra, "path": name},
    )


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/")


def _note(path: Path) -> tuple[Stated, str]:
    """Return what `name.json` and `name.txt` (or `name.jpg.json`) beside an image say."""
    columns: Json = {}
    text = _beside(path, ".json")
    if text:
        try:
            found = json.loads(text)
            columns = found if isinstance(found, dict) else {}
        except (ValueError, RecursionError) as error:
            columns = {"sidecar": f"not JSON: {error}"}
    caption = " ".join((_beside(path, ".txt") or "").split())[:_TITLE]
    return stated(columns), caption


def _beside(path: Path, suffix: str) -> str | None:
    for name in (path.name + suffix, path.stem + suffix):
        for form in ("NFC", "NFD"):
            beside = path.with_name(unicodedata.normalize(form, name))
            try:
                if beside.is_file() and not beside.is_symlink() and beside.stat().st_size <= _SIDECAR:
                    return beside.read_text(encoding="utf-8-sig", errors="replace")
            except OSError:
                continue
    return None


def _shown(name: str) -> str:
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))


def ready(_: Access) -> Ready:
    """Tell that nothing is needed."""
    return Ready(True, "reads a folder on this machine")


SOURCE = Source(
    name=NAME, summary="A folder of images on this machine", takes="folder", search=search, ready=ready, licensed=True
)
