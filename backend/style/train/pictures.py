"""How a training goes, as pictures: its losses, and what the network makes of pictures it never learned from."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from backend.style.base import Engine, Rgb
from backend.style.sizes import square

Json = dict[str, Any]
_SIDE = 192  # pixels of a cell of the sheet
_COLOURS = {"style": (0, 114, 178), "content": (213, 94, 0), "identity": (0, 158, 115), "smooth": (204, 121, 167)}
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PLOT = (360, 720)  # height and width of the curves, pixels


def sheet(engine: Engine, contents: Sequence[Rgb], styles: Sequence[Rgb]) -> Rgb:
    """Return contents down, styles across, painted at alpha 1."""
    contents, styles = [square(one, _SIDE) for one in contents], [square(one, _SIDE) for one in styles]
    codes = [engine.style(one) for one in styles]
    rows = [np.hstack([np.full((_SIDE, _SIDE, 3), 255, np.uint8), *styles])]
    for one in contents:
        looked = engine.content(one)
        rows.append(np.hstack([one, *(engine.paint(looked, code, 1.0) for code in codes)]))
    return np.vstack(rows)


def curves(points: Sequence[Json]) -> Rgb:
    """Return the losses over the iterations, each drawn from 0 to its largest value (told in brackets)."""
    height, width = _PLOT
    canvas = np.full((height, width, 3), 255, np.uint8)
    left, right, top, bottom = 20, width - 240, 20, height - 30  # words stand to the right
    cv2.rectangle(canvas, (left, top), (right, bottom), (200, 200, 200))
    last = max((point["iteration"] for point in points), default=1)
    cv2.putText(canvas, f"{last} iterations", (left, height - 8), _FONT, 0.45, (60, 60, 60), 1, cv2.LINE_AA)
    for row, (name, colour) in enumerate(_COLOURS.items()):
        values = [(point["iteration"], point[name]) for point in points if name in point]
        if not values:
            continue
        most = max(value for _, value in values) or 1.0
        xy = [(left + (right - left) * at / last, bottom - (bottom - top) * value / most) for at, value in values]
        line = np.array(xy, np.float64).round().astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(canvas, [line], False, colour, 2, cv2.LINE_AA)
        words = f"{name} {values[-1][1]:.3f} (of {most:.3f})"
        cv2.putText(canvas, words, (right + 12, top + 22 + 24 * row), _FONT, 0.45, colour, 1, cv2.LINE_AA)
    return canvas
