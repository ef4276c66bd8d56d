"""What a detector learns from and is judged by: labelled images, read one at a time, split so that nothing leaks.

An image that was ever in test or val is never trained on: splits are remembered per project, by image, and shared with
`export`. What looks like such an image is left out of training as well.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from backend.core.codec import canonical
from backend.core.cuts import TRAIN
from backend.core.errors import ImageError, LabelLoomError, UsageError
from backend.core.geometry import clip_box, tight_box
from backend.core.lineage import Groups, Row, Rows, group, parent_of
from backend.core.model import Dataset, Sample, Skipped
from backend.core.progress import Progress
from backend.core.recipe import SplitRule, Splits
from backend.core.splits import assign
from backend.detect.base import Example
from backend.imaging.decode import decode
from backend.imaging.hashes import near_pairs, perceptual, pixel_hash, sha256
from backend.store.splits import remember_splits, sticky_splits

Json = dict[str, Any]

RULE = SplitRule(train=0.8, val=0.2, test=0.0, on_leak="report")  # val: the split that every label gets a place in
NEAR = 8  # bits by which the hashes of near-duplicates differ at most
LEAST_BOXES = 10
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Gathered:
    """What there is to learn from. facts: counts and digests, as a model's `data` records them."""

    labels: tuple[str, ...]
    tags: tuple[str, ...]
    train: tuple[Example, ...]
    holdout: tuple[Example, ...]
    facts: Json
    skipped: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Read:
    """What is kept of the images while they are read."""

    examples: list[Example] = field(default_factory=list)
    tasks: list[int | None] = field(default_factory=list)
    rows: Rows = field(default_factory=Rows)
    skipped: list[Skipped] = field(default_factory=list)
    strange: Counter[str] = field(default_factory=Counter)
    flat: int = 0


def gather(
    dataset: Dataset, key: str | None, engine: sa.Engine, progress: Progress, total: int | None = None
) -> Gathered:
    """Read a dataset's labelled images and split them.

    Args:
        dataset: its samples are those that somebody has labelled.
        key: what splits are remembered under; None: the dataset's own splits hold, and nothing is remembered.
        engine: our database.
        progress: told of every image.
        total: how many samples there are, where known.

    Raises:
        UsageError: there are no labels.
        LabelLoomError: nothing was labelled, or nothing is left to train on.
        Cancelled: from `progress`.
    """
    if not dataset.labels and not dataset.tags:
        msg = f"{dataset.name} has no labels"
        raise UsageError(msg, fix="add labels to the labelling config, or use a dataset that has boxes")
    read = _Read()
    samples = iter(dataset.samples)
    while batch := list(islice(samples, _BATCH)):
        _take(batch, dataset, read, (key, engine))
        progress.update("reading images", len(read.examples) + len(read.skipped), total)
    if not read.examples:
        reasons = "; ".join(f"{s.item}: {s.reason}" for s in read.skipped[:3])
        msg = f"{dataset.name} has no labelled image" + (f" that can be used ({reasons})" if reasons else "")
        raise LabelLoomError(msg, fix="label some images first")
    return _split(dataset, read)


def check_enough(gathered: Gathered, learns: str) -> None:
    """Make sure that there is something to learn; learns: boxes or tags.

    Raises:
        UsageError: there are no labels, or no tags.
        LabelLoomError: fewer than 10 boxes, or no tagged image; it says how many are missing.
    """
    if learns == "tags":
        _check_tags(gathered)
        return
    if not gathered.labels:
        msg = "there are no labels for regions, so there are no boxes to learn"
        raise UsageError(msg, fix="choose the detector `similar`, which learns tags of whole images")
    boxes = sum(len(one.boxes) for one in gathered.train)
    if boxes >= LEAST_BOXES:
        return
    missing, kept = LEAST_BOXES - boxes, sum(len(one.boxes) for one in gathered.holdout)
    msg = f"{boxes} boxes are too few to learn from: {missing} of the {LEAST_BOXES} that are needed are missing"
    aside = f" ({kept} more are in images that are kept aside to judge by)" if kept else ""
    raise LabelLoomError(msg + aside, fix="label some more images, then train again")


