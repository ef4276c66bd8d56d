"""Is this picture there already? Exact by file and pixels, near by two perceptual hashes, in columns of numbers."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

NEAR = 8  # bits in which both hashes of near-duplicates may differ
MOST = 8  # look-alikes that are compared pixel by pixel
_FIRST = 1024
_NEVER = 1000


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What identifies a picture.

    sha256: of the file. pixels: sha256 of shape and decoded pixels, None where unknown. phash, dhash: 64 bit. flat:
    too plain to be compared by looks. name: what people call it (`rank 3 of openverse`, `task 41`).
    """

    sha256: str
    pixels: str | None
    phash: int
    dhash: int
    flat: bool
    name: str


Relation = Literal["file", "pixels", "near"]


@dataclass(frozen=True, slots=True)
class Match:
    """A picture that is there already. index: its place in the order of adding."""

    index: int
    relation: Relation


class Index:
    """All pictures so far, some 250 bytes each; a look at 100,000 of them takes well under a millisecond."""

    def __init__(self) -> None:
        self._exact: dict[bytes, int] = {}
        self._pixels: dict[int, str] = {}
        self._phash: NDArray[np.uint64] = np.zeros(_FIRST, np.uint64)
        self._dhash: NDArray[np.uint64] = np.zeros(_FIRST, np.uint64)
        self._place: NDArray[np.int64] = np.zeros(_FIRST, np.int64)
        self._used = 0
        self.count = 0

    def add(self, print_: Fingerprint, *also: str) -> int:
        """Take a picture in and return its place, from 0; also: further sha256 of the same picture."""
        place = self.count
        self.count += 1
        for digest in (print_.sha256, print_.pixels, *also):
            if digest:
                self._exact.setdefault(bytes.fromhex(digest), place)
        if print_.pixels:
            self._pixels[place] = print_.pixels
        if not print_.flat:
            self._append(print_.phash, print_.dhash, place)
        return place

    def find(self, print_: Fingerprint, *also: str) -> Match | None:
        """Return the picture of which this is the same file, or has the same pixels as far as they are known."""
        for digest in (print_.sha256, *also):
            if (place := self._exact.get(bytes.fromhex(digest))) is not None:
                return Match(place, "file")
        if print_.pixels and (place := self._exact.get(bytes.fromhex(print_.pixels))) is not None:
            return Match(place, "pixels")
        return None

    def alike(self, print_: Fingerprint) -> list[int]:
        """Return the places of pictures that look nearly the same, the nearest first, at most `MOST`; none if flat."""
        p = np.bitwise_count(self._phash[: self._used] ^ np.uint64(print_.phash))
        close = np.flatnonzero(p <= NEAR)
        if print_.flat or not close.size:
            return []
        d = np.bitwise_count(self._dhash[close] ^ np.uint64(print_.dhash))
        both = np.where(d <= NEAR, p[close].astype(np.int64) + d, _NEVER)
        order = np.argsort(both, kind="stable")[:MOST]
        return [int(place) for place in self._place[close[order[both[order] < _NEVER]]]]

    def pixels(self, place: int) -> str | None:
        """Return the sha256 of a picture's pixels, where it was given."""
        return self._pixels.get(place)

    def _append(self, phash: int, dhash: int, place: int) -> None:
        if self._used == self._phash.size:
            self._phash, self._dhash, self._place = (
                np.concatenate([column, np.zeros_like(column)]) for column in (self._phash, self._dhash, self._place)
            )
        self._phash[self._used], self._dhash[self._used], self._place[self._used] = phash, dhash, place
        self._used += 1
