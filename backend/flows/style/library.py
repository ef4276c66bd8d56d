"""Which pictures a style specification means: files, folders, the library's own, those LabelLoom makes, or a sha256.

The library is a folder of pictures, `<data>/styles/`: a style is called what its file is called, without the suffix.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.core.errors import ImageError, UsageError, shown
from backend.core.model import Skipped
from backend.flows.style.step import SHA
from backend.imaging.containers import IMAGE_SUFFIXES
from backend.imaging.decode import decode, probe
from backend.imaging.files import write_atomic
from backend.settings import Settings

MADE = "made"
NAME = re.compile(r"[^/\\.\x00-\x1f][^/\\\x00-\x1f]{0,99}")
_LONGEST = 240  # bytes: file systems take 255, and a suffix comes behind
_MADE_VERSION = "1"  # changes when a made style does


@dataclass(frozen=True, slots=True)
class Style:
    """A style picture. name: as people call it; sha256: of its bytes."""

    name: str
    sha256: str
    path: Path


def find_styles(specs: Sequence[str], settings: Settings, skipped: list[Skipped] | None = None) -> list[Style]:
    """Return the styles that specifications mean, each content once, in order.

    A picture that cannot be read is left out, and told in `skipped`.

    Raises:
        UsageError: a specification means nothing, or none of the pictures can be read.
    """
    found: dict[str, Style] = {}
    bad = [] if skipped is None else skipped
    for spec in specs:
        for name, path in _paths(spec, settings):
            try:
                sha = _readable(path, settings)
            except (ImageError, OSError) as error:
                bad.append(Skipped(str(path), str(error)))
                continue
            found.setdefault(sha, Style(name, sha, path))
    if not found:
        first = f": {bad[0].item}: {bad[0].reason}" if bad else ""
        msg = f"no style can be used{first}" if specs else "no style is given"
        raise UsageError(msg, fix="name a picture, a folder of them, or one that `labelloom style list` shows")
    return list(found.values())


def _readable(path: Path, settings: Settings) -> str:
    """Return a picture's sha256 if it can be decoded; the library's own were, when they came."""
    if path.parent == settings.styles_dir or path.is_relative_to(settings.cache_dir):
        probe(path)
    else:
        decode(path.read_bytes())
    return sha256_of(path)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def own_styles(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield name and file of what the user added."""
    if settings.styles_dir.is_dir():
        for path in sorted(settings.styles_dir.iterdir()):
            if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
                yield path.stem, path


def made_names() -> list[str]:
    """Return the names of what LabelLoom makes itself."""
    from backend.style.made import MADE as MAKERS

    return [f"{MADE}/{name}" for name in MAKERS]


def made_styles(settings: Settings, only: str | None = None) -> Iterator[tuple[str, Path]]:
    """Yield name and file of what LabelLoom makes, or of one; a file that is missing is made, which takes a while."""
    from backend.imaging.encode import encode
    from backend.style.made import MADE as MAKERS
    from backend.style.made import make

    folder = settings.cache_dir / "made-styles" / _MADE_VERSION
    for name in MAKERS:
        if only not in {None, f"{MADE}/{name}"}:
            continue
        path = folder / f"{name}.png"
        if not path.is_file():
            write_atomic(path, encode(make(name), "png"))
        yield f"{MADE}/{name}", path


def add_style(source: Path, name: str | None, settings: Settings) -> Style:
    """Copy a picture into the library.

    Raises:
        UsageError: it is no picture, or the name is taken or unusable.
    """
    try:
        return add_bytes(source.read_bytes(), name or source.stem, settings)
    except (OSError, ImageError) as error:
        msg = f"{source}: {error if isinstance(error, ImageError) else error.strerror}"
        raise UsageError(msg, fix="give a picture that can be opened") from error


def add_bytes(data: bytes, name: str, settings: Settings) -> Style:
    """Put a picture's bytes into the library; the same picture under the same name again changes nothing.

    Raises:
        UsageError: the name is taken or unusable.
        ImageError: it is no picture.
    """
    name = unicodedata.normalize("NFC", name)
    if not NAME.fullmatch(name) or name == MADE or name.startswith(SHA) or len(_bytes(name)) > _LONGEST:
        msg = f"{shown(name)} cannot be a style's name"
        raise UsageError(msg, fix="give one of 1 to 80 letters without / and \\ that begins with no dot")
    kind, sha = decode(data).format, hashlib.sha256(data).hexdigest()
    for known, path in own_styles(settings):
        if known == name:
            if sha256_of(path) == sha:
                return Style(name, sha, path)
            msg = f"there is a style {shown(name)} already"
            raise UsageError(msg, fix="give another --name, or remove that one first")
    path = settings.styles_dir / f"{name}.{kind}"
    write_atomic(path, data)
    return Style(name, sha, path)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "replace")


def remove_style(name: str, settings: Settings) -> Path:
    """Remove a picture from the library; datasets made with it keep their own copy.

    Raises:
        UsageError: there is none of that name, or LabelLoom makes it itself.
    """
    for known, path in own_styles(settings):
        if known == name:
            path.unlink()
            return path
    made = name.startswith(f"{MADE}/")
    msg = f"{shown(name)} is made by LabelLoom itself" if made else f"there is no style {shown(name)} in the library"
    raise UsageError(msg, fix="`labelloom style list` shows those that were added")


def _paths(spec: str, settings: Settings) -> Iterable[tuple[str, Path]]:
    if spec.startswith(SHA):
        return [(spec, _by_content(spec, settings))]
    if spec == MADE or spec.startswith(f"{MADE}/"):
        chosen = list(made_styles(settings, None if spec == MADE else spec))
    else:
        chosen = [one for one in own_styles(settings) if one[0] == spec] or list(_files(Path(spec).expanduser()))
    if not chosen:
        msg = f"there is no style {shown(spec)}"
        raise UsageError(msg, fix="name a picture, a folder of them, or one that `labelloom style list` shows")
    return chosen


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_dir():
        inside = (one for one in path.rglob("*") if one.suffix.lower() in IMAGE_SUFFIXES and one.is_file())
        yield from ((str(one.relative_to(path)), one) for one in sorted(inside))
    elif path.is_file():
        yield path.name, path


def cached(sha: str, settings: Settings) -> Path:
    """Return where a style picture is kept for datasets that were made with it."""
    return settings.sources_dir / sha[:2] / sha


def _by_content(spec: str, settings: Settings) -> Path:
    sha = spec.removeprefix(SHA)
    if re.fullmatch(r"[0-9a-f]{64}", sha):
        if cached(sha, settings).is_file():
            return cached(sha, settings)
        for _, path in (*own_styles(settings), *made_styles(settings)):
            if sha256_of(path) == sha:
                return path
    msg = f"the style {shown(spec)} is not there any more"
    raise UsageError(msg, fix="add its picture again: `labelloom style add FILE`")
