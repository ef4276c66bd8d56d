"""What each format can hold of a region, worked out anew: nothing here is shared with the code that writes.

Pixel space of `core.model`. Shapes are turned into shapely geometries and cut with the frame.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.core.model import Box, Ellipse, Keypoint, Mask, Polygon, Region, RotatedBox, Sample, Shape

Points = NDArray[np.float64]  # (n, 2)
BoolImage = NDArray[np.bool_]  # (height, width)
Bounds = tuple[float, float, float, float]  # x0, y0, x1, y1

UNCERTAIN = 0.02  # pixels: of what is thinner than this, writer and reader may differ on whether it is there at all

FLAGS = {"voc": frozenset({"truncated", "difficult"}), "coco": frozenset({"iscrowd"})}


class Expected(NamedTuple):
    """What must be found of one region.

    rule: how to compare (see `verify_match`). slack: extra error allowed, in pixels. optional: may be absent.
    edges: outlines beside which a pixel of `mask` may fall to either side.
    """

    id: str
    label: str
    rule: str
    box: Bounds
    rings: Sequence[Points] = ()
    mask: BoolImage | None = None
    edges: Sequence[Points] = ()
    flags: frozenset[str] = frozenset()
    slack: float = 0.0
    optional: bool = False


@cache
def _circle() -> Points:
    return np.array([(math.cos(math.tau * k / 64), math.sin(math.tau * k / 64)) for k in range(64)])


def turned(points: Points, cx: float, cy: float, degrees: float) -> Points:
    """Return points around the origin turned clockwise on the screen and moved to (cx, cy)."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.stack([points[:, 0] * c - points[:, 1] * s + cx, points[:, 0] * s + points[:, 1] * c + cy], axis=1)


def rings_of(shape: Box | RotatedBox | Polygon | Ellipse) -> list[Points]:
    """Return a shape's outline; an ellipse has 64 points, evenly by angle, from its unturned right end."""
    match shape:
        case Box():
            x0, y0, x1, y1 = shape.x0, shape.y0, shape.x1, shape.y1
            return [np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])]
        case RotatedBox():
            half = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (shape.width / 2, shape.height / 2)
            return [turned(half, shape.cx, shape.cy, shape.angle)]
        case Ellipse():
            return [turned(_circle() * (shape.rx, shape.ry), shape.cx, shape.cy, shape.angle)]
        case Polygon():
            return [np.array(ring, dtype=float) for ring in shape.parts]


def pixels_of(mask: Mask) -> BoolImage:
    """Return a mask's pixels."""
    flat = np.zeros(mask.width * mask.height, dtype=bool)
    position = 0
    for k, count in enumerate(mask.counts):
        flat[position : position + count] = k % 2
        position += count
    return flat.reshape(mask.width, mask.height).T


def fill(rings: list[Points], width: int, height: int) -> BoolImage:
    """Return the pixels whose centre lies in any ring (even-odd in one ring), row by row."""
    image = np.zeros((height, width), dtype=bool)
    for ring in rings:
        image |= _fill_one(ring, width, height)
    return image


def _fill_one(ring: Points, width: int, height: int) -> BoolImage:
    image = np.zeros((height, width), dtype=bool)
    ends = np.roll(ring, -1, axis=0)
    first, last = max(0, math.floor(ring[:, 1].min())), min(height, math.ceil(ring[:, 1].max()))
    for row in range(first, last):
        y = row + 0.5
        crosses = (ring[:, 1] <= y) != (ends[:, 1] <= y)
        (ax, ay), (bx, by) = ring[crosses].T, ends[crosses].T
        xs = np.sort(ax + (y - ay) / (by - ay) * (bx - ax))
        for start, stop in zip(xs[::2], xs[1::2], strict=True):
            image[row, max(0, math.ceil(start - 0.5)) : max(0, math.ceil(stop - 0.5))] = True
    return image


def inside(rings: list[Points], width: int, height: int) -> list[Points]:
    """Return the parts of rings inside the frame."""
    import shapely

    frame = shapely.box(0, 0, width, height)
    out: list[Points] = []
    for ring in rings:
        if ring.min() >= 0 and ring[:, 0].max() <= width and ring[:, 1].max() <= height:
            out.append(ring)
            continue
        for part in _polygons(shapely.make_valid(shapely.Polygon(ring)).intersection(frame)):
            out.append(np.array(part.exterior.coords)[:-1])
    return out


def _polygons(geometry: Any) -> Iterator[Any]:
    if geometry.geom_type == "Polygon":
        if geometry.area > 0:
            yield geometry
    else:
        for part in getattr(geometry, "geoms", ()):
            yield from _polygons(part)


def bounds(rings: list[Points]) -> Bounds | None:
    """Return x0, y0, x1, y1 around all points, or None where there are none."""
    if not rings:
        return None
    points = np.concatenate(rings)
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return x0, y0, x1, y1


def _mask_bounds(pixels: BoolImage) -> Bounds | None:
    rows, columns = np.nonzero(pixels)
    if not rows.size:
        return None
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)


def visible(shape: Shape, width: int, height: int) -> tuple[Bounds, list[Points], BoolImage | None] | None:
    """Return box, outline and (of a mask) pixels of what a shape shows inside the frame, or None if nothing.

    A plain box has no outline beside itself.
    """
    if isinstance(shape, Keypoint):
        return None
    if isinstance(shape, Mask):
        pixels = pixels_of(shape)
        box = _mask_bounds(pixels)
        return None if box is None else (box, [], pixels)
    if isinstance(shape, Box):
        x0, y0, x1, y1 = max(shape.x0, 0.0), max(shape.y0, 0.0), min(shape.x1, width), min(shape.y1, height)
        return ((x0, y0, x1, y1), [], None) if x0 < x1 and y0 < y1 else None
    rings = inside(rings_of(shape), width, height)
    box = bounds(rings)
    return None if box is None else (box, rings, None)


