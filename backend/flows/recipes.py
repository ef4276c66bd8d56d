"""Recipes: find by name or path, read, check."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml

from backend.core.errors import RecipeError, UsageError
from backend.core.recipe import Recipe, parse_recipe
from backend.settings import Settings

SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class RecipeFile:
    """A recipe one can name: `name` is its file's stem, `about` its first comment line."""

    name: str
    path: Path
    about: str


def list_recipes(settings: Settings) -> list[RecipeFile]:
    """Return the user's recipes and those that ship with LabelLoom; the user's win where names are equal."""
    found: dict[str, RecipeFile] = {}
    for folder in (settings.recipes_dir, Path(str(files("label_config") / "recipes"))):
        for path in _files(folder):
            found.setdefault(path.stem, RecipeFile(path.stem, path, _about(path)))
    return sorted(found.values(), key=lambda recipe: recipe.name)


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES)


def _about(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return lines[0].removeprefix("#").strip() if lines and lines[0].startswith("#") else ""


def load_recipe(given: str, settings: Settings) -> Recipe:
    """Return the recipe of a file, or of a recipe's name.

    Raises:
        RecipeError: the document is invalid.
        UsageError: there is no such file or name, or it cannot be read.
    """
    path = Path(given)
    if not path.exists():
        named = {recipe.name: recipe.path for recipe in list_recipes(settings)}
        if given not in named:
            msg = f"no recipe file {given!r}, and no recipe of that name"
            raise UsageError(msg, fix=f"names: {', '.join(named)}; or give a path")
        path = named[given]
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except yaml.YAMLError as error:
        raise RecipeError([f"{path} is not YAML: {' '.join(str(error).split())}"]) from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"recipe {path} cannot be read: {error}"
        raise UsageError(msg) from error
    return parse_recipe(document)


def plain_recipe(name: str) -> Recipe:
    """Return the recipe of an export without one: every original, no variants, split 80 / 10 / 10."""
    return parse_recipe({"name": name, "variants": 0, "split": {}})
