"""Annotation results <-> regions: every shape both ways, repairs noted, Label Studio's own mistakes avoided."""

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core import rle
from backend.core.geometry import rotated_box_corners, tight_box
from backend.core.model import Box, Ellipse, Keypoint, Polygon, Region, RotatedBox, Sample, Shape, Tag
from backend.formats.label_config import parse_label_config
from backend.formats.label_studio import regions_of, tags_of, to_result

CONFIG = parse_label_config(
    '<View><Image name="image" value="$image"/>'
    '<RectangleLabels name="label" toName="image"><Label value="cat"/><Label value="red panda"/></RectangleLabels>'
    '<PolygonLabels name="poly" toName="image"><Label value="cat"/></PolygonLabels>'
    '<BrushLabels name="brush" toName="image"><Label value="cat"/></BrushLabels>'
    '<KeyPointLabels name="kp" toName="image"><Label value="nose"/></KeyPointLabels>'
    '<EllipseLabels name="ell" toName="image"><Label value="cat"/></EllipseLabels>'
    '<Choices name="quality" toName="image"><Choice value="good"/></Choices></View>'
)
ONLY_BOXES = parse_label_config(
    '<View><Image name="image" value="$image"/>'
    '<RectangleLabels name="label" toName="image"><Label value="cat"/></RectangleLabels></View>'
)
SIZE = (640, 480)


def rectangle(x: float, y: float, w: float, h: float, **more: Any) -> dict[str, Any]:
    labels = more.pop("labels", ["cat"])
    value = {"x": x, "y": y, "width": w, "height": h, "rotation": more.pop("rotation", 0), "rectanglelabels": labels}
    entry = {"id": "r1", "from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": value}
    return {**entry, "original_width": 640, "original_height": 480, **more}


def one(entry: dict[str, Any], size: tuple[int, int] = SIZE) -> Shape:
    regions, notes = regions_of([entry], CONFIG, size)
    assert notes == ()
    (region,) = regions
    return region.shape


def test_a_box_is_percent_of_the_displayed_picture() -> None:
    assert one(rectangle(10, 10, 20, 20)) == Box(64, 48, 192, 144)
    # stored 640 x 480 with EXIF orientation 6: shown, and drawn on, as 480 x 640
    assert one(rectangle(10, 10, 20, 20), (480, 640)) == Box(48, 64, 144, 192)


def test_a_turned_box_turns_about_its_corner_in_pixels() -> None:
    shape = one(rectangle(50, 50, 20, 10, rotation=30))
    assert isinstance(shape, RotatedBox)
    assert rotated_box_corners(shape)[0] == pytest.approx([320, 240])
    around = tight_box(shape)
    assert around is not None
    # 128 x 48 turned by 30 degrees about (320, 240)
    assert (around.x0, around.y0) == pytest.approx((296, 240))
    assert (around.width, around.height) == pytest.approx((134.851, 105.569), abs=1e-3)


def test_a_region_with_two_labels_gives_two() -> None:
    regions, notes = regions_of([rectangle(10, 10, 20, 20, labels=["cat", "red panda"])], CONFIG, SIZE)
    assert [(r.id, r.label) for r in regions] == [("r1", "cat"), ("r1#2", "red panda")]
    assert notes == ()


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (rectangle(10, 10, 20, 20, labels=[]), "has no label"),
        (rectangle(10, 10, 0, 20), "no area"),
        (rectangle(110, 10, 20, 20), "outside the picture"),
        (rectangle(10, 10, math.nan, 20), "finite"),
        (rectangle(10, 10, math.inf, 20), "finite"),
        (rectangle(10, 10, "wide", 20), "could not convert"),  # type: ignore[arg-type]
        ({**rectangle(1, 1, 1, 1), "value": {"x": 1, "rectanglelabels": ["cat"]}}, "y is missing"),
        ({**rectangle(1, 1, 1, 1), "value": {"rectanglelabels": ["cat"], "x": None, "y": 1}}, "cannot be read"),
        ({**rectangle(1, 1, 1, 1), "type": "textarea"}, "textarea .not carried"),
        ({"type": "relation", "from_id": "a", "to_id": "b"}, "relation .not carried"),
    ],
)
def test_what_cannot_be_used_is_left_out_with_a_reason(entry: dict[str, Any], reason: str) -> None:
    regions, notes = regions_of([entry, rectangle(50, 50, 10, 10, id="fine")], CONFIG, SIZE)
    assert [r.id for r in regions] == ["fine"]
    assert len(notes) == 1
    assert re.search(reason, notes[0])


