"""Where shapes lie: corners, areas, tight boxes, clipping, fits. Pixel space of `core.model` throughout."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from backend.core import rle
from backend.core.model import Box, Ellipse, Keypoint, Mask, Point, Polygon, Ring, RotatedBox, Shape

Points = NDArray[np.float64]  # shape (n, 2), x then y

ELLIPSE_POINTS = 64  # a 64-gon covers 99.8 % of its ellipse


@lru_cache(maxsize=1)
def _unit_circle() -> Points:
    angles = np.linspace(0, 2 * math.pi, ELLIPSE_POINTS, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _turn(points: Points, centre: Point, degrees: float) -> Points:
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    turned: Points = points @ turn + np.asarray(centre)
    return turned


def box_corners(box: Box) -> Points:
    """Return the 4 corners clockwise from the top left, shape (4, 2)."""
    return np.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]])


def rotated_box_corners(box: RotatedBox) -> Points:
    """Return the 4 corners clockwise from the unturned top left, shape (4, 2)."""
    w, h = box.width / 2, box.height / 2
    return _turn(np.array([[-w, -h], [w, -h], [w, h], [-w, h]]), (box.cx, box.cy), box.angle)


def rotated_box_from_pivot(x: float, y: float, size_wh: Point, degrees: float) -> RotatedBox:
    """Return the box whose top-left corner lies at (x, y) after turning by `degrees` clockwise about that corner.

    That is how Label Studio stores rectangles: the corner is the pivot, not the centre.
    """
    w, h = size_wh
    angle = math.radians(degrees)
    cx = x + (w * math.cos(angle) - h * math.sin(angle)) / 2
    cy = y + (w * math.sin(angle) + h * math.cos(angle)) / 2
    return RotatedBox(cx, cy, w, h, degrees)


def rotated_box_pivot(box: RotatedBox) -> Point:
    """Return where the unturned top-left corner lies after turning (Label Studio's x, y, in pixels)."""
    x, y = rotated_box_corners(box)[0]
    return float(x), float(y)


def outline(shape: Shape) -> list[Points]:
    """Return a shape's outline as rings of points (n, 2); a mask's is empty, a keypoint's is one point."""
    match shape:
        case Box():
            return [box_corners(shape)]
        case RotatedBox():
            return [rotated_box_corners(shape)]
        case Polygon():
            return [np.asarray(ring, dtype=float) for ring in shape.parts]
        case Ellipse():
            return [_turn(_unit_circle() * (shape.rx, shape.ry), (shape.cx, shape.cy), shape.angle)]
        case Keypoint():
            return [np.array([[shape.x, shape.y]])]
        case Mask():
            return []


def ring_area(ring: Points) -> float:
    """Return the absolute area of a simple ring (shoelace formula)."""
    x, y = ring[:, 0], ring[:, 1]
    closing = x[-1] * y[0] - y[-1] * x[0]
    return abs(float(np.dot(x[:-1], y[1:]) - np.dot(y[:-1], x[1:]) + closing)) / 2


def area(shape: Shape) -> float:
    """Return the area in square pixels (0 for a keypoint)."""
    if isinstance(shape, Mask):
        return float(rle.area(shape))
    return sum(ring_area(ring) for ring in outline(shape))


def bounds_of(rings: Sequence[Points]) -> Box | None:
    """Return the tight box around points, or None where it has no area."""
    if not rings:
        return None
    points = np.concatenate(list(rings))
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def tight_box(shape: Shape) -> Box | None:
    """Return the axis-aligned box around a shape, or None where it has no area (keypoint, empty mask)."""
    if isinstance(shape, Box):
        return shape
    if isinstance(shape, Mask):
        return rle.bounds(shape)
    return bounds_of(outline(shape))


def clip_box(box: Box, width: float, height: float) -> Box | None:
    """Return the part of a box inside the frame, or None."""
    x0, y0, x1, y1 = max(box.x0, 0.0), max(box.y0, 0.0), min(box.x1, float(width)), min(box.y1, float(height))
    return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _clip_half_plane(ring: list[Point], axis: int, limit: float, keep_below: bool) -> list[Point]:
    def inside(p: Point) -> bool:
        return p[axis] <= limit if keep_below else p[axis] >= limit

    out: list[Point] = []
    for previous, point in zip([ring[-1], *ring[:-1]], ring, strict=True):
        if inside(previous) != inside(point):
            t = (limit - previous[axis]) / (point[axis] - previous[axis])
            crossing = [previous[0] + t * (point[0] - previous[0]), previous[1] + t * (point[1] - previous[1])]
            crossing[axis] = limit  # exactly on the frame: no float noise beyond it
            out.append((crossing[0], crossing[1]))
        if inside(point):
            out.append(point)
    return out


def clip_convex(ring: Points, width: float, height: float) -> Points | None:
    """Return the part of a convex ring inside the frame (Sutherland and Hodgman 1974), or None."""
    points: list[Point] = [(float(x), float(y)) for x, y in ring]
    for axis, limit, below in ((0, 0.0, False), (0, float(width), True), (1, 0.0, False), (1, float(height), True)):
        points = _clip_half_plane(points, axis, limit, below)
        if len(points) < 3:
            return None
    clipped = np.asarray(points)
    return clipped if ring_area(clipped) > 0 else None


def clip_rings(rings: Sequence[Points], width: float, height: float) -> list[Points]:
    """Return the parts of any rings inside the frame; a concave ring may fall apart into several."""
    import shapely

    frame = shapely.box(0, 0, width, height)
    parts: list[Points] = []
    for ring in rings:
        if ring.min() >= 0 and (ring[:, 0].max() <= width) and (ring[:, 1].max() <= height):
            parts.append(ring)
            continue
        polygon = shapely.make_valid(shapely.Polygon(ring))
        for piece in shapely.get_parts(shapely.intersection(polygon, frame)):
            for single in shapely.get_parts(piece):
                if single.geom_type == "Polygon" and single.area > 0:
                    parts.append(np.asarray(single.exterior.coords)[:-1])
    return parts


def to_polygon(rings: Sequence[Points]) -> Polygon:
    """Return rings as a polygon value."""
    return Polygon(tuple(_ring(ring) for ring in rings))


def _ring(ring: Points) -> Ring:
    return tuple((float(x), float(y)) for x, y in ring)


def iou(a: Box, b: Box) -> float:
    """Return intersection over union of two boxes, 0 to 1."""
    w = min(a.x1, b.x1) - max(a.x0, b.x0)
    h = min(a.y1, b.y1) - max(a.y0, b.y0)
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / (a.area + b.area - w * h)


def min_area_box(points: Points) -> RotatedBox | None:
    """Return the smallest rotated box around points, angle in [0, 90), or None where they span no area.

    One of its sides lies along an edge of the convex hull (Freeman and Shapira 1975).
    """
    import shapely

    hull = shapely.MultiPoint(points).convex_hull
    if hull.geom_type != "Polygon":
        return None
    ring = np.asarray(hull.exterior.coords)
    edges = np.diff(ring, axis=0)
    best: tuple[float, RotatedBox] | None = None
    for angle in sorted({round(math.degrees(math.atan2(dy, dx)), 9) % 90 for dx, dy in edges.tolist()}):
        upright = _turn(ring, (0.0, 0.0), -angle)
        (x0, y0), (x1, y1) = upright.min(axis=0), upright.max(axis=0)
        size = float((x1 - x0) * (y1 - y0))
        if size > 0 and (best is None or size < best[0]):
            cx, cy = _turn(np.array([[(x0 + x1) / 2, (y0 + y1) / 2]]), (0.0, 0.0), angle)[0]
            best = size, RotatedBox(float(cx), float(cy), float(x1 - x0), float(y1 - y0), angle)
    return best[1] if best else None
