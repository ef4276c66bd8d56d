"""The step loop: exact moves, visibility through the chain, rules, seeds."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from backend.augment.pipeline import Drawn, GaveUp, Pipeline
from backend.core.errors import ImageError
from backend.core.model import Box, Keypoint, Polygon, Region
from backend.core.recipe import Recipe, parse_recipe

SHA = "ab" * 32


def recipe(*steps: object, **rest: object) -> Recipe:
    return parse_recipe({"steps": list(steps), **rest})


def photo(width: int = 200, height: int = 120, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def drawn(result: Drawn | GaveUp) -> Drawn:
    assert isinstance(result, Drawn), result
    return result


def one(document: Recipe, *regions: Region, width: int = 200, height: int = 120) -> Drawn:
    return drawn(Pipeline(document).draw(photo(width, height), regions, SHA, 1))


CAT = Region("r1", "cat", Box(20, 30, 80, 90))


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("HorizontalFlip", Box(120, 30, 180, 90)),
        ("VerticalFlip", Box(20, 30, 80, 90)),
        ("Transpose", Box(30, 20, 90, 80)),
    ],
)
def test_flips_are_exact(step: str, expected: Box) -> None:
    result = one(recipe({step: {"p": 1}}), CAT)
    assert result.regions == (Region("r1", "cat", expected),)
    entry = result.ledger[0]
    assert (entry.fate, entry.visibility, entry.growth, entry.reason) == ("kept", 1.0, 1.0, None)


def test_two_crops_to_60_percent_leave_36_percent_of_the_object() -> None:
    whole = Region("r1", "cat", Box(0, 0, 100, 100))
    document = recipe(
        {"Crop": {"x_min": 0, "y_min": 0, "x_max": 60, "y_max": 100, "p": 1}},
        {"Crop": {"x_min": 0, "y_min": 0, "x_max": 60, "y_max": 60, "p": 1}},
        boxes={"min_visibility": 0.3},
    )
    result = one(document, whole, width=100, height=100)
    assert result.regions[0].shape == Box(0, 0, 60, 60)
    entry = result.ledger[0]
    assert entry.visibility == pytest.approx(0.36)
    assert (entry.fate, entry.reason) == ("clipped", "frame")


def test_the_ledger_names_the_step_that_took_most() -> None:
    whole = Region("r1", "cat", Box(0, 0, 100, 100))
    crops = [{"Crop": {"x_max": width, "y_max": 100, "p": 1}} for width in (90, 45)]
    entry = one(recipe(*crops), whole, width=100, height=100).ledger[0]
    assert (entry.visibility, entry.step) == (pytest.approx(0.45), "2 Crop")


def test_what_falls_under_min_visibility_is_given_up_and_named() -> None:
    document = recipe(
        {"Crop": {"x_min": 0, "y_min": 0, "x_max": 35, "y_max": 120, "p": 1}}, boxes={"min_visibility": 0.3}
    )
    result = Pipeline(document).draw(photo(), [CAT], SHA, 1)
    assert result == GaveUp(("region r1 (cat): visibility 0.25 < 0.3 after 1 Crop",), 10)


def test_on_violation_drop_tries_once_and_drop_region_says_so_in_the_ledger() -> None:
    crop = {"Crop": {"x_min": 0, "y_min": 0, "x_max": 35, "y_max": 120, "p": 1}}
    assert Pipeline(recipe(crop, boxes={"on_violation": "drop"})).draw(photo(), [CAT], SHA, 1) == GaveUp(
        ("region r1 (cat): visibility 0.25 < 0.3 after 1 Crop",), 1
    )
    result = one(recipe(crop, boxes={"on_violation": "drop-region"}), CAT)
    assert result.regions == ()
    entry = result.ledger[0]
    assert (entry.fate, entry.reason, entry.step, entry.visibility) == ("dropped", "visibility", "1 Crop", 0.25)


def test_resample_draws_again_until_the_object_is_kept() -> None:
    document = recipe({"RandomCrop": {"width": 100, "height": 60, "p": 1}}, boxes={"min_visibility": 0.9})
    pipeline = Pipeline(document)
    results = [pipeline.draw(photo(), [CAT], SHA, k) for k in range(1, 30)]
    kept = [r for r in results if isinstance(r, Drawn)]
    assert any(r.attempt > 0 for r in kept)
    assert all(r.ledger[0].visibility >= 0.9 or r.ledger[0].fate == "dropped" for r in kept)


def test_a_region_wholly_outside_is_gone_and_breaks_no_rule() -> None:
    crop = {"Crop": {"x_min": 100, "y_min": 0, "x_max": 200, "y_max": 120, "p": 1}}
    result = one(recipe(crop), CAT, Region("k", "eye", Keypoint(30, 30)))
    assert result.regions == ()
    assert [(e.fate, e.reason, e.step, e.visibility) for e in result.ledger] == [
        ("dropped", "frame", "1 Crop", 0.0)
    ] * 2


def test_a_sliver_thinner_than_half_a_pixel_is_not_an_object_left_over() -> None:
    crop = {"Crop": {"x_min": 79, "y_min": 0, "x_max": 200, "y_max": 120, "p": 1}}
    sliver = Region("r1", "cat", Box(20, 30, 79.4, 90))
    result = one(recipe(crop), sliver)
    assert (result.regions, result.ledger[0].fate, result.ledger[0].reason) == ((), "dropped", "frame")
    seen = Region("r1", "cat", Box(20, 30, 79.6, 90))
    assert isinstance(Pipeline(recipe(crop)).draw(photo(), [seen], SHA, 1), GaveUp)


def test_what_preprocessing_hides_no_attempt_brings_back() -> None:
    document = recipe({"HorizontalFlip": {"p": 1}}, preprocess=[{"CenterCrop": {"width": 20, "height": 120}}])
    result = Pipeline(document).draw(photo(), [Region("e", "cat", Box(80, 10, 92, 20))], SHA, 1)
    assert result == GaveUp(("region e (cat): visibility 0.17 < 0.3 after preprocess 1 CenterCrop",), 1)


@pytest.mark.parametrize("step", ["BBoxSafeRandomCrop", "AtLeastOneBBoxRandomCrop", "RandomSizedBBoxSafeCrop"])
def test_crops_that_look_for_objects_find_them(step: str) -> None:
    size = {} if step == "BBoxSafeRandomCrop" else {"width": 90, "height": 80}
    pipeline = Pipeline(recipe({step: {**size, "p": 1}}, boxes={"min_size": 0, "min_visibility": 0}))
    for variant in range(1, 9):
        result = drawn(pipeline.draw(photo(), [CAT], SHA, variant))
        assert result.ledger[0].visibility > (0 if step.startswith("At") else 0.999), variant
    for regions in ([], [Region("k", "eye", Keypoint(30, 30))]):
        assert isinstance(pipeline.draw(photo(), regions, SHA, 1), Drawn)


def test_scaling_never_counts() -> None:
    result = one(recipe({"Resize": {"width": 20, "height": 12, "p": 1}}, boxes={"min_size": 0}), CAT)
    assert result.regions[0].shape == Box(2, 3, 8, 9)
    assert (result.ledger[0].fate, result.ledger[0].visibility) == ("kept", 1.0)


def test_min_size_refuses_what_got_smaller_but_not_what_was_small() -> None:
    small = Region("s", "cat", Box(20, 30, 23, 60))
    assert one(recipe({"HorizontalFlip": {"p": 1}}), small).regions[0].shape == Box(177, 30, 180, 60)
    gave_up = Pipeline(recipe({"Resize": {"width": 100, "height": 60, "p": 1}})).draw(photo(), [small], SHA, 1)
    assert gave_up == GaveUp(("region s (cat): shorter side 1.5 px < 4 after 1 Resize",), 10)


def test_a_square_turned_by_15_degrees_has_grown_by_half() -> None:
    square = Region("r1", "cat", Box(60, 60, 140, 140))
    turn = {"Rotate": {"limit": [15, 15], "p": 1}}
    result = one(recipe(turn), square, width=200, height=200)
    assert result.ledger[0].growth == pytest.approx(1.5, abs=0.001)
    refused = Pipeline(recipe(turn, boxes={"max_growth": 1.4})).draw(photo(200, 200), [square], SHA, 1)
    assert refused == GaveUp(("region r1 (cat): growth 1.50 > 1.4 after 1 Rotate",), 10)


def test_turning_there_and_back_leaves_a_box_tight() -> None:
    square = Region("r1", "cat", Box(60, 60, 140, 140))
    back = [{"Rotate": {"limit": [a, a], "p": 1}} for a in (20, -20)]
    result = one(recipe(*back), square, width=200, height=200)
    box = result.regions[0].shape
    assert isinstance(box, Box)
    assert np.allclose([box.x0, box.y0, box.x1, box.y1], [60, 60, 140, 140], atol=0.01)
    assert result.ledger[0].growth == pytest.approx(1.0, abs=0.001)


def test_no_steps_change_nothing_and_return_the_very_regions() -> None:
    image = photo()
    regions = (CAT, Region("p", "dog", Polygon((((1.25, 2), (30, 4), (10, 40)),))))
    result = Pipeline(recipe()).prepare(image, regions)
    assert result.rgb is image
    assert result.regions == regions
    assert result.steps == ()


def test_prepare_is_preprocessing_only_and_never_refuses() -> None:
    document = recipe({"HorizontalFlip": {"p": 1}}, preprocess=[{"CenterCrop": {"width": 20, "height": 120}}, "ToGray"])
    pipeline = Pipeline(document)
    edge = Region("e", "cat", Box(80, 10, 92, 20))
    original = pipeline.prepare(photo(), [edge])
    assert original.rgb.shape == (120, 20, 3)
    assert original.regions[0].shape == Box(0, 10, 2, 20)
    assert original.ledger[0].visibility == pytest.approx(1 / 6)
    assert [s["name"] for s in original.steps] == ["CenterCrop", "ToGray"]
    assert isinstance(pipeline.draw(photo(), [edge], SHA, 1), GaveUp)


def test_an_impossible_crop_is_an_image_error_that_names_the_step() -> None:
    with pytest.raises(ImageError, match="1 RandomCrop: cannot work on an image of 200 x 120"):
        one(recipe({"RandomCrop": {"width": 500, "height": 500, "p": 1}}), CAT)


@pytest.mark.parametrize("size", [(1, 1), (3000, 10), (1, 500)])
def test_odd_sizes_and_images_without_regions(size: tuple[int, int]) -> None:
    steps = [
        {"HorizontalFlip": {"p": 1}},
        {"Affine": {"rotate": [5, 9], "p": 1}},
        {"RandomBrightnessContrast": {"p": 1}},
    ]
    width, height = size
    result = one(recipe(*steps), width=width, height=height)
    assert result.rgb.shape == (height, width, 3)
    assert (result.regions, result.ledger) == ((), ())


FULL = recipe(
    {"HorizontalFlip": {"p": 0.5}},
    {"Affine": {"rotate": [-15, 15], "scale": [0.8, 1.2], "p": 0.9}},
    {"RandomBrightnessContrast": {"p": 0.5}},
    {"GaussNoise": {"p": 0.5}},
    {"CoarseDropout": {"p": 0.5}},
)


def fingerprint(pipeline: Pipeline, seed: int, variant: int) -> str:
    result = pipeline.draw(photo(seed=seed), [CAT], f"{seed:064x}", variant)
    if isinstance(result, GaveUp):
        return repr(result)
    return hashlib.sha256(
        result.rgb.tobytes() + repr((result.regions, result.ledger, result.steps)).encode()
    ).hexdigest()


def test_a_variant_depends_on_nothing_drawn_before_it() -> None:
    pipeline = Pipeline(FULL)
    jobs = [(seed, variant) for seed in range(4) for variant in range(1, 4)]
    forward = {job: fingerprint(pipeline, *job) for job in jobs}
    np.random.seed(5)  # the library must not look at it
    backward = {job: fingerprint(pipeline, *job) for job in reversed(jobs)}
    alone = {job: fingerprint(Pipeline(FULL), *job) for job in jobs[::5]}
    assert forward == backward
    assert alone.items() <= forward.items()
    assert len(set(forward.values())) == len(jobs)


def test_two_steps_of_one_kind_draw_apart() -> None:
    turn = {"Rotate": {"limit": [-40, 40], "p": 1}}
    first, second = one(recipe(turn, turn)).steps
    assert first["params"] != second["params"]


def test_another_process_draws_the_same() -> None:
    code = "from tests.augment.test_pipeline import *; print(fingerprint(Pipeline(FULL), 2, 3))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == fingerprint(Pipeline(FULL), 2, 3)


def test_only_the_drawing_part_of_a_recipe_enters_the_seed() -> None:
    renamed = FULL.model_copy(update={"name": "other", "variants": 9})
    reseeded = FULL.model_copy(update={"seed": 8})
    assert fingerprint(Pipeline(renamed), 1, 1) == fingerprint(Pipeline(FULL), 1, 1)
    assert fingerprint(Pipeline(reseeded), 1, 1) != fingerprint(Pipeline(FULL), 1, 1)


def test_the_source_image_is_never_written_to() -> None:
    image = photo()
    before = image.copy()
    pipeline = Pipeline(FULL)
    for variant in range(1, 12):
        pipeline.draw(image, [CAT], SHA, variant)
    assert np.array_equal(image, before)
