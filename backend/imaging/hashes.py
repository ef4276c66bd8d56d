"""Fingerprints of images: of the bytes, of the pixels, and of what the picture looks like.

The two perceptual hashes are 64 bit: pHash (Zauner 2010: signs of the lowest cosine frequencies against their
median) and dHash (Krawetz 2013: is a pixel brighter than its left neighbour). Neither alone is safe - plain skies and
studio backgrounds collide - so two images count as near-duplicates only where both agree, and flat ones never.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.core.forest import Forest

FLAT = 4.0  # standard deviation of the gray levels (0-255) of the thumbnail below which a picture shows nothing

_LARGE = 256  # pixels of the shorter side
_ROWS, _COLUMNS = 64, 4096  # a tile of distances stays within the processor's cache


@dataclass(frozen=True, slots=True)
class Perceptual:
    """What a picture looks like: two 64-bit hashes, and whether it is too flat to be compared at all."""

    phash: int
    dhash: int
    flat: bool


def sha256(data: bytes) -> str:
    """Return the sha256 of bytes as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def pixel_hash(rgb: NDArray[np.uint8]) -> str:
    """Return the sha256 of an image's shape and pixels: equal for the same picture in another file format."""
    height, width = rgb.shape[:2]
    found = hashlib.sha256(f"{width}x{height}:".encode())
    found.update(np.ascontiguousarray(rgb).data)
    return found.hexdigest()


def perceptual(rgb: NDArray[np.uint8]) -> Perceptual:
    """Return the perceptual hashes of a uint8 RGB image; size and mild compression hardly change them."""
    return perceptual_gray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False))


def perceptual_gray(gray: NDArray[np.uint8]) -> Perceptual:
    """Return the perceptual hashes of gray levels, shape (height, width)."""
    thumbnail = cv2.resize(_halved(gray), (32, 32), interpolation=cv2.INTER_AREA)
    frequencies: NDArray[np.float32] = cv2.dct(thumbnail.astype(np.float32))[:8, :8].astype(np.float32)
    steps = cv2.resize(thumbnail, (9, 8), interpolation=cv2.INTER_AREA)
    return Perceptual(
        _pack(frequencies > np.median(frequencies)), _pack(steps[:, 1:] > steps[:, :-1]), float(thumbnail.std()) < FLAT
    )


def _halved(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture halved while it is large: exact halves are averaged many times faster than odd fractions."""
    while min(gray.shape) >= _LARGE:
        height, width = gray.shape[0] // 2, gray.shape[1] // 2
        half = cv2.resize(gray[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
        gray = half.astype(np.uint8, copy=False)
    return gray


def _pack(bits: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_pairs(
    phash: NDArray[np.uint64],
    dhash: NDArray[np.uint64],
    flat: NDArray[np.bool_],
    distance: int,
    keys: NDArray[np.int64] | None = None,
) -> Iterator[tuple[int, int]]:
    """Yield pairs (a, b), a < b, that link all near-duplicates: both hashes differ in at most `distance` bits.

    Images that earlier pairs already link are not paired again, so n frames of one scene give n - 1 pairs, not n
    squared. Given `keys`, images whose keys differ are not paired; -1 is no key. Memory is bounded: never n x n.
    """
    active = np.flatnonzero(~flat)
    p, d = phash[active].astype(np.uint64), dhash[active].astype(np.uint64)
    k = None if keys is None else keys[active]
    forest = Forest(active.size)
    roots = forest.roots()
    for top in range(0, active.size, _ROWS):
        rows = slice(top, min(top + _ROWS, active.size))
        for left in range(top, active.size, _COLUMNS):
            columns = slice(left, min(left + _COLUMNS, active.size))
            near = np.bitwise_count(p[rows, None] ^ p[None, columns]) <= distance
            near &= roots[rows, None] != roots[None, columns]
            if not near.any():
                continue
            near &= np.bitwise_count(d[rows, None] ^ d[None, columns]) <= distance
            if k is not None:
                near &= (k[rows, None] == k[None, columns]) | (k[rows, None] < 0) | (k[None, columns] < 0)
            while near.any():
                for a, b in _some_links(near):
                    if forest.join(top + a, left + b):
                        yield _ordered(int(active[top + a]), int(active[left + b]))
                roots = forest.roots()
                near &= roots[rows, None] != roots[None, columns]


def _some_links(near: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the first hit of every row and column: enough to make progress, and never more than the sides' sum."""
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    yield from zip(rows.tolist(), near[rows].argmax(axis=1).tolist(), strict=True)
    yield from zip(near[:, columns].argmax(axis=0).tolist(), columns.tolist(), strict=True)


def _ordered(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)
