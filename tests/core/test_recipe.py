"""The recipe document: what it accepts, and that every message names the key, what it takes and what it got."""

import pytest
import yaml

from backend.core.errors import RecipeError
from backend.core.recipe import FORMATS as KNOWN
from backend.core.recipe import Recipe, Step, parse_recipe
from backend.formats import FORMATS

FULL = """
name: street-default
seed: 7
preprocess:
  - LongestMaxSize: {max_size: 1280}
variants: {default: 2, Platelets: 6}
keep_originals: true
split: {train: 0.8, val: 0.1, test: 0.1, keep: auto, group_by: null, near_duplicates: off, on_leak: abort}
boxes:
  min_visibility: 0.3
  on_violation: drop-region
  max_growth: null
labels: {cat: [cat, kitty], _drop: [blurry]}
steps:
  - HorizontalFlip
  - Affine: {rotate: [-15, 15], p: 0.9}
  - ToGray:
output: {formats: [yolo, voc], image: {format: png}}
"""


def recipe(text: str) -> Recipe:
    return parse_recipe(yaml.safe_load(text))


def test_a_full_recipe_is_read() -> None:
    full = recipe(FULL)
    assert full.steps == (
        Step("HorizontalFlip", {}),
        Step("Affine", {"rotate": [-15, 15], "p": 0.9}),
        Step("ToGray", {}),
    )
    assert full.split is not None
    assert full.split.near_duplicates == "off"  # which YAML reads as false
    assert full.output.image.quality == 95
    assert [full.variants_for(frozenset(labels)) for labels in ([], ["cat"], ["cat", "Platelets"])] == [2, 2, 6]
    assert [full.renamed(label) for label in ("kitty", "cat", "blurry", "dog")] == ["cat", "cat", None, "dog"]


def test_an_empty_document_is_the_default_recipe() -> None:
    assert parse_recipe(None) == parse_recipe({}) == Recipe()


def test_what_a_recipe_dumps_is_read_back_the_same() -> None:
    full = recipe(FULL)
    assert parse_recipe(full.model_dump(mode="json")) == full
    assert parse_recipe(full.model_dump(mode="json")).digest == full.digest


def test_only_preprocess_steps_and_seed_decide_pixels() -> None:
    full = recipe(FULL)
    assert set(full.drawing) == {"preprocess", "steps", "seed"}
    assert full.drawing["steps"][1] == {"Affine": {"rotate": [-15, 15], "p": 0.9}}
    changed = full.model_copy(update={"name": "other", "variants": 1, "labels": {}})
    assert changed.drawing == full.drawing
    assert changed.digest != full.digest


VARIANTS = "a whole number from 0 to 1000, or one per label such as {default: 2, cat: 6}"
STEP = "a step is written as 'Name: {parameter: value}'"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("variants: many", f"variants: must be {VARIANTS}, got 'many'"),
        ("variants: -1", f"variants: must be {VARIANTS}, got -1"),
        ("variants: {cat: 3000}", f"variants.cat: must be {VARIANTS}, got 3000"),
        ("stepz: []", "stepz: unknown key; did you mean 'steps'?"),
        ("split: {trian: 1}", "split.trian: unknown key; did you mean 'train'?"),
        ("output: {image: {q: 3}}", "output.image.q: unknown key; known: format, quality"),
        (
            "split: {train: 0.5}",
            "split: train + val + test must be 1, got 0.7, val 0.1 and test 0.1 being added by default",
        ),
        ("split: {train: 0, val: 0.5, test: 0.5}", "split: train must be more than 0"),
        ("split: {near_duplicates: 99}", "split: near_duplicates must be 0 to 16, or off, got 99"),
        (
            "split: {near_duplicates: few}",
            "split.near_duplicates: must be a hash distance from 0 to 16, or off, got 'few'",
        ),
        ("boxes: {on_violation: keep}", "boxes.on_violation: must be resample, drop or drop-region, got 'keep'"),
        ("boxes: {max_growth: 0.5}", "boxes.max_growth: must be a factor of at least 1, or null, got 0.5"),
        ("boxes: 3", "boxes: must be a mapping such as {min_visibility: 0.3}, got 3"),
        ("output: {image: {format: jpg}}", "output.image.format: must be jpeg, png or webp, got 'jpg'"),
        ("output: {formats: yolo}", "output.formats: must be a list of formats such as [yolo, voc], got 'yolo'"),
        ("seed: 1.5", "seed: must be a whole number from 0 up, got 1.5"),
        ("seed: .nan", "seed: must be a whole number from 0 up, got nan"),
        ("name: a/b", "name: must be a name of 1 to 80 characters without / and \\, got 'a/b'"),
        ("name: ..", "name: must be a name of 1 to 80 characters without / and \\, got '..'"),
        ("labels: {3: [cat]}", "labels.3: a label must be text: write it in quotes"),
        ("output: {formats: [yolo, coc]}", "output.formats: unknown format 'coc'; did you mean 'coco'?"),
        (
            "split: {group_by: 'name:('}",
            "split.group_by: 'name:(' is not a regular expression: missing ), unterminated subpattern at position 0",
        ),
        (f"seed: {'x' * 999}", f"seed: must be a whole number from 0 up, got '{'x' * 99}..."),
        (f"{'x' * 999}: 1", f"{'x' * 100}...: unknown key; known: {', '.join(Recipe.model_fields)}"),
        ("labels: {cat: [a], dog: [a]}", "labels: 'a' stands under both 'cat' and 'dog'; keep one"),
        ("steps: [{A: {}, B: {}}]", f"step 1: {STEP}, got {{'A': {{}}, 'B': {{}}}}"),
        ("steps: [HorizontalFlip, {A: 1}]", f"step 2: {STEP}, got {{'A': 1}}"),
        ("preprocess: [3]", f"preprocess 1: {STEP}, got 3"),
        ("steps: {A: {}}", "steps: must be a list of steps, each 'Name: {parameter: value}', got a mapping"),
        ("[1]", "expected a mapping of keys such as 'steps', got a list"),
    ],
)
def test_a_problem_names_the_key_what_it_takes_and_what_it_got(text: str, problem: str) -> None:
    with pytest.raises(RecipeError) as error:
        recipe(text)
    assert error.value.problems == (problem,)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(RecipeError) as error:
        recipe("{seed: x, boxes: {min_visibility: 2}, stepz: 1, labels: {a: [c], b: [c]}, output: {formats: [x]}}")
    assert len(error.value.problems) == 5
    assert error.value.exit_code == 2


def test_the_formats_a_recipe_may_name_are_those_there_are() -> None:
    assert tuple(FORMATS) == KNOWN
