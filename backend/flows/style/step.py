"""`Style` as a step of a recipe: pixels only, nothing moves, so every label stays true.

A recipe names styles as people do; a run pins them first (`pinned.py`), so that what is drawn depends on the pictures'
content and not on where they lie.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.augment.ops import BoolImage, Op, OpFactory, Rgb
from backend.augment.transforms import Parameter, Transform
from backend.core.errors import ImageError
from backend.style import DEFAULT, ENGINES

if TYPE_CHECKING:
    from backend.style.base import StyleCode

NAME = "Style"
SHA = "sha256:"  # how a style is named by its content
STYLE = Transform(
    NAME,
    "style",
    "Paints the picture in the style of another one (AdaIN); nothing in it moves.",
    ("image",),
    (
        Parameter("styles", "texts", required=True),
        Parameter("engine", "choice", DEFAULT, choices=tuple((name, name) for name in ENGINES)),
        Parameter("folder", "text", or_none=True),
        Parameter("alpha", "range", 0.5, or_number=True, low=0, high=1),
        Parameter("detail", "number", 1.0, low=0, high=1),
        Parameter("alpha_objects", "range", or_number=True, or_none=True, low=0, high=1),
        Parameter("feather", "number", 8.0, low=0, high=200),
        Parameter("keep_color", "yes/no", False),
        Parameter("p", "number", 0.5, low=0, high=1),
    ),
)


@dataclass(frozen=True, slots=True)
class Places:
    """Where workers find what styles need: pinned pictures by sha256, codes, weights, engines that jobs trained."""

    styles: str
    codes: str
    weights: str
    engines: str


class StyleFactory:
    """Checks the step's parameters; with places it also builds the step."""

    def __init__(self, places: Places | None = None) -> None:
        self._places = places

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with the parameters; no engine is loaded."""
        return list(_problems(params))

    def draws(self, params: Mapping[str, Any]) -> bool:
        """Return whether a style or a strength is left to the seed; a folder counts as what it holds when pinned."""
        strengths = [alpha_range(params[name]) for name in ("alpha", "alpha_objects") if params.get(name) is not None]
        return len(params["styles"]) > 1 or any(low < high for low, high in strengths)

    def build(self, params: Mapping[str, Any]) -> Op:
        """Return the step, its engine loaded."""
        assert self._places is not None  # a run pins its styles before it draws
        return StyleOp(params, self._places)


class StyleOp:
    """Paints one image in a style drawn by the seed."""

    def __init__(self, params: Mapping[str, Any], places: Places) -> None:
        from backend.flows.style.codes import Codes
        from backend.style.base import Runtime

        kind = ENGINES[params.get("engine", DEFAULT)]
        options = {"weights": places.weights} if "weights" in kind.options else {}
        if params.get("folder"):
            trained = Path(places.engines) / str(params["folder"])  # a job's, by its name; else a folder anywhere
            options["folder"] = str(trained if trained.is_dir() else params["folder"])
        self._engine = kind.open(options, Runtime())
        self._codes = Codes(self._engine, Path(places.codes))
        self._folder = Path(places.styles)
        self._styles = [str(spec).removeprefix(SHA) for spec in params["styles"]]
        self._alpha = alpha_range(params.get("alpha", 0.5))
        self._detail = float(params.get("detail", 1.0))
        self._keep = bool(params.get("keep_color", False))
        own = params.get("alpha_objects")
        self._own = None if own is None else alpha_range(own)
        self._feather = float(params.get("feather", 8.0))
        self.wants_objects = self._own is not None

    def __call__(self, rgb: Rgb, seed: int, /, *objects: BoolImage | None) -> tuple[Rgb, dict[str, Any]]:
        """Return the painted image, and which style, at which strength, by which engine."""
        from backend.style.blend import feathered, keep_colour, mix

        dice = random.Random(f"style:{seed}")  # the step's own coin was thrown with the bare seed
        sha, alpha = dice.choice(self._styles), round(dice.uniform(*self._alpha), 4)
        code = self._code(sha)
        looked = self._engine.content(rgb)
        painted = self._engine.paint(looked, code, alpha, self._detail)
        drawn: dict[str, Any] = {
            "style": sha,
            "alpha": alpha,
            "engine": self._engine.name,
            "version": self._engine.version,
        }
        if self._own is not None:
            inside = round(dice.uniform(*self._own), 4)
            drawn["alpha_objects"] = inside
            if (covered := objects[0]) is not None:
                own = self._engine.paint(looked, code, inside, self._detail)
                painted = mix(painted, own, feathered(covered, self._feather))
        if self._keep:
            painted = keep_colour(rgb, painted)
        return painted, {**drawn, "detail": self._detail, "keep_color": self._keep}

    def _code(self, sha: str) -> "StyleCode":
        from backend.imaging.hashes import sha256  # with it comes OpenCV

        try:
            data = (self._folder / sha[:2] / sha).read_bytes()
            if sha256(data) == sha:
                return self._codes.of(data)
            why = "its copy in the cache was changed"
        except OSError as error:
            why = f"its copy in the cache cannot be read: {error.strerror}"  # a path would differ between machines
        except ImageError as error:
            why = str(error)
        msg = f"the style {sha[:12]} cannot be used: {why}"
        raise ImageError(msg)


def extra_steps(places: Places | None = None) -> dict[str, OpFactory]:
    """Return the steps that recipes have beside Albumentations'; without places they can be checked, not run."""
    return {NAME: StyleFactory(places)}