def _check_tags(gathered: Gathered) -> None:
    if not gathered.tags:
        msg = "there are no tags for whole images (Choices), so there are none to learn"
        raise UsageError(msg, fix="choose the detector `fewshot`, which learns boxes")
    if not any(one.tags for one in gathered.train):
        msg = "no image to learn from has a tag"
        raise LabelLoomError(msg, fix="tag some images, then train again")


def remember(gathered: Gathered, key: str, engine: sa.Engine) -> None:
    """Keep the splits for all later versions and exports; an image that has one keeps it."""
    held = {one.sha256 for one in gathered.holdout}
    splits = {one.sha256: "train" for one in gathered.train} | dict.fromkeys(held, "val")
    remember_splits(engine, key, splits)
    stored = sticky_splits(engine, key, splits)
    if any((stored.get(one.sha256) or "train") != "train" for one in gathered.train):
        msg = "the project's images were split by somebody else at the same time"
        raise LabelLoomError(msg, fix="start the training again")


def _take(batch: list[Sample | Skipped], dataset: Dataset, read: _Read, memory: tuple[str | None, sa.Engine]) -> None:
    """Decode a batch of images and add what is kept of them."""
    found: list[tuple[Sample, Example, Row]] = []
    for item in batch:
        if isinstance(item, Skipped):
            read.skipped.append(item)
            continue
        try:
            found.append((item, *_look(item, dataset, read)))
        except (ImageError, OSError) as error:
            reason = str(error) if isinstance(error, ImageError) else f"cannot be read: {error.strerror}"
            read.skipped.append(Skipped(_name(item), reason))
    key, engine = memory
    sticky = sticky_splits(engine, key, [example.sha256 for _, example, _ in found]) if key else {}
    for sample, example, row in found:
        read.examples.append(example)
        read.tasks.append(sample.origin.task)
        read.rows.add(replace(row, sticky=sticky.get(example.sha256)))


def _name(sample: Sample) -> str:
    return f"task {sample.origin.task} ({sample.name})" if sample.origin.task else sample.name


def _look(sample: Sample, dataset: Dataset, read: _Read) -> tuple[Example, Row]:
    """Return a sample as an example and as what splitting must know of it."""
    data = Path(sample.path).read_bytes()
    rgb = decode(data).rgb
    height, width = rgb.shape[:2]
    if (width, height) != (sample.width, sample.height):
        msg = f"decodes to {width} x {height}, but its header says {sample.width} x {sample.height}"
        raise ImageError(msg)
    looks, sha = perceptual(rgb), sha256(data)
    boxes, labels = _boxes(sample, dataset.labels, read)
    tags = tuple(dict.fromkeys(tag.label for tag in sample.tags if tag.label in dataset.tags))
    example = Example(sample.path, sha, width, height, boxes, labels, tags)
    row = Row(
        sha256=sha,
        pixels=pixel_hash(rgb),
        phash=looks.phash,
        dhash=looks.dhash,
        flat=looks.flat,
        parent=parent_of(sample),
        labels={*(dataset.labels[number] for number in labels), *tags},
        kept=sample.split,
    )
    return example, row


def _boxes(
    sample: Sample, labels: tuple[str, ...], read: _Read
) -> tuple[tuple[tuple[float, float, float, float], ...], tuple[int, ...]]:
    """Return the tight boxes of all shapes inside the frame, and each one's label number."""
    boxes, numbers = [], []
    for region in sample.regions:
        if region.label not in labels:
            read.strange[region.label] += 1
            continue
        tight = tight_box(region.shape)
        box = clip_box(tight, sample.width, sample.height) if tight else None
        if box is None:
            read.flat += 1
            continue
        boxes.append((box.x0, box.y0, box.x1, box.y1))
        numbers.append(labels.index(region.label))
    return tuple(boxes), tuple(numbers)


