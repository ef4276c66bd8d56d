"""The exported Python is run, not read: it must draw, and draw what the recipe draws."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from backend.augment.export_python import to_python
from backend.core.recipe import parse_recipe
from tests.augment.test_steps import photo

FILES = sorted((Path(__file__).parents[2] / "label_config" / "recipes").glob("*.yaml"))


def built(source: str) -> Any:
    space: dict[str, Any] = {"__name__": "exported"}
    exec(compile(source, "exported.py", "exec"), space)
    return space["build"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_shipped_recipe_runs_as_plain_python(file: Path) -> None:
    recipe = parse_recipe(yaml.safe_load(file.read_text("utf-8")))
    build = built(to_python(recipe))
    out = build()(image=photo(1, 320, 240), bboxes=[[100, 60, 220, 160]], labels=["cat"])
    assert out["image"].dtype == np.uint8
    assert len(out["bboxes"]) == len(out["labels"]) <= 1
    steps = [step.name for step in recipe.steps if step.name != "Style"]  # ours is a comment in plain Python
    assert [type(t).__name__ for t in build().transforms] == steps


def test_values_come_through_and_preprocessing_comes_first() -> None:
    recipe = parse_recipe(
        {
            "name": 'odd "name"',
            "seed": 3,
            "preprocess": [{"LongestMaxSize": {"max_size": 64}}],
            "steps": [
                {"Affine": {"scale": {"x": [0.5, 0.5], "y": [1, 1]}, "fill": [1, 2, 3], "p": 1}},
                {"Style": {"alpha": 1}},
            ],
        }
    )
    source = to_python(recipe)
    assert "# left out, not in Albumentations: Style(alpha=1)" in source
    pipeline = built(source)()
    first, second = pipeline.transforms
    assert (type(first).__name__, first.p, first.max_size) == ("LongestMaxSize", 1, 64)
    assert (second.scale, second.fill) == ({"x": (0.5, 0.5), "y": (1.0, 1.0)}, (1, 2, 3))
    assert pipeline(image=photo(1, 128, 64), bboxes=[], labels=[])["image"].shape == (32, 64, 3)
