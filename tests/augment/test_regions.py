"""Each kind of shape on its way: exact where it can be, a polygon where it cannot, and seen as much as it is."""

import numpy as np
import pytest

from backend.augment.ops import Rgb
from backend.augment.pipeline import Drawn, GaveUp, Pipeline
from backend.core import rle
from backend.core.errors import ImageError
from backend.core.geometry import area, outline, rotated_box_corners, tight_box
from backend.core.model import Box, Ellipse, Keypoint, Mask, Polygon, Region, RotatedBox, Shape
from backend.core.recipe import parse_recipe
from backend.imaging.raster import polygon_mask
from tests.augment.shapes import overlap, seen

SIZE = 200
TURN = {"Affine": {"rotate": [30, 30], "p": 1}}
STRETCH = {"Affine": {"scale": {"x": [1.2, 1.2], "y": [0.7, 0.7]}, "rotate": [20, 20], "p": 1}}
SHEAR = {"Affine": {"shear": {"x": [25, 25], "y": [0, 0]}, "p": 1}}
LEFT_HALF = {"Crop": {"x_min": 0, "y_min": 0, "x_max": 100, "y_max": 200, "p": 1}}
FLIP = {"HorizontalFlip": {"p": 1}}


def draw(shape: Shape, *steps: object, image: Rgb | None = None, **rules: object) -> Drawn | GaveUp:
    document = parse_recipe({"steps": list(steps), "boxes": {"min_visibility": 0, "min_size": 0, **rules}})
    rgb = np.zeros((SIZE, SIZE, 3), np.uint8) if image is None else image
    return Pipeline(document).draw(rgb, [Region("r", "cat", shape)], "0" * 64, 1)


def shape_after(shape: Shape, *steps: object) -> Shape:
    result = draw(shape, *steps)
    assert isinstance(result, Drawn)
    return result.regions[0].shape


def truth_after(shape: Shape, *steps: object) -> np.ndarray:
    """Return the pixels of the shape painted white and drawn through the same steps."""
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[polygon_mask(outline(shape), SIZE, SIZE)] = 255
    result = draw(shape, *steps, image=image)
    assert isinstance(result, Drawn)
    return seen(result.rgb, 0)


def test_a_turned_rotated_box_stays_exact() -> None:
    after = shape_after(RotatedBox(100, 100, 60, 20, 10), TURN)
    assert isinstance(after, RotatedBox)
    assert (after.width, after.height) == (pytest.approx(60, abs=0.01), pytest.approx(20, abs=0.01))
    assert after.angle % 180 == pytest.approx(160, abs=0.05)  # the library turns anticlockwise


def test_a_mirrored_rotated_box_keeps_its_width_along_the_same_edge() -> None:
    after = shape_after(RotatedBox(80, 100, 60, 20, 10), FLIP)
    assert isinstance(after, RotatedBox)
    assert (after.cx, after.width, after.height) == (pytest.approx(120), pytest.approx(60), pytest.approx(20))
    assert after.angle % 180 == pytest.approx(170)


def test_a_sheared_rotated_box_is_a_polygon_and_a_slightly_sheared_one_a_fitted_box() -> None:
    source = RotatedBox(100, 100, 60, 40, 0)
    polygon = shape_after(source, SHEAR)
    assert isinstance(polygon, Polygon)
    assert area(polygon) == pytest.approx(2400, rel=0.01)
    slight = {"Affine": {"shear": {"x": [0.8, 0.8], "y": [0, 0]}, "p": 1}}
    fitted = shape_after(source, slight)
    assert isinstance(fitted, RotatedBox)
    assert max(abs(c[0] - 100) for c in rotated_box_corners(fitted)) <= 31


def test_a_rotated_box_cut_by_the_frame_is_what_remains_of_it() -> None:
    straight = shape_after(RotatedBox(100, 100, 60, 20, 0), LEFT_HALF)
    assert isinstance(straight, RotatedBox)
    assert tight_box(straight) == Box(70, 90, 100, 110)
    slanted = shape_after(RotatedBox(100, 100, 60, 40, 30), LEFT_HALF)
    assert isinstance(slanted, Polygon)
    assert area(slanted) == pytest.approx(1200, rel=0.01)


@pytest.mark.parametrize(
    "source", [Ellipse(90, 100, 50, 20, 15), Ellipse(90, 100, 20, 50, 15), Ellipse(90, 100, 30, 30)]
)
@pytest.mark.parametrize("step", [TURN, STRETCH, SHEAR, FLIP])
def test_an_ellipse_under_an_affine_step_is_an_ellipse(source: Ellipse, step: object) -> None:
    after = shape_after(source, step)
    assert isinstance(after, Ellipse)
    assert overlap(polygon_mask(outline(after), SIZE, SIZE), truth_after(source, step)) >= 0.98


