"""A finished dataset's folder: where its manifest, its description and its images lie."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.core.errors import UsageError
from backend.core.recipe import Recipe, parse_recipe
from backend.formats import FORMATS
from backend.formats.manifest import DESCRIPTION, MANIFEST, line_to_sample, lines

Json = dict[str, Any]

SKIPPED = "skipped.jsonl"


def read_description(folder: Path) -> Json:
    """Return `dataset.json`.

    Raises:
        UsageError: the folder is not a dataset that LabelLoom made.
    """
    path = folder / DESCRIPTION
    try:
        description: Json = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"{folder}: no {DESCRIPTION} here, so this is not a dataset made by LabelLoom"
        raise UsageError(msg, fix="give the folder that holds manifest.jsonl and dataset.json") from error
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise UsageError(msg) from error
    return description


def read_lines(folder: Path) -> Iterator[Json]:
    """Yield the manifest's lines."""
    return lines(folder / MANIFEST)


def recipe_of(description: Json) -> Recipe:
    """Return the recipe a dataset was made with."""
    return parse_recipe(description["recipe"])


def image_of(folder: Path, line: Json, formats: tuple[str, ...]) -> Path:
    """Return where the image of a manifest line lies: in the first format's folder."""
    key = formats[0]
    return FORMATS[key].image_path(folder / key, line_to_sample(line))
