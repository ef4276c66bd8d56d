"""Whether a recipe and formats suit what was listed: asked before anything is rendered."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from backend.core.errors import UsageError, shown
from backend.core.recipe import Recipe
from backend.formats.base import Classes


def check_formats(formats: tuple[str, ...], classes: Classes) -> None:
    """Refuse a dataset that would hold none of its labels.

    Raises:
        UsageError: class folders alone were asked for, and the source has regions only.
    """
    if formats == ("folders",) and classes.labels and not classes.tags:
        msg = "folders hold one class per image, and this dataset has regions only: every label would be lost"
        raise UsageError(
            msg, fix="ask for a format with regions (yolo, voc, coco), alone or beside it: -f yolo -f folders"
        )


def unmatched_labels(recipe: Recipe, raw: Iterable[str], classes: Classes) -> Iterator[str]:
    """Yield a warning for each label that the recipe names and the data has not.

    raw: the labels as the source has them; classes: as the recipe renames them, which `variants` goes by.
    """
    known, renamed = tuple(dict.fromkeys(raw)), (*classes.labels, *classes.tags)
    for old in dict.fromkeys(old for olds in recipe.labels.values() for old in olds):
        if old not in known:
            yield _unknown("labels", old, known)
    for label in recipe.variants if isinstance(recipe.variants, dict) else ():
        if label != "default" and label not in renamed:
            yield _unknown("variants", label, renamed)


def _unknown(key: str, label: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(label, known, n=1)
    return f"{key}: the data has no label {shown(label)}" + (f"; did you mean {shown(near[0])}?" if near else "")
