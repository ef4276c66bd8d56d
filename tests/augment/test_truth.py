"""The geometric truth: after any geometric recipe the pixels themselves show whether the labels are right."""

import random
from typing import Any

import numpy as np
import pytest

from backend.augment.emit import emit
from backend.augment.pipeline import Drawn, Pipeline
from backend.core import rle
from backend.core.geometry import Points, bounds_of, iou, tight_box, to_polygon
from backend.core.model import Box, Mask, Polygon, Region, Shape
from backend.core.recipe import parse_recipe
from backend.imaging.raster import polygon_mask
from tests.augment.settings import GEOMETRIC
from tests.augment.shapes import HEIGHT, OUTLINES, WIDTH, overlap, picture, seen

NO_RULES = {"min_visibility": 0, "min_size": 0}
SMALLEST = 16  # pixels: below, one pixel of rounding is more than a tenth of the side


def as_polygon(ring: Points) -> Shape:
    return to_polygon([ring])


def as_mask(ring: Points) -> Shape:
    return rle.encode(polygon_mask([ring], WIDTH, HEIGHT))


def as_box(ring: Points) -> Shape:
    box = bounds_of([ring])
    assert box is not None
    return box


def random_steps(seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    fixed = {"Crop", "CenterCrop", "RandomCrop", "AtLeastOneBBoxRandomCrop", "RandomSizedCrop"}  # not after shrinking
    steps = []
    for name in draw.sample(sorted(GEOMETRIC.keys() - fixed), draw.randint(1, 4)):
        steps.append({name: {**draw.choice(GEOMETRIC[name]), "p": 1}})
    if draw.random() < 0.3:
        steps.insert(0, {"RandomCrop": {"height": 300, "width": 400}})
    return steps


def draw(steps: list[dict[str, Any]], shape: Any, seed: int) -> Drawn:
    regions = [Region(f"r{i}", "thing", shape(ring)) for i, ring in enumerate(OUTLINES)]
    result = Pipeline(parse_recipe({"steps": steps, "boxes": NO_RULES})).draw(picture(), regions, f"{seed:064x}", 1)
    assert isinstance(result, Drawn), result
    return result


def pixels_box(truth: np.ndarray) -> Box:
    ys, xs = np.nonzero(truth)
    return Box(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("shape", [as_polygon, as_mask, as_box])
def test_labels_are_where_the_pixels_are(seed: int, shape: Any) -> None:
    steps = random_steps(seed)
    result = draw(steps, shape, seed)
    emitted = {region.id: region for region in result.regions}
    assert [entry.region for entry in result.ledger] == ["r0", "r1", "r2"]
    for index, entry in enumerate(result.ledger):
        truth = seen(result.rgb, index)
        region = emitted.get(f"r{index}")
        assert (region is None) == (entry.fate == "dropped")
        if region is None:
            assert truth.sum() <= 4, (steps, entry)
        elif truth.any():
            check(region, truth, steps)


def check(region: Region, truth: np.ndarray, steps: list[dict[str, Any]]) -> None:
    box, pixels = tight_box(region.shape), pixels_box(truth)
    assert box is not None
    height, width = truth.shape
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    beyond = max(box.x0 - pixels.x0, box.y0 - pixels.y0, pixels.x1 - box.x1, pixels.y1 - box.y1)
    assert beyond <= 1.01, (steps, region, pixels)
    if isinstance(region.shape, Box) or min(pixels.width, pixels.height) < SMALLEST:
        return
    assert iou(box, pixels) >= 0.9, (steps, region, pixels)
    own = (
        rle.decode(region.shape)
        if isinstance(region.shape, Mask)
        else polygon_mask([np.asarray(ring) for ring in region.shape.parts], width, height)  # type: ignore[union-attr]
    )
    assert overlap(own, truth) >= 0.9, steps


@pytest.mark.parametrize("shape", [as_polygon, as_mask, as_box])
def test_visibility_is_what_the_pixels_say_it_is(shape: Any) -> None:
    for seed in range(10):
        steps = [{"Affine": {"rotate": [-40, 40], "translate_percent": [-0.3, 0.3], "p": 1}}]
        result = draw(steps, shape, seed)
        for index, entry in enumerate(result.ledger):
            whole = polygon_mask([np.asarray(OUTLINES[index])], WIDTH, HEIGHT).sum()
            if shape is as_box and index:
                continue  # only the first outline fills its box
            share = seen(result.rgb, index).sum() / whole
            assert entry.visibility == pytest.approx(share, abs=0.02), (seed, index)


def test_a_polygon_cut_by_the_frame_falls_into_parts() -> None:
    comb = Region(
        "u", "comb", Polygon((((10, 10), (90, 10), (90, 90), (70, 90), (70, 30), (30, 30), (30, 90), (10, 90)),))
    )
    steps = [{"Crop": {"x_min": 0, "y_min": 40, "x_max": 100, "y_max": 100}}]
    result = Pipeline(parse_recipe({"steps": steps})).draw(np.zeros((100, 100, 3), np.uint8), [comb], "0" * 64, 1)
    assert isinstance(result, Drawn)
    polygon = result.regions[0].shape
    assert isinstance(polygon, Polygon)
    assert len(polygon.parts) == 2
    assert tight_box(polygon) == Box(10, 0, 90, 50)
    assert result.ledger[0].visibility == pytest.approx(2000 / 4000)


def test_emit_gives_the_very_region_back_where_nothing_moved() -> None:
    from backend.augment.track import start

    region = Region("r", "cat", Polygon((((1.123456789, 2), (30, 4), (10, 40)),)))
    assert emit(start(region, 100, 100)) is region
