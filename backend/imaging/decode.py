"""Image bytes -> uint8 RGB as displayed: orientation applied once, odd modes converted, damage refused.

Which mode is converted how is told in docs/images.md.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from backend.core.errors import ImageError
from backend.imaging import containers
from backend.imaging.containers import MAX_PIXELS, Header
from backend.imaging.integrity import JpegFeed, check_png

__all__ = ["MAX_PIXELS", "Decoded", "Probe", "Rgb", "decode", "probe"]

Rgb = NDArray[np.uint8]  # shape (height, width, 3)


@dataclass(frozen=True, slots=True)
class Probe:
    """What a header says. Width and height in pixels as displayed; turned: an EXIF turn or mirroring applies."""

    width: int
    height: int
    turned: bool
    format: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded image.

    rgb: uint8 (height, width, 3), contiguous and writable. turned: an EXIF orientation other than 1 was applied.
    format: jpeg, png, webp, gif, bmp, tiff or avif, by content. notes: conversions that changed pixel values.
    """

    rgb: Rgb
    turned: bool
    format: str
    notes: tuple[str, ...] = ()


def probe(path: str | Path) -> Probe:
    """Read an image's header; no pixel is decoded.

    Raises:
        ImageError: not an image, a broken header, or too many pixels.
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as stream:
        header = containers.open_header(stream)
    width, height = header.size_wh
    return Probe(width, height, header.orientation != 1, header.kind)


def decode(data: bytes) -> Decoded:
    """Decode an image of any supported format into RGB as displayed.

    Raises:
        ImageError: not an image, truncated, damaged, a kind of pixel with no defined look, or too many pixels.
    """
    feed = JpegFeed(data) if containers.sniff(data).name == "jpeg" else io.BytesIO(data)
    header = containers.open_header(feed)
    try:
        with containers.quiet():
            _load(header, feed)
            rgb, notes = _to_rgb(header.image)
    except ImageError:
        raise
    except Exception as error:  # readers raise many kinds; each means the same to the user
        msg = f"cannot decode the {header.kind.upper()}: {containers.short(error)}"
        raise ImageError(msg) from error
    if header.kind != "tiff":  # Pillow turns a TIFF while loading
        rgb = turn(rgb, header.orientation)
    return Decoded(rgb, header.orientation != 1, header.kind, notes + _frames(header.image))


def _load(header: Header, feed: io.BytesIO) -> None:
    if isinstance(feed, JpegFeed):
        feed.load(header.image)
        return
    if header.kind == "png":
        check_png(feed.getvalue())
    header.image.load()


def turn(rgb: Rgb, orientation: int) -> Rgb:
    """Return an image turned upright, given its EXIF orientation (1 to 8)."""
    if orientation >= 5:
        rgb = rgb.transpose(1, 0, 2)
    if orientation in {3, 4, 7, 8}:
        rgb = rgb[::-1]
    if orientation in {2, 3, 6, 7}:
        rgb = rgb[:, ::-1]
    return np.ascontiguousarray(rgb)


def _to_rgb(image: Image.Image) -> tuple[Rgb, tuple[str, ...]]:
    mode = image.mode
    if mode.startswith("I;16"):
        wide = np.asarray(image, dtype=np.uint32)
        gray = ((wide * 255 + 32767) // 65535).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2), ("16-bit gray scaled to 8 bit",)
    if mode in {"I", "F"}:
        msg = f"pixels are {'32-bit integers' if mode == 'I' else 'floats'}, which have no defined look: save 8 bit"
        raise ImageError(msg)
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA")), ("transparency put on white",)
    notes = ("CMYK converted to RGB without its colour profile",) if mode == "CMYK" else ()
    return np.array(image if mode == "RGB" else image.convert("RGB")), notes


def _on_white(image: Image.Image) -> Rgb:
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return np.array(Image.alpha_composite(white, image).convert("RGB"))


def _frames(image: ImageFile.ImageFile) -> tuple[str, ...]:
    return ("only the first of several frames is used",) if getattr(image, "is_animated", False) else ()