def test_what_overhangs_is_clipped_and_noted_but_float_noise_is_not() -> None:
    regions, notes = regions_of([rectangle(90, -5, 30, 20)], CONFIG, SIZE)
    assert regions[0].shape == Box(576, 0, 640, 72)
    assert "clipped" in notes[0]
    regions, notes = regions_of([rectangle(90, 90, 10.0000000001, 10)], CONFIG, SIZE)
    assert regions[0].shape == Box(576, 432, 640, 480)
    assert notes == ()


def test_a_label_beyond_the_config_is_kept_and_noted() -> None:
    regions, notes = regions_of([rectangle(10, 10, 20, 20, labels=["ghost"])], CONFIG, SIZE)
    assert regions[0].label == "ghost"
    assert "not in the labelling config" in notes[0]


def test_repeats_are_left_out_and_ids_made_unique() -> None:
    entries = [rectangle(10, 10, 20, 20), rectangle(10, 10, 20, 20, id="r2"), rectangle(50, 50, 20, 20)]
    regions, notes = regions_of(entries, CONFIG, SIZE)
    assert [r.id for r in regions] == ["r1", "r1#2"]
    assert len(notes) == 1
    assert "twice" in notes[0]


def test_missing_original_size_is_no_matter_for_percent_shapes() -> None:
    entry = rectangle(10, 10, 20, 20)
    del entry["original_width"], entry["original_height"]
    assert one(entry) == Box(64, 48, 192, 144)


def test_polygons_keypoints_and_ellipses_are_carried_beside_boxes() -> None:
    common = {"to_name": "image", "original_width": 640, "original_height": 480}
    points = [[10, 10], [30, 10], [30, 40]]
    entries = [
        rectangle(10, 10, 20, 20),
        {**common, "id": "p", "from_name": "poly", "type": "polygonlabels",
         "value": {"points": points, "closed": True, "polygonlabels": ["cat"]}},
        {**common, "id": "k", "from_name": "kp", "type": "keypointlabels",
         "value": {"x": 50, "y": 50, "width": 0.5, "keypointlabels": ["nose"]}},
        {**common, "id": "e", "from_name": "ell", "type": "ellipselabels",
         "value": {"x": 50, "y": 50, "radiusX": 10, "radiusY": 5, "rotation": 20, "ellipselabels": ["cat"]}},
    ]  # fmt: skip
    regions, notes = regions_of(entries, CONFIG, SIZE)
    assert notes == ()
    assert [r.shape for r in regions[1:]] == [
        Polygon((((64, 48), (192, 48), (192, 192)),)),
        Keypoint(320, 240),
        Ellipse(320, 240, 64, 24, 20),
    ]


def test_a_brush_mask_survives_and_a_lying_one_is_refused_before_decoding() -> None:
    pixels = np.zeros((48, 64), bool)
    pixels[10:20, 30:50] = True
    sample = Sample("1", "", "a.jpg", 64, 48, (Region("b", "cat", rle.encode(pixels)),))
    (entry,), losses = to_result(sample, CONFIG)
    assert not losses
    regions, notes = regions_of([entry], CONFIG, (64, 48))
    assert notes == ()
    assert regions[0].shape == rle.encode(pixels)
    doubled, _ = regions_of([entry], CONFIG, (128, 96))  # the picture was replaced by a larger one
    assert tight_box(doubled[0].shape) == Box(60, 20, 100, 40)
    entry["value"]["rle"] = [255, 255, 255, 255, *entry["value"]["rle"][4:]]
    regions, notes = regions_of([entry], CONFIG, (64, 48))
    assert regions == ()
    assert "its mask holds 1073741823 pixels" in notes[0]


def test_a_bare_rectangle_takes_its_label_from_the_labels_control() -> None:
    config = parse_label_config(
        '<View><Image name="image" value="$image"/><Rectangle name="box" toName="image"/>'
        '<Labels name="names" toName="image"><Label value="cat"/></Labels></View>'
    )
    sample = Sample("1", "", "a.jpg", 640, 480, (Region("b", "cat", Box(64, 48, 192, 144)),))
    result, losses = to_result(sample, config)
    assert not losses
    assert [(e["type"], e["from_name"]) for e in result] == [("rectangle", "box"), ("labels", "names")]
    regions, notes = regions_of(result, config, SIZE)
    assert notes == ()
    assert [(r.id, r.label, r.shape) for r in regions] == [("b", "cat", Box(64, 48, 192, 144))]


