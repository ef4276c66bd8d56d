"""Strict writing: what of a shape a format can hold, inside the frame, and what is lost on the way, in words."""

import math

import numpy as np

from backend.core import rle
from backend.core.geometry import (
    Points,
    bounds_of,
    box_corners,
    clip_box,
    clip_rings,
    min_area_box,
    outline,
    ring_area,
    rotated_box_corners,
    tight_box,
)
from backend.core.model import Box, Ellipse, Keypoint, Mask, Polygon, Region, RotatedBox, Sample, Shape
from backend.formats.base import Losses
from backend.imaging.raster import mask_polygon

NOTHING = "region without area inside the frame left out"
MIN_SIDE = 0.01  # pixels: what is thinner cannot be told from nothing at the precision of label files

NAMES: dict[type[Shape], str] = {
    Box: "box",
    RotatedBox: "rotated box",
    Polygon: "polygon",
    Mask: "mask",
    Keypoint: "keypoint",
    Ellipse: "ellipse",
}


def hold_box(sample: Sample, region: Region, losses: Losses) -> Box | None:
    """Return the tight axis-aligned box of a region inside the frame, or None where nothing can be written."""
    if isinstance(region.shape, Keypoint):
        losses["keypoint left out"] += 1
        return None
    box = inside_box(sample, region.shape, losses)
    if box is not None and not isinstance(region.shape, Box):
        losses[f"{NAMES[type(region.shape)]} written as its bounding box"] += 1
    return box


def inside_box(sample: Sample, shape: Shape, losses: Losses) -> Box | None:
    """Return the tight box of what a shape shows inside the frame, or None (counted) where that is nothing."""
    box = _tight_inside(shape, sample)
    if box is None or box.width < MIN_SIDE or box.height < MIN_SIDE:
        losses[NOTHING] += 1
        return None
    _count_clipping(shape, sample, losses)
    return box


def _tight_inside(shape: Shape, sample: Sample) -> Box | None:
    whole = tight_box(shape)
    if whole is None:
        return None
    inside = clip_box(whole, sample.width, sample.height)
    if inside is None or inside == whole or isinstance(shape, Box | Mask):
        return inside
    return bounds_of(clip_rings(outline(shape), sample.width, sample.height))


def _count_clipping(shape: Shape, sample: Sample, losses: Losses) -> None:
    whole = tight_box(shape)
    if whole and max(-whole.x0, -whole.y0, whole.x1 - sample.width, whole.y1 - sample.height) > MIN_SIDE:
        losses["region clipped at the frame"] += 1


def hold_rings(sample: Sample, region: Region, losses: Losses) -> list[Points]:
    """Return the outer rings of a region inside the frame; empty where nothing can be written."""
    shape = region.shape
    if isinstance(shape, Keypoint):
        losses["keypoint left out"] += 1
        return []
    if isinstance(shape, Box):
        box = inside_box(sample, shape, losses)
        losses["box written as a polygon"] += box is not None
        return [] if box is None else [box_corners(box)]
    if isinstance(shape, Mask):
        rings = mask_rings(shape, losses)
        losses["mask written as its outline"] += 1
    else:
        rings = clip_rings(outline(shape), sample.width, sample.height)
        if not isinstance(shape, Polygon):
            losses[f"{NAMES[type(shape)]} written as a polygon"] += 1
    rings = [ring for ring in rings if ring_area(ring) > MIN_SIDE**2]
    if not rings:
        losses[NOTHING] += 1
        return []
    _count_clipping(shape, sample, losses)
    return rings


def mask_rings(mask: Mask, losses: Losses) -> list[Points]:
    """Return the outlines of a mask's parts along the pixels' edges, exactly; filled holes are counted."""
    rings = mask_polygon(rle.decode(mask))
    if sum(map(ring_area, rings)) > rle.area(mask):
        losses["mask with holes, which were filled"] += 1
    return rings


def hold_quad(sample: Sample, region: Region, losses: Losses) -> Points | None:
    """Return the 4 corners of a region's rotated box, clockwise from the unturned top left, or None.

    Corners may lie outside the frame where the box still counts as inside for trainers, that is, where its upright
    bounds have their centre in the frame and are no larger than it; otherwise the upright part inside is written.
    """
    if isinstance(region.shape, Box):
        plain = inside_box(sample, region.shape, losses)
        return None if plain is None else box_corners(plain)
    if isinstance(region.shape, Polygon | Mask):
        return _around_points(sample, region.shape, losses)
    box = _rotated(region.shape, losses)
    if box is None:
        return None
    corners = rotated_box_corners(box)
    bounds = bounds_of([corners])
    frame = (sample.width, sample.height)
    inside = bounds_of(clip_rings([corners], *frame))
    if bounds is None or inside is None or min(inside.width, inside.height, *_sides(corners)) < MIN_SIDE:
        losses[NOTHING] += 1
        return None
    if _acceptable(bounds, frame):
        return corners
    losses["rotated box that leaves the image too far written as the upright part inside"] += 1
    return box_corners(inside)


def _around_points(sample: Sample, shape: Polygon | Mask, losses: Losses) -> Points | None:
    """Return the smallest rotated box around an outline, or its upright one where trainers would refuse the other."""
    frame = (sample.width, sample.height)
    rings = mask_rings(shape, Losses()) if isinstance(shape, Mask) else clip_rings(outline(shape), *frame)
    fitted = min_area_box(np.concatenate(rings)) if rings else None
    upright = bounds_of(rings)
    if fitted is None or upright is None or min(upright.width, upright.height) < MIN_SIDE:
        losses[NOTHING] += 1
        return None
    corners = rotated_box_corners(fitted)
    around = bounds_of([corners])
    if around is not None and _acceptable(around, frame):
        losses[f"{NAMES[type(shape)]} written as its smallest rotated box"] += 1
        return corners
    losses[f"{NAMES[type(shape)]} written as its upright box (its smallest rotated one leaves the image too far)"] += 1
    return box_corners(upright)


def _sides(corners: Points) -> tuple[float, float]:
    return math.dist(corners[0], corners[1]), math.dist(corners[1], corners[2])


def _acceptable(bounds: Box, frame: tuple[int, int]) -> bool:
    x, y = (bounds.x0 + bounds.x1) / 2, (bounds.y0 + bounds.y1) / 2
    return bounds.width <= frame[0] and bounds.height <= frame[1] and 0 <= x <= frame[0] and 0 <= y <= frame[1]


def _rotated(shape: RotatedBox | Ellipse | Keypoint, losses: Losses) -> RotatedBox | None:
    match shape:
        case RotatedBox():
            return shape
        case Ellipse():
            losses["ellipse written as its rotated box"] += 1
            return RotatedBox(shape.cx, shape.cy, 2 * shape.rx, 2 * shape.ry, shape.angle)
        case Keypoint():
            losses["keypoint left out"] += 1
            return None


def count_extras(sample: Sample, kept: frozenset[str], losses: Losses) -> None:
    """Count scores, attributes and tags that are set and that the format has no place for."""
    for region in sample.regions:
        if region.score is not None and "score" not in kept:
            losses["score left out"] += 1
        for name, value in region.attributes:
            if value and name != "control" and name not in kept:
                losses[f"attribute {name} left out"] += 1
    if "tags" not in kept and sample.tags:
        losses["image tag left out"] += len(sample.tags)
