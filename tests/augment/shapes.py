"""Pictures whose pixels show where a region must be: one shape per colour channel, on black."""

import numpy as np

from backend.core.geometry import Points
from backend.imaging.raster import polygon_mask

WIDTH, HEIGHT = 480, 360
OUTLINES: tuple[Points, ...] = (
    np.array([[120.0, 80], [240, 80], [240, 180], [120, 180]]),
    np.array([[300.0, 120], [410, 180], [344, 280], [268, 236]]),
    np.array([[80.0, 216], [184, 216], [184, 300], [132, 264], [80, 300]]),
)


def picture(outlines: tuple[Points, ...] = OUTLINES, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Return the picture, (height, width, 3) uint8: channel i is 255 inside outline i."""
    channels = [polygon_mask([ring], width, height) for ring in outlines]
    return np.ascontiguousarray(np.stack(channels, axis=-1).astype(np.uint8) * 255)


def seen(rgb: np.ndarray, index: int) -> np.ndarray:
    """Return the pixels where shape `index` is seen, (height, width) bool."""
    return rgb[:, :, index] > 127


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return the intersection over union of two masks."""
    return float((a & b).sum() / max((a | b).sum(), 1))
