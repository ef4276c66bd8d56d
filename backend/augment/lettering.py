"""Text in pictures: a font that can write the labels, or the labels spelled so that the font can."""

import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# The first that exists is taken; those that know Hangul, Kana and Han come first.
_NAMES = (
    "NotoSansKR-Regular.otf",
    "NotoSansKR-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKkr-Regular.otf",
    "NanumGothic.ttf",
    "NanumBarunGothic.ttf",
    "AppleSDGothicNeo.ttc",
    "malgun.ttf",
    "DroidSansFallbackFull.ttf",
    "DejaVuSans.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
)
_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.fonts",
    "~/.local/share/fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
)


@lru_cache(maxsize=1)
def font_file() -> Path | None:
    """Return the best installed font file, or None (then Pillow's own font serves)."""
    found: dict[str, Path] = {}
    for folder in map(Path, _FOLDERS):
        root = folder.expanduser()
        if root.is_dir():
            for path in sorted(root.rglob("*.[ot]t[fc]")):
                found.setdefault(path.name, path)
    return next((found[name] for name in _NAMES if name in found), None)


@lru_cache(maxsize=16)
def font(size: int) -> Font:
    """Return the font at a size in pixels."""
    path = font_file()
    return ImageFont.load_default(size) if path is None else ImageFont.truetype(str(path), size)


@lru_cache(maxsize=4096)
def _knows(letter: str) -> bool:
    face = font(16)
    if letter.isspace():
        return True
    shape, unknown = face.getmask(letter), face.getmask("\U0010fffe")
    return shape.getbbox() is not None and (shape.size, bytes(shape)) != (unknown.size, bytes(unknown))


def spelled(text: str) -> str:
    """Return the text as the font can write it: itself, or unknown letters spelled in Latin ones."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(letter if _knows(letter) else spell(letter) for letter in composed)


_LEADS = ("g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h")
_VOWELS = (
    *("a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae"),
    *("oe", "yo", "u", "wo", "we", "wi", "yu", "eu", "ui", "i"),
)
_TAILS = (
    *("", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l"),
    *("p", "l", "m", "p", "p", "t", "t", "ng", "t", "t", "k", "t", "p", "t"),
)


def spell(letter: str) -> str:
    """Return a letter in Latin ones: Hangul by sound, accents left off, signs by name, the rest by number."""
    index = ord(letter) - 0xAC00
    if 0 <= index < 11172:  # a Hangul syllable is lead x vowel x tail, in that order
        return _LEADS[index // 588] + _VOWELS[index % 588 // 28] + _TAILS[index % 28]
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    sign = unicodedata.category(letter).startswith("S")
    return plain or (f"<{unicodedata.name(letter, '?').lower()}>" if sign else f"<{ord(letter):X}>")


def fitted(text: str, size: int, width: float) -> str:
    """Return the text, cut with an ellipsis where it is wider than `width` pixels."""
    text, face = spelled(text), font(size)
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip(" ,·") + "…"
