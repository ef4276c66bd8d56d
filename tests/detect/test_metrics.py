import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from backend.core.model import Box, Region, RotatedBox
from backend.detect.base import Example, Predicted
from backend.detect.metrics import compare, evaluate

LABELS = ("라쿤", "white cat", "nobody")


def scene(seed: int, images: int = 30, noise: float = 4.0, missed: float = 0.2):
    """True boxes of the first two labels, and findings that are off by some pixels, sometimes wrong, sometimes none."""
    random = np.random.default_rng(seed)
    truth, found = [], []
    for _ in range(images):
        count = int(random.integers(0, 5))
        corners = random.uniform(0, 60, (count, 2))
        boxes = np.concatenate([corners, corners + random.uniform(10, 40, (count, 2))], 1)
        labels = random.integers(0, 2, count)
        truth.append(Example("", "", 120, 120, tuple(map(tuple, boxes.tolist())), tuple(labels.tolist())))
        regions = []
        for box, label in zip(boxes, labels, strict=True):
            if random.random() < missed:
                continue
            x0, y0, x1, y1 = box + random.normal(0, noise, 4)
            moved = Box(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))
            regions.append(Region("a", LABELS[label], moved, score=float(random.uniform(0.3, 1))))
        if random.random() < 0.4:
            regions.append(Region("b", LABELS[int(random.integers(0, 3))], Box(1, 1, 9, 9), score=0.5))
        found.append(Predicted(tuple(regions)))
    return found, truth


def by_pycocotools(found, truth):
    known, given = COCO(), COCO()
    images, categories = [{"id": i} for i in range(len(truth))], [{"id": i} for i in range(len(LABELS))]

    def row(number, image, label, box):
        sides = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
        return {"id": number, "image_id": image, "category_id": label, "bbox": sides, "area": sides[2] * sides[3]}

    true, guessed = [], []
    for place, one in enumerate(truth):
        for box, label in zip(one.boxes, one.labels, strict=True):
            true.append(row(len(true) + 1, place, label, box) | {"iscrowd": 0})
    for place, one in enumerate(found):
        for region in one.regions:
            s = region.shape
            box = (s.x0, s.y0, s.x1, s.y1)
            guessed.append(row(len(guessed) + 1, place, LABELS.index(region.label), box) | {"score": region.score})
    known.dataset = {"images": images, "categories": categories, "annotations": true}
    given.dataset = {"images": images, "categories": categories, "annotations": guessed}
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        given.createIndex()
        judge = COCOeval(known, given, "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats[0], judge.stats[1]


@pytest.mark.parametrize("seed", range(4))
def test_the_figures_are_those_of_pycocotools(seed):
    found, truth = scene(seed)
    ours = evaluate(found, truth, LABELS, resamples=0)
    ap, ap50 = by_pycocotools(found, truth)
    assert 0.05 < ap < 0.95
    assert ours["ap"] == pytest.approx(ap, abs=1e-9) and ours["ap50"] == pytest.approx(ap50, abs=1e-9)


def test_each_label_has_its_figures_and_one_that_is_nowhere_has_none():
    found, truth = scene(0)
    ours = evaluate(found, truth, LABELS)
    assert set(ours["labels"]) == set(LABELS)
    assert ours["labels"]["nobody"] == {"ap": None, "ap_ci": None, "ap50": None, "ap50_ci": None, "n": 0}
    two = [ours["labels"][label] for label in LABELS[:2]]
    assert ours["ap"] == pytest.approx((two[0]["ap"] + two[1]["ap"]) / 2)
    assert sum(one["n"] for one in two) == ours["boxes"] == sum(len(one.boxes) for one in truth)
    assert ours["images"] == 30


def test_the_interval_holds_the_figure_and_narrows_with_more_images():
    few, many = (evaluate(*scene(1, images), LABELS) for images in (20, 320))
    for one in (few, many):
        assert one["ap_ci"][0] < one["ap"] < one["ap_ci"][1]
        assert one["ap50_ci"][0] < one["ap50"] < one["ap50_ci"][1]
    width = [one["ap_ci"][1] - one["ap_ci"][0] for one in (few, many)]
    assert 2 < width[0] / width[1] < 8  # four times narrower, by the root of 16
    assert evaluate(*scene(1, 20), LABELS) == few


def test_perfect_findings_score_one_and_none_score_nothing():
    _, truth = scene(2)
    perfect = [
        Predicted(tuple(Region("", LABELS[n], Box(*b), score=0.9) for b, n in zip(one.boxes, one.labels, strict=True)))
        for one in truth
    ]
    assert evaluate(perfect, truth, LABELS)["ap"] == pytest.approx(1)
    assert evaluate([Predicted()] * len(truth), truth, LABELS)["ap"] == 0
    assert evaluate([], [], LABELS)["ap"] is None
    assert evaluate([Predicted()], [Example("", "", 9, 9)], LABELS)["ap"] is None


def test_other_shapes_count_as_the_box_around_them():
    truth = [Example("", "", 100, 100, ((10.0, 20.0, 30.0, 60.0),), (0,))]
    turned = Predicted((Region("", LABELS[0], RotatedBox(20, 40, 40, 20, 90), score=0.9),))
    assert evaluate([turned], truth, LABELS)["ap"] == pytest.approx(1)


def test_a_better_model_is_told_from_a_worse_one_and_a_model_from_itself():
    good, truth = scene(3, 60, noise=1.0)
    better = compare(good, _on(truth, noise=6.0), truth, LABELS)
    assert better["difference"] > 0.1 and better["ci"][0] > 0 and better["better"] > 0.99
    itself = compare(good, good, truth, LABELS)
    assert itself == {"difference": 0, "ci": [0, 0], "better": 0}
    assert compare([], [], [], LABELS) == {"difference": None, "ci": None, "better": None}


def _on(truth, noise):
    random = np.random.default_rng(9)
    found = []
    for one in truth:
        regions = []
        for box, label in zip(one.boxes, one.labels, strict=True):
            x0, y0, x1, y1 = np.array(box) + random.normal(0, noise, 4)
            moved = Box(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))
            regions.append(Region("", LABELS[label], moved, score=float(random.uniform(0.3, 1))))
        found.append(Predicted(tuple(regions)))
    return found