def _split(dataset: Dataset, read: _Read) -> Gathered:
    rows = read.rows
    groups = group(rows, near_pairs(rows.phash, rows.dhash, rows.flat, NEAR))
    try:
        codes = assign(rows, groups, RULE).codes
    except UsageError as error:
        msg = f"every labelled image of {dataset.name} is kept aside to judge by, so none is left to train on"
        raise LabelLoomError(msg, fix="label some more images, then train again") from error
    held = codes != TRAIN
    near = ~held & _beside(groups, held)
    train = tuple(one for one, out in zip(read.examples, held | near, strict=True) if not out)
    holdout = tuple(one for one, kept in zip(read.examples, held, strict=True) if kept)
    warnings = tuple(_warnings(read, dataset, (train, holdout), int(near.sum())))
    facts = _facts(dataset, read, (train, holdout), [Splits[c] for c in codes.tolist()])
    facts["images"]["left_out"] = int(near.sum())
    skipped = tuple((s.item, s.reason) for s in read.skipped)
    return Gathered(dataset.labels, dataset.tags, train, holdout, facts, skipped, warnings)


def _beside(groups: Groups, held: "np.ndarray[Any, np.dtype[np.bool_]]") -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Return which images share a lineage group with one that is kept aside."""
    touched = np.zeros(len(groups.ids), dtype=bool)
    touched[groups.of[held]] = True
    shared: np.ndarray[Any, np.dtype[np.bool_]] = touched[groups.of]
    return shared


def _warnings(
    read: _Read, dataset: Dataset, parts: tuple[tuple[Example, ...], tuple[Example, ...]], near: int
) -> Iterator[str]:
    train, holdout = parts
    for label, number in read.strange.most_common(10):
        yield f"{label!r} is no label of {dataset.name} (any more): {number} regions were left out"
    if read.flat:
        yield f"{read.flat} regions without an area inside their image (key points and the like) were left out"
    if near:
        yield f"{near} images were left out of training, because they look like images that are kept aside to judge by"
    if not holdout:
        yield "no image is kept aside, so nothing tells how good the model is; label more images, of different scenes"
    learned = {label for one in train for label in one.labels}
    if dataset.labels and len(dataset.labels) == 1:
        yield f"there is one label only, {dataset.labels[0]!r}: the model tells it from the background"
    elif unseen := [label for number, label in enumerate(dataset.labels) if number not in learned]:
        yield f"nothing to learn from has the label {', '.join(unseen[:10])}: the model will not find it"


def _facts(
    dataset: Dataset, read: _Read, parts: tuple[tuple[Example, ...], tuple[Example, ...]], splits: list[str]
) -> Json:
    """Return what a model's card tells of the data; digests name exactly what was used."""
    train, holdout = parts
    counted = [Counter(label for one in part for label in one.labels) for part in parts]
    named = [Counter(tag for one in part for tag in one.tags) for part in parts]
    lines = sorted(zip([one.sha256 for one in read.examples], splits, map(str, read.tasks), strict=True))
    return {
        "images": {"train": len(train), "holdout": len(holdout)},
        "empty": {"train": sum(not one.boxes for one in train), "holdout": sum(not one.boxes for one in holdout)},
        "boxes": {"train": counted[0].total(), "holdout": counted[1].total()},
        "labels": {
            label: {"train": counted[0][number], "holdout": counted[1][number]}
            for number, label in enumerate(dataset.labels)
        },
        "tags": {tag: {"train": named[0][tag], "holdout": named[1][tag]} for tag in dataset.tags},
        "tasks": sum(task is not None for task in read.tasks),
        "unreadable": len(read.skipped),
        "images_digest": hashlib.sha256(canonical(lines).encode()).hexdigest(),
        "labels_digest": digest_of(train),
        "holdout_digest": digest_of(holdout),
    }


def digest_of(examples: tuple[Example, ...]) -> str:
    """Return the sha256 over images and labels, whatever their order and wherever they lie."""
    lines = sorted(canonical([one.sha256, one.boxes, one.labels, one.tags]) for one in examples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
