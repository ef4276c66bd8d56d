"""Pictures made smaller, or square; a picture that is small already stays as it is."""

import cv2
import numpy as np

from backend.style.base import Rgb

STYLE_SIDE = 512  # pixels; the shorter side at which larger styles are looked at: beyond it strokes only grow


def square(rgb: Rgb, side: int) -> Rgb:
    """Return the middle of a picture as `side` x `side` pixels."""
    height, width = rgb.shape[:2]
    shorter = min(height, width)
    top, left = (height - shorter) // 2, (width - shorter) // 2
    return _resized(rgb[top : top + shorter, left : left + shorter], side, side)


def longer_at_most(rgb: Rgb, side: int) -> Rgb:
    """Return a picture whose longer side is at most `side` pixels."""
    return _scaled(rgb, side / max(rgb.shape[:2]))


def usual_size(rgb: Rgb) -> Rgb:
    """Return a style picture whose shorter side is at most `STYLE_SIDE` pixels."""
    return _scaled(rgb, STYLE_SIDE / min(rgb.shape[:2]))


def _scaled(rgb: Rgb, factor: float) -> Rgb:
    if factor >= 1:
        return rgb
    height, width = rgb.shape[:2]
    return _resized(rgb, max(1, round(width * factor)), max(1, round(height * factor)))


def _resized(rgb: Rgb, width: int, height: int) -> Rgb:
    way = cv2.INTER_AREA if width < rgb.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(rgb), (width, height), interpolation=way), np.uint8)
