"""The contract of an operation that Albumentations does not have (such as style transfer), and how one is drawn.

Callers hand `Pipeline` a table `{"Style": factory}`; the recipe then names it like any other step. Such an operation
changes pixels only: same size, nothing moves, so boxes stay as they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]  # shape (height, width, 3)
BoolImage = NDArray[np.bool_]  # shape (height, width)


class Op(Protocol):
    """One operation, built once per process.

    One with an attribute `wants_objects` that is true is told where the regions lie, as a third argument.
    """

    def __call__(self, rgb: Rgb, seed: int, /, *objects: BoolImage | None) -> tuple[Rgb, Mapping[str, Any]]:
        """Return the changed image, same shape, and what was drawn (for the manifest).

        The result must depend on the arguments alone, and `rgb` must not be written to.

        Args:
            rgb: the image.
            seed: what everything random comes from.
            objects: (height, width), the pixels that any region covers, None if there are none; only if it is wanted.
        """


class OpFactory(Protocol):
    """Makes operations from a step's parameters (without `p`, which the pipeline handles)."""

    def problems(self, params: Mapping[str, Any]) -> Sequence[str]:
        """Return what is wrong with the parameters, each text starting with the parameter's name."""

    def draws(self, params: Mapping[str, Any]) -> bool:
        """Return whether the operation chooses anything by its seed; the parameters have no problems."""

    def build(self, params: Mapping[str, Any]) -> Op:
        """Return the operation."""
