"""Forgiving reading: foreign numbers become valid regions, and every repair is counted in plain words."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from backend.core.errors import ImageError
from backend.core.geometry import Points, clip_box, clip_rings, ring_area, to_polygon
from backend.core.model import Box, Polygon, Skipped
from backend.imaging.decode import Probe, probe

NOISE = 0.01  # pixels a coordinate may lie beyond the frame without being worth a word

FARTHEST = 1e7  # pixels from the corner that a coordinate may lie; beyond, areas are no longer exact

Size = tuple[int, int]  # width, height in pixels
Corners = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels, not checked yet

CLIPPED = "reached beyond the frame and was clipped"
OUTSIDE = "lay outside the image and was left out"
NO_AREA = "had no area and was left out"
NO_NUMBERS = "had coordinates that are no numbers and was left out"
SWAPPED = "had its corners swapped, which was put right"


class Repairs:
    """Counts what was repaired in one sample; every reason reads as the end of the sentence 'a region ...'."""

    def __init__(self) -> None:
        self._regions: Counter[str] = Counter()
        self._notes: list[str] = []

    def region(self, reason: str) -> None:
        """Count one region that needed a repair."""
        self._regions[reason] += 1

    def note(self, sentence: str) -> None:
        """Note something about the whole sample, once."""
        if sentence not in self._notes:
            self._notes.append(sentence)

    def notes(self) -> tuple[str, ...]:
        """Return one sentence for each reason, with its count."""
        counted = (f"{count} x a region {reason}" for reason, count in sorted(self._regions.items()))
        return (*self._notes, *counted)


def read_number(text: str | float | None) -> float:
    """Return a number from text ('12', ' 12.5 ', '1e3'); what is no number gives NaN."""
    try:
        return float(text) if text is not None else math.nan
    except (TypeError, ValueError, OverflowError):
        return math.nan


def read_box(corners: Corners, size: Size, repairs: Repairs) -> Box | None:
    """Return the valid part of a box given as x0, y0, x1, y1 in pixels, or None where nothing is left."""
    if not all(-FARTHEST <= corner <= FARTHEST for corner in corners):  # NaN is not either
        repairs.region(NO_NUMBERS)
        return None
    x0, y0, x1, y1 = corners
    if x0 > x1 or y0 > y1:
        repairs.region(SWAPPED)
        x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    if x0 == x1 or y0 == y1:
        repairs.region(NO_AREA)
        return None
    clipped = clip_box(Box(x0, y0, x1, y1), *size)
    if clipped is None:
        repairs.region(OUTSIDE)
    elif max(-x0, -y0, x1 - size[0], y1 - size[1]) > NOISE:
        repairs.region(CLIPPED)
    return clipped


def read_rings(rings: Sequence[Sequence[tuple[float, float]]], size: Size, repairs: Repairs) -> Polygon | None:
    """Return the valid part of a polygon's outer rings in pixels, or None where nothing is left."""
    arrays: list[Points] = [np.asarray(ring, dtype=float).reshape(-1, 2) for ring in rings if len(ring) >= 3]
    if not all((np.abs(ring) <= FARTHEST).all() for ring in arrays):
        repairs.region(NO_NUMBERS)
        return None
    arrays = [_snap(ring, size) for ring in arrays]
    arrays = [ring for ring in arrays if ring_area(ring) > 0]
    if not arrays:
        repairs.region(NO_AREA)
        return None
    inside = clip_rings(arrays, *size)
    if not inside:
        repairs.region(OUTSIDE)
        return None
    if any(_beyond(ring, size) for ring in arrays):
        repairs.region(CLIPPED)
    return to_polygon(inside)


def _beyond(ring: Points, size: Size) -> bool:
    return bool((ring < 0).any() or (ring > size).any())


def _snap(ring: Points, size: Size) -> Points:
    """Return a ring whose float noise beyond the frame is gone."""
    clipped = np.clip(ring, 0, size)
    return np.where(np.abs(clipped - ring) <= NOISE, clipped, ring)


class Header(NamedTuple):
    """A sample's image: its path below the dataset's root, and what its header says."""

    relative: str
    probe: Probe

    @property
    def size(self) -> Size:
        """Width and height in pixels, as displayed."""
        return self.probe.width, self.probe.height


def read_header(root: Path, relative: str) -> Header | Skipped:
    """Return an image's header, or why the image cannot be used."""
    try:
        return Header(relative, probe(root / relative))
    except ImageError as error:
        return Skipped(relative, str(error))
    except OSError as error:
        return Skipped(relative, f"cannot be read: {error.strerror or error}")


def extent_of(boxes: Sequence[Corners]) -> tuple[float, float]:
    """Return how far right and down boxes reach, in pixels; what is no number counts as 0."""
    xs, ys = ([box[side] for box in boxes if math.isfinite(box[side])] for side in (2, 3))
    return max(xs, default=0.0), max(ys, default=0.0)


def check_size(told: Size | None, header: Header, extent: tuple[float, float], repairs: Repairs) -> str | None:
    """Compare the size an annotation tells with the image's, which always holds; return a reason to skip, or None.

    extent: how far right and down the annotation's coordinates reach, in pixels.
    """
    size = header.size
    if told is None:
        repairs.note("the annotation does not say how large the image is")
        return None
    if told == size:
        return None
    if header.probe.turned and told == size[::-1]:
        if extent[0] > size[0] + 1 or extent[1] > size[1] + 1:
            return (
                f"its annotation was made on the image before its EXIF turn ({told[0]} x {told[1]}) and does not fit "
                f"the image as displayed ({size[0]} x {size[1]}): draw it again, or remove the EXIF orientation"
            )
        repairs.note(
            f"the annotation gives the size before the EXIF turn ({told[0]} x {told[1]}); its coordinates fit the "
            f"image as displayed ({size[0]} x {size[1]}) and are taken as such"
        )
        return None
    repairs.note(f"the annotation says {told[0]} x {told[1]}, the image is {size[0]} x {size[1]}: the image holds")
    return None
