"""Which kind of image file this is, by its first bytes and never by its name, and its header.

Only the formats in `KINDS` are ever opened, each by its own reader: a disguised PostScript file never reaches
Ghostscript, and Pillow's process-wide bomb warning is not needed because `MAX_PIXELS` is checked by us.
"""

import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from backend.core.errors import ImageError

MAX_PIXELS = 200_000_000  # 600 MB as RGB; the largest phone cameras reach it

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".svg"}
)  # the one table for all formats, compared without case; what cannot be decoded is skipped with its reason

_ORIENTATION = 0x0112  # the EXIF and TIFF tag
_SNIFF = 512


@dataclass(frozen=True, slots=True)
class Kind:
    """One image format: its name, how its files begin, and what reads its header."""

    name: str
    starts: Callable[[bytes], bool]
    open: Callable[[IO[bytes]], ImageFile.ImageFile]


def _brand(head: bytes) -> bytes:
    return head[8:12] if head[4:8] == b"ftyp" else b""


KINDS = (
    Kind("jpeg", lambda b: b.startswith(b"\xff\xd8\xff"), JpegImagePlugin.JpegImageFile),
    Kind("png", lambda b: b.startswith(b"\x89PNG\r\n\x1a\n"), PngImagePlugin.PngImageFile),
    Kind("webp", lambda b: b[:4] == b"RIFF" and b[8:12] == b"WEBP", WebPImagePlugin.WebPImageFile),
    Kind("gif", lambda b: b.startswith((b"GIF87a", b"GIF89a")), GifImagePlugin.GifImageFile),
    Kind("bmp", lambda b: b.startswith(b"BM"), BmpImagePlugin.BmpImageFile),
    Kind("tiff", lambda b: b.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")), TiffImagePlugin.TiffImageFile),
    Kind("avif", lambda b: _brand(b) in {b"avif", b"avis"}, AvifImagePlugin.AvifImageFile),
)

_FOREIGN = (
    (lambda b: not b, "the file is empty"),
    (lambda b: _brand(b) in {b"heic", b"heix", b"mif1", b"msf1"}, "HEIC photographs cannot be read: save it as JPEG"),
    (lambda b: b"<svg" in b.lower(), "an SVG drawing has no pixels: save it as PNG"),
    (lambda b: b.lstrip().lower().startswith((b"<!doctype html", b"<html")), "a web page, not an image"),
    (lambda b: b.startswith(b"%PDF"), "a PDF document, not an image: save its page as PNG"),
    (lambda b: b.startswith(b"8BPS"), "a Photoshop document: save it as PNG"),
    (lambda b: all(c >= 32 or c in b"\t\r\n" for c in b), "text, not an image"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """An opened image whose pixels were not decoded yet.

    orientation: EXIF 1 to 8, 1 for upright. size_wh: as displayed, that is, after the turn.
    """

    kind: str
    image: ImageFile.ImageFile
    orientation: int
    size_wh: tuple[int, int]


def sniff(head: bytes) -> Kind:
    """Return the format of a file that begins with `head`.

    Raises:
        ImageError: not an image we read; the reason says what it is instead, as far as that can be told.
    """
    head = head[:_SNIFF]
    for kind in KINDS:
        if kind.starts(head):
            return kind
    reason = next((text for test, text in _FOREIGN if test(head)), None)
    if reason is None:
        reason = f"not an image of a known kind ({', '.join(kind.name for kind in KINDS)})"
    raise ImageError(reason)


def open_header(stream: IO[bytes]) -> Header:
    """Read the header of an image; the stream must stay open until its pixels are decoded.

    Raises:
        ImageError: not an image, a broken header, or more than `MAX_PIXELS` pixels.
    """
    kind = sniff(stream.read(_SNIFF))
    if kind.name == "avif" and not features.check("avif"):
        msg = "AVIF images cannot be read by this installation of Pillow: save it as JPEG"
        raise ImageError(msg)
    stream.seek(0)
    try:
        with quiet():
            image = kind.open(stream)
    except Exception as error:  # readers raise many kinds; each means the same to the user
        msg = f"broken {kind.name.upper()} header ({short(error)})"
        raise ImageError(msg) from error
    width, height = image.size
    if width < 1 or height < 1:
        msg = f"an image of {width} x {height} pixels"
        raise ImageError(msg)
    if width * height > MAX_PIXELS:
        msg = f"{width} x {height} pixels are more than the limit of {MAX_PIXELS:,}: refused before decoding"
        raise ImageError(msg)
    orientation = _orientation(image)
    swaps = orientation >= 5 and kind.name != "tiff"  # Pillow already turns a TIFF, and says so in its size
    return Header(kind.name, image, orientation, (height, width) if swaps else (width, height))


def _orientation(image: ImageFile.ImageFile) -> int:
    """Return the EXIF orientation as a browser sees it: from the header only, XMP ignored."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        value = image.tag_v2.get(_ORIENTATION)
    else:
        value = _exif_orientation(image.info.get("exif"))
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _exif_orientation(block: bytes | None) -> object:
    if not block:
        return None
    exif = Image.Exif()
    try:
        with quiet():
            exif.load(block)
            return exif.get(_ORIENTATION)
    except (SyntaxError, ValueError, KeyError, TypeError, EOFError, OSError, struct.error):
        return None  # a broken EXIF block does not make the picture unusable; viewers ignore it too


def short(error: BaseException) -> str:
    """Return what an image reader's error says to a user, in one line."""
    causes = {type(error), type(error.__cause__)}
    if causes & {struct.error, EOFError, IndexError}:
        return "the file ends too early"
    return (str(error).splitlines() or [""])[0][:120] or type(error).__name__


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's warnings, such as on odd EXIF entries, away from the user's terminal."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
