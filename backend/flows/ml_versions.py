"""What Label Studio is told in place of a model's version while a project has no model of its own."""

from collections.abc import Mapping
from typing import Any

from backend.detect import DETECTORS

UNTRAINED = "untrained"


def untrained(detector: str, options: Mapping[str, Any]) -> str:
    """Return what stands in place of a model's version in a project that has no model yet, and why."""
    if detector == "proxy":
        return f"proxy: what the ML backend at {options.get('url') or '(no url given)'} says"
    kind = DETECTORS.get(detector)
    if kind is not None and kind.trains is None:
        return f"{UNTRAINED}: no model was given to the detector {detector}"
    return f"{UNTRAINED}: annotate some tasks, then press Start Training"
