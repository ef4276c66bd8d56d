"""The recipes that ship are valid, say when to use them, and keep objects on a photograph of ordinary size."""

from pathlib import Path

import pytest
import yaml

from backend.augment.catalog import check
from backend.augment.pipeline import Drawn, Pipeline
from backend.core.model import Box, Region
from backend.core.recipe import parse_recipe
from tests.augment.test_steps import photo

FILES = sorted((Path(__file__).parents[2] / "label_config" / "recipes").glob("*.yaml"))


def test_there_are_some() -> None:
    assert len(FILES) >= 4


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_recipe_is_sound(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.startswith("# "), "the first line says when to use it"
    recipe = parse_recipe(yaml.safe_load(text))
    assert recipe.name == file.stem
    check(recipe, size=(320, 240))
    pipeline = Pipeline(recipe)
    region = Region("r", "cat", Box(100, 60, 220, 160))
    results = [pipeline.draw(photo(1, 320, 240), [region], "0" * 64, k) for k in range(1, 13)]
    drawn = [r for r in results if isinstance(r, Drawn)]
    assert len(drawn) >= 11
    assert all(r.ledger[0].fate != "dropped" for r in drawn)
    assert len({r.rgb.tobytes() for r in drawn}) >= len(drawn) - 2  # the dice may leave out every step twice
