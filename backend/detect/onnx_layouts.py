"""What the outputs of exported detectors mean. One line in `LAYOUTS` makes a new one.

A decoder takes the outputs of one image, by name, and gives candidates in pixels of the model's input.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from backend.detect.candidates import Candidates, dense

Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class LayoutKind:
    """A family of exported detectors. decode: (outputs, (width, height) of the input) -> candidates."""

    name: str
    summary: str
    decode: Callable[[Outputs, tuple[int, int]], Candidates]


def _labelloom(outputs: Outputs, _: tuple[int, int]) -> Candidates:
    return dense(outputs["boxes"][0], outputs["scores"][0])


LAYOUTS: dict[str, LayoutKind] = {
    kind.name: kind
    for kind in (LayoutKind("labelloom", "what this program trains: boxes (1, P, 4) and scores (1, P, C)", _labelloom),)
}
