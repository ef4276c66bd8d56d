"""What a step did, as plain JSON for the manifest: the drawn parameters, large arrays as shape and sha256."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

LARGEST_LIST = 16  # numbers; the seed makes longer arrays again

# The step's settings and the input's size, which the recipe and the previous step already tell.
_SETTINGS = frozenset({"shape", "interpolation", "fill", "fill_mask", "border_mode"})


def plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the drawn parameters as plain JSON, sorted by name."""
    return {key: _plain(params[key]) for key in sorted(params) if key not in _SETTINGS and params[key] is not None}


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case np.generic():
            return _plain(value.item())
        case np.ndarray():
            return _array(value)
        case Mapping():
            return {str(key): _plain(value[key]) for key in sorted(value, key=str)}
        case list() | tuple():
            return _sequence(value)
        case _:
            return type(value).__name__  # an object of the library's own: its text would hold an address


def _sequence(value: list[Any] | tuple[Any, ...]) -> Any:
    if len(value) > LARGEST_LIST and all(isinstance(v, int | float | np.generic) for v in value):
        return _array(np.asarray(value))
    return [_plain(v) for v in value]


def _array(value: np.ndarray[Any, Any]) -> Any:
    if value.size <= LARGEST_LIST:
        return _plain(value.tolist()) if value.dtype != object else type(value).__name__
    data = np.ascontiguousarray(value)
    return {"shape": list(data.shape), "sha256": hashlib.sha256(data.data).hexdigest()}
