"""What Label Studio is told in place of a version while a project has no model, and what to do about it."""

from collections.abc import Mapping
from typing import Any

from backend.detect import DETECTORS

UNTRAINED = "untrained"
AWAY = "away"  # what somebody else's ML backend is while it does not answer


def untrained(detector: str, options: Mapping[str, Any]) -> str:
    """Return what stands in place of a model's version in a project that has no model yet, and why."""
    if detector == "proxy":
        return f"proxy: what the ML backend at {options.get('url') or '(no url given)'} says"
    kind = DETECTORS.get(detector)
    if kind is not None and kind.trains is None:
        return f"{UNTRAINED}: no model was given to the detector {detector}"
    return f"{UNTRAINED}: annotate some tasks, then press Start Training"


def remedy(detector: str, project: int) -> str:
    """Return what makes a detector predict in a project where it does not."""
    if detector == "proxy":
        other = f"`labelloom connect --project {project} --detector fewshot`"
        return f"start that ML backend, or choose another detector: {other}"
    kind = DETECTORS.get(detector)
    if kind is not None and kind.makes:
        option = " --option path=..." if kind.trains is None else ""
        return f"`labelloom models add {detector} --project {project}{option}`"
    return f"`labelloom fit --project {project}`"
