"""Engines by name, with their options as users give them, and weights where `labelloom style fetch` put them."""

from typing import Any

from backend.core.errors import UsageError, shown
from backend.settings import Settings
from backend.style import ENGINES
from backend.style.base import Engine, EngineKind, Runtime


def engine_kind(name: str) -> EngineKind:
    """Return an engine's entry.

    Raises:
        UsageError: there is none of that name.
    """
    kind = ENGINES.get(name)
    if kind is None:
        msg = f"there is no style engine {shown(name)}"
        raise UsageError(msg, fix=f"choose one of {', '.join(ENGINES)}")
    return kind


def open_engine(name: str, options: dict[str, Any], settings: Settings, *, threads: int = 1) -> Engine:
    """Load an engine.

    Raises:
        UsageError: there is none of that name, an option is not its own, or weights are missing or wrong.
        LabelLoomError: a package it needs is not installed.
    """
    kind = engine_kind(name)
    if "weights" in kind.options and not options.get("weights"):
        options = {**options, "weights": str(settings.style_weights_dir)}
    return kind.open(options, Runtime(threads))
