"""The catalog is up to date, complete and readable without the library; recipes are checked against it."""

import subprocess
import sys

import pytest

from backend.augment.catalog import check, offered, transforms
from backend.augment.introspect import installed, read
from backend.augment.motion import DROPOUTS, MOTIONS, NEEDS_BOXES
from backend.augment.offer import OFFERED, REFUSED
from backend.augment.transforms import CACHE, from_text, to_text
from backend.core.errors import RecipeError
from backend.core.recipe import parse_recipe


def problems(*steps: object, size: tuple[int, int] | None = None, **rest: object) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as error:
        check(parse_recipe({"steps": list(steps), **rest}), size=size)
    return error.value.problems


def test_the_cached_catalog_is_what_the_installed_library_says() -> None:
    assert CACHE.read_text("utf-8") == to_text(read()), "run: python -m backend.augment.introspect"
    assert from_text(CACHE.read_text("utf-8")) == read()


def test_every_transform_of_the_library_is_offered_or_refused_never_both() -> None:
    assert installed() <= OFFERED.keys() | REFUSED.keys()
    assert not OFFERED.keys() & REFUSED.keys()
    assert OFFERED.keys() <= installed()
    assert MOTIONS.keys() | DROPOUTS | NEEDS_BOXES <= OFFERED.keys()


def test_reading_the_catalog_does_not_import_the_library() -> None:
    code = "import sys; from backend.augment.catalog import offered; offered(); print('albumentations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_augmenting_loads_no_torch_where_it_is_installed() -> None:
    code = "import sys, backend, albumentations; print(albumentations.HorizontalFlip.__name__, 'torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "HorizontalFlip False\n"


def test_a_transform_tells_what_it_takes_and_moves() -> None:
    affine = transforms()["Affine"]
    assert (affine.group, affine.geometric) == ("affine and perspective", True)
    assert "masks" in affine.targets
    rotate = affine.parameter("rotate")
    assert rotate is not None
    assert (rotate.kind, rotate.default, rotate.low, rotate.high) == ("range", 0.0, -360, 360)
    assert rotate.accepts == "a range [low, high] or one number from -360 to 360"
    assert transforms()["GaussNoise"].targets == ("image",)
    assert all(t.summary.endswith(".") and t.parameters for t in offered())


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"HorizontalFlp": {}}, "step 1 HorizontalFlp: no such transform; did you mean 'HorizontalFlip'?"),
        ({"affine": {}}, "step 1 affine: no such transform; did you mean 'Affine'?"),
        ({"Affine": {"rotat": [1, 2]}}, "step 1 Affine: rotat: unknown parameter; did you mean 'rotate'?"),
        ({"HorizontalFlip": {"p": -0.5}}, "step 1 HorizontalFlip: p: must be a number from 0 to 1, got -0.5"),
        ({"HorizontalFlip": {"p": 1.5}}, "step 1 HorizontalFlip: p: must be a number from 0 to 1, got 1.5"),
        ({"HorizontalFlip": {"p": True}}, "step 1 HorizontalFlip: p: must be a number from 0 to 1, got True"),
        (
            {"Affine": {"scale": [-1, 2]}},
            "step 1 Affine: scale: must be a range [low, high] or one number above 0 up to 10, got [-1, 2]",
        ),
        (
            {"Affine": {"rotate": "big"}},
            "step 1 Affine: rotate: must be a range [low, high] or one number from -360 to 360, got 'big'",
        ),
        ({"RandomCrop": {"width": 9}}, "step 1 RandomCrop: height: missing; needs a whole number from 1 to 32768"),
        (
            {"GaussNoise": {"std_range": [0.5, 0.2]}},
            "step 1 GaussNoise: std_range: must be a range [low, high] from 0 to 1, got [0.5, 0.2] "
            "(first value should be less than the second value, got (0.5, 0.2) instead)",
        ),
        ({"LongestMaxSize": {}}, "step 1 LongestMaxSize: either max_size or max_size_hw must be specified"),
        (
            {"Pad": {"border_mode": 4}},
            "step 1 Pad: border_mode: must be one of 0 (one colour), 1 (repeat the last pixel), got 4",
        ),
        (
            {"Affine": {"fill_mask": 1}},
            "step 1 Affine: fill_mask: cannot be set: outside the picture there is no object",
        ),
    ],
)
def test_a_problem_names_the_step_the_parameter_the_range_and_the_nearest_spelling(step: object, expected: str) -> None:
    assert problems(step) == (expected,)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_transforms_are_refused_by_name_with_the_reason(name: str) -> None:
    assert problems({name: {}}) == (f"step 1 {name}: refused: {REFUSED[name]}",)


