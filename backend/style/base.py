"""What style engines take and give.

An engine looks at a style once (`style`), at a content once (`content`), and paints as often as is asked (`paint`).
Pictures are uint8 RGB (height, width, 3), of any size down to one pixel; what is painted has the content's size.
"""

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.core.errors import UsageError

Rgb = NDArray[np.uint8]  # (height, width, 3), as displayed
Floats = NDArray[np.float32]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StyleCode:
    """A style as an engine remembers it: a few arrays, whose meaning is the engine's own."""

    arrays: tuple[Floats, ...]


@dataclass(frozen=True, slots=True)
class Runtime:
    """What an engine runs on. device: auto, cpu or cuda; threads: of one picture; detail: see `ENGINES`."""

    threads: int = 1
    device: str = "auto"


class Content(Protocol):
    """A content that was looked at; good for any number of styles and strengths."""

    rgb: Rgb


class Engine(Protocol):
    """A loaded engine. Used by one thread at a time."""

    name: str
    version: str  # changes whenever its pixels do

    def style(self, rgb: Rgb) -> StyleCode:
        """Return a style's code."""

    def content(self, rgb: Rgb) -> Content:
        """Look at a content."""

    def paint(self, content: Any, style: StyleCode, alpha: float, detail: float = 1.0) -> Rgb:
        """Return the content in the style.

        Args:
            content: what this engine's `content` returned.
            style: what this engine's `style` returned, perhaps in another process.
            alpha: strength; 0 gives the content back exactly, 1 the style in full.
            detail: how much of fine outlines is kept, 0 to 1; engines without the choice ignore it.
        """


@dataclass(frozen=True, slots=True)
class EngineKind:
    """An engine as a list shows it. opens: "module:function" of (options, Runtime) -> Engine; detail: heeds it."""

    name: str
    summary: str
    opens: str
    detail: bool = False
    options: tuple[str, ...] = field(default=())

    def open(self, options: Json, runtime: Runtime) -> Engine:
        """Load it.

        Raises:
            UsageError: an option is not its own, or a file of weights is missing or wrong.
            LabelLoomError: a package it needs is not installed.
        """
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            msg = f"the engine {self.name} has no option {', '.join(unknown)}"
            raise UsageError(msg, fix=f"give {', '.join(self.options)}" if self.options else "give none")
        module, name = self.opens.split(":")
        engine: Engine = getattr(import_module(module), name)(options, runtime)
        return engine


def check_alpha(alpha: float, name: str = "alpha") -> float:
    """Return the strength.

    Raises:
        UsageError: it is outside [0, 1], or no number.
    """
    if not 0 <= alpha <= 1:  # also false for NaN
        msg = f"{name} is {alpha:g}"
        raise UsageError(msg, fix="give a number from 0 (the content itself) to 1 (the style in full)")
    return float(alpha)
