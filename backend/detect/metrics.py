"""How good a detector is: average precision as COCO defines it, and how sure that figure is.

pycocotools says which box was found by which prediction; precision and recall are summed up here, because the
confidence intervals need that for hundreds of resamples of the images (bootstrap), and the matches stay the same.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.core.geometry import tight_box
from backend.core.model import Box, Region
from backend.detect.base import Example, Predicted

Json = dict[str, Any]
Floats = NDArray[np.float64]

MOST = 100  # predictions of one label in one image that count
RESAMPLES = 400
_IOUS = 10  # .50, .55, ... .95
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True)
class _Matches:
    """One label's predictions, the surest first: right (10, D) by IoU, image (D,); boxes (images,) in each image."""

    right: NDArray[np.bool_]
    image: NDArray[np.int64]
    boxes: NDArray[np.int64]


def evaluate(
    found: Sequence[Predicted],
    truth: Sequence[Example],
    labels: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Json:
    """Return the metrics of what was found in images, given what is there.

    found, truth: in the same order; truth's labels are positions in `labels`. Returns `ap` (mean over IoU .50 to .95),
    `ap50`, their 95 % intervals `ap_ci` and `ap50_ci`, `labels` (the same for each, with `n`, its boxes), `images` and
    `boxes`. A label without a box in the truth has no figure (None) and counts in no mean. Shapes other than boxes
    count as the box around them.
    """
    matches = _matches(found, truth, labels)
    weights = _draws(len(truth), resamples, seed)
    each = [_precision(one, np.ones(len(truth))) for one in matches]
    drawn = np.array([[_precision(one, weight) for one in matches] for weight in weights]).reshape(-1, len(labels), 2)
    result: Json = _figures(np.array(each).reshape(1, -1, 2), drawn)
    result["labels"] = {
        label: _figures(np.array([[each[place]]]), drawn[:, place : place + 1]) | {"n": int(matches[place].boxes.sum())}
        for place, label in enumerate(labels)
    }
    return result | {"images": len(truth), "boxes": sum(len(one.boxes) for one in truth)}


def compare(
    new: Sequence[Predicted],
    old: Sequence[Predicted],
    truth: Sequence[Example],
    labels: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Json:
    """Return how much better `new` is than `old` on the same images: `difference` of the AP and its interval `ci`.

    `better`: the part of the resamples in which `new` has the higher AP. None where there is no box to judge by.
    """
    weights = _draws(len(truth), resamples, seed)
    pairs = [_matches(found, truth, labels) for found in (new, old)]
    ones = [_mean([_precision(one, np.ones(len(truth))) for one in side]) for side in pairs]
    drawn = [np.array([_mean([_precision(one, w) for one in side]) for w in weights]) for side in pairs]
    gains = drawn[0] - drawn[1]
    gains = gains[~np.isnan(gains)]
    if np.isnan(ones[0]) or not len(gains):
        return {"difference": None, "ci": None, "better": None}
    low, high = np.percentile(gains, [2.5, 97.5])
    difference = float(ones[0] - ones[1])
    return {"difference": difference, "ci": [float(low), float(high)], "better": float((gains > 0).mean())}


def _draws(images: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """Return how often each image is in each resample: (resamples, images)."""
    random = np.random.default_rng(seed)
    return random.multinomial(images, np.full(images, 1 / images), resamples) if images else np.zeros((0, 0), np.int64)


def _figures(once: Floats, drawn: Floats) -> Json:
    """Return AP and AP50 with intervals; once: (1, labels, 2), drawn: (resamples, labels, 2), NaN where no box is."""
    result: Json = {}
    for place, name in enumerate(("ap", "ap50")):
        value = _mean_of(once[:, :, place])[0]
        values = _mean_of(drawn[:, :, place])
        values = values[~np.isnan(values)]
        result[name] = None if np.isnan(value) else float(value)
        result[f"{name}_ci"] = [float(v) for v in np.percentile(values, [2.5, 97.5])] if len(values) else None
    return result


def _mean_of(values: Floats) -> Floats:
    """Return the mean of each row, NaNs left out; NaN where there is nothing else."""
    known = ~np.isnan(values)
    counts = known.sum(1)
    total = np.where(known, values, 0).sum(1)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def _mean(pairs: Sequence[tuple[float, float]]) -> float:
    return float(_mean_of(np.array([[ap for ap, _ in pairs]]))[0]) if pairs else float("nan")


def _precision(matches: _Matches, weight: NDArray[Any]) -> tuple[float, float]:
    """Return AP and AP50 of one label when each image counts `weight` times; NaN when no box is there."""
    total = float(weight @ matches.boxes)
    if not total:
        return float("nan"), float("nan")
    counts = weight[matches.image].astype(np.float64)
    right = np.cumsum(matches.right * counts, 1)
    every = np.cumsum(counts)
    precision = right / np.maximum(every, 1e-9)
    precision = np.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]
    recall = right / total
    means = []
    for at in range(_IOUS):
        places = np.searchsorted(recall[at], _RECALLS, side="left")
        reached = places < recall.shape[1]
        means.append(precision[at][places[reached]].sum() / len(_RECALLS))
    return float(np.mean(means)), float(means[0])


def _matches(found: Sequence[Predicted], truth: Sequence[Example], labels: Sequence[str]) -> list[_Matches]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    known, given = COCO(), COCO()
    images = [{"id": place} for place in range(len(truth))]
    categories = [{"id": place} for place in range(len(labels))]
    known.dataset = {"images": images, "categories": categories, "annotations": _true(truth)}
    given.dataset = {"images": images, "categories": categories, "annotations": _found(found, labels)}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints, and cannot be told not to
        known.createIndex()
        given.createIndex()
        judge = COCOeval(known, given, "bbox")
        judge.params.imgIds, judge.params.catIds = list(range(len(truth))), list(range(len(labels)))
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.params.maxDets = [MOST]
        judge.evaluate()
    counts = np.zeros((len(labels), len(truth)), np.int64)
    for place, one in enumerate(truth):
        for label in one.labels:
            counts[label, place] += 1
    return [
        _gathered(judge.evalImgs[label * len(truth) : (label + 1) * len(truth)], counts[label])
        for label in range(len(labels))
    ]


def _gathered(by_image: Sequence[Json | None], boxes: NDArray[np.int64]) -> _Matches:
    """Return one label's matches out of those of all images."""
    scores: list[Floats] = [np.zeros(0)]
    right: list[NDArray[np.bool_]] = [np.zeros((_IOUS, 0), np.bool_)]
    image: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for place, one in enumerate(by_image):
        if one is not None:
            scores.append(np.asarray(one["dtScores"], np.float64))
            right.append(np.asarray(one["dtMatches"])[:, : len(one["dtScores"])] > 0)
            image.append(np.full(len(one["dtScores"]), place))
    order = np.argsort(-np.concatenate(scores), kind="mergesort")
    return _Matches(np.concatenate(right, 1)[:, order], np.concatenate(image)[order], boxes)


def _true(truth: Sequence[Example]) -> list[Json]:
    rows: list[Json] = []
    for place, one in enumerate(truth):
        for box, label in zip(one.boxes, one.labels, strict=True):
            rows.append(_row(len(rows), place, label, box) | {"iscrowd": 0, "ignore": 0})
    return rows


def _found(found: Sequence[Predicted], labels: Sequence[str]) -> list[Json]:
    places = {label: place for place, label in enumerate(labels)}
    rows: list[Json] = []
    for place, one in enumerate(found):
        for region in one.regions:
            if region.label in places:
                row = _row(len(rows), place, places[region.label], _around(region))
                rows.append(row | {"score": region.score or 0.0})
    return rows


def _row(number: int, image: int, label: int, box: tuple[float, float, float, float]) -> Json:
    x0, y0, x1, y1 = box
    sides = [x0, y0, x1 - x0, y1 - y0]
    # an id of 0 reads as "not matched" in pycocotools
    return {"id": number + 1, "image_id": image, "category_id": label, "bbox": sides, "area": sides[2] * sides[3]}


def _around(region: Region) -> tuple[float, float, float, float]:
    shape = region.shape
    if isinstance(shape, Box):
        return shape.x0, shape.y0, shape.x1, shape.y1
    box = tight_box(shape)
    return (box.x0, box.y0, box.x1, box.y1) if box else (0.0, 0.0, 0.0, 0.0)