def test_all_problems_come_at_once_in_the_order_of_the_document() -> None:
    found = problems({"Blurr": {}}, "HorizontalFlip", {"Rotate": {"limit": 9999, "p": 2}}, preprocess=["Mosaic"])
    assert [p.split(":")[0] for p in found] == ["preprocess 1 Mosaic", "step 1 Blurr", "step 3 Rotate", "step 3 Rotate"]


def test_an_impossible_crop_is_found_before_the_run() -> None:
    crop = {"RandomCrop": {"width": 512, "height": 512}}
    pad = {"PadIfNeeded": {"min_width": 512, "min_height": 512}}
    (found,) = problems(crop, size=(300, 200))
    assert found.startswith("step 1 RandomCrop: cannot work on an image of 300 x 200: ")
    assert found.endswith("(the smallest image is 300 x 200)")
    check(parse_recipe({"steps": [crop]}), size=(512, 600))
    check(parse_recipe({"steps": [pad, crop]}), size=(300, 200))
    maybe = {"PadIfNeeded": {"min_width": 512, "min_height": 512, "p": 0.5}}
    assert problems(maybe, crop, size=(300, 200))[0].startswith("step 2 RandomCrop")


def test_preprocessing_may_not_be_left_to_chance() -> None:
    (found,) = problems(variants=0, preprocess=[{"LongestMaxSize": {"max_size": 64}}, "ToGray", "RandomRotate90"])
    assert found.startswith("preprocess 3 RandomRotate90: draws at random")
    (found,) = problems(variants=0, preprocess=[{"ToGray": {"p": 0.5}}])
    assert found == "preprocess 1 ToGray: p: preprocessing is for every image; remove p"


class Toy:
    def problems(self, params):  # type: ignore[no-untyped-def]
        return [] if set(params) <= {"amount"} else ["amunt: unknown parameter; did you mean 'amount'?"]

    def draws(self, params):  # type: ignore[no-untyped-def]
        return params["amount"] > 1

    def build(self, params):  # type: ignore[no-untyped-def]
        raise AssertionError


def test_extra_operations_are_known_by_name_and_check_their_own_parameters() -> None:
    check(parse_recipe({"steps": [{"Style": {"anything": 1, "p": 0.2}}]}), extra=("Style",))
    check(parse_recipe({"steps": [{"Toy": {"amount": 1, "p": 0.2}}]}), extra={"Toy": Toy()})
    with pytest.raises(RecipeError) as error:
        check(parse_recipe({"steps": [{"Toy": {"amunt": 1, "p": 7}}, "Stile"]}), extra={"Toy": Toy(), "Style": Toy()})
    assert error.value.problems == (
        "step 1 Toy: p: must be a number from 0 to 1, got 7",
        "step 1 Toy: amunt: unknown parameter; did you mean 'amount'?",
        "step 2 Stile: no such transform; did you mean 'Style'?",
    )
    for p in ("often", None, [0.1, 0.2]):
        with pytest.raises(RecipeError, match="step 1 Toy: p: must be a number from 0 to 1"):
            check(parse_recipe({"steps": [{"Toy": {"amount": 1, "p": p}}]}), extra={"Toy": Toy()})


def test_extra_operations_that_draw_are_no_preprocessing() -> None:
    check(parse_recipe({"variants": 0, "preprocess": [{"Toy": {"amount": 1}}]}), extra={"Toy": Toy()})
    with pytest.raises(RecipeError, match="preprocess 1 Toy: draws at random"):
        check(parse_recipe({"variants": 0, "preprocess": [{"Toy": {"amount": 2}}]}), extra={"Toy": Toy()})
