"""Areas, corners, clipping and fits, against shapely and against hand-made cases."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from backend.core import geometry, rle
from backend.core.model import Box, Ellipse, Keypoint, Mask, Polygon, RotatedBox

COORDINATE = st.floats(-500, 500, allow_nan=False)
SIZE = st.floats(0.5, 400)
ANGLE = st.floats(-360, 360)
ROTATED = st.builds(RotatedBox, COORDINATE, COORDINATE, SIZE, SIZE, ANGLE)
BOXES = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), COORDINATE, COORDINATE, SIZE, SIZE)


def edges(box: Box | None) -> tuple[float, ...]:
    assert box is not None
    return box.x0, box.y0, box.x1, box.y1


def test_a_positive_angle_turns_clockwise_on_the_screen() -> None:
    corners = geometry.rotated_box_corners(RotatedBox(10, 10, 8, 2, 90))
    assert corners[0] == pytest.approx((11, 6))  # the top left went to the top right
    assert corners[1] == pytest.approx((11, 14))


@settings(max_examples=60, deadline=None)
@given(ROTATED)
def test_pivot_and_centre_tell_the_same_box(box: RotatedBox) -> None:
    x, y = geometry.rotated_box_pivot(box)
    again = geometry.rotated_box_from_pivot(x, y, (box.width, box.height), box.angle)
    assert (again.cx, again.cy) == pytest.approx((box.cx, box.cy), abs=1e-6)
    assert (again.width, again.height, again.angle) == (box.width, box.height, box.angle)


def test_the_pivot_is_label_studios() -> None:
    box = geometry.rotated_box_from_pivot(100, 50, (40, 20), 90)  # 90 degrees about (100, 50): to the left and down
    assert edges(geometry.tight_box(box)) == pytest.approx((80, 50, 100, 90))


@settings(max_examples=60, deadline=None)
@given(ROTATED)
def test_area_and_bounds_of_a_rotated_box(box: RotatedBox) -> None:
    assert geometry.area(box) == pytest.approx(box.width * box.height, rel=1e-6)
    polygon = shapely.Polygon(geometry.rotated_box_corners(box))
    assert edges(geometry.tight_box(box)) == pytest.approx(polygon.bounds)


def test_areas_of_the_other_shapes() -> None:
    assert geometry.area(Box(0, 0, 2, 3)) == 6
    assert geometry.area(Keypoint(1, 1)) == 0
    assert geometry.area(Polygon((((0, 0), (4, 0), (0, 3)), ((10, 10), (10, 12), (12, 12), (12, 10))))) == 10
    assert geometry.area(Ellipse(50, 50, 30, 20, 17)) == pytest.approx(math.pi * 600, rel=0.002)
    assert geometry.area(Mask(3, 2, (1, 2, 3))) == 2


def test_tight_boxes() -> None:
    assert geometry.tight_box(Keypoint(1, 1)) is None
    assert geometry.tight_box(Mask(3, 2, (6,))) is None
    assert geometry.tight_box(Mask(3, 2, (3, 3))) == Box(1, 0, 3, 2)
    assert edges(geometry.tight_box(Ellipse(50, 40, 30, 20))) == pytest.approx((20, 20, 80, 60))
    assert geometry.tight_box(Polygon((((0, 0), (4, 0), (9, 0)),))) is None
    assert geometry.bounds_of([]) is None


@settings(max_examples=60, deadline=None)
@given(BOXES, st.integers(1, 300), st.integers(1, 300))
def test_clipping_a_box_is_intersection_with_the_frame(box: Box, width: int, height: int) -> None:
    expected = shapely.box(box.x0, box.y0, box.x1, box.y1).intersection(shapely.box(0, 0, width, height))
    clipped = geometry.clip_box(box, width, height)
    if clipped is None:
        assert expected.area == 0
    else:
        assert edges(clipped) == pytest.approx(expected.bounds)


@settings(max_examples=100, deadline=None)
@given(ROTATED, st.integers(1, 400), st.integers(1, 400))
def test_clipping_a_convex_ring_is_intersection_with_the_frame(box: RotatedBox, width: int, height: int) -> None:
    ring = geometry.rotated_box_corners(box)
    expected = shapely.Polygon(ring).intersection(shapely.box(0, 0, width, height)).area
    clipped = geometry.clip_convex(ring, width, height)
    assert (geometry.ring_area(clipped) if clipped is not None else 0) == pytest.approx(expected, abs=1e-6, rel=1e-9)
    if clipped is not None:  # not even float noise beyond the frame
        assert clipped.min() >= 0
        assert clipped[:, 0].max() <= width
        assert clipped[:, 1].max() <= height


def test_a_concave_ring_falls_apart() -> None:
    comb = np.array([[-5, 0], [10, 0], [10, 2], [-2, 2], [-2, 6], [10, 6], [10, 8], [-5, 8]], float)
    parts = geometry.clip_rings([comb], 10, 10)
    assert sorted(geometry.ring_area(part) for part in parts) == [20, 20]
    assert sum(p.min() >= 0 for p in parts) == 2


def test_a_self_crossing_ring_is_clipped_without_an_error() -> None:
    bow = np.array([[-4, 0], [8, 8], [8, 0], [-4, 8]], float)
    assert sum(geometry.ring_area(p) for p in geometry.clip_rings([bow], 10, 10)) > 0


def test_rings_inside_the_frame_stay_as_they_are_and_others_vanish() -> None:
    inside = np.array([[1, 1], [5, 1], [5, 5]], float)
    parts = geometry.clip_rings([inside, inside - 100, inside * (1, 0) - (3, 0)], 10, 10)
    assert len(parts) == 1
    assert np.array_equal(parts[0], inside)
    assert geometry.to_polygon(parts) == Polygon((((1, 1), (5, 1), (5, 5)),))


@settings(max_examples=60, deadline=None)
@given(BOXES, BOXES)
def test_iou_agrees_with_coco(a: Box, b: Box) -> None:
    (expected,) = coco.iou([[a.x0, a.y0, a.width, a.height]], [[b.x0, b.y0, b.width, b.height]], [0])[0]
    assert geometry.iou(a, b) == pytest.approx(expected, abs=1e-9)
    assert geometry.iou(a, b) == geometry.iou(b, a)
    assert geometry.iou(a, a) == pytest.approx(1)


@settings(max_examples=80, deadline=None)
@given(ROTATED)
def test_the_smallest_box_around_a_rotated_box_is_itself(box: RotatedBox) -> None:
    fit = geometry.min_area_box(geometry.rotated_box_corners(box))
    assert fit is not None
    assert 0 <= fit.angle < 90
    assert (fit.cx, fit.cy) == pytest.approx((box.cx, box.cy), abs=1e-5)
    assert sorted((fit.width, fit.height)) == pytest.approx(sorted((box.width, box.height)), rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=12))
def test_the_smallest_box_covers_its_points_and_is_as_small_as_shapelys(points: list[tuple[float, float]]) -> None:
    cloud = np.array(points)
    hull = shapely.MultiPoint(cloud).convex_hull
    if hull.area < 1:
        return
    fit = geometry.min_area_box(cloud)
    assert fit is not None
    corners = shapely.Polygon(geometry.rotated_box_corners(fit))
    assert corners.buffer(1e-4).covers(hull)
    assert corners.area <= hull.minimum_rotated_rectangle.area * (1 + 1e-6)


@pytest.mark.parametrize("points", [[[1, 1]], [[1, 1], [5, 5], [9, 9]], [[2, 2], [2, 2], [2, 2]]])
def test_points_on_a_line_have_no_box(points: list[list[float]]) -> None:
    assert geometry.min_area_box(np.array(points, float)) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_run_lengths_are_those_of_coco(width: int, height: int, seed: int, share: float) -> None:
    pixels = np.random.default_rng(seed).random((height, width)) < share
    mask = rle.encode(pixels)
    assert np.array_equal(rle.decode(mask), pixels)
    compressed = coco.frPyObjects({"size": [height, width], "counts": list(mask.counts)}, height, width)
    assert np.array_equal(coco.decode(compressed).astype(bool), pixels)
    assert rle.area(mask) == pixels.sum()
    bounds = rle.bounds(mask)
    x, y, w, h = coco.toBbox(compressed).tolist()
    assert bounds == (Box(x, y, x + w, y + h) if pixels.any() else None)
