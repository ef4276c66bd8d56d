"""What is written as JSON reads back as the same values."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core import codec
from backend.core.model import Box, Ellipse, Keypoint, Mask, Origin, Polygon, Region, RotatedBox, Sample, Tag

COORDINATE = st.floats(-1e5, 1e5)
LENGTH = st.floats(1e-9, 1e4)
POINT = st.tuples(COORDINATE, COORDINATE)
SHAPES = st.one_of(
    st.tuples(COORDINATE, COORDINATE, st.floats(1e-6, 1e4), st.floats(1e-6, 1e4)).map(
        lambda v: Box(v[0], v[1], v[0] + v[2], v[1] + v[3])
    ),
    st.builds(RotatedBox, COORDINATE, COORDINATE, LENGTH, LENGTH, st.floats(-360, 360)),
    st.lists(st.lists(POINT, min_size=3, max_size=5).map(tuple), min_size=1, max_size=3).map(
        lambda rings: Polygon(tuple(rings))
    ),
    st.builds(Keypoint, COORDINATE, COORDINATE),
    st.builds(Ellipse, COORDINATE, COORDINATE, LENGTH, LENGTH, st.floats(-360, 360)),
    st.just(Mask(3, 2, (1, 2, 3))),
)
ATTRIBUTES = st.dictionaries(st.text(max_size=5), st.one_of(st.booleans(), st.integers(), st.text()), max_size=3)
REGIONS = st.builds(
    Region,
    st.text(),
    st.text(),
    SHAPES,
    st.none() | st.floats(0, 1),
    ATTRIBUTES.map(lambda d: tuple(sorted(d.items()))),
)


def through_text(value: object) -> object:
    # canonical text sorts keys, so attributes and fields come back in alphabetical order
    return json.loads(codec.canonical(value))


@settings(max_examples=150, deadline=None)
@given(SHAPES)
def test_shapes_read_back_within_rounding_and_then_exactly(shape) -> None:
    once = codec.shape_from_json(through_text(codec.shape_to_json(shape)))
    assert type(once) is type(shape)
    assert codec.shape_to_json(codec.shape_from_json(codec.shape_to_json(once))) == codec.shape_to_json(once)
    if isinstance(shape, Box):
        assert (once.x0, once.y0, once.x1, once.y1) == pytest.approx((shape.x0, shape.y0, shape.x1, shape.y1), abs=6e-5)


@pytest.mark.parametrize(
    "shape",
    [
        Box(0, 0, 1e-6, 5),
        Box(10.00001, 0, 10.00002, 5),
        Box(3, 7, 4, math.nextafter(7, 8)),
        RotatedBox(5, 5, 1e-7, 1e-7, 3),
        Ellipse(5, 5, 1e-5, 2),
    ],
)
def test_a_sliver_stays_a_shape(shape) -> None:
    assert codec.shape_from_json(through_text(codec.shape_to_json(shape))) == shape


def test_an_unknown_shape_is_named() -> None:
    with pytest.raises(ValueError, match="unknown shape type 'cube'"):
        codec.shape_from_json({"type": "cube"})


@settings(max_examples=60, deadline=None)
@given(st.lists(REGIONS, max_size=3), st.lists(st.text(), max_size=2))
def test_samples_read_back(regions: list[Region], texts: list[str]) -> None:
    settled = tuple(codec.region_from_json(codec.region_to_json(region)) for region in regions)
    sample = Sample(
        "7",
        "/images/고양이.jpg",
        "고양이.jpg",
        640,
        480,
        settled,
        tuple(Tag(text, "choice") for text in texts),
        "val",
        Origin("ls://3/41", 3, 41, 88, "kim", None, "https://example.org"),
        tuple(sorted({text: text for text in texts}.items())),
        tuple(texts),
    )
    assert codec.sample_from_json(through_text(codec.sample_to_json(sample))) == sample


def test_a_bare_sample_reads_back() -> None:
    sample = Sample("1", "/a.jpg", "a.jpg", 1, 1)
    assert codec.sample_from_json(through_text(codec.sample_to_json(sample))) == sample


def test_absent_score_and_attributes_are_left_out() -> None:
    data = codec.region_to_json(Region("r", "cat", Keypoint(1.23456, 2)))
    assert data == {"id": "r", "label": "cat", "shape": {"type": "keypoint", "xy": [1.2346, 2.0]}}


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert codec.canonical({"b": 1, "a": ["고"]}) == '{"a":["고"],"b":1}'
    assert codec.digest({"b": 1, "a": 2}) == codec.digest({"a": 2, "b": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        codec.canonical(math.nan)
