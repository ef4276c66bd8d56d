"""A pixel belongs to a shape when its centre does; outlines and masks agree to the pixel."""

import itertools

import cv2
import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.imaging.raster import mask_polygon, polygon_mask

POINTS = st.lists(st.tuples(st.integers(-8, 40), st.integers(-8, 40)), min_size=3, max_size=9)


def box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=float)


@settings(max_examples=80, deadline=None)
@given(POINTS, st.floats(0.011, 0.489))
def test_pixels_are_those_whose_centre_lies_inside(points: list[tuple[int, int]], shift: float) -> None:
    ring = np.array(points, dtype=float) / 1.7 + shift
    polygon = shapely.Polygon(ring)
    rows, columns = np.mgrid[:20, :24]
    centres = shapely.points(columns + 0.5, rows + 0.5)
    clear = shapely.distance(shapely.LinearRing(ring), centres) > 1e-9
    if polygon.is_valid:
        expected = shapely.contains(polygon, centres)
        assert np.array_equal(polygon_mask([ring], 24, 20)[clear], expected[clear])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 20), min_size=1, max_size=5), st.lists(st.floats(0, 20), min_size=1, max_size=5))
def test_boxes_that_share_edges_cover_each_pixel_exactly_once(xs: list[float], ys: list[float]) -> None:
    columns, rows = sorted({0.0, 20.0, *xs}), sorted({0.0, 20.0, *ys})
    hits = np.zeros((20, 20), int)
    for x0, x1 in itertools.pairwise(columns):
        for y0, y1 in itertools.pairwise(rows):
            hits += polygon_mask([box(x0, y0, x1, y1)], 20, 20)
    assert (hits == 1).all()


def test_half_open_edges() -> None:
    assert polygon_mask([box(1.5, 1.5, 3.5, 2.5)], 5, 4).nonzero()[1].tolist() == [1, 2]
    assert polygon_mask([box(1, 1, 3, 2)], 5, 4).sum() == 2
    assert not polygon_mask([box(1.6, 1.6, 2.4, 2.4)], 5, 4).any()  # holds no pixel centre


def test_rings_are_united_and_clipped_at_the_frame() -> None:
    mask = polygon_mask([box(-10, -10, 2, 2), box(1, 1, 99, 3), box(50, 50, 60, 60)], 5, 4)
    assert mask.shape == (4, 5)
    assert mask.sum() == 4 + 8 - 1


def test_degenerate_rings_cover_nothing() -> None:
    for ring in ([[1, 1], [5, 1], [9, 1]], [[2, 2], [2, 2], [2, 2]]):
        assert not polygon_mask([np.array(ring, float)], 10, 10).any()
    assert not polygon_mask([], 10, 10).any()


def test_a_self_crossing_ring_is_filled_even_odd() -> None:
    bow = np.array([[0, 0], [8, 8], [8, 0], [0, 8]], float)
    assert np.array_equal(polygon_mask([bow], 8, 8), polygon_mask([bow[::-1]], 8, 8))
    assert not polygon_mask([bow], 8, 8)[0, 4]


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_outlines_give_the_mask_back_with_holes_filled(width: int, height: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    rings = mask_polygon(mask)
    _, areas_of = cv2.connectedComponents(np.pad(~mask, 1, constant_values=True).astype(np.uint8), connectivity=8)
    outside = (areas_of == areas_of[0, 0])[1:-1, 1:-1]
    assert np.array_equal(polygon_mask(rings, width, height), ~outside)
    assert len(rings) <= cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1
    areas = [shapely.Polygon(ring).area for ring in rings]
    assert areas == sorted(areas, reverse=True)


def test_outlines_run_along_pixel_edges_without_superfluous_points() -> None:
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:7] = True
    (ring,) = mask_polygon(mask)
    assert sorted(map(tuple, ring.tolist())) == [(2, 1), (2, 4), (7, 1), (7, 4)]


def test_pixels_that_touch_at_a_corner_are_separate_and_a_hole_is_filled() -> None:
    assert len(mask_polygon(np.eye(3, dtype=bool))) == 3
    ring = np.ones((5, 5), bool)
    ring[2, 2] = False
    assert polygon_mask(mask_polygon(ring), 5, 5).all()


def test_an_empty_mask_has_no_outline() -> None:
    assert mask_polygon(np.zeros((4, 4), bool)) == []
