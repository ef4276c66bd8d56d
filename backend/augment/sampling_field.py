"""Follow points through a warp that is given the other way round: for each new pixel, where its colour came from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.core.geometry import Points

ROUNDS = 100
CLOSE = 0.005  # pixels: close enough to stop
FOLDED = 0.05  # pixels: so far off after all rounds, a point has no one place to go


def follow(points: Points, map_x: NDArray[Any], map_y: NDArray[Any]) -> Points:
    """Return where points (n, 2) lie after the warp, in pixels.

    Solves field(new) = old by repeated correction, which converges where the warp does not fold over itself; where it
    does, the point is not a number. Outside the frame the field goes on at slope 1.
    """
    field = np.stack([map_x, map_y], axis=-1).astype(np.float64)
    old = points - 0.5  # the field counts from pixel centres
    new, miss = old.copy(), np.zeros_like(old)
    for _ in range(ROUNDS):
        miss = _sample(field, new) - old
        new -= miss
        if np.abs(miss).max() < CLOSE:
            break
    new[np.abs(miss).max(axis=1) > FOLDED] = np.nan
    return new + 0.5


def _sample(field: NDArray[np.float64], at: Points) -> Points:
    height, width = field.shape[:2]
    inside = np.clip(at, 0, (width - 1, height - 1))
    x0 = np.minimum(inside[:, 0].astype(int), max(width - 2, 0))
    y0 = np.minimum(inside[:, 1].astype(int), max(height - 2, 0))
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = (inside[:, 0] - x0)[:, None], (inside[:, 1] - y0)[:, None]
    top = field[y0, x0] * (1 - fx) + field[y0, x1] * fx
    bottom = field[y1, x0] * (1 - fx) + field[y1, x1] * fx
    value: Points = top * (1 - fy) + bottom * fy + (at - inside)
    return value