def alpha_range(alpha: Any) -> tuple[float, float]:
    """Return the range that a strength is drawn from; one number is a range of itself."""
    low, high = alpha if isinstance(alpha, Sequence) else (alpha, alpha)
    return float(low), float(high)


def drawn_style(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what a manifest line says of an image's style; None where none was applied."""
    for step in reversed(steps):
        if step["name"] == NAME:
            params = step["params"]
            return {"sha256": params["style"], **{key: params[key] for key in ("engine", "version", "alpha")}}
    return None


def _problems(params: Mapping[str, Any]) -> Iterator[str]:
    yield from _of_names(params)
    yield from _of_styles(params.get("styles"))
    engine = params.get("engine", DEFAULT)
    if not isinstance(engine, str) or engine not in ENGINES:
        yield f"engine: there is no {str(engine)[:60]!r}; choose one of {', '.join(ENGINES)}"
    if params.get("folder") is not None and not (isinstance(params["folder"], str) and engine == "compact"):
        yield "folder: give the folder that `labelloom train-style` wrote, for the engine compact"
    for name, usual in (("alpha", 0.5), ("alpha_objects", 0)):
        value = params.get(name, usual)
        if not _range(value) and not (name == "alpha_objects" and value is None):
            yield f"{name}: give a number from 0 to 1, or a range [low, high] of them"
    if not _within(params.get("feather", 8.0), 200):
        yield "feather: give a number of pixels from 0 to 200"
    if not _within(params.get("detail", 1.0)):
        yield "detail: give a number from 0 to 1"
    if not isinstance(params.get("keep_color", False), bool):
        yield "keep_color: give true or false"


def _of_names(params: Mapping[str, Any]) -> Iterator[str]:
    known = {one.name: one for one in STYLE.parameters}
    for name in params:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            yield f"{name}: unknown parameter; " + (
                f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
            )


def _of_styles(styles: Any) -> Iterator[str]:
    if not isinstance(styles, list | tuple) or not styles or not all(isinstance(one, str) and one for one in styles):
        yield (
            "styles: give a list of pictures, folders or names that `labelloom style list` shows,"
            " such as [made/impasto]"
        )


def _range(value: Any) -> bool:
    parts = value if isinstance(value, list | tuple) and len(value) == 2 else [value]
    return all(_within(part) for part in parts) and list(parts) == sorted(parts)


def _within(value: Any, high: float = 1) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= high