def test_an_ellipse_turned_keeps_its_radii_in_their_order() -> None:
    after = shape_after(Ellipse(90, 100, 20, 50, 15), TURN)
    assert isinstance(after, Ellipse)
    assert (after.rx, after.ry) == (pytest.approx(20, abs=0.01), pytest.approx(50, abs=0.01))
    assert after.angle == pytest.approx(165, abs=0.05)


@pytest.mark.parametrize("step", [LEFT_HALF, {"Perspective": {"p": 1}}, {"OpticalDistortion": {"p": 1}}])
def test_an_ellipse_under_any_other_step_is_a_polygon(step: object) -> None:
    source = Ellipse(90, 100, 50, 20, 15)
    after = shape_after(source, step)
    assert isinstance(after, Polygon)
    truth = truth_after(source, step)
    assert overlap(polygon_mask(outline(after), truth.shape[1], truth.shape[0]), truth) >= 0.97


def test_a_bent_polygon_is_not_written_with_hundreds_of_points() -> None:
    square = Polygon((((40, 40), (160, 40), (160, 160), (40, 160)),))
    after = shape_after(square, {"OpticalDistortion": {"distort_limit": [0.3, 0.3], "p": 1}})
    assert isinstance(after, Polygon)
    assert 8 <= len(after.parts[0]) <= 80


def disc(x: float, y: float, radius: float) -> Mask:
    ys, xs = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    return rle.encode((xs - x) ** 2 + (ys - y) ** 2 < radius**2)


def test_a_disc_mask_turned_has_a_tight_box_and_full_visibility() -> None:
    result = draw(disc(100, 100, 40), TURN)
    assert isinstance(result, Drawn)
    box = tight_box(result.regions[0].shape)
    assert box is not None
    assert np.allclose([box.x0, box.y0, box.x1, box.y1], [60, 60, 140, 140], atol=1)
    entry = result.ledger[0]
    assert (entry.fate, entry.visibility) == ("kept", 1.0)
    assert entry.growth == pytest.approx(4 / np.pi, abs=0.03)


def test_a_mask_cut_in_half_is_half_visible_however_it_is_scaled() -> None:
    result = draw(disc(100, 100, 40), LEFT_HALF, {"Resize": {"width": 300, "height": 77, "p": 1}})
    assert isinstance(result, Drawn)
    entry = result.ledger[0]
    assert (entry.fate, entry.reason, entry.step) == ("clipped", "frame", "1 Crop")
    assert entry.visibility == pytest.approx(0.5, abs=0.01)
    assert result.regions[0].shape.width == 300  # type: ignore[union-attr]


def test_a_mask_with_holes_and_islands_is_measured_by_its_pixels() -> None:
    pixels = np.zeros((SIZE, SIZE), bool)
    pixels[20:40, 20:60] = True
    pixels[150:160, 150:190] = True
    pixels[25:35, 30:40] = False
    result = draw(rle.encode(pixels), LEFT_HALF)
    assert isinstance(result, Drawn)
    assert result.ledger[0].visibility == pytest.approx(700 / 1100, abs=0.002)


def test_growth_of_a_mask_is_measured_against_its_pixels_not_its_hull() -> None:
    frame = np.zeros((SIZE, SIZE), bool)
    frame[50:150, 50:150] = True
    frame[60:140, 60:140] = False
    result = draw(rle.encode(frame), FLIP)
    assert isinstance(result, Drawn)
    assert result.ledger[0].growth == pytest.approx(100 * 100 / 3600)


def test_a_mask_of_another_size_than_the_image_is_an_image_error() -> None:
    with pytest.raises(ImageError, match="the mask of region r is 10 x 10, the image 200 x 200"):
        draw(rle.encode(np.ones((10, 10), bool)), FLIP)


def test_empty_and_areless_regions_are_dropped_as_degenerate_and_stop_nothing() -> None:
    for shape in (rle.encode(np.zeros((SIZE, SIZE), bool)), Polygon((((10, 10), (20, 20), (30, 30)),))):
        result = draw(shape, FLIP)
        assert isinstance(result, Drawn)
        assert (result.ledger[0].fate, result.ledger[0].reason) == ("dropped", "degenerate")


def test_what_lies_beyond_the_frame_of_the_source_never_counted() -> None:
    result = draw(Box(-50, 50, 50, 100), FLIP)
    assert isinstance(result, Drawn)
    assert result.regions[0].shape == Box(150, 50, 200, 100)
    assert (result.ledger[0].fate, result.ledger[0].visibility) == ("kept", 1.0)


def test_keypoints_follow_and_are_gone_outside() -> None:
    assert shape_after(Keypoint(30, 40), FLIP) == Keypoint(170, 40)
    result = draw(Keypoint(150, 40), LEFT_HALF)
    assert isinstance(result, Drawn)
    assert (result.regions, result.ledger[0].fate, result.ledger[0].reason) == ((), "dropped", "frame")


