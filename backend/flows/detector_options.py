"""Whether a detector can make anything of its options: asked before anything is queued, trained or changed."""

from collections.abc import Mapping
from typing import Any

from backend.core.errors import UsageError
from backend.detect import DETECTORS
from backend.detect.base import loaded
from backend.flows.label_map import SHOWN


def own_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are the detector's own; the others say how its finds are shown in a project."""
    return {name: value for name, value in options.items() if name not in SHOWN}


def check_options(detector: str, options: Mapping[str, Any]) -> None:
    """Make sure that a detector knows its options and can use their values.

    A detector that is added with a file has none of its own left to say when only the showing changes.

    Raises:
        UsageError: it does not, or there is no such detector.
    """
    if detector not in DETECTORS:
        msg = f"there is no detector {detector[:50]!r}"
        raise UsageError(msg, fix=f"choose from {', '.join(DETECTORS)}")
    kind, own = DETECTORS[detector], own_options(options)
    if detector == "proxy":
        from backend.flows.proxy import open_backend

        open_backend(own)
    elif kind.takes and (own or not kind.makes):
        loaded(kind.takes)(own)
