"""A recipe's styles by content: before a run its pictures are found, copied to where they stay, and named by sha256.

From then on neither a renamed file nor a deleted folder changes or breaks the run, or a later rebuild.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.core.errors import LabelLoomError, UsageError, shown
from backend.core.model import Skipped
from backend.core.recipe import Recipe, Step
from backend.flows.style.library import MADE, Style, cached, find_styles, made_names, own_styles, sha256_of
from backend.flows.style.step import NAME, SHA, Places, StyleFactory
from backend.imaging.files import write_atomic
from backend.settings import Settings


@dataclass(frozen=True, slots=True)
class Pinned:
    """A recipe with its styles by content. places: where workers find them; None: it has none.

    skipped: pictures that cannot be used; names: what people call a style, by sha256, where it had a name.
    """

    recipe: Recipe
    places: Places | None = None
    skipped: list[Skipped] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


def pin(recipe: Recipe, settings: Settings, known: Mapping[str, Path] | None = None) -> Pinned:
    """Return the recipe with its styles by content; one without styles comes back as it is.

    `known` holds further pictures by sha256.

    Raises:
        UsageError: a style is not there, or an engine's weights are missing.
        LabelLoomError: a package that an engine needs is not installed, or a style cannot be copied.
    """
    if not _specs(recipe):
        return Pinned(recipe)
    where = (settings.sources_dir, settings.style_codes_dir, settings.style_weights_dir, settings.style_engines_dir)
    places = Places(*map(str, where))
    specs = _specs(recipe)
    for sha, path in (known or {}).items():
        if f"{SHA}{sha}" in specs:
            _keep(Style(path.name, sha, path), settings)
    found = Pinned(recipe, places)
    parts = {
        part: tuple(_pinned(step, settings, found) for step in getattr(recipe, part))
        for part in ("preprocess", "steps")
    }
    return replace(found, recipe=recipe.model_copy(update=parts))


def _pinned(step: Step, settings: Settings, found: Pinned) -> Step:
    if step.name != NAME or StyleFactory().problems(_params(step)):
        return step  # what is wrong is told with the rest of the recipe
    styles = find_styles(step.params["styles"], settings, found.skipped)
    known = {f"{SHA}{style.sha256}" for style in styles}
    for spec in step.params["styles"]:
        if spec.startswith(SHA) and spec not in known:  # another picture in its place would change every draw
            msg = f"the style {shown(spec)} is damaged in the cache"
            raise UsageError(msg, fix=f"delete {cached(spec.removeprefix(SHA), settings)}, and add its picture again")
    for style in styles:
        _keep(style, settings)
        if not style.name.startswith(SHA):
            found.names.setdefault(style.sha256, style.name)
    pinned = Step(NAME, {**step.params, "styles": [f"{SHA}{style.sha256}" for style in styles]})
    StyleFactory(found.places).build(_params(pinned))  # missing weights are told now
    return pinned


def _params(step: Step) -> dict[str, Any]:
    return {name: value for name, value in step.params.items() if name != "p"}


def _keep(style: Style, settings: Settings) -> None:
    """Copy a style, never link it: a picture that is saved over later must not change what runs and rebuilds see."""
    target = cached(style.sha256, settings)
    try:
        if target == style.path or (target.is_file() and sha256_of(target) == style.sha256):
            return
        data = style.path.read_bytes()
        if hashlib.sha256(data).hexdigest() != style.sha256:
            msg = f"the style {style.name} changed while it was being read"
            raise UsageError(msg, fix="run again when it is saved")
        write_atomic(target, data)
    except OSError as error:
        msg = f"the style {style.name} cannot be copied to {target.parent}: {error.strerror}"
        raise LabelLoomError(msg, fix="free some space, or make the folder writable") from error


def _specs(recipe: Recipe) -> set[str]:
    return {spec for _, spec in _named(recipe)}


def _named(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield each style a recipe names, behind the step that names it."""
    for part, steps in (("preprocess", recipe.preprocess), ("step", recipe.steps)):
        for position, step in enumerate(steps, 1):
            styles = step.params.get("styles") if step.name == NAME else None
            if isinstance(styles, list | tuple):
                yield from ((f"{part} {position} {NAME}", str(spec)) for spec in styles)


def missing_styles(recipe: Recipe, settings: Settings) -> list[str]:
    """Return a sentence for each style a recipe names that is not there; no picture is opened."""
    known = _library(settings)
    return [
        f"{step}: styles: there is no style {shown(spec)}"
        for step, spec in _named(recipe)
        if spec not in known and not _lies(spec, settings)
    ]


def _lies(spec: str, settings: Settings) -> bool:
    if spec.startswith(SHA):
        return cached(spec.removeprefix(SHA), settings).is_file()
    try:
        return Path(spec).expanduser().exists()
    except (OSError, RuntimeError, ValueError):  # no file can have such a name
        return False


def _library(settings: Settings) -> set[str]:
    return {name for name, _ in own_styles(settings)} | {MADE, *made_names()}


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
    names = _library(settings)
    for spec in specs:
        if spec not in names and not spec.startswith(SHA):
            msg = f"{shown(spec)} is no style of the library"
            raise UsageError(msg, fix="GET /api/v1/styles lists them; POST /api/v1/styles adds one")
