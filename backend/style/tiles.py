"""Large pictures in pieces that show no seam: each is painted with so much around it that nothing further matters.

A picture is thought of as reflected at its edges, as far as the network's grid asks for; the piece is cut off again,
so that what comes out has exactly the size of what went in.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from backend.style.base import Rgb

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Tile:
    """A piece of a picture: rows y0..y1 and columns x0..x1 are painted, out of the wider box that is looked at.

    The wider box, (top, left, bottom, right), begins on the grid and may stick out below and to the right, where the
    picture goes on as its own reflection.
    """

    y0: int
    x0: int
    y1: int
    x1: int
    box: tuple[int, int, int, int]

    def cut(self, image: NDArray[T]) -> NDArray[T]:
        """Return this piece of an image of the whole size, as a view."""
        return image[self.y0 : self.y1, self.x0 : self.x1]

    def inner(self, painted: NDArray[T]) -> NDArray[T]:
        """Return this piece of what was made of the wider box."""
        top, left = self.y0 - self.box[0], self.x0 - self.box[1]
        return painted[top : top + self.y1 - self.y0, left : left + self.x1 - self.x0]

    def inside(self, one: NDArray[T], grid: int) -> NDArray[T]:
        """Return this piece of a map (channels, height, width) of the wider box; at least one pixel."""
        stride = (self.box[2] - self.box[0]) // one.shape[1]
        top, left = (self.y0 - self.box[0]) // stride, (self.x0 - self.box[1]) // stride
        height, width = -(-(self.y1 - self.y0) // stride), -(-(self.x1 - self.x0) // stride)
        return one[:, top : top + height, left : left + width]


def tiles(height: int, width: int, side: int, reach: int, grid: int) -> Iterator[Tile]:
    """Yield pieces that cover a picture, each once; one piece if no side is over `side` by much.

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        side: the longest side of a piece; a multiple of `grid`.
        reach: how many pixels around a piece are looked at; a multiple of `grid`.
        grid: wider boxes begin and end on multiples of it.
    """
    for y0, y1, top, bottom in _spans(height, side, reach, grid):
        for x0, x1, left, right in _spans(width, side, reach, grid):
            yield Tile(y0, x0, y1, x1, (top, left, bottom, right))


def _spans(length: int, side: int, reach: int, grid: int) -> Iterator[tuple[int, int, int, int]]:
    whole = max(-(-length // grid), 2) * grid  # reflection at the coarsest map needs two pixels there
    step = side if whole > side + reach else whole
    for begin in range(0, whole, step):
        end = min(begin + step, whole)
        if begin < length:
            yield begin, min(end, length), max(begin - reach, 0), min(end + reach, whole)


def framed(rgb: Rgb, tile: Tile, grid: int) -> Rgb:
    """Return what a piece is painted from; at least two grid steps a side, which is what reflection needs."""
    top, left, bottom, right = tile.box
    part = rgb[top:bottom, left:right]
    down, across = bottom - top - part.shape[0], right - left - part.shape[1]
    if down or across:
        rows = _reflected(part.shape[0], bottom - top)
        columns = _reflected(part.shape[1], right - left)
        part = part[rows][:, columns]
    return np.ascontiguousarray(part)


def _reflected(length: int, wanted: int) -> NDArray[np.intp]:
    """Return indices that go through 0..length-1 and back again until there are enough."""
    if length == 1:
        return np.zeros(wanted, np.intp)
    there = np.arange(length)
    return np.resize(np.concatenate([there, there[-2:0:-1]]), wanted)
