"""What a training of the default detector can be told, and what it does when told nothing.

`options` of a training name fields of `Recipe` (and of `Views`: hflip, vflip, scale, squeeze, light, colour, tint), so
that a project's own light augmentation is a few lines of its settings: {"vflip": 0.5, "scale": [0.8, 1.2]}.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from backend.core.errors import UsageError
from backend.detect.fewshot.views import Views

BATCH = 8


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    steps: of BATCH views. views: how many are made and kept at once. rate, trunk_rate: learning rates of the head and
    of the backbone's upper stages; 0 keeps the latter as they are, which saves half of the time. decay: of weights, a
    step. warm: steps until the rates are reached. average: how slowly the averaged weights, which are the ones kept,
    follow. patience: steps without a lower loss after which training comes to its end (0: never before its last step).
    backbone: random weights are only good for showing what pretrained ones are worth.
    """

    steps: int = 260
    views: int = 600
    rate: float = 1.5e-3
    trunk_rate: float = 2e-4
    decay: float = 0.02
    warm: int = 20
    average: float = 0.98
    patience: int = 100
    backbone: Literal["imagenet", "random"] = "imagenet"
    look: Views = field(default_factory=Views)


def recipe(options: Mapping[str, Any], images: int, *, fast: bool) -> Recipe:
    """Return the recipe for so many images: fewer need fewer steps, very many more.

    Raises:
        UsageError: an option that is none, or a value that cannot be.
    """
    steps = 175 if images < 100 else min(1200, max(260, images))
    chosen = Recipe(steps=160, views=360, rate=2e-3, trunk_rate=0.0) if fast else Recipe(steps=steps)
    ours, looks = ({f.name for f in fields(kind)} - {"look"} for kind in (Recipe, Views))
    unknown = sorted(set(options) - ours - looks)
    if unknown:
        msg = f"the detector fewshot has no option {', '.join(unknown)}"
        raise UsageError(msg, fix=f"choose from {', '.join(sorted(ours | looks))}")
    for name, value in options.items():
        _check(name, value)
    scale = tuple(options["scale"]) if "scale" in options else chosen.look.scale
    look = replace(chosen.look, **{k: v for k, v in options.items() if k in looks} | {"scale": scale})
    return replace(chosen, look=look, **{k: v for k, v in options.items() if k in ours})


def read_options(given: Mapping[str, Any]) -> Recipe:
    """Return what the options come to for some images.

    Raises:
        UsageError: an option that is none, or a value that cannot be.
    """
    return recipe(given, 1, fast=False)


def _check(name: str, value: Any) -> None:
    """Refuse a value that no training could use."""
    if name == "backbone":
        good = value in {"imagenet", "random"}
    elif name == "scale":
        good = isinstance(value, list | tuple) and len(value) == 2 and all(map(_number, value))
        good = good and 0.1 <= value[0] <= value[1] <= 4
    elif name in {"steps", "views"}:
        good = type(value) is int and value >= BATCH
    elif name in {"warm", "patience"}:
        good = type(value) is int and value >= 0
    else:
        good = _number(value) and 0 <= value < (10 if name == "rate" else 1.01)
    if not good:
        msg = f"the option {name} of the detector fewshot cannot be {value!r}"
        raise UsageError(msg, fix=_WANTED.get(name, "give a number from 0 to 1"))


_WANTED = {
    "backbone": 'give "imagenet"',
    "scale": "give the smallest and the largest, such as [0.6, 1.4]",
    "steps": f"give a whole number from {BATCH} on",
    "views": f"give a whole number from {BATCH} on",
    "warm": "give a whole number of steps",
    "patience": "give a whole number of steps, or 0",
}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
