"""Try a recipe once on an image of the smallest size, so that an impossible crop is found before the run."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from backend.augment.checks import DRAWS
from backend.augment.ops import Rgb
from backend.augment.steps import LibraryStep
from backend.augment.track import Track, start
from backend.augment.transforms import transforms
from backend.augment.travel import advance
from backend.core.errors import ImageError
from backend.core.model import Box, Region
from backend.core.recipe import Recipe, Step
from backend.core.seeds import step_seed

SEEDS = range(1, 5)
USUAL = (640, 480)  # pixels, where the smallest size is not known


def problems(recipe: Recipe, extra: frozenset[str], size: tuple[int, int] | None) -> Iterator[str]:
    """Yield the steps that cannot work on an image of `size` (width, height), and preprocessing left to chance.

    Every step is tried applied, and every optional one left out while the others are applied: a crop may need the
    padding before it.
    """
    before, steps = _listed("preprocess", recipe.preprocess, extra), _listed("step", recipe.steps, extra)
    for label, step in before:
        if _draws(label, step, size or USUAL):
            yield (f"{label}: {DRAWS}; give it fixed values ([4, 4] instead of 4) or move it to steps")
    if size is None:
        return
    optional = [i for i, (_, step) in enumerate(steps) if _maybe(step)]
    seen: set[str] = set()
    for left_out in (None, *optional):
        chosen = [*before, *(s for i, s in enumerate(steps) if i != left_out)]
        problem = _try(chosen, size)
        if problem and problem not in seen:
            seen.add(problem)
            yield problem


def _listed(part: str, steps: Sequence[Step], extra: frozenset[str]) -> list[tuple[str, Step]]:
    return [(f"{part} {i} {step.name}", step) for i, step in enumerate(steps, 1) if step.name not in extra]


def _maybe(step: Step) -> bool:
    usual = transforms()[step.name].parameter("p")
    p: Any = step.params.get("p", usual.default if usual else 1)
    return bool(p < 1)


def _image(size: tuple[int, int]) -> Rgb:
    width, height = size
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _draws(label: str, step: Step, size: tuple[int, int]) -> bool:
    runner, rgb = LibraryStep(label, step, always=True), _image(size)
    try:
        results = [runner.run(rgb, None, seed).rgb for seed in SEEDS]
    except ImageError:
        return False  # too large a crop: the trial names it
    return any(r.shape != results[0].shape or not np.array_equal(r, results[0]) for r in results)


def _try(steps: Sequence[tuple[str, Step]], size: tuple[int, int]) -> str | None:
    width, height = size
    whole = Region("trial", "trial", Box(0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height))
    rgb = _image(size)
    tracks: tuple[Track, ...] = (start(whole, width, height),)
    for position, (label, step) in enumerate(steps):
        try:
            outcome, tracks = advance(LibraryStep(label, step, always=True), rgb, tracks, step_seed(0, position))
        except ImageError as error:
            return f"{error} (the smallest image is {width} x {height})"
        rgb = outcome.rgb
    return None
