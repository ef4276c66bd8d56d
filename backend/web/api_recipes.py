"""Recipes: list, read, check, save; and what their steps may be."""

import re
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import yaml
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from backend.core.errors import RecipeError, UsageError
from backend.core.recipe import parse_recipe
from backend.core.yaml_text import read_yaml
from backend.flows.recipes import SUFFIXES, RecipeFile, list_recipes
from backend.imaging.files import write_atomic
from backend.web.problems import Problem
from backend.web.schemas import (
    ERRORS,
    Catalog,
    NamePath,
    RecipeBody,
    RecipeItem,
    RecipeList,
    RecipeText,
    TransformItem,
    Verdict,
)
from backend.web.services import services
from backend.web.step_words import group_title, parameter_title, step_title, summary

Json = dict[str, Any]

routes = APIBlueprint(
    "recipes", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="recipes")], abp_responses=cast(Any, ERRORS)
)
_NAME = re.compile(r"\w[\w .-]{0,62}\w|\w")
_one_at_a_time = threading.Lock()  # a check draws pictures; many at once would starve the other requests


def _item(recipe: RecipeFile) -> RecipeItem:
    own = recipe.path.parent == services().settings.recipes_dir
    return RecipeItem(name=recipe.name, about=recipe.about, own=own)


def _find(name: str) -> RecipeFile:
    for recipe in list_recipes(services().settings):
        if recipe.name == name:
            return recipe
    raise Problem(404, f"there is no recipe {name[:80]!r}", fix="GET /api/v1/recipes lists them")


@routes.get("/recipes", summary="List recipes.", responses={200: RecipeList})
def listing() -> Json:
    """Return your recipes and those that ship with LabelLoom."""
    return RecipeList(recipes=[_item(recipe) for recipe in list_recipes(services().settings)]).model_dump()


@routes.get("/recipes/<string:name>", summary="Read a recipe.", responses={200: RecipeText})
def show(path: NamePath) -> Json:
    """Return a recipe's text."""
    return _text(path.name)


def _text(name: str) -> Json:
    found = _find(name)
    text = found.path.read_text(encoding="utf-8-sig", errors="replace")
    return RecipeText(**_item(found).model_dump(), text=text).model_dump()


def document(body: RecipeBody) -> Any:
    """Return the recipe that was sent as a document.

    Raises:
        Problem: none, or two.
        RecipeError: the text is not YAML.
    """
    if (body.text is None) == (body.recipe is None):
        raise Problem(422, "give either text or recipe", errors=[("text", "either this or recipe is needed")])
    if body.text is None:
        return body.recipe
    try:
        return read_yaml(body.text)
    except ValueError as error:
        raise RecipeError([f"not YAML: {error}"]) from error


def _check(body: RecipeBody) -> Json:
    """Return a valid recipe as a complete document.

    Raises:
        RecipeError: it is not valid.
    """
    from backend.flows.recipes import check_recipe
    from backend.flows.style.pinned import check_served

    recipe = parse_recipe(document(body))
    with _one_at_a_time:
        check_recipe(recipe)
    try:
        check_served(recipe, services().settings)
    except UsageError as error:
        raise RecipeError([str(error)], fix=error.fix) from error
    return recipe.model_dump(mode="json")


@routes.post("/recipes/validate", summary="Check a recipe.", responses={200: Verdict})
def validate(body: RecipeBody) -> Json:
    """Return every problem of a recipe, or the complete document."""
    try:
        document = _check(body)
    except RecipeError as error:
        return Verdict(valid=False, problems=list(error.problems), recipe=None).model_dump()
    return Verdict(valid=True, problems=[], recipe=document).model_dump()


@routes.put("/recipes/<path:name>", summary="Save a recipe.", responses={200: RecipeText})
def save(path: NamePath, body: RecipeBody) -> Json:
    """Save a valid recipe under a name of your own."""
    if not _NAME.fullmatch(path.name):
        msg = f"{path.name[:80]!r} is not a recipe's name"
        raise Problem(422, msg, fix="use 1 to 64 letters, digits, spaces, dots, dashes", errors=[("name", msg)])
    if any(recipe.name == path.name and not _item(recipe).own for recipe in list_recipes(services().settings)):
        raise Problem(409, f"{path.name} ships with LabelLoom", fix="choose another name")
    _check(body)
    text = body.text if body.text is not None else yaml.safe_dump(body.recipe, sort_keys=False, allow_unicode=True)
    target = services().settings.recipes_dir / f"{path.name}.yaml"
    write_atomic(target, text.encode())
    for other in _own_files(path.name):
        if other != target:
            other.unlink(missing_ok=True)
    return _text(path.name)


@routes.delete("/recipes/<string:name>", summary="Delete a recipe of your own.", responses={204: None})
def delete(path: NamePath) -> tuple[str, int]:
    """Delete a saved recipe."""
    if not _item(_find(path.name)).own:
        raise Problem(409, f"{path.name} ships with LabelLoom", fix="only recipes that were saved here can be deleted")
    for file in _own_files(path.name):
        file.unlink(missing_ok=True)
    return "", 204


def _own_files(name: str) -> list[Path]:
    folder = services().settings.recipes_dir
    if not folder.is_dir():
        return []
    return [file for file in folder.iterdir() if file.stem == name and file.suffix in SUFFIXES]


@routes.get("/catalog", summary="List the transforms that recipes may use.", responses={200: Catalog})
def catalog() -> Json:
    """Return each transform with its parameters."""
    from backend.flows.steps import offered_steps

    items = [
        TransformItem(
            name=one.name,
            title=step_title(one.name),
            group=one.group,
            group_title=group_title(one.group),
            summary=summary(one.summary),
            targets=list(one.targets),
            parameters=[
                {**asdict(parameter), "title": parameter_title(parameter.name)} for parameter in one.parameters
            ],
        )
        for one in offered_steps()
    ]
    return Catalog(transforms=items).model_dump(mode="json")
