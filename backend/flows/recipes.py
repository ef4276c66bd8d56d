"""Recipes: find by name or path, read, check."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from backend.core.errors import RecipeError, UsageError, shown
from backend.core.recipe import Recipe, Step, parse_recipe, read_step
from backend.core.yaml_text import read_yaml
from backend.flows.style.step import extra_steps
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
        yield from (path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES and path.is_file())


def _about(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[0].removeprefix("#").strip() if lines and lines[0].startswith("#") else ""


def load_recipe(given: str, settings: Settings) -> Recipe:
    """Return the recipe of a file, or of a recipe's name.

    Raises:
        RecipeError: the document is invalid.
        UsageError: there is no such file or name, or it cannot be read.
    """
    document = _read(_find(given, settings))
    try:
        return parse_recipe(document)
    except RecipeError as error:
        raise RecipeError([*error.problems, *_step_problems(document)]) from error


def _find(given: str, settings: Settings) -> Path:
    path = Path(given)
    with suppress(OSError, ValueError):  # no file can have such a name
        if path.is_dir():
            msg = f"recipe {path} is a folder"
            raise UsageError(msg, fix="give a recipe's file in it")
        if path.exists():
            return path
    named = {recipe.name: recipe.path for recipe in list_recipes(settings)}
    if given not in named:
        msg = f"no recipe file {shown(given)}, and no recipe of that name"
        raise UsageError(msg, fix=f"names: {', '.join(named)}; or give a path")
    return named[given]


def _read(path: Path) -> Any:
    try:
        return read_yaml(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        msg = f"recipe {path} is not text in UTF-8"
        raise UsageError(msg, fix="give a YAML or JSON file, saved as UTF-8") from error
    except ValueError as error:
        raise RecipeError([f"{path} is not YAML: {error}"], fix="correct the line") from error
    except OSError as error:
        msg = f"recipe {path} cannot be read: {error.strerror or error}"
        raise UsageError(msg, fix="make it readable, or give another") from error


def _step_problems(document: Any) -> list[str]:
    """Return what is wrong with the steps of a document that is no recipe, so that all problems come at once."""
    if not isinstance(document, Mapping):
        return []
    parts = {
        part: [_step(item) for item in found]
        for part in ("preprocess", "steps")
        if isinstance(found := document.get(part), list)
    }
    if not any(parts.values()):
        return []
    from backend.augment.checks import problems

    whole = parse_recipe({**parts, "variants": 1 if parts.get("steps") else 0})
    return list(problems(whole, extra_steps()))


def _step(item: Any) -> Step:
    try:
        return read_step(item)
    except ValueError:
        return Step("HorizontalFlip", {})  # its own problem is told already; it only holds the place


def check_recipe(recipe: Recipe, size: tuple[int, int] | None = None) -> None:
    """Check a recipe's steps, ours among them; on the smallest image, (width, height) in pixels, if that is known.

    Raises:
        RecipeError: with every problem found.
    """
    from backend.augment.catalog import check  # the library is slow to load

    check(recipe, extra=extra_steps(), size=size)


def check_with_styles(recipe: Recipe, settings: Settings, size: tuple[int, int] | None = None) -> None:
    """Check a recipe's steps as `check_recipe` does, and that the styles it names are there.

    Raises:
        RecipeError: with every problem found.
    """
    from backend.flows.style.pinned import missing_styles  # with it comes OpenCV

    check_recipe(recipe, size)
    if missing := missing_styles(recipe, settings):
        raise RecipeError(missing, fix="name pictures, folders, or styles that `labelloom style list` shows")


def plain_recipe(name: str) -> Recipe:
    """Return the recipe of an export without one: every original, no variants, split 80 / 10 / 10."""
    return parse_recipe({"name": name, "variants": 0, "split": {}})
