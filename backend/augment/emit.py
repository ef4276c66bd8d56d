"""What a region has become, as a shape of its own kind where that is exact, as a polygon where it is not."""

import math
from dataclasses import replace

import numpy as np

from backend.augment.track import Track
from backend.core import rle
from backend.core.geometry import ELLIPSE_POINTS, Points, bounds_of, min_area_box, rotated_box_corners, to_polygon
from backend.core.model import Box, Ellipse, Keypoint, Mask, Region, RotatedBox, Shape

FIT = 1.0  # pixels a rotated box may be off its outline before the outline itself is written
EXACT = 0.05  # pixels: four corners are still a rectangle
BENT = 0.2  # pixels a bent outline may lose when its extra points are thinned out


def emit(track: Track) -> Region | None:
    """Return the region as it is now, or None where nothing is left of it."""
    if track.gone:
        return None
    if not track.moved and not track.clipped:
        return track.region
    shape = _shape(track)
    return None if shape is None else replace(track.region, shape=shape)


def _shape(track: Track) -> Shape | None:
    match track.region.shape:
        case Box():
            return bounds_of(track.rings)
        case Mask():
            return None if track.pixels is None else rle.encode(track.pixels > 0)
        case Keypoint():
            x, y = track.rings[0][0].tolist()
            return Keypoint(x, y)
        case RotatedBox():
            return _rotated_box(track) or _polygon(track)
        case Ellipse() as source:
            return _ellipse(track, source) or _polygon(track)
        case _:
            return _polygon(track)


def _polygon(track: Track) -> Shape | None:
    import shapely

    rings = track.rings
    if not track.affine:
        rings = tuple(np.asarray(shapely.Polygon(r).simplify(BENT).exterior.coords)[:-1] for r in rings)
    kept = [ring for ring in rings if len(ring) >= 3]
    return to_polygon(kept) if kept else None


def _rotated_box(track: Track) -> RotatedBox | None:
    if len(track.rings) != 1:
        return None
    ring = track.rings[0]
    if not track.clipped and len(ring) == 4:
        own = _from_corners(ring)
        if own is not None:
            return own
    fitted = min_area_box(ring)
    return fitted if fitted is not None and _miss(fitted, ring) <= FIT else None


def _from_corners(ring: Points) -> RotatedBox | None:
    """Return the box with these corners, its width still along the first edge, or None where they are no rectangle."""
    (ux, uy), (vx, vy) = (ring[1] - ring[0]).tolist(), (ring[3] - ring[0]).tolist()
    if ux * vy - uy * vx < 0:  # mirrored: the corners run the other way round
        ring, ux, uy = ring[[1, 0, 3, 2]], -ux, -uy
    width, height = math.hypot(ux, uy), math.hypot(vx, vy)
    if not (width > 0 and height > 0):
        return None
    cx, cy = ring.mean(axis=0).tolist()
    box = RotatedBox(cx, cy, width, height, math.degrees(math.atan2(uy, ux)) % 360)
    return box if float(np.abs(rotated_box_corners(box) - ring).max()) <= EXACT else None


def _miss(box: RotatedBox, ring: Points) -> float:
    import shapely

    polygon = shapely.Polygon(ring)
    return max(float(shapely.distance(shapely.Point(corner), polygon)) for corner in rotated_box_corners(box))


def _ellipse(track: Track, source: Ellipse) -> Ellipse | None:
    """Return the image of an ellipse under an affine map, exactly: its axes are the singular vectors."""
    if track.clipped or not track.affine or len(track.rings) != 1 or len(track.rings[0]) != ELLIPSE_POINTS:
        return None
    ring = track.rings[0]
    centre = ring.mean(axis=0)
    first, second = ring[0] - centre, ring[ELLIPSE_POINTS // 4] - centre
    axes, radii, _ = np.linalg.svd(np.stack([first, second], axis=1))
    if radii[1] <= 0:
        return None
    along = axes[:, 0]
    (rx, ry) = radii.tolist()
    if rx - ry < 1e-6 * rx:
        along = first / np.linalg.norm(first)  # a circle: any axis is one, keep the source's
    elif abs(float(along @ first)) / rx < abs(float(axes[:, 1] @ first)) / ry and source.rx < source.ry:
        along, rx, ry = axes[:, 1], ry, rx
    angle = math.degrees(math.atan2(along[1], along[0]))
    return Ellipse(float(centre[0]), float(centre[1]), rx, ry, angle % 180)
