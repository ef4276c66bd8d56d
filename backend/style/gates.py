"""What must hold of an engine before it may touch labelled pictures, as numbers.

The measures are those of docs/style.md: a picture's style is the mean and deviation of an ImageNet network's channels
(Huang & Belongie 2017, section 5), its structure its edges. Pictures are uint8 RGB of one size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.style.base import Floats, Rgb, StyleCode

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
SLACK = 0.02  # by which a step of alpha may lead away from the style and still count as towards it


@dataclass(frozen=True, slots=True)
class Gate:
    """One demand and how it was met. value and bound in the measure's own unit; least: the bound is a minimum."""

    name: str
    value: float
    bound: float
    least: bool
    meaning: str

    @property
    def passed(self) -> bool:
        """Whether it was met; a value that is no number never is."""
        return bool(self.value >= self.bound if self.least else self.value <= self.bound)


@dataclass(frozen=True, slots=True)
class Pair:
    """What one content in one style came out as. distances: R at each of ALPHAS."""

    psnr: float
    distances: tuple[float, ...]
    edges_half: float
    edges_full: float
    shift: float


def psnr(a: Rgb, b: Rgb) -> float:
    """Return the peak signal-to-noise ratio in dB; 99 where the pictures are equal."""
    error = float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))
    return 99.0 if error == 0 else min(99.0, 10 * float(np.log10(255**2 / error)))


def style_distance(a: StyleCode, b: StyleCode) -> tuple[float, ...]:
    """Return, per tap, the squared distance of means and of deviations: codes of the compact engine."""
    distances = [float(np.mean((x - y) ** 2)) for x, y in zip(a.arrays, b.arrays, strict=True)]
    return tuple(mean + deviation for mean, deviation in zip(distances[::2], distances[1::2], strict=True))


def remaining(painted: StyleCode, content: StyleCode, style: StyleCode) -> float:
    """Return R: how much of the distance from content to style is left, mean over taps; 1 nothing done, 0 all."""
    left, whole = style_distance(painted, style), style_distance(content, style)
    return float(np.mean([a / max(b, 1e-12) for a, b in zip(left, whole, strict=True)]))


def edges(rgb: Rgb, blur: float = 0.0) -> Floats:
    """Return the strength of edges (height, width): Sobel's gradient of the luma."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    strength = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return np.asarray(cv2.GaussianBlur(strength, (0, 0), blur) if blur else strength, np.float32)


def edge_correlation(a: Rgb, b: Rgb) -> float:
    """Return the correlation of two pictures' edges, -1..1; 0 where one has none."""
    x, y = (edges(one).ravel() for one in (a, b))
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / scale if scale else 0.0


def shift(a: Rgb, b: Rgb) -> float:
    """Return by how many pixels `b` lies beside `a`: the peak of the circular cross-correlation of blurred edges."""
    x, y = (edges(one, blur=1.5) for one in (a, b))
    spectrum = np.fft.rfft2(x - x.mean()) * np.conj(np.fft.rfft2(y - y.mean()))
    likeness: NDArray[np.float64] = np.fft.irfft2(spectrum, s=x.shape)
    peak = np.unravel_index(int(likeness.argmax()), likeness.shape)
    steps = [min(int(at), size - int(at)) for at, size in zip(peak, likeness.shape, strict=True)]
    return float(np.hypot(steps[0], steps[1]))


def match_colours(content: Rgb, style: Rgb) -> Rgb:
    """Return the content with each channel's mean and deviation of the style (after Reinhard et al. 2001).

    It is what an engine must be better than: colours alone are no style.
    """
    pixels, wanted = content.astype(np.float32), style.astype(np.float32)
    deviation = np.maximum(pixels.std((0, 1)), 1e-3)
    moved = (pixels - pixels.mean((0, 1))) / deviation * wanted.std((0, 1)) + wanted.mean((0, 1))
    return np.asarray(np.clip(np.rint(moved), 0, 255), np.uint8)


def judge(pairs: Sequence[Pair]) -> tuple[Gate, ...]:
    """Return every gate over all pairs."""
    rows = np.array([pair.distances for pair in pairs])
    falls = (rows[:, 1:] <= rows[:, :-1] + SLACK).all(axis=1)
    full = np.array([pair.edges_full for pair in pairs])
    shifts = np.array([pair.shift for pair in pairs])
    return (
        Gate("exact at 0", min(p.psnr for p in pairs), 50, True, "alpha 0 gives the content back, dB"),
        Gate("monotone", float(falls.mean()), 0.9, True, "share of pairs whose style distance falls with alpha"),
        Gate("style", float(rows[:, -1].mean()), 0.40, False, "R(1): style distance left; colours alone leave 0.59"),
        Gate("edges", float(full.mean()), 0.5, True, "mean edge correlation with the content at alpha 1"),
        Gate("edges, worst", float(np.percentile(full, 5)), 0.3, True, "its 5th percentile"),
        Gate("edges at 0.5", float(np.mean([p.edges_half for p in pairs])), 0.7, True, "the same at alpha 0.5"),
        Gate("shift", float(np.median(shifts)), 0, False, "median shift of edges at alpha 1, pixels"),
        Gate("shift, worst", float(np.percentile(shifts, 95)), 1, False, "its 95th percentile"),
    )
