"""Values refuse what cannot be a region, and can be iterated again."""

import math

import pytest

from backend.core.model import (
    Box,
    Dataset,
    Ellipse,
    Keypoint,
    Mask,
    Polygon,
    Region,
    RotatedBox,
    Sample,
    Skipped,
    Stream,
)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "make",
    [
        lambda v: Box(0, 0, v, 1),
        lambda v: Box(v, 0, 1, 1),
        lambda v: RotatedBox(0, v, 1, 1, 0),
        lambda v: RotatedBox(0, 0, 1, 1, v),
        lambda v: Polygon((((0, 0), (1, v), (1, 0)),)),
        lambda v: Keypoint(v, 0),
        lambda v: Ellipse(0, 0, 1, 1, v),
    ],
)
def test_coordinates_are_finite(make, bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        make(bad)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Box(1, 0, 1, 5),
        lambda: Box(2, 0, 1, 5),
        lambda: Box(0, 5, 1, 5),
        lambda: RotatedBox(0, 0, 0, 1, 0),
        lambda: RotatedBox(0, 0, 1, -1, 0),
        lambda: Ellipse(0, 0, 0, 1),
    ],
)
def test_shapes_have_an_area(make) -> None:
    with pytest.raises(ValueError, match="no area"):
        make()


@pytest.mark.parametrize("parts", [(), (((0, 0), (1, 1)),), (((0, 0), (1, 1), (1, 0)), ())])
def test_a_ring_has_three_points(parts) -> None:
    with pytest.raises(ValueError, match="at least 3 points"):
        Polygon(parts)


@pytest.mark.parametrize("counts", [(5,), (7,), (), (8, -2), (3, 4)])
def test_run_lengths_fill_the_image(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="do not fill 3 x 2 pixels"):
        Mask(3, 2, counts)


def test_box_measures() -> None:
    box = Box(1, 2, 4.5, 4)
    assert (box.width, box.height, box.area) == (3.5, 2, 7)


def test_attributes_are_found_by_name() -> None:
    region = Region("a", "cat", Keypoint(1, 2), attributes=(("truncated", True), ("control", "bbox")))
    assert region.attribute("truncated") is True
    assert region.attribute("difficult") is None


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (-1, 5)])
def test_an_image_has_pixels(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="at least 1 x 1"):
        Sample("a", "/a.jpg", "a.jpg", width, height)


def test_a_stream_starts_anew_each_time() -> None:
    items = [Sample("a", "/a.jpg", "a.jpg", 1, 1), Skipped("b.jpg", "empty")]
    dataset = Dataset("pets", ("cat",), Stream(lambda: iter(items)))
    assert list(dataset.samples) == list(dataset.samples) == items
