"""Adaptive instance normalisation (Huang & Belongie 2017, equation 5), for any network that encodes and decodes.

`AdaIN(x, y) = sigma(y) * (x - mu(x)) / sigma(x) + mu(y)` is a gain and a shift per channel, and so is its mixture with
the content, `(1 - alpha) * x + alpha * AdaIN(x, y)`: decoders take the two numbers and the content's own maps.

What a decoder cannot reproduce is put back ("residual correction"): `out = D(t) + (1 - alpha) * (content - D(x))`, so
that strength 0 is the content to the bit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend.style.base import Floats, Rgb, StyleCode, check_alpha
from backend.style.tiles import Tile, framed, tiles

Maps = tuple[Floats, ...]  # (channels, height, width) each
Affines = tuple[tuple[Floats, Floats], ...]  # gain and shift per map, (channels,) each

EPSILON = 1e-5  # added to variances: a picture of one colour has none


class Network(Protocol):
    """What AdaIN needs of a network.

    grid: sides of what it encodes are multiples of it; reach: how far away (pixels) a pixel may change another;
    side: the largest tile it should be given.
    """

    name: str
    version: str
    grid: int
    reach: int
    side: int

    def encode(self, rgb: Rgb) -> Maps:
        """Return the maps of a picture."""

    def decode(self, maps: Maps, affines: Affines, detail: float) -> Floats:
        """Return the picture (height, width, 3), 0..255 and beyond, of maps with a gain and a shift each."""


@dataclass(slots=True)
class Moments:
    """Sums over a map's pixels, per channel; tiles add up."""

    count: int
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]

    def statistics(self) -> tuple[Floats, Floats]:
        """Return mean and standard deviation, (channels,) each."""
        mean = self.sums / self.count
        variance = np.maximum(self.squares / self.count - mean**2, 0)
        return mean.astype(np.float32), np.sqrt(variance + EPSILON).astype(np.float32)


@dataclass(slots=True)
class Looked:
    """A content that was looked at. maps, plain: what was encoded and how it decodes, where one tile is enough."""

    rgb: Rgb
    statistics: tuple[tuple[Floats, Floats], ...]
    maps: Maps | None = None
    plain: dict[float, Floats] | None = None


class AdainEngine:
    """An engine out of a network: tiles, mixing, residual correction."""

    def __init__(self, network: Network) -> None:
        self.name, self.version = network.name, network.version
        self._net = network

    def style(self, rgb: Rgb) -> StyleCode:
        """Return mean and standard deviation of every map, alternating."""
        return StyleCode(tuple(array for pair in self._look(rgb)[0] for array in pair))

    def content(self, rgb: Rgb) -> Looked:
        """Look at a content: statistics over the whole of it, however many tiles it takes."""
        statistics, maps = self._look(rgb)
        return Looked(rgb, statistics, maps, {} if maps else None)

    def paint(self, content: Looked, style: StyleCode, alpha: float, detail: float = 1.0) -> Rgb:
        """Return the content in the style; see `Engine.paint`."""
        if check_alpha(alpha) == 0:
            return content.rgb.copy()
        affines = _mixed(content.statistics, style, alpha)
        out = np.empty_like(content.rgb)
        for tile in self._tiles(content.rgb):
            maps = content.maps or self._net.encode(framed(content.rgb, tile, self._net.grid))
            painted = tile.inner(self._net.decode(maps, affines, detail))
            if alpha < 1:
                lost = tile.cut(content.rgb) - tile.inner(self._plain(content, maps, detail))
                painted = painted + np.float32(1 - alpha) * lost
            tile.cut(out)[...] = np.clip(np.rint(painted), 0, 255).astype(np.uint8)
        return out

    def _plain(self, content: Looked, maps: Maps, detail: float) -> Floats:
        """Return what the decoder makes of a content as it is."""
        kept = content.plain
        if kept is None:
            return self._net.decode(maps, _still(maps), detail)
        if detail not in kept:
            kept.clear()  # a slider passes many values; only the last is worth keeping
            kept[detail] = self._net.decode(maps, _still(maps), detail)
        return kept[detail]

    def _look(self, rgb: Rgb) -> tuple[tuple[tuple[Floats, Floats], ...], Maps | None]:
        found: list[Moments] = []
        places = list(self._tiles(rgb))
        for tile in places:
            maps = self._net.encode(framed(rgb, tile, self._net.grid))
            found = _added(found, [_moments(tile.inside(one, self._net.grid)) for one in maps])
        return tuple(one.statistics() for one in found), maps if len(places) == 1 else None

    def _tiles(self, rgb: Rgb) -> Iterator[Tile]:
        return tiles(rgb.shape[0], rgb.shape[1], self._net.side, self._net.reach, self._net.grid)


def mixed_affine(content: tuple[Floats, Floats], style: tuple[Floats, Floats], alpha: float) -> tuple[Floats, Floats]:
    """Return gain and shift of equation 5 at a strength: `x * gain + shift = (1 - alpha) x + alpha AdaIN(x, y)`."""
    (mean, deviation), (style_mean, style_deviation) = content, style
    ratio = style_deviation / deviation
    gain = (1 - alpha) + alpha * ratio
    return gain.astype(np.float32), (alpha * (style_mean - mean * ratio)).astype(np.float32)


def _mixed(statistics: Sequence[tuple[Floats, Floats]], style: StyleCode, alpha: float) -> Affines:
    pairs = zip(style.arrays[::2], style.arrays[1::2], strict=True)
    return tuple(mixed_affine(one, pair, alpha) for one, pair in zip(statistics, pairs, strict=True))


def _still(maps: Maps) -> Affines:
    return tuple((np.ones(len(m), np.float32), np.zeros(len(m), np.float32)) for m in maps)


def _moments(one: Floats) -> Moments:
    flat = one.reshape(len(one), -1)
    return Moments(flat.shape[1], flat.sum(1, dtype=np.float64), np.einsum("cp,cp->c", flat, flat, dtype=np.float64))


def _added(before: list[Moments], more: list[Moments]) -> list[Moments]:
    if not before:
        return more
    return [
        Moments(a.count + b.count, a.sums + b.sums, a.squares + b.squares) for a, b in zip(before, more, strict=True)
    ]
