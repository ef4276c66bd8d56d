"""A recipe's styles by content: before a run its pictures are found, copied to where they stay, and named by sha256.

From then on neither a renamed file nor a deleted folder changes or breaks the run, or a later rebuild.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.core.errors import LabelLoomError, UsageError, shown
from backend.core.model import Skipped
from backend.core.recipe import Recipe, Step
from backend.flows.style.library import MADE, Style, cached, find_styles, made_names, own_styles
from backend.flows.style.step import NAME, SHA, Places, StyleFactory
from backend.imaging.files import link_or_copy
from backend.settings import Settings


def pin(
    recipe: Recipe, settings: Settings, known: Mapping[str, Path] | None = None
) -> tuple[Recipe, Places | None, list[Skipped]]:
    """Return the recipe with its styles by content, where workers find them, and pictures that cannot be used.

    A recipe without styles comes back as it is. `known` holds further pictures by sha256.

    Raises:
        UsageError: a style is not there, or an engine's weights are missing.
        LabelLoomError: a package that an engine needs is not installed.
    """
    where = (settings.sources_dir, settings.style_codes_dir, settings.style_weights_dir, settings.style_engines_dir)
    places = Places(*map(str, where))
    skipped: list[Skipped] = []
    for sha, path in (known or {}).items():
        if f"{SHA}{sha}" in _specs(recipe) and not cached(sha, settings).is_file():
            link_or_copy(path, cached(sha, settings))
    parts = {
        name: [_pinned(step, settings, places, skipped) for step in getattr(recipe, name)]
        for name in ("preprocess", "steps")
    }
    if all(parts[name] == list(getattr(recipe, name)) for name in parts) and not _specs(recipe):
        return recipe, None, []
    return recipe.model_copy(update={name: tuple(steps) for name, steps in parts.items()}), places, skipped


def _pinned(step: Step, settings: Settings, places: Places, skipped: list[Skipped]) -> Step:
    if step.name != NAME or StyleFactory().problems({k: v for k, v in step.params.items() if k != "p"}):
        return step  # what is wrong is told with the rest of the recipe
    styles = find_styles(step.params["styles"], settings, skipped)
    for style in styles:
        _keep(style, settings)
    pinned = Step(NAME, {**step.params, "styles": [f"{SHA}{style.sha256}" for style in styles]})
    StyleFactory(places).build({k: v for k, v in pinned.params.items() if k != "p"})  # missing weights are told now
    return pinned


def _keep(style: Style, settings: Settings) -> None:
    target = cached(style.sha256, settings)
    if target.is_file():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(style.path, target)
    except OSError as error:
        msg = f"the style {style.name} cannot be copied to {target.parent}: {error.strerror}"
        raise LabelLoomError(msg, fix="free some space, or make the folder writable") from error


def _specs(recipe: Recipe) -> set[str]:
    steps = (*recipe.preprocess, *recipe.steps)
    lists = [step.params.get("styles") for step in steps if step.name == NAME]
    return {str(spec) for one in lists if isinstance(one, list | tuple) for spec in one}


def check_served(recipe: Recipe, settings: Settings) -> Recipe:
    """Return a recipe that came over HTTP if it names only styles of the library.

    Raises:
        UsageError: it names another; whether there is such a file is not told.
    """
    check_library(sorted(_specs(recipe)), settings)
    for step in (*recipe.preprocess, *recipe.steps):
        folder = step.params.get("folder") if step.name == NAME else None
        if folder and ("/" in str(folder) or not (settings.style_engines_dir / str(folder)).is_dir()):
            msg = f"there is no style engine {shown(folder)}"
            raise UsageError(msg, fix="name one that a train-style job made")
    return recipe


def check_library(specs: Sequence[str], settings: Settings) -> None:
    """Check that styles named over HTTP are the library's: a path is relative to nothing that a client knows.

    Raises:
        UsageError: one is not.
    """
    if all(spec.startswith(SHA) for spec in specs):
        return
    names = {name for name, _ in own_styles(settings)} | {MADE, *made_names()}
    for spec in specs:
        if spec not in names and not spec.startswith(SHA):
            msg = f"{shown(spec)} is no style of the library"
            raise UsageError(msg, fix="GET /api/v1/styles lists them; POST /api/v1/styles adds one")
