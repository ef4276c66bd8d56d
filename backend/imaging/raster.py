"""Shapes <-> pixels. Pixel (column i, row j) belongs to a shape when its centre (i + 0.5, j + 0.5) lies inside."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend.core.geometry import Points

BoolImage = NDArray[np.bool_]  # shape (height, width)


def polygon_mask(rings: Sequence[Points], width: int, height: int) -> BoolImage:
    """Return the pixels whose centre lies in any of the rings (even-odd within one ring), shape (height, width).

    Left and top edges belong to a shape, right and bottom edges do not: shapes that share an edge never share a pixel.
    Rings may reach beyond the frame.
    """
    mask = np.zeros((height, width), dtype=bool)
    for ring in rings:
        _fill(mask, np.asarray(ring, dtype=float))
    return mask


def _fill(mask: BoolImage, ring: Points) -> None:
    height, width = mask.shape
    # A ring's outline crosses the line through a row's pixel centres an even number of times; every crossing
    # flips all pixels to its right.
    low = np.minimum(ring, np.roll(ring, -1, axis=0))
    high = np.maximum(ring, np.roll(ring, -1, axis=0))
    first = np.clip(np.ceil(low[:, 1] - 0.5), 0, height).astype(np.intp)
    stop = np.clip(np.ceil(high[:, 1] - 0.5), 0, height).astype(np.intp)
    count = stop - first
    if not count.any():
        return
    top, bottom = int(first[count > 0].min()), int(stop.max())
    left = int(np.clip(np.ceil(ring[:, 0].min() - 0.5), 0, width))
    right = int(np.clip(np.ceil(ring[:, 0].max() - 0.5), 0, width))
    if left >= right:
        return
    edge = np.repeat(np.arange(len(ring)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    (x0, y0), (x1, y1) = ring[edge].T, np.roll(ring, -1, axis=0)[edge].T
    x = x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
    column = np.clip(np.ceil(x - 0.5), left, right).astype(np.intp) - left
    flips = np.zeros((bottom - top, right - left + 1), dtype=np.uint8)
    np.bitwise_xor.at(flips, (row - top, column), 1)
    inside = np.bitwise_xor.accumulate(flips[:, :-1], axis=1).astype(bool)
    mask[top:bottom, left:right] |= inside


def mask_polygon(mask: BoolImage) -> list[Points]:
    """Return the outlines of a mask's connected parts along pixel edges, each of shape (n, 2), largest first.

    `polygon_mask` of them gives the mask back, except that holes are filled: our polygons have none. Pixels that
    touch at a corner only are separate parts.
    """
    corner, heading, following = _boundary(mask)
    columns = mask.shape[1] + 1
    rings: list[tuple[float, Points]] = []
    seen = bytearray(len(following))
    for first in range(len(following)):
        if seen[first]:
            continue
        edge, turns = first, []
        while not seen[edge]:
            seen[edge] = 1
            after = following[edge]
            if heading[after] != heading[edge]:
                turns.append(corner[after])
            edge = after
        y, x = np.divmod(np.array(turns), columns)
        signed = float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
        if signed > 0:  # clockwise on the screen: an outer ring; holes run the other way
            rings.append((signed, np.stack([x, y], axis=1).astype(float)))
    return [ring for _, ring in sorted(rings, key=lambda item: -item[0])]


def _boundary(mask: BoolImage) -> tuple[list[int], list[int], list[int]]:
    """Return the pixel edges around a mask: where each starts (corner number), its heading, and its successor.

    Headings 0 to 3 are east, south, west, north; the mask lies to the right of each edge. Corner (x, y) has number
    y * (width + 1) + x. Where two parts touch at a corner, the edge turns right, back to its own part.
    """
    height, width = mask.shape
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    outgoing = np.zeros((4, height + 1, width + 1), dtype=bool)
    outgoing[0, :-1, :-1] = inside & ~padded[:-2, 1:-1]
    outgoing[1, :-1, 1:] = inside & ~padded[1:-1, 2:]
    outgoing[2, 1:, 1:] = inside & ~padded[2:, 1:-1]
    outgoing[3, 1:, :-1] = inside & ~padded[1:-1, :-2]
    flat = outgoing.reshape(4, -1)
    heading, corner = np.nonzero(flat)
    end = corner + np.array([1, width + 1, -1, -(width + 1)])[heading]
    right, left = (heading + 1) % 4, (heading - 1) % 4
    then = np.where(flat[right, end], right, np.where(flat[heading, end], heading, left))
    size = flat.shape[1]
    following = np.searchsorted(heading * size + corner, then * size + end)
    return corner.tolist(), heading.tolist(), following.tolist()