def test_two_masks_two_boxes_one_of_each_cropped_away() -> None:
    regions = [
        Region("m1", "a", disc(150, 150, 20)),
        Region("b1", "b", Box(10, 10, 50, 50)),
        Region("m2", "a", disc(40, 40, 20)),
        Region("b2", "b", Box(140, 10, 190, 50)),
    ]
    pipeline = Pipeline(parse_recipe({"steps": [LEFT_HALF]}))
    result = pipeline.draw(np.zeros((SIZE, SIZE, 3), np.uint8), regions, "0" * 64, 1)
    assert isinstance(result, Drawn)
    assert [region.id for region in result.regions] == ["b1", "m2"]
    assert tight_box(result.regions[1].shape) == Box(20, 20, 60, 60)


HOLE = {
    "CoarseDropout": {
        "num_holes_range": [1, 1],
        "hole_height_range": [100, 100],
        "hole_width_range": [100, 100],
        "p": 1,
    }
}


@pytest.mark.parametrize("shape", [Box(0, 0, 200, 200), disc(100, 100, 99.9), Ellipse(100, 100, 99, 99)])
def test_a_dropout_moves_nothing_and_lowers_visibility_by_the_covered_share(shape: Shape) -> None:
    image = np.full((SIZE, SIZE, 3), 200, np.uint8)
    result = draw(shape, HOLE, image=image)
    assert isinstance(result, Drawn)
    own = rle.decode(shape) if isinstance(shape, Mask) else polygon_mask(outline(shape), SIZE, SIZE)
    covered = (result.rgb[:, :, 0] == 0) & own
    entry = result.ledger[0]
    assert result.regions[0].shape == shape
    assert (entry.fate, entry.reason, entry.step) == ("kept", "occluded", "1 CoarseDropout")
    assert entry.visibility == pytest.approx(1 - covered.sum() / own.sum(), abs=0.002)


def test_an_object_painted_over_breaks_the_visibility_rule_as_occluded() -> None:
    erase = {"GridDropout": {"ratio": 0.9, "p": 1}}
    result = draw(Box(50, 50, 150, 150), erase, min_visibility=0.5, on_violation="drop-region")
    assert isinstance(result, Drawn)
    assert (result.ledger[0].fate, result.ledger[0].reason, result.regions) == ("dropped", "occluded", ())
    refused = draw(Box(50, 50, 150, 150), erase, min_visibility=0.5)
    assert isinstance(refused, GaveUp)
    assert "after 1 GridDropout" in refused.reasons[0]


class Darken:
    """A toy operation: darkens by a drawn amount."""

    def problems(self, params):  # type: ignore[no-untyped-def]
        return []

    def draws(self, params):  # type: ignore[no-untyped-def]
        return True

    def build(self, params):  # type: ignore[no-untyped-def]
        def op(rgb: Rgb, seed: int) -> tuple[Rgb, dict[str, object]]:
            amount = params["least"] + seed % 50
            return (rgb // 2).astype(np.uint8) + np.uint8(amount % 2), {"amount": amount}

        return op


def test_an_extra_operation_is_a_step_like_any_other() -> None:
    document = parse_recipe({"steps": [FLIP, {"Darken": {"least": 3, "p": 1}}, {"Darken": {"least": 3, "p": 0}}]})
    pipeline = Pipeline(document, {"Darken": Darken()})
    image = np.full((SIZE, SIZE, 3), 100, np.uint8)
    result = pipeline.draw(image, [Region("r", "cat", Box(0, 0, 50, 50))], "0" * 64, 1)
    assert isinstance(result, Drawn)
    assert [s["name"] for s in result.steps] == ["HorizontalFlip", "Darken"]
    assert 3 <= result.steps[1]["params"]["amount"] < 53
    assert result.rgb.max() in {50, 51}
    assert result.regions[0].shape == Box(150, 0, 200, 50)


def test_an_extra_operation_that_changes_the_size_is_an_image_error() -> None:
    class Shrink(Darken):
        def build(self, params):  # type: ignore[no-untyped-def]
            return lambda rgb, seed: (rgb[:10], {})

    pipeline = Pipeline(parse_recipe({"steps": [{"Shrink": {"p": 1}}]}), {"Shrink": Shrink()})
    with pytest.raises(ImageError, match="1 Shrink: returned uint8"):
        pipeline.draw(np.zeros((20, 20, 3), np.uint8), [], "0" * 64, 1)


def test_a_warp_that_folds_over_an_object_is_drawn_again_or_given_up() -> None:
    fold = {"ElasticTransform": {"alpha": 2000, "sigma": 5, "p": 1}}
    result = draw(Box(50, 50, 150, 150), fold)
    assert result == GaveUp(("region r (cat): came apart after 1 ElasticTransform",), 10)
