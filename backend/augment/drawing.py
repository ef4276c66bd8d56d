"""Regions drawn over a picture: outlines with a dark rim so that they show on any ground, masks translucent."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from backend.augment.lettering import fitted, font
from backend.augment.ops import Rgb
from backend.core import rle
from backend.core.geometry import outline, tight_box
from backend.core.model import Ellipse, Keypoint, Mask, Polygon, Region

Colour = tuple[int, int, int]

# Twelve colours that stay apart, also for most colour-blind eyes; then they repeat.
PALETTE: tuple[Colour, ...] = (
    (255, 176, 0),
    (0, 158, 255),
    (235, 64, 110),
    (0, 190, 120),
    (150, 100, 255),
    (255, 110, 40),
    (0, 200, 210),
    (230, 80, 220),
    (150, 200, 40),
    (90, 120, 255),
    (200, 140, 90),
    (120, 220, 255),
)
_SMOOTH = 2  # outlines are drawn this many times larger and shrunk: that smooths them
_TAG = 12  # pixels, the size of label text
_CROWDED = 14  # regions; more of them, and only large ones get their label written


def colours(labels: Sequence[str]) -> dict[str, Colour]:
    """Return one colour per label, by position."""
    return {label: PALETTE[i % len(PALETTE)] for i, label in enumerate(dict.fromkeys(labels))}


def draw_regions(
    rgb: Rgb, regions: Sequence[Region], palette: Mapping[str, Colour], size: tuple[int, int]
) -> Image.Image:
    """Return the picture at `size` (width, height) in pixels with its regions drawn over it."""
    height, width = rgb.shape[:2]
    base = Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS if size[0] < width else Image.Resampling.BICUBIC)
    scale = size[0] / width, size[1] / height
    base = _tinted(base, regions, palette, scale)
    overlay = Image.new("RGBA", (size[0] * _SMOOTH, size[1] * _SMOOTH))
    pen, large = ImageDraw.Draw(overlay), (scale[0] * _SMOOTH, scale[1] * _SMOOTH)
    for region in regions:  # all rims before any line: a rim must not cut a neighbour's line
        _outline(pen, region, (0, 0, 0, 150), 4, large)
    # Large ones first, so that a small object inside a large one stays visible.
    for region in sorted(regions, key=lambda r: -_extent(r)):
        _outline(pen, region, (*palette[region.label], 255), 2, large)
    out = Image.alpha_composite(base.convert("RGBA"), overlay.resize(size, Image.Resampling.BOX)).convert("RGB")
    _tags(ImageDraw.Draw(out), regions, palette, scale, size)
    return out


def _extent(region: Region) -> float:
    box = tight_box(region.shape)
    return box.area if box else 0.0


def _tinted(
    base: Image.Image, regions: Sequence[Region], palette: Mapping[str, Colour], scale: tuple[float, float]
) -> Image.Image:
    """Return the picture with masks, polygons and ellipses tinted; boxes are left clear."""
    for region in regions:
        if isinstance(region.shape, Mask):
            inside = Image.fromarray(np.where(rle.decode(region.shape), np.uint8(120), np.uint8(0)))
            alpha = inside.resize(base.size, Image.Resampling.BILINEAR)
        elif isinstance(region.shape, Polygon | Ellipse):
            alpha = Image.new("L", base.size)
            for ring in outline(region.shape):
                ImageDraw.Draw(alpha).polygon([tuple(p) for p in (ring * scale).tolist()], fill=50)
        else:
            continue
        base = Image.composite(Image.new("RGB", base.size, palette[region.label]), base, alpha)
    return base


def _outline(
    pen: ImageDraw.ImageDraw, region: Region, ink_: tuple[int, ...], width: int, scale: tuple[float, float]
) -> None:
    if isinstance(region.shape, Keypoint):
        x, y, radius = region.shape.x * scale[0], region.shape.y * scale[1], (width / 2 + 3) * _SMOOTH
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink_)
        return
    for ring in outline(region.shape):
        points = [tuple(p) for p in (ring * scale).tolist()]
        pen.line([*points, points[0], points[1]], fill=ink_, width=width * _SMOOTH, joint="curve")


def _tags(
    pen: ImageDraw.ImageDraw,
    regions: Sequence[Region],
    palette: Mapping[str, Colour],
    scale: tuple[float, float],
    size: tuple[int, int],
) -> None:
    for region in regions:
        at = _tag_place(region, scale, crowded=len(regions) > _CROWDED)
        if at is not None:
            text = fitted(region.label, _TAG, max(size[0] * 0.6, 40))
            _tag(pen, text, at, palette[region.label], size)


def _tag_place(region: Region, scale: tuple[float, float], *, crowded: bool) -> tuple[float, float] | None:
    if isinstance(region.shape, Keypoint):
        return region.shape.x * scale[0] + 8, region.shape.y * scale[1]
    box = tight_box(region.shape)
    if box is None or (crowded and box.width * scale[0] < 80):
        return None
    return box.x0 * scale[0] - 1, box.y0 * scale[1] - 1


def _tag(pen: ImageDraw.ImageDraw, text: str, at: tuple[float, float], colour: Colour, size: tuple[int, int]) -> None:
    """Write a label above its place, or inside where there is no room above."""
    width, height = tag_size(text)
    x = min(max(at[0], 0), max(size[0] - width, 0))
    y = at[1] - height if at[1] >= height else max(at[1], 0)
    pen.rounded_rectangle((x, y, x + width, y + height), 3, fill=colour)
    pen.text((x + 4, y + height / 2), text, font=font(_TAG), fill=ink(colour), anchor="lm")


@lru_cache(maxsize=256)
def tag_size(text: str) -> tuple[float, float]:
    """Return width and height in pixels of a label's plate."""
    return font(_TAG).getlength(text) + 8, _TAG + 5


def ink(colour: Colour) -> Colour:
    """Return black or white, whichever is easier to read on the colour."""
    red, green, blue = colour
    return (20, 20, 24) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)
