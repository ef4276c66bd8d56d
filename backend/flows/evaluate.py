"""Measure a model on any dataset: AP and AP50, per label, with intervals."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.core.errors import ImageError, LabelLoomError, UsageError
from backend.core.geometry import clip_box, tight_box
from backend.core.model import Sample, Skipped
from backend.core.progress import Progress
from backend.core.recipe import Splits
from backend.detect.base import Detector, Example, Predicted, Runtime
from backend.detect.model_dir import ModelInfo, read_model
from backend.flows.fit_judge import measure
from backend.flows.loaded_models import open_folder
from backend.flows.models import locate
from backend.formats.recognise import open_dataset
from backend.imaging.decode import decode
from backend.settings import Settings
from backend.store.tables import open_database

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class EvaluateReport:
    """What was measured. boxes: of the truth."""

    version: str
    images: int
    boxes: int
    metrics: Json
    skipped: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def evaluate(
    model: str, dataset: Path, tools: tuple[Settings, Progress], *, split: str | None = None
) -> EvaluateReport:
    """Measure a model, given by its version or folder, on a dataset or one split of it.

    Only labels that the model knows are judged; the others are named in a warning.

    Raises:
        UsageError: there is no such model, dataset or split.
        LabelLoomError: no image can be used, or none of its labels are the model's.
        Cancelled: from the progress.
    """
    settings, progress = tools
    if split is not None and split not in Splits:
        msg = f"a split is {', '.join(Splits)}, got {split[:50]!r}"
        raise UsageError(msg)
    folder = locate(open_database(settings.database), model)
    info = read_model(folder)
    opened = open_dataset(dataset)
    detector = open_folder(folder, Runtime())
    found: list[Predicted] = []
    truth: list[Example] = []
    skipped: list[tuple[str, str]] = []
    strange: Counter[str] = Counter()
    for item in opened.samples:
        if isinstance(item, Sample) and split is not None and item.split != split:
            continue
        progress.update("judging", len(found) + len(skipped))
        if isinstance(item, Skipped):
            skipped.append((item.item, item.reason))
            continue
        try:
            found.append(_look(detector, item))
        except (ImageError, OSError) as error:
            skipped.append((item.name, str(error)))
            continue
        truth.append(_truth(item, info, strange))
    _check(truth, strange, split)
    warnings = tuple(
        f"the model does not know {label!r}: {number} regions not judged" for label, number in strange.items()
    )
    boxes = sum(len(one.boxes) for one in truth)
    return EvaluateReport(info.version, len(truth), boxes, measure(found, truth, info), tuple(skipped), warnings)


def _look(detector: Detector, sample: Sample) -> Predicted:
    (found,) = detector.predict([decode(Path(sample.path).read_bytes()).rgb])
    return found


def _truth(sample: Sample, info: ModelInfo, strange: Counter[str]) -> Example:
    boxes, labels = [], []
    for region in sample.regions:
        tight = tight_box(region.shape)
        box = clip_box(tight, sample.width, sample.height) if tight else None
        if region.label not in info.labels:
            strange[region.label] += 1
        elif box is not None:
            boxes.append((box.x0, box.y0, box.x1, box.y1))
            labels.append(info.labels.index(region.label))
    tags = tuple(tag.label for tag in sample.tags)
    return Example(sample.path, "", sample.width, sample.height, tuple(boxes), tuple(labels), tags)


def _check(truth: list[Example], strange: Counter[str], split: str | None) -> None:
    if not truth:
        msg = "no image of the dataset can be used" + (f" in the split {split}" if split else "")
        raise LabelLoomError(msg, fix="give another dataset, or another --split")
    if strange and not any(one.boxes for one in truth):
        msg = f"the model knows none of the dataset's labels ({', '.join(list(strange)[:10])})"
        raise LabelLoomError(msg, fix="rename the labels (`labels` in a recipe), or give the model they belong to")
