"""What is kept of a content when it is painted: its colours, or its objects."""

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.style.base import Floats, Rgb

BoolImage = NDArray[np.bool_]

# ITU-R BT.601: luma, and two colour differences that are no luma.
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]],
    np.float32,
)
_FROM_YCC = np.linalg.inv(_TO_YCC).astype(np.float32)


def keep_colour(content: Rgb, painted: Rgb) -> Rgb:
    """Return the painted picture's luma with the content's colour differences (Gatys et al. 2016, luminance only)."""
    out = np.empty_like(content)
    for top in range(0, len(content), 256):  # in strips: float copies of a large picture are large
        rows = slice(top, top + 256)
        ours = cv2.transform(content[rows].astype(np.float32), _TO_YCC)
        ours[..., 0] = cv2.transform(painted[rows].astype(np.float32), _TO_YCC)[..., 0]
        out[rows] = np.clip(np.rint(cv2.transform(ours, _FROM_YCC)), 0, 255).astype(np.uint8)
    return out


def feathered(mask: BoolImage, width: float) -> Floats:
    """Return how much each pixel belongs to the objects, 0..1, going over within about `width` pixels of the edge."""
    soft = mask.astype(np.float32)
    if width <= 0 or mask.all() or not mask.any():
        return soft
    return np.asarray(cv2.GaussianBlur(soft, (0, 0), width / 2, borderType=cv2.BORDER_REPLICATE), np.float32)


def mix(background: Rgb, objects: Rgb, share: Floats) -> Rgb:
    """Return `objects` where `share` (height, width) is 1, `background` where it is 0, mixtures between."""
    out = np.empty_like(background)
    for top in range(0, len(background), 256):
        rows = slice(top, top + 256)
        part = share[rows, :, None]
        mixed = background[rows] * (1 - part) + objects[rows] * part
        out[rows] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return out
