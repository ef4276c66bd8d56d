"""The recipes that ship are valid, say when to use them, and keep objects on a photograph of ordinary size."""

from pathlib import Path

import pytest
import yaml

from backend.augment.pipeline import Drawn, Pipeline
from backend.core.model import Box, Region
from backend.core.recipe import parse_recipe
from backend.flows.recipes import check_with_styles
from backend.flows.style.pinned import pin
from backend.flows.style.step import extra_steps
from backend.settings import Settings
from tests.augment.test_steps import photo

FILES = sorted((Path(__file__).parents[2] / "label_config" / "recipes").glob("*.yaml"))


def test_there_are_some() -> None:
    assert len(FILES) >= 4


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_recipe_is_sound(file: Path, tmp_path: Path) -> None:
    text = file.read_text("utf-8")
    assert text.startswith("# "), "the first line says when to use it"
    recipe = parse_recipe(yaml.safe_load(text))
    assert recipe.name == file.stem
    settings = Settings(data_dir=tmp_path, cache_dir=tmp_path)
    check_with_styles(recipe, settings, (320, 240))
    pinned = pin(recipe, settings)
    pipeline = Pipeline(pinned.recipe, extra_steps(pinned.places))
    region = Region("r", "cat", Box(100, 60, 220, 160))
    results = [pipeline.draw(photo(1, 320, 240), [region], "0" * 64, k) for k in range(1, 13)]
    drawn = [r for r in results if isinstance(r, Drawn)]
    assert len(drawn) >= 11
    assert all(r.ledger[0].fate != "dropped" for r in drawn)
    assert len({r.rgb.tobytes() for r in drawn}) >= len(drawn) - 2  # the dice may leave out every step twice
