"""Matching what was read back with what was meant: same label, nearest geometry, never by position in the file."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from backend.formats.verify_expect import BoolImage, Bounds, Expected, Points, fill

NEAR = 2.0  # pixels: boxes this close are compared in full
ROUNDING = 1e-3  # pixels: manifests keep 4 decimals


class Seen(NamedTuple):
    """A region as an independent reader found it."""

    label: str
    box: Bounds
    rings: Sequence[Points] = ()
    mask: BoolImage | None = None
    flags: frozenset[str] = frozenset()


class Outcome(NamedTuple):
    """What matching one image gave: regions matched, their largest error in pixels, what is wrong."""

    matched: int
    error: float
    problems: list[str]


class _Comparisons:
    """Compares pairs of one image, each at most once."""

    def __init__(self, expected: Sequence[Expected], seen: Sequence[Seen]) -> None:
        self.expected, self.seen = expected, seen
        self._known: dict[tuple[int, int], tuple[float, str | None]] = {}

    def of(self, i: int, k: int) -> tuple[float, str | None]:
        if (i, k) not in self._known:
            self._known[i, k] = compare(self.expected[i], self.seen[k])
        return self._known[i, k]


def match(expected: Sequence[Expected], seen: Sequence[Seen], tolerance: float) -> Outcome:
    """Match the regions of one image."""
    comparisons = _Comparisons(expected, seen)
    pairs = _in_order(comparisons, tolerance) or _nearest(comparisons)
    problems: list[str] = []
    largest = 0.0
    for i, k in pairs:
        error, remark = comparisons.of(i, k)
        largest = max(largest, error)
        name = f"region {expected[i].id} ({expected[i].label!r})"
        if error > tolerance + expected[i].slack + ROUNDING:
            problems.append(f"{name} is {error:.3g} px off")
        elif remark:
            problems.append(f"{name}: {remark}")
        if expected[i].flags != seen[k].flags:
            told = ", ".join(sorted(expected[i].flags ^ seen[k].flags))
            problems.append(f"{name}: {told} is told differently")
    met, taken = {i for i, _ in pairs}, {k for _, k in pairs}
    lost = [e for i, e in enumerate(expected) if i not in met and not e.optional]
    strange = [s for k, s in enumerate(seen) if k not in taken]
    return Outcome(len(pairs), largest, problems + _unmatched(lost, strange, tolerance))


def _unmatched(lost: list[Expected], strange: list[Seen], tolerance: float) -> list[str]:
    problems: list[str] = []
    for e in lost:
        twin = next((s for s in strange if _box_error(e, s) <= tolerance + e.slack + ROUNDING), None)
        if twin is not None:
            strange.remove(twin)
            problems.append(f"region {e.id} is labelled {twin.label!r} instead of {e.label!r}")
        else:
            problems.append(f"region {e.id} ({e.label!r}) is missing")
    return problems + [f"a {s.label!r} at {_place(s.box)} was not meant" for s in strange]


def _place(box: Bounds) -> str:
    return ", ".join(f"{side:.1f}" for side in box)


def _box_error(e: Expected, s: Seen) -> float:
    return max(abs(a - b) for a, b in zip(e.box, s.box, strict=True))


def _in_order(comparisons: _Comparisons, tolerance: float) -> list[tuple[int, int]]:
    """Return the pairing by position where it proves itself region by region, else nothing."""
    expected, seen = comparisons.expected, comparisons.seen
    if len(expected) != len(seen):
        return []
    for k, (e, s) in enumerate(zip(expected, seen, strict=True)):
        if e.label != s.label or _box_error(e, s) > tolerance:
            return []
        error, remark = comparisons.of(k, k)
        if error > tolerance or remark:
            return []
    return [(k, k) for k in range(len(expected))]


def _nearest(comparisons: _Comparisons) -> list[tuple[int, int]]:
    """Return pairs of equal label, the closest first."""
    costs: list[tuple[float, int, int]] = []
    for i, e in enumerate(comparisons.expected):
        for k, s in enumerate(comparisons.seen):
            if e.label == s.label:
                cost = _box_error(e, s)
                if cost <= NEAR:
                    error, remark = comparisons.of(i, k)
                    cost = max(cost, error) + (NEAR if remark else 0.0)
                costs.append((cost, i, k))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, k in sorted(costs):
        if i not in pairs and k not in taken:
            pairs[i] = k
            taken.add(k)
    return sorted(pairs.items())


def compare(e: Expected, s: Seen) -> tuple[float, str | None]:
    """Return the largest error in pixels between what was meant and what was found, and what else differs."""
    if e.rule in {"corners", "vertices", "cover", "outline"} and not s.rings:
        return _box_error(e, s), "its outline is missing"
    match e.rule:
        case "corners":
            return _corner_error(e.rings[0], s.rings[0]), None
        case "vertices":
            return max(_box_error(e, s), _outline_error(e.rings, s.rings)), None
        case "cover":
            return max(_cover_errors(np.concatenate(e.rings), s.rings[0])), None
        case "outline":
            return _box_error(e, s), _filled_remark(e, s.rings)
        case _:
            return _box_error(e, s), _mask_remark(e, s)


def _corner_error(meant: Points, found: Points) -> float:
    return float(np.abs(meant - found).max()) if meant.shape == found.shape else math.inf


def _outline_error(meant: Sequence[Points], found: Sequence[Points]) -> float:
    """Return how far any vertex lies from the nearest of the other outline, both ways.

    A difference in area counts as a strip along the outline, so that vertices in another order are no match.
    """
    a, b = np.concatenate(meant), np.concatenate(found)
    distances = np.hypot(*(a[:, None, :] - b[None, :, :]).transpose(2, 0, 1))
    length = sum(float(np.hypot(*(ring - np.roll(ring, -1, axis=0)).T).sum()) for ring in meant)
    strip = abs(sum(map(_area, meant)) - sum(map(_area, found))) / length
    return max(float(distances.min(axis=0).max()), float(distances.min(axis=1).max()), strip)


def _area(ring: Points) -> float:
    (x, y), (ahead_x, ahead_y) = ring.T, np.roll(ring, -1, axis=0).T
    return abs(float((x * ahead_y - ahead_x * y).sum())) / 2


def _cover_errors(points: Points, quad: Points) -> tuple[float, float]:
    """Return how far a rotated box leaves a point out, and how much larger it is than the smallest one, in pixels."""
    import shapely

    found, hull = shapely.Polygon(quad), shapely.MultiPoint(points).convex_hull
    left_out = float(shapely.distance(shapely.points(shapely.get_coordinates(hull)), found).max())
    return left_out, float(found.area - shapely.minimum_rotated_rectangle(hull).area) / float(found.length)


def _filled_remark(e: Expected, rings: Sequence[Points]) -> str | None:
    if e.mask is None:
        return None
    height, width = e.mask.shape
    wrong = int((fill(list(rings), width, height) != e.mask).sum())
    return f"its outline differs from its mask in {wrong} pixels" if wrong else None


def _mask_remark(e: Expected, s: Seen) -> str | None:
    meant, found = e.mask, s.mask
    if meant is None or found is None:
        empty = meant is None or not meant.any(), found is None or not found.any()
        return None if all(empty) else "its mask is missing" if empty[1] else "has a mask that was not meant"
    if meant.shape != found.shape:
        return f"its mask is {found.shape[1]} x {found.shape[0]} pixels"
    wrong = _clear_of(e.edges, np.argwhere(meant != found)[:, ::-1].astype(np.float64) + 0.5)
    return f"its mask differs in {wrong} pixels" if wrong else None


def _clear_of(edges: Sequence[Points], centres: Points) -> int:
    """Return how many pixel centres lie clear of all outlines: rounding cannot have put them on the wrong side."""
    import shapely

    if not len(centres) or not edges:
        return len(centres)
    lines = shapely.union_all([shapely.LinearRing(ring) for ring in edges])
    return int((shapely.distance(shapely.points(centres), lines) > ROUNDING).sum())
