"""One region on its way through the steps: what is left of it, and what it was before the frame cut it.

Everything travels as points, so nothing is boxed until the end: a box turned by 15 degrees and back is as tight as
before. A mask also travels as pixels; points spread over it measure how much of it is still in the frame.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.augment.motion import Map
from backend.core import rle
from backend.core.geometry import Points, area, clip_convex, clip_rings, outline, ring_area
from backend.core.ledger import Reason
from backend.core.model import Box, Keypoint, Mask, Region, RotatedBox

NOISE = 0.01  # pixels: float32 noise of the library; less than this beyond the frame is not beyond it
SLIVER = 0.02  # of an object: so little, and thinner than half a pixel, is not to be seen
SAMPLES = 4096  # points spread over a mask
Pixels = NDArray[np.uint8]  # shape (height, width), 0 or 255


@dataclass(frozen=True, slots=True)
class Track:
    """A region's state after some steps.

    rings: what remains, inside the frame: outlines; for a mask points spread over it, for a keypoint the point.
    full: the outline as if no frame had cut it since the last non-affine step; for a mask its convex hull.
    pixels: a mask's pixels. fill: its area over that of its hull (1 for other shapes).
    visibility: fraction of the original still to be seen. inside: the same, not counting what was painted over.
    affine: only affine steps so far.
    reason, step: what took most of it so far, by `worst` of its area. last: the last step that moved it.
    """

    region: Region
    rings: tuple[Points, ...]
    full: tuple[Points, ...]
    pixels: Pixels | None = None
    fill: float = 1.0
    visibility: float = 1.0
    inside: float = 1.0
    affine: bool = True
    moved: bool = False
    clipped: bool = False
    gone: bool = False
    worst: float = 0.0
    reason: Reason | None = None
    step: str | None = None
    last: str | None = None

    @property
    def scattered(self) -> bool:
        """Whether `rings` are loose points, not outlines."""
        return isinstance(self.region.shape, Mask | Keypoint)

    def carried_to(
        self, rings: tuple[Points, ...], full: tuple[Points, ...], pixels: Pixels | None, step: str
    ) -> "Track":
        """Return the track where a step put it (written out: `replace` takes ten times as long)."""
        old = self
        return Track(
            *(old.region, rings, full, pixels, old.fill, old.visibility, old.inside, old.affine, True, old.clipped),
            *(False, old.worst, old.reason, old.step, step),
        )


def start(region: Region, width: int, height: int) -> Track:
    """Return a region's state before any step; what lies beyond the frame of the source never was visible."""
    shape = region.shape
    if isinstance(shape, Mask):
        return _start_mask(region, shape)
    rings = tuple(snap(np.asarray(ring, dtype=np.float64), width, height) for ring in outline(shape))
    track = Track(region, rings, rings)
    if not isinstance(shape, Keypoint) and area(shape) <= 0:
        return vanish(track, "degenerate", None)
    cut = clip(track, width, height, None)
    return (
        cut
        if cut.gone or not cut.clipped
        else replace(cut, full=cut.rings, visibility=1.0, inside=1.0, reason=None, worst=0.0)
    )


def _start_mask(region: Region, shape: Mask) -> Track:
    pixels = np.where(rle.decode(shape), np.uint8(255), np.uint8(0))
    ys, xs = np.nonzero(pixels)
    if not len(xs):
        return vanish(Track(region, (), ()), "degenerate", None)
    track = Track(region, (_spread(xs, ys),), (), pixels)
    return measure_hull(track)


def _spread(xs: NDArray[np.intp], ys: NDArray[np.intp]) -> Points:
    chosen = np.linspace(0, len(xs) - 1, min(len(xs), SAMPLES)).round().astype(int)
    return np.stack([xs[chosen] + 0.5, ys[chosen] + 0.5], axis=1)


def measure_hull(track: Track) -> Track:
    """Return a mask's track with the hull of what is left of it now."""
    import cv2

    if track.pixels is None:
        return track
    ys, xs = np.nonzero(track.pixels)
    corners = np.concatenate([np.stack([xs + dx, ys + dy], axis=1) for dx in (0, 1) for dy in (0, 1)])
    hull = cv2.convexHull(corners.astype(np.int32))[:, 0, :].astype(np.float64)
    return replace(track, full=(hull,), fill=len(xs) / ring_area(hull))


def vanish(track: Track, reason: Reason, step: str | None) -> Track:
    """Return the track of a region of which nothing is left."""
    return replace(track, rings=(), pixels=None, gone=True, visibility=0.0, reason=reason, step=step)


def lower(track: Track, share: float, reason: Reason, step: str | None) -> Track:
    """Return the track with `share` of what was visible still visible, and the reason where it took most."""
    lost = track.visibility * (1 - share)
    if lost <= track.worst:
        return replace(track, visibility=track.visibility * share)
    return replace(track, visibility=track.visibility * share, worst=lost, reason=reason, step=step)


