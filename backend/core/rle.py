"""Binary masks as COCO run lengths (column-major, background first), and their plain facts."""

import numpy as np
from numpy.typing import NDArray

from backend.core.model import Box, Mask

BoolImage = NDArray[np.bool_]


def encode(mask: BoolImage) -> Mask:
    """Return the run lengths of a (height, width) boolean array."""
    height, width = mask.shape
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate(([0], edges, [flat.size]))
    counts = np.diff(bounds).tolist()
    return Mask(width, height, tuple([0, *counts] if flat[0] else counts))


def decode(mask: Mask) -> BoolImage:
    """Return the (height, width) boolean array."""
    values = np.arange(len(mask.counts)) % 2 == 1
    return np.repeat(values, mask.counts).reshape((mask.height, mask.width), order="F")


def area(mask: Mask) -> int:
    """Return the number of pixels set."""
    return sum(mask.counts[1::2])


def bounds(mask: Mask) -> Box | None:
    """Return the tight box around the pixels set, or None for an empty mask."""
    pixels = decode(mask)
    columns, rows = np.flatnonzero(pixels.any(axis=0)), np.flatnonzero(pixels.any(axis=1))
    if not columns.size:
        return None
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
