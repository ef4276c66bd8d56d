"""What a model's outputs amount to before overlaps are cleared away, and the clearing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.detect.base import FLOOR

BEFORE, AFTER = 600, 100  # the surest that are looked at, and that are kept, in one image

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a model may have found, in pixels of its input.

    boxes: (K, 4) as x0, y0, x1, y1, or (K, 5) as cx, cy, width, height, degrees clockwise. scores: (K,), 0 to 1.
    classes: (K,), from 0. Where the model outlines its finds: masks (M, height, width) over the whole input, which
    each find adds up with its own weights (K, M); it lies where the sum is above 0, within its box.
    """

    boxes: Floats
    scores: Floats
    classes: NDArray[np.int64]
    weights: Floats | None = None
    masks: Floats | None = None

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Candidates":
        """Return some of the candidates, by position or by a mask."""
        weights = None if self.weights is None else self.weights[rows]
        return Candidates(self.boxes[rows], self.scores[rows], self.classes[rows], weights, self.masks)

    def __len__(self) -> int:
        return len(self.scores)


def dense(boxes: Floats, scores: Floats) -> Candidates:
    """Return candidates from boxes (P, 4 or 5) and the score of each class for each box (P, C)."""
    rows, classes = np.nonzero(scores >= FLOOR)
    return Candidates(boxes[rows], scores[rows, classes], classes.astype(np.int64))


def surest(found: Candidates, nms: float | None) -> Candidates:
    """Return the candidates that stay, the surest first.

    nms: the IoU from which the less sure of two boxes of one class goes; None: the model has seen to that.
    """
    found = found.take(found.scores >= FLOOR)
    order = np.argsort(-found.scores, kind="stable")[:BEFORE]
    found = found.take(order)
    kept = np.arange(len(found)) if nms is None or not len(found) else _apart(found, nms)
    return found.take(kept[:AFTER])


def _apart(found: Candidates, nms: float) -> NDArray[np.int64]:
    import cv2

    scores = found.scores.tolist()
    if found.boxes.shape[1] == 4:
        sized = found.boxes.astype(np.float64)
        sized[:, 2:] -= sized[:, :2]
        kept = cv2.dnn.NMSBoxesBatched(sized.tolist(), scores, found.classes.tolist(), 0.0, nms)
    else:
        # classes far apart in the plane never overlap: one call does for all of them
        step = 2 * float(np.abs(found.boxes[:, :4]).max()) + 1
        rects = [
            ((cx + step * label, cy), (width, height), angle)
            for (cx, cy, width, height, angle), label in zip(found.boxes.tolist(), found.classes.tolist(), strict=True)
        ]
        kept = cv2.dnn.NMSBoxesRotated(rects, scores, 0.0, nms)
    return np.sort(np.asarray(kept, np.int64).reshape(-1))