def expect(key: str, sample: Sample) -> list[Expected]:
    """Return what format `key` must hold of a sample's regions, in their order."""
    found = [e for region in sample.regions if (e := _expect_one(key, sample, region))]
    return _painted(sample, found) if key == "voc" else found


def _expect_one(key: str, sample: Sample, region: Region) -> Expected | None:
    shape = _rectangle_of(region.shape) if key == "yolo-obb" else region.shape
    seen = visible(shape, sample.width, sample.height)
    if seen is None or key == "folders":
        return None
    box, rings, pixels = seen
    sides = box[2] - box[0], box[3] - box[1]
    flags = frozenset(name for name in FLAGS.get(key, frozenset()) if region.attribute(name))
    expected = Expected(region.id, region.label, "box", box, flags=flags, optional=min(sides) < UNCERTAIN)
    match key:
        case "voc" if min(sides) < 1:
            return expected._replace(slack=0.5)  # it fills a whole pixel all the same
        case "coco" if pixels is not None:
            return expected._replace(rule="mask", mask=pixels)
        case "coco" if not isinstance(shape, Box):
            return expected._replace(rule="vertices", rings=rings)
        case "yolo-seg" if pixels is not None:
            return expected._replace(rule="outline", mask=_without_holes(pixels))
        case "yolo-seg":
            return expected._replace(rule="vertices", rings=rings or rings_of(Box(*box)))
        case "yolo-obb":
            return _expect_corners(expected, sample, shape, rings)
        case _:
            return expected


def _rectangle_of(shape: Shape) -> Shape:
    """Return the rotated box that stands for an ellipse; any other shape as it is."""
    if isinstance(shape, Ellipse):
        return RotatedBox(shape.cx, shape.cy, 2 * shape.rx, 2 * shape.ry, shape.angle)
    return shape


def _expect_corners(expected: Expected, sample: Sample, shape: Shape, rings: list[Points]) -> Expected:
    if isinstance(shape, RotatedBox):
        corners = rings_of(shape)[0]
        around = bounds([corners]) or expected.box
        if within_reach(around, sample.width, sample.height):
            return expected._replace(rule="corners", box=around, rings=[corners])
        upright = bounds(inside([corners], sample.width, sample.height)) or expected.box
        return expected._replace(rule="corners", box=upright, rings=rings_of(Box(*upright)))
    if isinstance(shape, Polygon | Mask):
        return _expect_cover(expected, sample, rings if isinstance(shape, Polygon) else _corners(shape))
    return expected._replace(rule="corners", rings=rings_of(Box(*expected.box)))


def _expect_cover(expected: Expected, sample: Sample, rings: list[Points]) -> Expected:
    """Expect the smallest rotated box; where trainers would refuse it, the upright one."""
    import shapely

    smallest = shapely.minimum_rotated_rectangle(shapely.MultiPoint(np.concatenate(rings)))
    if within_reach(smallest.bounds, sample.width, sample.height):
        return expected._replace(rule="cover", rings=rings)
    return expected._replace(rule="corners", rings=rings_of(Box(*expected.box)))


def within_reach(around: Bounds, width: int, height: int) -> bool:
    """Tell whether trainers accept corners with these bounds: centre in the frame, not larger than it."""
    x0, y0, x1, y1 = around
    return x1 - x0 <= width and y1 - y0 <= height and 0 <= (x0 + x1) / 2 <= width and 0 <= (y0 + y1) / 2 <= height


def _corners(mask: Mask) -> list[Points]:
    """Return the corners of all pixels of a mask."""
    rows, columns = np.nonzero(pixels_of(mask))
    return [np.stack([columns + i, rows + j], axis=1).astype(float) for i in (0, 1) for j in (0, 1)]


def _without_holes(pixels: BoolImage) -> BoolImage:
    """Return a mask with its holes filled: background that does not reach the border, corners counting as open."""
    import cv2

    background = np.pad(~pixels, 1, constant_values=True).astype(np.uint8)
    _, parts = cv2.connectedComponents(background, connectivity=8)
    filled: BoolImage = (parts != parts[0, 0])[1:-1, 1:-1]
    return filled


def _painted(sample: Sample, found: list[Expected]) -> list[Expected]:
    """Give VOC's polygons and masks the pixels that later ones leave them; objects count from 1, 254 at most."""
    shapes = {region.id: region.shape for region in sample.regions}
    drawn = [(k, shapes[e.id]) for k, e in enumerate(found, start=1) if isinstance(shapes[e.id], Polygon | Mask)]
    if not drawn or any(e.optional for e in found):
        return found
    objects = np.zeros((sample.height, sample.width), dtype=np.int32)
    for k, shape in drawn:
        if isinstance(shape, Mask):
            objects[pixels_of(shape)] = k
        elif isinstance(shape, Polygon):
            objects[fill(rings_of(shape), sample.width, sample.height)] = k
    numbers = {k for k, _ in drawn if k < 255}
    edges = [ring for _, shape in drawn if isinstance(shape, Polygon) for ring in rings_of(shape)]
    return [e._replace(mask=objects == k, edges=edges) if k in numbers else e for k, e in enumerate(found, start=1)]
