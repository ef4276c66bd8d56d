"""File names that every system and every trainer can carry: safe, short, and unique without regard to case."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import unquote

STEM_BYTES = 100

_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-(?=[^.])")  # Label Studio puts it before every uploaded file's name
_EXTENSION = re.compile(r"(?<=.)\.(jpe?g|jpe|jfif|png|apng|webp|gif|bmp|dib|tiff?|avif|hei[cf])$", re.IGNORECASE)
_FORBIDDEN = frozenset('/\\:*?"<>|')
_JOINERS = frozenset("\u200c\u200d")  # hold emoji and some scripts together
_RESERVED = re.compile(r"^(con|prn|aux|nul|(com|lpt)[0-9¹²³])(\.|$)", re.IGNORECASE)  # devices on Windows
_HASH_DIGITS = (0, 6, 16, 64)


def _safe(character: str) -> str:
    if character in _FORBIDDEN:
        return "_"
    category = unicodedata.category(character)  # Z: spaces, C: control, format (text direction), lone surrogates
    return "_" if category[0] in "ZC" and character not in _JOINERS else character


def _cut(text: str, size: int) -> str:
    """Return the longest beginning whose UTF-8 form has at most `size` bytes."""
    return text.encode()[:size].decode(errors="ignore")


def safe_stem(name: str) -> str:
    """Return a name's stem as it is used in datasets, at most `STEM_BYTES` bytes of UTF-8 and never empty.

    Percent escapes are decoded, Label Studio's upload prefix and the image extension go, Unicode is composed (NFC),
    and characters that some system forbids become `_`. The result never holds a path separator.
    """
    with suppress(UnicodeDecodeError):  # not an escaped name after all: keep its percent signs
        name = unquote(name, errors="strict")
    name = _EXTENSION.sub("", _UPLOAD_PREFIX.sub("", name))
    stem = "".join(map(_safe, unicodedata.normalize("NFC", name))).lstrip(".")
    stem = _cut(stem, STEM_BYTES).rstrip(".") or "image"
    return _cut(f"_{stem}", STEM_BYTES) if _RESERVED.match(stem) else stem


def _key(stem: str) -> str:
    """Return what file systems that ignore case compare."""
    return unicodedata.normalize("NFC", stem.casefold())


def assign_stems(items: Iterable[tuple[str, str]]) -> list[str]:
    """Return one stem per (name, source sha256), all different even where case is ignored.

    All names that would be equal get the first 6 hex digits of their hash (more, should those be equal too), so the
    result does not depend on the order; only copies, with the same name and the same hash, are numbered in order.
    """
    entries = [(safe_stem(name), name, sha) for name, sha in items]
    copies = _copies(entries)

    def render(index: int, digits: int) -> str:
        stem, _, sha = entries[index]
        number = f"_{copies[index]}" if index in copies else ""
        return f"{stem}_{sha[:digits]}{number}" if digits else stem

    names = [stem for stem, _, _ in entries]
    levels = bytearray(len(names))
    while True:
        used = Counter(map(_key, names))
        clashing = [i for i, name in enumerate(names) if used[_key(name)] > 1 and levels[i] + 1 < len(_HASH_DIGITS)]
        if not clashing:
            return names
        for i in clashing:
            levels[i] += 1
            names[i] = render(i, _HASH_DIGITS[levels[i]])


def _copies(entries: list[tuple[str, str, str]]) -> dict[int, int]:
    """Return the number, from 2, of each entry that another one with the same stem and hash goes before."""
    same: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for index, (stem, _, sha) in enumerate(entries):
        same[_key(stem), sha].append(index)
    return {
        index: number
        for indices in same.values()
        for number, index in enumerate(sorted(indices, key=lambda i: entries[i][1]), start=1)
        if number > 1
    }


class Namer:
    """Unique file names for a stream that cannot be read twice: the first of equal names keeps its own."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def assign(self, name: str, source_sha: str, suffix: str) -> str:
        """Return a file name not given before: the safe stem and `suffix` (such as `.jpg`).

        A name taken already gets 6 hex digits of the source hash, and then a number.
        """
        stem = safe_stem(name)
        hashed = f"{stem}_{source_sha[:6]}"
        choice, number = stem, 1
        while _key(choice + suffix) in self._used:
            choice = hashed if number == 1 else f"{hashed}_{number}"
            number += 1
        self._used.add(_key(choice + suffix))
        return choice + suffix


def file_name(stem: str, variant: int, extension: str) -> str:
    """Return the name of a variant's image file: `raccoon-7`, 2, `.jpg` give `raccoon-7_v02.jpg`."""
    return f"{stem}_v{variant:02d}{extension}"
