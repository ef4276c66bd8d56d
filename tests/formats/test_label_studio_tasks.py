"""Which annotation of a task counts, and the sample that comes of it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backend.core.model import Box, RotatedBox, Tag
from backend.formats.label_config import parse_label_config
from backend.formats.label_studio_tasks import Annotations, Filter, Selection, image_name, pick, to_sample

CONFIG = parse_label_config(
    '<View><Image name="image" value="$image"/>'
    '<RectangleLabels name="label" toName="image"><Label value="cat"/><Label value="dog"/></RectangleLabels>'
    '<Choices name="q" toName="image"><Choice value="good"/><Choice value="bad"/></Choices></View>'
)


def box(x: float, y: float, w: float, h: float, label: str = "cat", rotation: float = 0) -> dict[str, Any]:
    value = {"x": x, "y": y, "width": w, "height": h, "rotation": rotation, "rectanglelabels": [label]}
    return {"id": f"{x}", "from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": value}


def annotation(number: int, *result: dict[str, Any], **more: Any) -> dict[str, Any]:
    moment = f"2026-01-{number:02d}T00:00:00Z"
    return {"id": number, "result": list(result), "completed_by": number, "was_cancelled": False,
            "ground_truth": False, "created_at": moment, "updated_at": moment, **more}  # fmt: skip


def task(*annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"id": 7, "project": 3, "data": {"image": "/data/upload/3/817f6ac0-%EC%82%AC.jpg", **data}, "meta": {},
            "annotations": list(annotations), "drafts": [{"id": 1, "result": [box(1, 1, 1, 1)]}]}  # fmt: skip


def used(task: dict[str, Any], how: Annotations = "newest") -> list[int]:
    return [a["id"] for a in pick(task, Filter(how)).annotations]


OLD, NEW = annotation(1, box(10, 10, 20, 20)), annotation(2, box(12, 12, 22, 22))


def test_the_newest_counts_and_ground_truth_when_asked_for() -> None:
    assert used(task(OLD, NEW)) == [2]
    assert used(task(NEW, OLD)) == [2]
    corrected = {**OLD, "updated_at": "2026-02-01T00:00:00Z"}
    assert used(task(corrected, NEW)) == [1]
    truth = {**OLD, "ground_truth": True}
    assert used(task(truth, NEW), "ground-truth") == [1]
    assert pick(task(OLD, NEW), Filter("ground-truth")).status == "no ground truth"


def test_drafts_and_skipped_ones_never_count_and_empty_ones_are_background() -> None:
    skipped = annotation(3, box(1, 1, 9, 9), was_cancelled=True)
    assert pick(task(), Filter()).status == "unlabelled"  # it has a draft
    assert pick(task(skipped), Filter()).status == "skipped"
    assert used(task(skipped, OLD)) == [1]
    empty = pick(task(annotation(1)), Filter())
    assert (empty.status, empty.used) == ("background", True)


def test_the_summary_says_exactly_what_was_left_out() -> None:
    selection = Selection()
    for _ in range(812):
        selection.add(pick(task(OLD), Filter()))
    for _ in range(150):
        selection.add(pick(task(), Filter()))
    for _ in range(38):
        selection.add(pick(task(annotation(1, was_cancelled=True)), Filter()))
    assert selection.text() == "812 of 1,000 tasks: 150 unlabelled, 38 skipped"
    assert selection.to_json() == {"total": 1000, "exported": 812, "labelled": 812, "skipped": 38, "unlabelled": 150}
    selection.add(pick(task(annotation(1)), Filter()))
    words = "1,001 tasks: 150 unlabelled, 38 skipped"
    assert selection.text() == f"813 of {words} (of the 813, 1 is an empty background image)"
    selection.add(pick(task(annotation(1)), Filter()))
    words = "1,002 tasks: 150 unlabelled, 38 skipped"
    assert selection.text() == f"814 of {words} (of the 814, 2 are empty background images)"
    assert selection.text(3, empty=0) == f"811 of {words}, 3 unreadable images"
    assert (
        selection.text(1, empty=1) == f"813 of {words}, 1 unreadable image (of the 813, 1 is an empty background image)"
    )
    assert selection.to_json(3)["exported"] == 811
    assert selection.to_json(3)["unreadable"] == 3


def test_labels_and_dates_filter() -> None:
    assert pick(task(NEW), Filter(labels=("dog",))).status == "without these labels"
    assert pick(task(NEW), Filter(labels=("dog", "cat"))).used
    assert pick(task(NEW), Filter(since=datetime(2026, 1, 3, tzinfo=UTC))).status == "older"
    assert pick(task(NEW), Filter(since=datetime(2026, 1, 2, tzinfo=UTC))).used


def sample(task_: dict[str, Any], how: Annotations = "newest") -> Any:
    return to_sample(task_, pick(task_, Filter(how)), CONFIG, ("/tmp/a.jpg", (100, 100)), {1: "a@b.c", 2: "d@e.f"})


def test_a_sample_knows_where_it_came_from() -> None:
    made = sample(task(OLD, NEW, video="v1", split="validation", license="CC0", nested={"a": 1}))
    assert made.name == "817f6ac0-사.jpg"
    assert made.split == "val"
    assert made.fields == (("data.video", "v1"), ("data.split", "validation"), ("data.license", "CC0"))
    origin = made.origin
    assert (origin.project, origin.task, origin.annotation, origin.annotator) == (3, 7, 2, "d@e.f")
    assert origin.license == "CC0"
    assert made.regions[0].shape == Box(12, 12, 34, 34)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/data/upload/3/817f6ac0-a%20b.jpg", "817f6ac0-a b.jpg"),
        ("/data/local-files/?d=folder/a%20b%23.jpg", "a b#.jpg"),
        ("s3://bucket/deep/key.png", "key.png"),
        ("https://example.org/x/y.jpg?size=1#f", "y.jpg"),
        ("data:image/png;base64,AAAA", "task-7"),
        ("https://example.org/", "task-7"),
        (None, "task-7"),
    ],
)
def test_the_name_is_the_last_part_of_the_address(url: str | None, name: str) -> None:
    assert image_name({"id": 7, "data": {"image": url}}, CONFIG) == name


def test_consensus_keeps_what_half_of_the_annotators_drew_and_averages_it() -> None:
    tag = {"id": "q", "from_name": "q", "type": "choices", "value": {"choices": ["good"]}}
    a = annotation(1, box(10, 10, 20, 20), box(60, 60, 10, 10), tag)
    b = annotation(2, box(12, 12, 20, 20), box(12, 12, 20, 20, "dog"), tag)
    c = annotation(3, box(11, 11, 20, 20))
    made = sample(task(a, b, c), "consensus")
    assert [(r.label, r.shape) for r in made.regions] == [("cat", Box(11, 11, 31, 31))]
    assert made.tags == (Tag("good", "q"),)
    assert made.notes == ("2 regions drawn by fewer than half of 3 annotators, left out",)
    assert made.origin.annotation is None
    assert len(sample(task(a, b), "consensus").regions) == 3  # one of two is half


def test_consensus_counts_people_not_annotations() -> None:
    again = annotation(3, box(60, 60, 10, 10), completed_by=1)
    assert used(task(OLD, NEW, again), "consensus") == [2, 3]


def test_consensus_averages_turned_boxes_by_their_turn() -> None:
    a = annotation(1, box(40, 40, 20, 10, rotation=2))
    b = annotation(2, box(40, 40, 20, 10, rotation=358))
    (region,) = sample(task(a, b), "consensus").regions
    assert isinstance(region.shape, RotatedBox)
    assert region.shape.angle % 360 == pytest.approx(0, abs=1e-6)
    upright = annotation(2, box(40, 40, 20, 10))
    (region,) = sample(task(a, upright), "consensus").regions
    assert region.shape.angle == pytest.approx(1)


def test_consensus_pairs_the_best_overlap_first() -> None:
    a = annotation(1, box(10, 10, 20, 20), box(14, 10, 20, 20))
    b = annotation(2, box(14, 10, 20, 20), box(10, 10, 20, 20))
    shapes = {r.shape for r in sample(task(a, b), "consensus").regions}
    assert shapes == {Box(10, 10, 30, 30), Box(14, 10, 34, 30)}
