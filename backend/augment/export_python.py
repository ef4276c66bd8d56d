"""A recipe's steps as plain Python for on-the-fly training: one `A.Compose` that needs nothing of ours."""

from typing import Any

from backend.augment.motion import DROPOUTS, MOTIONS
from backend.augment.transforms import transforms
from backend.core.recipe import Recipe, Step

_HEAD = '''"""A recipe's steps as one Albumentations pipeline.

Needs albumentations==2.0.8. Use it while training:

    out = build()(image=rgb, bboxes=[[x0, y0, x1, y1], ...], labels=[...])

A training loop draws anew each time; what the recipe's `boxes` say is only roughly what `min_visibility` does here,
because the library compares with the step before and not with the original object.
"""

import albumentations as A

RECIPE = {name!r}


def build(seed: int | None = {seed}) -> A.Compose:
    """Return the pipeline; boxes are pixel corners [x0, y0, x1, y1], `labels` one name each."""
    return A.Compose(
        [
'''
_BOXES = """        bbox_params=A.BboxParams(
            format="pascal_voc",
            label_fields=["labels"],
            min_visibility={min_visibility!r},
            min_width={min_size!r},
            min_height={min_size!r},
            clip=True,
        ),
"""


def to_python(recipe: Recipe) -> str:
    """Return the source text of a module with `build(seed) -> A.Compose`, preprocessing first.

    Steps that the library does not have (such as Style) become comments.
    """
    lines = [_line(step, always=True) for step in recipe.preprocess] + [_line(step) for step in recipe.steps]
    head = _HEAD.format(name=recipe.name, seed=recipe.seed)
    boxes = _BOXES.format(min_visibility=recipe.boxes.min_visibility, min_size=recipe.boxes.min_size)
    body = "".join(f"            {line}\n" for line in lines)
    # The library warns when boxes are announced and no step would look at them.
    return f"{head}{body}        ],\n{boxes if _looks_at_boxes(recipe) else ''}        seed=seed,\n    )\n"


def _looks_at_boxes(recipe: Recipe) -> bool:
    return any(step.name in MOTIONS or step.name in DROPOUTS for step in (*recipe.preprocess, *recipe.steps))


def _line(step: Step, *, always: bool = False) -> str:
    params = {**step.params, "p": 1.0} if always else step.params
    arguments = ", ".join(f"{name}={_literal(value)}" for name, value in params.items())
    if step.name not in transforms():
        return f"# left out, not in Albumentations: {step.name}({arguments})"
    return f"A.{step.name}({arguments}),"


def _literal(value: Any) -> str:
    if isinstance(value, list | tuple):
        inner = ", ".join(_literal(v) for v in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_literal(v)}" for k, v in value.items()) + "}"
    return repr(value)
