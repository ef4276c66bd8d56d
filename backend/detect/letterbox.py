"""An image into the frame that a model looks at, and its boxes back into the image.

The frame is filled as in training: the whole image, its aspect ratio kept, in the middle of an even grey. Another
padding at prediction than in training costs a model a good part of its accuracy (docs/benchmarks.md).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

GREY = 127  # what the frame of a model of our own is filled with

Boxes = NDArray[np.float32]  # (n, 4): x0, y0, x1, y1


def letterbox(
    rgb: NDArray[np.uint8], size: tuple[int, int], pad: int = GREY
) -> tuple[NDArray[np.uint8], float, int, int]:
    """Return (canvas, scale, dx, dy) for a uint8 RGB image (height, width, 3).

    size: (width, height) of the canvas. A point (x, y) of the image lies at (x * scale + dx, y * scale + dy) on the
    canvas; pixels are half-open there and here.
    """
    height, width = rgb.shape[:2]
    wide, high = size
    scale = min(wide / width, high / height)
    inner = min(wide, max(1, round(width * scale))), min(high, max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    dx, dy = (wide - inner[0]) // 2, (high - inner[1]) // 2
    canvas = np.full((high, wide, 3), pad, np.uint8)
    canvas[dy : dy + inner[1], dx : dx + inner[0]] = cv2.resize(rgb, inner, interpolation=how)
    return canvas, scale, dx, dy


def unletterbox(boxes: Boxes, scale: float, dx: float, dy: float, width: int, height: int) -> Boxes:
    """Return boxes of a canvas in pixels of the image, clipped to its width and height.

    A box that lies in the padding alone comes back without area.
    """
    moved = (boxes.reshape(-1, 4).astype(np.float32) - np.array([dx, dy, dx, dy], np.float32)) / np.float32(scale)
    return np.clip(moved, 0, np.array([width, height, width, height], np.float32)).astype(np.float32)
