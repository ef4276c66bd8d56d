"""Carry all regions of one image through one step: pack their points and masks, run, unpack, cut at the frame."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend.augment.ops import Rgb
from backend.augment.steps import Cargo, Outcome, Runner
from backend.augment.track import Track, clip, covered_share, inside, lower, prepare_for, snap, vanish
from backend.core.geometry import Points
from backend.imaging.raster import polygon_mask

UNSEEN = 1e-4  # a smaller covered share is rounding


def advance(runner: Runner, rgb: Rgb, tracks: Sequence[Track], seed: int) -> tuple[Outcome, tuple[Track, ...]]:
    """Run a step on an image and its regions; return what it made of both."""
    live = [track for track in tracks if not track.gone]
    if not live:
        return runner.run(rgb, None, seed), tuple(tracks)
    if runner.map:
        ready = [prepare_for(track, runner.map) for track in tracks]
        outcome = runner.run(rgb, pack(ready, rgb, with_boxes=runner.wants_boxes), seed)
        if outcome.moved is None:
            return outcome, tuple(tracks)
        return outcome, unpack(ready, outcome, runner.label)
    objects = _objects(live, rgb) if runner.wants_objects else None
    outcome = runner.run(rgb, Cargo(np.empty((0, 2)), objects=objects), seed)
    if outcome.covered is None or not outcome.covered.any():
        return outcome, tuple(tracks)
    return outcome, tuple(_occlude(track, outcome, runner.label) for track in tracks)


def _objects(tracks: Sequence[Track], rgb: Rgb) -> NDArray[np.bool_]:
    """Return the pixels that any region covers, (height, width)."""
    height, width = rgb.shape[:2]
    covered = np.zeros((height, width), bool)
    for track in tracks:
        covered |= track.pixels > 127 if track.pixels is not None else polygon_mask(track.rings, width, height)
    return covered


def _occlude(track: Track, outcome: Outcome, label: str) -> Track:
    if track.gone or outcome.covered is None:
        return track
    share = covered_share(track, outcome.covered)
    return track if share < UNSEEN else lower(track, 1 - share, "occluded", label)


def pack(tracks: Sequence[Track], rgb: Rgb, *, with_boxes: bool) -> Cargo:
    """Return all points of all regions as one array, masks as one stack and, where wanted, boxes of what remains."""
    points = [ring for track in tracks for ring in _carried(track)]
    masks = [track.pixels for track in tracks if track.pixels is not None]
    boxes = [_box(track, rgb) for track in tracks if with_boxes and not track.gone]
    return Cargo(
        np.concatenate(points) if points else np.empty((0, 2)),
        np.stack(masks) if masks else None,
        np.asarray(boxes, dtype=np.float32).reshape(-1, 5),
    )


def _carried(track: Track) -> tuple[Points, ...]:
    if track.gone:
        return ()
    return track.rings if track.full is track.rings else (*track.rings, *track.full)


def _box(track: Track, rgb: Rgb) -> list[float]:
    points, (height, width) = np.concatenate(track.rings), rgb.shape[:2]
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return [x0 / width, y0 / height, min(x1 / width, 1.0), min(y1 / height, 1.0), 0.0]


def unpack(tracks: Sequence[Track], outcome: Outcome, label: str) -> tuple[Track, ...]:
    """Return the regions with the points and masks where the step put them, cut at the frame."""
    if outcome.moved is None:
        return tuple(tracks)
    height, width = outcome.rgb.shape[:2]
    points = snap(outcome.moved.points, width, height)
    seen = inside(points, width, height)
    masks, position, out = iter(outcome.moved.masks if outcome.moved.masks is not None else ()), 0, []
    for track in tracks:
        if track.gone:
            out.append(track)
            continue
        rings, start = [], position
        for ring in _carried(track):
            rings.append(points[position : position + len(ring)])
            position += len(ring)
        now = tuple(rings[: len(track.rings)])
        full = now if track.full is track.rings else tuple(rings[len(track.rings) :])
        new = track.carried_to(now, full, None if track.pixels is None else next(masks), label)
        out.append(_settled(new, points[start:position], seen[start:position], (width, height)))
    return tuple(out)


def _settled(track: Track, points: Points, seen: NDArray[np.bool_], size: tuple[int, int]) -> Track:
    label = track.last
    if np.isnan(points).any():  # the step folded the picture over itself there
        return vanish(track, "degenerate", label)
    cut = track if seen.all() else clip(track, *size, label)
    empty = cut.pixels is not None and not cut.pixels.any()
    return vanish(cut, "frame" if cut.clipped else "degenerate", label) if empty and not cut.gone else cut