def test_choices_are_tags() -> None:
    entry = {"id": "c", "from_name": "quality", "type": "choices", "value": {"choices": ["good"]}}
    assert tags_of([entry], CONFIG) == (Tag("good", "quality"),)
    sample = Sample("1", "", "a.jpg", 640, 480, tags=(Tag("good"),))
    result, losses = to_result(sample, CONFIG)
    assert tags_of(result, CONFIG) == (Tag("good", "quality"),)
    assert not losses


def test_a_turned_box_that_is_none_any_more_is_not_called_a_polygon_that_somebody_drew() -> None:
    sheared = Region("t", "cat", Polygon((((100, 100), (200, 130), (210, 230), (110, 200)),)))
    result, losses = to_result(Sample("1", "", "a.jpg", 640, 480, (sheared,)), ONLY_BOXES, {"t"})
    assert dict(losses) == {
        "turned box that a step sheared or bent written as the smallest turned rectangle around it": 1
    }
    assert result[0]["value"]["rotation"] != 0


def test_shapes_the_config_cannot_hold_are_written_as_the_nearest_and_counted() -> None:
    pixels = np.zeros((480, 640), bool)
    pixels[10:20, 30:50] = True
    sample = Sample("1", "", "a.jpg", 640, 480, (
        Region("m", "cat", rle.encode(pixels)),
        Region("k", "cat", Keypoint(5, 5)),
        Region("p", "cat", Polygon((((100, 100), (200, 100), (200, 150), (100, 150)),))),
    ), (Tag("good"),))  # fmt: skip
    result, losses = to_result(sample, ONLY_BOXES)
    assert dict(losses) == {
        "mask written as the upright rectangle around it": 1,
        "keypoint: no control of the labelling config can hold it, left out": 1,
        "polygon written as the smallest turned rectangle around it": 1,
        "tag: the labelling config has no Choices for it, left out": 1,
    }
    regions, _ = regions_of(result, ONLY_BOXES, SIZE)
    boxes = [box for r in regions if (box := tight_box(r.shape))]
    assert [_numbers(box) for box in boxes] == [
        pytest.approx([30, 10, 50, 20]),
        pytest.approx([100, 100, 200, 150]),
    ]


def test_several_parts_become_several_regions() -> None:
    parts = (((0, 0), (10, 0), (10, 10)), ((20, 20), (30, 20), (30, 30)))
    sample = Sample("1", "", "a.jpg", 640, 480, (Region("x", "cat", Polygon(parts)),))
    result, _ = to_result(sample, CONFIG)
    assert [e["id"] for e in result] == ["x", "x#2"]


numbers = st.floats(1, 400)
shapes = st.one_of(
    st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), numbers, numbers, numbers, numbers),
    st.builds(RotatedBox, st.floats(100, 900), st.floats(100, 500), numbers, numbers, st.floats(0.01, 359.9)),
    st.builds(Ellipse, st.floats(100, 900), st.floats(100, 500), numbers, numbers, st.floats(0, 359.9)),
    st.builds(Keypoint, numbers, numbers),
    st.builds(lambda a, b, c, d: Polygon((((a, b), (a + c, b), (a + c, b + d)),)), numbers, numbers, numbers, numbers),
)


@settings(max_examples=100, deadline=None)
@given(shapes)
def test_every_shape_survives_both_ways(shape: Shape) -> None:
    label = "nose" if isinstance(shape, Keypoint) else "cat"
    region = Region("x", label, shape, 0.5, (("difficult", True),))
    result, losses = to_result(Sample("1", "", "a.jpg", 1000, 900, (region,)), CONFIG)
    regions, notes = regions_of(result, CONFIG, (1000, 900))
    assert (losses, notes) == ({}, ())
    (back,) = regions
    assert type(back.shape) is type(shape)
    assert (back.id, back.label, back.score, back.attribute("difficult")) == ("x", label, 0.5, True)
    assert _numbers(back.shape) == pytest.approx(_numbers(shape), abs=1e-4)


def _numbers(shape: Shape) -> list[float]:
    if isinstance(shape, Polygon):
        return [value for ring in shape.parts for point in ring for value in point]
    return [getattr(shape, name) for name in shape.__slots__]
