"""Property tests: whatever shape and label, a format gives back what it can hold, and says what it cannot."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written import picture, read, sample, write

from backend.core import rle
from backend.core.geometry import rotated_box_corners, tight_box
from backend.core.model import Box, Ellipse, Keypoint, Mask, Polygon, Region, RotatedBox, Shape
from backend.formats import FORMATS
from backend.formats.base import Classes
from backend.formats.verify import verify_format
from backend.imaging.raster import polygon_mask

WIDTH, HEIGHT = 83, 57

few = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

number = st.floats(-30, 110, allow_nan=False).map(lambda v: round(v, 4))
length = st.floats(0.5, 60).map(lambda v: round(v, 4))
angle = st.floats(-180, 180).map(lambda v: round(v, 4))
label = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12) | st.sampled_from(
    [
        "개 / dog",
        "a b",
        "no",
        "1",
        "~",
        "null",
        "#x",
        "- y",
        "{z}",
        "😀👍🏽",
        "x: y",
        "'q\"",
        "&amp;",
        "<b>",
        "\\n",
        "../up",
    ]
)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x, y = draw(number), draw(number)
    return Box(x, y, x + draw(length), y + draw(length))


@st.composite
def polygons(draw: st.DrawFn) -> Polygon:
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        cx, cy, count = draw(number), draw(number), draw(st.integers(3, 9))
        radii = [draw(length) for _ in range(count)]
        turns = np.linspace(0, 2 * np.pi, count, endpoint=False)
        ring = ((round(cx + r * np.cos(t), 4), round(cy + r * np.sin(t), 4)) for r, t in zip(radii, turns, strict=True))
        parts.append(tuple((float(x), float(y)) for x, y in ring))
    return Polygon(tuple(parts))


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    pixels = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for _ in range(draw(st.integers(1, 4))):
        x, y = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
        on = draw(st.booleans())
        pixels[y : y + draw(st.integers(1, 30)), x : x + draw(st.integers(1, 30))] = on
    return rle.encode(pixels)


rotated = st.builds(RotatedBox, number, number, length, length, angle)
ellipses = st.builds(Ellipse, number, number, length, length, angle)
keypoints = st.builds(Keypoint, number, number)
shapes = st.one_of(boxes(), rotated, polygons(), masks(), ellipses, keypoints)


def written(key: str, regions: list[Region], classes: Classes) -> tuple[list[Region], object]:
    with tempfile.TemporaryDirectory() as place:
        source = picture(Path(place) / "source.png", WIDTH, HEIGHT)
        meant = sample(source, *regions)
        losses = write(key, Path(place) / "out", [meant], classes)
        part = verify_format(key, Path(place) / "out", [meant], classes)
        assert part.ok, part.problems
        assert part.max_error_px <= part.tolerance + (0.5 if key == "voc" else 0)
        assert FORMATS[key].open(Path(place) / "out").labels == classes.labels
        return list(read(key, Path(place) / "out")["a.png"].regions), losses


@pytest.mark.parametrize("key", [key for key in FORMATS if key != "folders"])
@few
@given(st.lists(st.tuples(label, shapes), max_size=5))
def test_every_shape_verifies_in_every_format(key: str, drawn: list[tuple[str, Shape]]) -> None:
    regions = [Region(f"r{k}", name, shape) for k, (name, shape) in enumerate(drawn)]
    classes = Classes(tuple(dict.fromkeys(name for name, _ in drawn)))
    written(key, regions, classes)


@few
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 50), st.integers(1, 40), st.integers(1, 40)), max_size=6))
def test_whole_pixels_survive_voc_yolo_and_coco_exactly(corners: list[tuple[int, int, int, int]]) -> None:
    drawn = [Box(x, y, min(x + w, WIDTH), min(y + h, HEIGHT)) for x, y, w, h in corners]
    classes = Classes(("x",))
    for middle in ("yolo", "coco", "yolo-obb"):
        regions, _ = written("voc", [Region(f"r{k}", "x", shape) for k, shape in enumerate(drawn)], classes)
        regions, _ = written(middle, regions, classes)
        regions, _ = written("voc", regions, classes)
        assert [r.shape for r in regions] == drawn


@few
@given(boxes())
def test_voc_is_within_half_a_pixel_of_any_box(shape: Box) -> None:
    inside = Box(*np.clip([shape.x0, shape.y0], 0, 50).tolist(), 82.3, 56.8)
    (region,), _ = written("voc", [Region("r", "x", inside)], Classes(("x",)))
    got = tight_box(region.shape)
    assert got is not None
    sides = [got.x0 - inside.x0, got.y0 - inside.y0, got.x1 - inside.x1, got.y1 - inside.y1]
    assert max(map(abs, sides)) <= 0.5


@few
@given(rotated)
def test_a_rotated_box_keeps_its_corners_in_obb(shape: RotatedBox) -> None:
    regions, losses = written("yolo-obb", [Region("r", "x", shape)], Classes(("x",)))
    if not regions or losses:
        return
    (region,) = regions
    if isinstance(region.shape, RotatedBox):
        assert np.abs(rotated_box_corners(region.shape) - rotated_box_corners(shape)).max() < 0.01


@few
@given(masks())
def test_a_mask_survives_coco_and_voc_pixel_by_pixel(mask: Mask) -> None:
    for key in ("coco", "voc"):
        regions, losses = written(key, [Region("r", "x", mask)], Classes(("x",)))
        assert [r.shape for r in regions] == ([mask] if rle.area(mask) else [])
        assert bool(losses) == (rle.area(mask) == 0)


@few
@given(masks())
def test_a_mask_without_holes_survives_yolo_seg_pixel_by_pixel(mask: Mask) -> None:
    regions, losses = written("yolo-seg", [Region("r", "x", mask)], Classes(("x",)))
    if regions and not any("holes" in reason for reason in losses):
        shape = regions[0].shape
        assert isinstance(shape, Polygon)
        rings = [np.asarray(ring) for ring in shape.parts]
        assert (polygon_mask(rings, WIDTH, HEIGHT) == rle.decode(mask)).mean() > 0.999
