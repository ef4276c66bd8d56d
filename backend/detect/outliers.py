"""Labelled images in the order of how typical they are of their tag; those that a mistake may have tagged come last.

It needs no inference: a trained `similar` model holds the vector of every image that it learned from.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.detect.model_dir import check_files
from backend.detect.similar import SAME, Floats, Index, read_index, read_options

_SPREAD = (
    0.01  # cosine: the least that images of one tag are taken to differ by, so that copies do not divide by nothing
)


@dataclass(frozen=True, slots=True)
class Typical:
    """A labelled image. score: how typical it is of `tag`, 0 to 1, where 0.5 is the tag's middle image."""

    sha256: str
    tag: str
    score: float


def typical_first(folder: Path) -> list[Typical]:
    """Return a `similar` model's images with their tags, the most typical first; an image with two tags is there twice.

    An image's closeness to a tag is the mean cosine to the K most similar other images that have it, less the mean to
    the K most similar that have it not; copies of itself do not count. The score is 1 / (1 + exp(-z)), where z is how
    many spreads (1.4826 x the median distance from the median) its closeness lies above its tag's median. A tag with
    fewer than three images has no middle: its images score 0.5.

    Raises:
        UsageError: the folder holds no such model.
    """
    info = check_files(folder)
    index, neighbours = read_index(folder), read_options(info.options).neighbours
    found = []
    for number, tag in enumerate(info.tags):
        rows = np.flatnonzero(index.tagged[:, number])
        closeness = np.array([_closeness(index, row, number, neighbours) for row in rows])
        found += [Typical(index.shas[r], tag, s) for r, s in zip(rows, _scores(closeness), strict=True)]
    return sorted(found, key=lambda one: (-one.score, one.tag, one.sha256))


def _closeness(index: Index, row: int, number: int, neighbours: int) -> float:
    close = index.vectors @ index.vectors[row]
    others = close < SAME
    others[row] = False
    has = index.tagged[:, number]
    return _mean_of_most(close[others & has], neighbours) - _mean_of_most(close[others & ~has], neighbours)


def _mean_of_most(close: Floats, neighbours: int) -> float:
    return float(np.sort(close)[-neighbours:].mean()) if len(close) else 0.0


def _scores(closeness: NDArray[np.float64]) -> list[float]:
    if len(closeness) < 3:
        return [0.5] * len(closeness)
    middle = np.median(closeness)
    spread = max(_SPREAD, 1.4826 * float(np.median(np.abs(closeness - middle))))
    z = np.clip((closeness - middle) / spread, -50, 50)
    return [round(float(score), 6) for score in 1 / (1 + np.exp(-z))]
