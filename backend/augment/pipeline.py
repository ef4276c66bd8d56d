"""From a recipe to variants: the step loop, with its own seed per step and a ledger of every region.

A variant is a function of the recipe's drawing part, the source's bytes, its number and the attempt; of nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.augment.applied import plain
from backend.augment.ops import OpFactory, Rgb
from backend.augment.rules import Verdict, judge, settle, shorter_side
from backend.augment.steps import Runner, build
from backend.augment.track import Track, start
from backend.augment.travel import advance
from backend.core.codec import canonical
from backend.core.errors import ImageError
from backend.core.ledger import Entry
from backend.core.model import Mask, Region
from backend.core.recipe import Recipe
from backend.core.seeds import step_seed, variant_seed

ATTEMPTS = 10
_NO_EXTRA: Mapping[str, OpFactory] = {}


@dataclass(frozen=True, slots=True)
class Drawn:
    """One image to be written: pixels, regions, what happened to each source region, and what was done.

    `steps` holds what was applied, in order: `{"name", "params"}` as plain JSON. `attempt` counts from 0.
    """

    rgb: Rgb
    regions: tuple[Region, ...]
    ledger: tuple[Entry, ...]
    steps: tuple[dict[str, Any], ...]
    seed: int
    attempt: int


@dataclass(frozen=True, slots=True)
class GaveUp:
    """A variant that is not written, because no attempt kept what the recipe's `boxes` rules ask for."""

    reasons: tuple[str, ...]
    attempts: int


@dataclass(frozen=True, slots=True)
class _State:
    rgb: Rgb
    tracks: tuple[Track, ...]
    done: tuple[tuple[str, Mapping[str, Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class _Prepared:
    source: Rgb
    regions: tuple[Region, ...]
    state: _State
    sizes: Mapping[int, float]
    hopeless: bool  # preprocessing alone hides too much of an object, and no draw brings it back


def prepare_process() -> None:
    """Make this process ready to draw: one thread per process, the slow import done. For a worker's initialiser."""
    import albumentations
    import cv2

    cv2.setNumThreads(1)
    _ = albumentations.__version__


class Pipeline:
    """A recipe, ready to draw. Build it once per process: building imports the library and makes the transforms.

    The recipe must have passed `backend.augment.catalog.check`. `extra` adds operations by name (see `ops`).
    """

    def __init__(self, recipe: Recipe, extra: Mapping[str, OpFactory] = _NO_EXTRA) -> None:
        self.rule = recipe.boxes
        self._drawing = canonical(recipe.drawing)
        self._before = [
            build(f"preprocess {i} {step.name}", step, extra, always=True)
            for i, step in enumerate(recipe.preprocess, 1)
        ]
        self._steps = [build(f"{i} {step.name}", step, extra) for i, step in enumerate(recipe.steps, 1)]
        self._last: _Prepared | None = None

    def prepare(self, rgb: Rgb, regions: Sequence[Region]) -> Drawn:
        """Return the original as it is written: preprocessed only, its regions never refused. Deterministic.

        Raises:
            ImageError: a step cannot work on this image, or a mask is not of its size.
        """
        state = self._prepare(rgb, tuple(regions)).state
        verdicts = [judge(track, self.rule, {}, -1) for track in state.tracks]
        kept, ledger = settle(verdicts, drop_broken=False)
        return Drawn(state.rgb, kept, ledger, _applied(state), 0, 0)

    def draw(self, rgb: Rgb, regions: Sequence[Region], source_sha: str, variant: int) -> Drawn | GaveUp:
        """Return one variant (numbers from 1) of a source image, (height, width, 3) uint8 RGB, or why there is none.

        Raises:
            ImageError: a step cannot work on this image, or a mask is not of its size.
        """
        prepared = self._prepare(rgb, tuple(regions))
        attempts = ATTEMPTS if self.rule.on_violation == "resample" and not prepared.hopeless else 1
        refused: dict[str, int] = {}
        for attempt in range(attempts):
            seed = variant_seed(self._drawing, source_sha, variant, attempt)
            state = _run(self._steps, prepared.state, seed)
            verdicts = [judge(track, self.rule, prepared.sizes, i) for i, track in enumerate(state.tracks)]
            if self.rule.on_violation == "drop-region" or not any(v.broken for v in verdicts):
                kept, ledger = settle(verdicts, drop_broken=True)
                return Drawn(state.rgb, kept, ledger, _applied(state), seed, attempt)
            _count(refused, verdicts)
        return GaveUp(tuple(refused), attempts)

    def _prepare(self, rgb: Rgb, regions: tuple[Region, ...]) -> _Prepared:
        last = self._last
        if last is not None and last.source is rgb and last.regions == regions:
            return last
        height, width = rgb.shape[:2]
        _check_masks(regions, width, height)
        first = _State(rgb, tuple(start(region, width, height) for region in regions))
        state = _run(self._before, first, 0)
        verdicts = [judge(track, self.rule, {}, -1) for track in state.tracks]
        sizes = {i: shorter_side(v.region) for i, v in enumerate(verdicts) if v.region is not None}
        hopeless = any(v.broken in {"visibility", "occluded"} for v in verdicts)
        self._last = _Prepared(rgb, regions, state, sizes, hopeless)
        return self._last


def _run(steps: Sequence[Runner], state: _State, seed: int) -> _State:
    rgb, tracks, done = state.rgb, state.tracks, list(state.done)
    for position, runner in enumerate(steps, 1):
        outcome, tracks = advance(runner, rgb, tracks, step_seed(seed, position))
        rgb = outcome.rgb
        if outcome.params is not None:
            done.append((runner.name, outcome.params))
    return _State(rgb, tracks, tuple(done))


def _applied(state: _State) -> tuple[dict[str, Any], ...]:
    return tuple({"name": name, "params": plain(params)} for name, params in state.done)


def _count(refused: dict[str, int], verdicts: Sequence[Verdict]) -> None:
    for verdict in verdicts:
        if verdict.broken:
            refused[verdict.text] = refused.get(verdict.text, 0) + 1


def _check_masks(regions: Sequence[Region], width: int, height: int) -> None:
    for region in regions:
        if isinstance(region.shape, Mask) and (region.shape.width, region.shape.height) != (width, height):
            size = f"{region.shape.width} x {region.shape.height}"
            msg = f"the mask of region {region.id} is {size}, the image {width} x {height}"
            raise ImageError(msg)
