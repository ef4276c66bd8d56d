"""What detectors take and give.

A model is a folder (`backend.detect.model_dir`). `opens` gives a `Detector` for it, `trains` writes one from examples,
`makes` writes one from what a user already has (a model's name, or files by path). All three are "module:attribute"
strings, so that a list of detectors loads none of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.core.model import Region, Tag

Json = dict[str, Any]
Rgb = NDArray[np.uint8]  # (height, width, 3), as displayed

FLOOR = 0.05  # the least score that is kept: a change of threshold needs no new inference above it


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a model found in one image: regions with scores, in pixels of the image as displayed, the surest first.

    tags: image-level labels with scores (0 to 1). reason: why there is nothing, where that is no ordinary finding.
    """

    regions: tuple[Region, ...] = ()
    tags: tuple[tuple[Tag, float], ...] = ()
    reason: str = ""


class Detector(Protocol):
    """A loaded model. It may be called by several threads at once."""

    labels: tuple[str, ...]

    def predict(self, images: Sequence[Rgb]) -> list[Predicted]:
        """Return what was found in each image, in order; scores at least FLOOR.

        Raises:
            LabelLoomError: the model cannot be run.
        """


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a model runs on. device: auto, cpu or cuda; threads: of one inference; int8: the quantised file, if any."""

    device: str = "auto"
    threads: int = 1
    int8: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled image to learn from, or to be judged by.

    boxes: (x0, y0, x1, y1) in pixels of the image as displayed; labels: each box's position in the label list; tags:
    image-level labels. No boxes: nothing of interest is there, which is worth learning too.
    """

    path: str
    sha256: str
    width: int
    height: int
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    labels: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Training:
    """What to train. options: the detector's own; start: a model's folder to go on from."""

    labels: tuple[str, ...]
    train: tuple[Example, ...]
    holdout: tuple[Example, ...] = ()
    seed: int = 0
    fast: bool = False
    threads: int = 1
    device: str = "cpu"
    start: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


Report = Callable[[Json], None]
"""Takes an event: {"event": "step", "step": n, "of": n, "loss": x}, {"event": "curve", "step": n, "ap": x, "ap50": x},
{"event": "phase", "phase": "caching", "done": n, "of": n}, {"event": "note", "text": ...}."""


@dataclass(frozen=True, slots=True)
class DetectorKind:
    """A kind of detector, as tables, choices and documents list it. learns: boxes, or tags of whole images."""

    name: str
    summary: str
    opens: str | None = None
    trains: str | None = None
    makes: str | None = None
    takes: str | None = None  # checks options, and loads no torch
    learns: Literal["boxes", "tags"] = "boxes"


def loaded(where: str) -> Callable[..., Any]:
    """Return what a "module:attribute" string names."""
    module, _, name = where.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found
