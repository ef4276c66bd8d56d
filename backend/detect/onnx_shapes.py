"""What a model found, from pixels of its input to shapes in pixels of the image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend.core.model import Box, Polygon, RotatedBox, Shape
from backend.detect.candidates import Candidates, Floats
from backend.imaging.raster import mask_polygon

Pair = tuple[float, float]
Frame = tuple[Pair, Pair]  # scale and shift: a point of the image lies at (x, y) * scale + shift of the input
_SMOOTH = 1.0  # pixels of the input that an outline may leave its mask by, so that it is no staircase


def shapes_of(
    found: Candidates, input_size: tuple[int, int], frame: Frame, size: tuple[int, int]
) -> list[Shape | None]:
    """Return the shape of each candidate, in order; None where nothing of it lies inside the image.

    input_size, size: (width, height) of the model's input and of the image.
    """
    scale, shift = frame
    if found.boxes.shape[1] == 5:
        return [_rotated(row, scale, shift) for row in found.boxes.tolist()]
    moved = (found.boxes.astype(np.float64) - np.array(shift * 2)) / np.array(scale * 2)
    moved = np.clip(moved, 0, np.array(size * 2))
    boxes: list[Shape | None] = [Box(*row) if row[2] > row[0] and row[3] > row[1] else None for row in moved.tolist()]
    if found.weights is None or found.masks is None:
        return boxes
    return [
        _polygon(_ring(weights, found.masks, box, input_size), frame, size) if plain is not None else None
        for weights, box, plain in zip(found.weights, found.boxes, boxes, strict=True)
    ]


def _rotated(row: Sequence[float], scale: Pair, shift: Pair) -> RotatedBox | None:
    cx, cy, width, height, angle = row
    if width <= 0 or height <= 0:
        return None
    factor = (scale[0] * scale[1]) ** 0.5  # where the frame is not stretched, both are the same
    return RotatedBox((cx - shift[0]) / scale[0], (cy - shift[1]) / scale[1], width / factor, height / factor, angle)


def _ring(weights: Floats, masks: Floats, box: Floats, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the largest outline (n, 2) of a find, in pixels of the input."""
    import cv2

    summed = np.tensordot(weights, masks, 1).astype(np.float32)
    inside = cv2.resize(summed, size, interpolation=cv2.INTER_LINEAR) > 0
    x0, y0, x1, y1 = (int(value) for value in np.round(box))
    frame = np.zeros_like(inside)
    frame[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = True
    rings = mask_polygon(inside & frame)
    if not rings:
        return np.zeros((0, 2))
    return cv2.approxPolyDP(rings[0].astype(np.float32)[:, None], _SMOOTH, True)[:, 0].astype(np.float64)


def _polygon(ring: NDArray[np.float64], frame: Frame, size: tuple[int, int]) -> Polygon | None:
    moved = np.clip((ring - np.array(frame[1])) / np.array(frame[0]), 0, np.array(size))
    x, y = moved.T
    area = abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
    return Polygon((tuple((float(a), float(b)) for a, b in moved),)) if len(moved) > 2 and area > 0 else None