def snap(points: Points, width: int, height: int) -> Points:
    """Return points with those just beyond the frame put on its edge: the library's noise is not a loss."""
    near = np.clip(points, 0, (width, height))
    snapped: Points = np.where(np.abs(points - near) <= NOISE, near, points)
    return snapped


def inside(points: Points, width: int, height: int) -> NDArray[np.bool_]:
    """Return which points lie in the frame, its edges included."""
    kept: NDArray[np.bool_] = np.all((points >= 0) & (points <= (width, height)), axis=1)
    return kept


def clip(track: Track, width: int, height: int, step: str | None) -> Track:
    """Return the track with `rings`, already snapped, cut at the frame and the visibility lowered by what went."""
    if all(inside(ring, width, height).all() for ring in track.rings):
        return track
    cut = _scattered if track.scattered else _outlines
    remains, share = cut(track, width, height)
    if not remains or share <= 0 or (share < SLIVER and _thinner_than_a_pixel(remains)):
        return vanish(track, "frame", step)
    return lower(replace(track, rings=remains, clipped=True, inside=track.inside * share), share, "frame", step)


def _thinner_than_a_pixel(remains: tuple[Points, ...]) -> bool:
    points = np.concatenate(remains)
    return bool((points.max(axis=0) - points.min(axis=0)).min() < 0.5)


def _scattered(track: Track, width: int, height: int) -> tuple[tuple[Points, ...], float]:
    points = track.rings[0]
    kept = points[inside(points, width, height)]
    return ((kept,) if len(kept) else ()), len(kept) / len(points)


def _outlines(track: Track, width: int, height: int) -> tuple[tuple[Points, ...], float]:
    rings = track.rings
    whole = sum(ring_area(ring) for ring in rings)
    convex = isinstance(track.region.shape, Box | RotatedBox) and track.affine
    if convex:
        part = clip_convex(rings[0], width, height)
        remains: tuple[Points, ...] = () if part is None else (part,)
    else:
        remains = tuple(clip_rings(rings, width, height))
    left = sum(ring_area(ring) for ring in remains)
    return remains, min(left / whole, 1.0) if whole > 0 else 0.0


def prepare_for(track: Track, kind: Map) -> Track:
    """Return the track fit for a step of this kind.

    Outside the frame only an affine step is to be trusted, so before any other the outline is what remains; and where
    edges will bend they get more points.
    """
    if kind == "affine" or track.gone:
        return track
    track = replace(track, affine=False)
    if track.scattered:
        return measure_hull(track) if track.clipped and track.pixels is not None else track
    rings = tuple(densify(ring) for ring in track.rings) if kind == "warp" else track.rings
    return replace(track, rings=rings, full=rings)


def densify(ring: Points) -> Points:
    """Return the ring with points every 2 pixels or so along its edges, at most some 400 in all."""
    ends = np.roll(ring, -1, axis=0)
    lengths = np.hypot(*(ends - ring).T)
    spacing = max(2.0, float(lengths.sum()) / 400)
    pieces = np.maximum(np.ceil(lengths / spacing).astype(int), 1)
    edge = np.repeat(np.arange(len(ring)), pieces)
    along = (np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[edge]
    dense: Points = ring[edge] + (ends - ring)[edge] * along[:, None]
    return dense


def growth(track: Track) -> float:
    """Return the area of the box around the unclipped outline over the shape's own area, at least 1."""
    unmoved_box = isinstance(track.region.shape, Box) and not track.moved
    if unmoved_box or isinstance(track.region.shape, Keypoint) or not track.full:
        return 1.0
    points = np.concatenate(track.full)
    own = sum(ring_area(ring) for ring in track.full) * track.fill
    around = float(np.prod(points.max(axis=0) - points.min(axis=0)))
    return max(around / own, 1.0) if own > 0 else 1.0


def covered_share(track: Track, covered: NDArray[np.bool_]) -> float:
    """Return how much of what remains is painted over, 0 to 1."""
    from backend.imaging.raster import polygon_mask

    height, width = covered.shape
    if track.pixels is not None:
        return float(covered[track.pixels > 0].mean()) if track.pixels.any() else 0.0
    points = np.concatenate(track.rings)
    x0, y0 = np.clip(np.floor(points.min(axis=0)), 0, (width - 1, height - 1)).astype(int).tolist()
    x1, y1 = np.maximum(np.ceil(points.max(axis=0)).astype(int), (x0 + 1, y0 + 1)).tolist()
    window = covered[y0:y1, x0:x1]
    if track.scattered or not window.any() or window.all():
        return float(window.mean())
    own = polygon_mask([ring - (x0, y0) for ring in track.rings], window.shape[1], window.shape[0])
    return float(window[own].mean()) if own.any() else float(window.mean())
