"""One YOLO label line <-> one region, for the three tasks: detect, obb and segment.

A line is a class id and coordinates as fractions of the image: `cx cy w h`, or points `x y x y ...` (4 corners for obb,
an outline for segment).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from backend.core.geometry import Points, clip_rings, min_area_box, ring_area
from backend.core.model import Box, Region, RotatedBox, Sample, Shape
from backend.formats.base import Losses
from backend.formats.holds import hold_box, hold_quad, hold_rings
from backend.formats.reading import (
    FARTHEST,
    NO_AREA,
    NO_NUMBERS,
    NOISE,
    OUTSIDE,
    Repairs,
    Size,
    read_box,
    read_number,
    read_rings,
)

GRID = 10**8  # steps per image side: 8 decimals

Encode = Callable[[Sample, Region, Losses], str | None]


def encode_detect(sample: Sample, region: Region, losses: Losses) -> str | None:
    """Return `cx cy w h` of the region's box, or None where it cannot be written.

    Both edges lie on the grid of the decimals written, so that a reader gets neither below 0 nor above 1.
    """
    box = hold_box(sample, region, losses)
    if box is None:
        return None
    x, w = _span(box.x0 / sample.width, box.x1 / sample.width)
    y, h = _span(box.y0 / sample.height, box.y1 / sample.height)
    return f"{x:.8f} {y:.8f} {w:.8f} {h:.8f}"


def _span(low: float, high: float) -> tuple[float, float]:
    """Return centre and extent of an interval, both exact multiples of a grid step."""
    first, last = round(low * GRID), round(high * GRID)
    last -= (last - first) % 2
    return (first + last) // 2 / GRID, (last - first) / GRID


def encode_obb(sample: Sample, region: Region, losses: Losses) -> str | None:
    """Return the 4 corners of the region's rotated box, clockwise from the unturned top left, or None."""
    corners = hold_quad(sample, region, losses)
    return None if corners is None else _points(corners, sample)


def encode_segment(sample: Sample, region: Region, losses: Losses) -> str | None:
    """Return the region's outline as one ring, or None; several parts are joined by bridges of no width."""
    rings = hold_rings(sample, region, losses)
    if not rings:
        return None
    if len(rings) > 1:
        losses["polygon parts joined into one ring"] += 1
    return _points(bridge(rings), sample)


def _points(points: Points, sample: Sample) -> str:
    flat = (points / (sample.width, sample.height)).ravel().tolist()
    return " ".join([f"{value:.8f}" for value in flat])


def bridge(rings: list[Points]) -> Points:
    """Return one ring that runs around every ring, joined where they lie nearest; all turn the same way."""
    rings = [ring if _signed_area(ring) > 0 else ring[::-1] for ring in rings]
    joined = rings[0]
    for ring in rings[1:]:
        distances = ((joined[:, None, :] - ring[None, :, :]) ** 2).sum(axis=2)
        i, j = np.unravel_index(int(distances.argmin()), distances.shape)
        there_and_back = np.concatenate([np.roll(ring, -j, axis=0), ring[j : j + 1]])
        joined = np.concatenate([joined[: i + 1], there_and_back, joined[i:]])
    return joined


def _signed_area(ring: Points) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


class Line(NamedTuple):
    """A label line as numbers; what they mean depends on how many there are."""

    class_id: int
    numbers: tuple[float, ...]


def parse_line(text: str) -> Line | None:
    """Return a label line's class id and numbers, or None where it does not begin with a class id."""
    first, *rest = text.replace(",", " ").split()
    class_id = read_number(first)
    if not math.isfinite(class_id) or class_id != int(class_id):
        return None
    return Line(int(class_id), tuple(read_number(word) for word in rest))


class Meaning(NamedTuple):
    """How a dataset's lines are to be read: corners of rotated boxes, or outlines; numbers per line of key points."""

    corners: bool = False
    keypoints: int = 0


def decode_line(line: Line, size: Size, meaning: Meaning, repairs: Repairs) -> tuple[Shape, float | None] | None:
    """Return a line's shape in pixels and its score, or None (counted in `repairs`) where it holds no region."""
    numbers, count = line.numbers, len(line.numbers)
    if meaning.keypoints and count == 4 + meaning.keypoints:
        repairs.note("key points are not read, only their boxes")
        numbers, count = numbers[:4], 4
    if count in {4, 5} or (meaning.corners and count in {8, 9}):
        even, score = count - count % 2, numbers[-1] if count % 2 else None
    elif count >= 6 and count % 2 == 0:
        even, score = count, None
    else:
        repairs.region(f"had {count} numbers, which is no box and no outline, and was left out")
        return None
    shape = _shape(numbers[:even], size, meaning, repairs)
    return None if shape is None else (shape, score if score is not None and 0 <= score <= 1 else None)


def _shape(numbers: tuple[float, ...], size: Size, meaning: Meaning, repairs: Repairs) -> Shape | None:
    if not all(-FARTHEST <= number <= FARTHEST for number in numbers):  # NaN is not either
        repairs.region(NO_NUMBERS)
        return None
    if min(numbers, default=0) > 2:
        repairs.region("had coordinates in pixels instead of fractions of the image and was left out")
        return None
    if len(numbers) == 4:
        cx, cy, w, h = numbers
        corners = ((cx - w / 2) * size[0], (cy - h / 2) * size[1], (cx + w / 2) * size[0], (cy + h / 2) * size[1])
        return read_box(corners, size, repairs)
    points = np.asarray(numbers).reshape(-1, 2) * size
    if meaning.corners and len(points) == 4:
        return read_quad(points, size, repairs)
    return read_rings([points.tolist()], size, repairs)


def read_quad(points: Points, size: Size, repairs: Repairs) -> Box | RotatedBox | None:
    """Return the rotated box of 4 corners in pixels (a plain box where it lies straight), or None.

    The first edge is the width, so a box keeps its direction; a rotated box may reach beyond the frame.
    """
    if not (np.abs(points) <= FARTHEST).all():
        repairs.region(NO_NUMBERS)
        return None
    if ring_area(points) == 0:
        repairs.region(NO_AREA)
        return None
    if not clip_rings([points], *size):
        repairs.region(OUTSIDE)
        return None
    if _signed_area(points) < 0:
        points = points[[0, 3, 2, 1]]
    box = _rectangle(points)
    if box is None:
        repairs.region("had four corners that are no rectangle, and got the smallest one around them")
        box = min_area_box(points)
    if box is None:
        return None
    return _straight(box, points, size, repairs)


def _rectangle(points: Points) -> RotatedBox | None:
    across, down = points[1] - points[0], points[3] - points[0]
    w, h = math.hypot(*across), math.hypot(*down)
    if min(w, h) == 0:
        return None
    skew = abs(float(across @ down)) / max(w, h)  # how far a corner lies beside its place, in pixels
    if skew > 5 * NOISE or np.abs(points[0] + across + down - points[2]).max() > 5 * NOISE:
        return None
    cx, cy = points.mean(axis=0).tolist()
    return RotatedBox(cx, cy, w, h, math.degrees(math.atan2(across[1], across[0])))


def _straight(box: RotatedBox, points: Points, size: Size, repairs: Repairs) -> Box | RotatedBox | None:
    lean = math.radians(abs((box.angle + 45) % 90 - 45))
    if lean * max(box.width, box.height) > NOISE:
        return box
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return read_box((x0, y0, x1, y1), size, repairs)
