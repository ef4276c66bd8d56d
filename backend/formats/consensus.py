"""What several annotators agree on: the regions that at least half of them drew.

Regions match when their labels and kinds of shape are equal and their overlap (IoU) is at least 0.5; the largest
overlaps are paired first, and one annotator gives a group at most one region.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from backend.core import rle
from backend.core.geometry import iou, outline
from backend.core.model import Box, Ellipse, Keypoint, Mask, Region, RotatedBox, Shape, Tag

MATCH = 0.5
_BOXES = (Box, RotatedBox)
_NEAR = 10.0  # pixels within which two keypoints are the same one

_TURN = 30.0  # degrees up to which turned shapes are averaged

Drawn = tuple[tuple[Region, ...], tuple[Tag, ...]]


class Agreed(NamedTuple):
    """What at least half of the annotators gave; outvoted: how many regions fewer drew."""

    regions: tuple[Region, ...]
    tags: tuple[Tag, ...]
    outvoted: int


def agree(annotators: Sequence[Drawn]) -> Agreed:
    """Return the regions and tags that at least half of the annotators gave, coordinates averaged.

    Polygons, and boxes turned very differently, cannot be averaged number by number: of such a group, the one that
    overlaps the others most is taken.
    """
    needed = len(annotators) / 2
    groups: list[list[Region]] = []
    for regions, _ in annotators:
        _join(groups, regions)
    agreed = tuple(_mean(group) for group in groups if len(group) >= needed)
    votes = Counter(tag for _, tags in annotators for tag in tags)
    kept = tuple(tag for tag, number in votes.items() if number >= needed)
    return Agreed(_unique(agreed), kept, len(groups) - len(agreed))


def _join(groups: list[list[Region]], regions: Sequence[Region]) -> None:
    """Put one annotator's regions into the groups they match best, or into new ones."""
    pairs = [
        (overlap, -g, -r)
        for g, group in enumerate(groups)
        for r, region in enumerate(regions)
        if region.label == group[0].label and (overlap := overlap_of(group[0].shape, region.shape)) >= MATCH
    ]
    taken_groups: set[int] = set()
    taken: set[int] = set()
    for _, g, r in sorted(pairs, reverse=True):
        if -g not in taken_groups and -r not in taken:
            groups[-g].append(regions[-r])
            taken_groups.add(-g)
            taken.add(-r)
    groups += [[region] for r, region in enumerate(regions) if r not in taken]


def overlap_of(a: Shape, b: Shape) -> float:
    """Return intersection over union of two shapes of one kind, 0 to 1; of different kinds, 0."""
    if isinstance(a, Box) and isinstance(b, Box):
        return iou(a, b)
    if isinstance(a, Keypoint) and isinstance(b, Keypoint):
        return max(0.0, 1 - math.dist((a.x, a.y), (b.x, b.y)) / (2 * _NEAR))
    if isinstance(a, Mask) and isinstance(b, Mask):
        first, second = rle.decode(a), rle.decode(b)
        return float((first & second).sum() / max(1, (first | second).sum()))
    if type(a) is not type(b) and not (isinstance(a, _BOXES) and isinstance(b, _BOXES)):
        return 0.0
    import shapely

    first, second = (shapely.union_all([shapely.make_valid(shapely.Polygon(r)) for r in outline(s)]) for s in (a, b))
    union = first.union(second).area
    return float(first.intersection(second).area / union) if union else 0.0


def _mean(group: list[Region]) -> Region:
    shapes = [region.shape for region in group]
    scores = [region.score for region in group if region.score is not None]
    score = sum(scores) / len(scores) if scores else None
    return replace(group[0], shape=shapes[0] if len(shapes) == 1 else _mean_shape(shapes), score=score)


def _mean_shape(shapes: Sequence[Shape]) -> Shape:
    boxes = [s for s in shapes if isinstance(s, Box)]
    if len(boxes) == len(shapes):
        return Box(*_average([(s.x0, s.y0, s.x1, s.y1) for s in boxes]))
    turned = [RotatedBox(*_centre(s), angle=0) if isinstance(s, Box) else s for s in shapes if isinstance(s, _BOXES)]
    if len(turned) == len(shapes) and (angle := _average_angle([s.angle for s in turned])) is not None:
        cx, cy, width, height = _average([(s.cx, s.cy, s.width, s.height) for s in turned])
        return RotatedBox(cx, cy, width, height, angle)
    ellipses = [s for s in shapes if isinstance(s, Ellipse)]
    if len(ellipses) == len(shapes) and (angle := _average_angle([s.angle for s in ellipses])) is not None:
        cx, cy, rx, ry = _average([(s.cx, s.cy, s.rx, s.ry) for s in ellipses])
        return Ellipse(cx, cy, rx, ry, angle)
    points = [s for s in shapes if isinstance(s, Keypoint)]
    if len(points) == len(shapes):
        return Keypoint(*_average([(s.x, s.y) for s in points]))
    masks = [s for s in shapes if isinstance(s, Mask)]
    if len(masks) == len(shapes):
        return rle.encode(np.sum([rle.decode(s) for s in masks], axis=0) * 2 >= len(masks))
    return max(shapes, key=lambda s: sum(overlap_of(s, other) for other in shapes))


def _centre(box: Box) -> tuple[float, float, float, float]:
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, box.width, box.height


def _average(rows: Sequence[Sequence[float]]) -> list[float]:
    return [float(value) for value in np.mean(np.asarray(rows), axis=0)]


def _average_angle(degrees: Sequence[float]) -> float | None:
    """Return the mean turn of shapes that look the same after half a turn, or None where they differ too much."""
    turns = [(angle - degrees[0] + 90) % 180 - 90 for angle in degrees]
    return (degrees[0] + sum(turns) / len(turns)) % 360 if max(map(abs, turns)) <= _TURN else None


def _unique(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Return the regions with ids unique among them: two annotators may have used one id for different objects."""
    used: set[str] = set()
    result: list[Region] = []
    for region in regions:
        name, number = region.id, 1
        while name in used:
            number += 1
            name = f"{region.id}#{number}"
        used.add(name)
        result.append(replace(region, id=name))
    return tuple(result)
