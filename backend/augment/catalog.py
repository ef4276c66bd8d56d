"""What a recipe may say: the transforms on offer, and the check that a recipe says only that."""

from collections.abc import Iterable, Mapping

from backend.augment import checks, trial
from backend.augment.ops import OpFactory
from backend.augment.transforms import Parameter, Transform, offered, transforms
from backend.core.errors import RecipeError
from backend.core.recipe import Recipe

__all__ = ["Parameter", "Transform", "check", "offered", "transforms"]


def check(
    recipe: Recipe, *, extra: Mapping[str, OpFactory] | Iterable[str] = (), size: tuple[int, int] | None = None
) -> None:
    """Check that a recipe's steps exist and can work; imports the library.

    `extra` are the operations the pipeline will be given (their names alone: their parameters go unchecked); `size` is
    the smallest image, (width, height) in pixels, on which the recipe is tried.

    Raises:
        RecipeError: with every problem found, each naming the step by its position, the parameter, what it accepts
            and, for an unknown name, the nearest spelling.
    """
    table = dict(extra) if isinstance(extra, Mapping) else dict.fromkeys(extra)
    found = list(checks.problems(recipe, table)) or list(trial.problems(recipe, frozenset(table), size))
    if found:
        raise RecipeError(found)
