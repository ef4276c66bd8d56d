"""VOC's two mask images: SegmentationClass (pixel = class) and SegmentationObject (pixel = object), indexed PNG.

Class index = position in the label list + 1, object index = position in the XML from 1; 0 is background and 255, the
border of the original data set, is read as background and never written.
"""

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.core import rle
from backend.core.geometry import iou, outline
from backend.core.model import Box, Mask, Polygon, Sample
from backend.formats.base import Losses, stem
from backend.imaging.files import write_atomic
from backend.imaging.raster import polygon_mask

CLASS_FOLDER, OBJECT_FOLDER = "SegmentationClass", "SegmentationObject"
VOID = 255

Index = NDArray[np.uint8]  # shape (height, width)


class Painted(NamedTuple):
    """One object to paint: its number in the XML, its class index, its shape."""

    number: int
    class_index: int
    shape: Polygon | Mask


@lru_cache(maxsize=1)
def palette() -> bytes:
    """Return VOC's 256 colours: the bits of the index spread over red, green and blue, highest first."""
    colours = np.zeros((256, 3), dtype=np.uint8)
    for index in range(256):
        for bit in range(8):
            colours[index, bit % 3] |= ((index >> bit) & 1) << (7 - bit // 3)
    return colours.tobytes()


def write_masks(folder: Path, sample: Sample, painted: Sequence[Painted], losses: Losses) -> None:
    """Write both mask images of a sample; a later object hides what lies below it (counted)."""
    classes = np.zeros((sample.height, sample.width), dtype=np.uint8)
    objects = np.zeros_like(classes)
    areas: dict[int, int] = {}
    for number, class_index, shape in painted:
        if max(number, class_index) >= VOID:
            losses["mask left out: an image holds 254 objects and 254 classes at most"] += 1
            continue
        if isinstance(shape, Polygon):
            losses["polygon written as a pixel mask"] += 1
            pixels = polygon_mask(outline(shape), sample.width, sample.height)
        else:
            pixels = rle.decode(shape)
        areas[number] = int(pixels.sum())
        classes[pixels], objects[pixels] = class_index, number
    left = np.bincount(objects.ravel(), minlength=256)
    hidden = sum(bool(left[number] < area) for number, area in areas.items())
    if hidden:
        losses["mask partly hidden by a later one"] += hidden
    for kind, index in ((CLASS_FOLDER, classes), (OBJECT_FOLDER, objects)):
        write_atomic(folder / kind / f"{stem(sample.name)}.png", encode_index(index))


def encode_index(index: Index) -> bytes:
    """Return an indexed PNG with VOC's palette."""
    image = Image.fromarray(index)
    image.putpalette(palette())
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


def read_index(path: Path, size_wh: tuple[int, int]) -> Index | str:
    """Return a mask image's indices, or why it cannot be used."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.mode not in {"P", "L"}:
                return f"mask {path.name} is no indexed image ({image.mode})"
            if image.size != size_wh:
                return f"mask {path.name} is {image.width} x {image.height}, not {size_wh[0]} x {size_wh[1]}"
            return np.array(image, dtype=np.uint8)
    except (OSError, ValueError, SyntaxError) as error:
        return f"mask {path.name} cannot be read ({error})"


def masks_by_object(index: Index, boxes: Sequence[Box]) -> dict[int, Mask]:
    """Return the masks found in an object image, by the position of the box they belong to.

    Object k belongs to box k where the two agree (IoU at least 0.5), else to the free box it agrees with best.
    """
    found: dict[int, Mask] = {}
    loose: list[tuple[Mask, Box]] = []
    for number in (int(n) for n in np.unique(index) if n not in {0, VOID}):
        mask = rle.encode(index == number)
        bounds = rle.bounds(mask)
        if bounds is None:
            continue
        if number <= len(boxes) and iou(bounds, boxes[number - 1]) >= 0.5:
            found[number - 1] = mask
        else:
            loose.append((mask, bounds))
    for mask, bounds in loose:
        free = [(iou(bounds, box), -k) for k, box in enumerate(boxes) if k not in found]
        agreement, position = max(free, default=(0.0, 0))
        if agreement >= 0.5:
            found[-position] = mask
    return found
