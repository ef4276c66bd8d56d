"""How good a model is on images that no version trained on, and whether it is better than the one in use.

The rule: a new model predicts from now on if its mean AP is higher than the present one's, both measured now on the
same images, over the labels that both know; a tie keeps the old one. Where labels were added, which the old model can
never find, the new one may be worse by `SLACK` on the common ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.core.errors import LabelLoomError
from backend.core.progress import Progress
from backend.detect import DETECTORS
from backend.detect.base import Example, Predicted, Runtime
from backend.detect.model_dir import INT8, ModelInfo, read_model
from backend.flows.loaded_models import open_folder
from backend.imaging.decode import decode

Json = dict[str, Any]

SLACK = 0.02  # of AP: what the int8 file may lose, and what a model that knows more labels may


@dataclass(frozen=True, slots=True)
class Rival:
    """The model in use, if any. reason: why the new one is not to predict, however good it is."""

    folder: Path | None
    reason: str = ""


def judge(
    folder: Path, info: ModelInfo, holdout: Sequence[Example], rival: Rival, progress: Progress
) -> tuple[Json, bool, str]:
    """Return a new model's metrics on the holdout, whether it is to predict, and why.

    Where the quantised file is good enough to be used, the metrics are those of what it finds.

    Raises:
        LabelLoomError: the model cannot be run.
        Cancelled: from the progress.
    """
    found = look(folder, holdout, progress, "judging")
    metrics = measure(found, holdout, info)
    if INT8 in info.files and holdout:
        small = look(folder, holdout, progress, "judging int8", int8=True)
        figures = measure(small, holdout, info)
        use = _at_least(figures["ap"], metrics["ap"], SLACK)
        both = {"fp32_ap": metrics["ap"], "int8_ap": figures["ap"], "int8": use}
        found, metrics = (small, figures | both) if use else (found, metrics | both)
    metrics["holdout"] = {"images": len(holdout), "boxes": sum(len(one.boxes) for one in holdout)}
    promote, note = _compare((info, found), holdout, rival, progress)
    return metrics, promote, note


def look(
    folder: Path, examples: Sequence[Example], progress: Progress, phase: str, *, int8: bool = False
) -> list[Predicted]:
    """Return what a model finds in images, one at a time."""
    detector = open_folder(folder, Runtime(int8=int8))
    found: list[Predicted] = []
    for number, one in enumerate(examples):
        progress.update(phase, number, len(examples))
        found += detector.predict([decode(Path(one.path).read_bytes()).rgb])
    progress.update(phase, len(examples), len(examples))
    return found


def measure(found: Sequence[Predicted], truth: Sequence[Example], info: ModelInfo) -> Json:
    """Return a model's metrics, for boxes or for tags."""
    if DETECTORS[info.detector].learns == "tags":
        return tag_metrics(found, truth)
    if not truth:
        return {"ap": None, "ap50": None}
    from backend.detect.metrics import evaluate

    return evaluate(found, truth, info.labels)


def tag_metrics(found: Sequence[Predicted], truth: Sequence[Example]) -> Json:
    """Return how many images' surest tag is right: of those that got one, and of all; `ap` is the latter."""
    right = answered = 0
    for one, example in zip(found, truth, strict=True):
        if not one.tags:
            continue
        answered += 1
        surest = max(one.tags, key=lambda tag: tag[1])[0].label
        right += surest in example.tags
    total = len(truth)
    return {
        "ap": right / total if total else None,
        "accuracy": right / answered if answered else None,
        "answered": answered / total if total else None,
    }


def _cut(truth: Iterable[Example], info: ModelInfo, labels: Sequence[str]) -> list[Example]:
    """Return truth, numbered by `info.labels`, as if there were these labels only."""
    numbers = {info.labels.index(label): position for position, label in enumerate(labels)}
    cut = []
    for one in truth:
        pairs = [(box, numbers[n]) for box, n in zip(one.boxes, one.labels, strict=True) if n in numbers]
        cut.append(replace(one, boxes=tuple(b for b, _ in pairs), labels=tuple(n for _, n in pairs)))
    return cut


def _compare(
    new: tuple[ModelInfo, list[Predicted]], holdout: Sequence[Example], rival: Rival, progress: Progress
) -> tuple[bool, str]:
    if rival.reason or rival.folder is None:
        return not rival.reason, rival.reason or "the first model of this project"
    try:
        old = read_model(rival.folder)
        return _better(new, (old, rival.folder), holdout, progress)
    except (LabelLoomError, OSError) as error:
        if getattr(error, "exit_code", 1) == 130:
            raise
        return True, f"the model in use cannot be run any more ({error})"


def _better(
    new: tuple[ModelInfo, list[Predicted]],
    old: tuple[ModelInfo, Path],
    holdout: Sequence[Example],
    progress: Progress,
) -> tuple[bool, str]:
    (info, found), (before, folder) = new, old
    if not holdout:
        return False, f"no image is kept aside, so nothing shows that it is better than {before.version}"
    if DETECTORS[info.detector].learns != DETECTORS[before.detector].learns:
        return True, f"{before.version} learned {DETECTORS[before.detector].learns}, this one something else"
    common = [label for label in info.labels if label in before.labels]
    added = [label for label in info.labels if label not in before.labels]
    if not common:
        return True, f"it has no label in common with {before.version}: the labelling config was changed"
    earlier = look(folder, holdout, progress, "judging the model in use")
    now, then = (_ap(one, holdout, info, common) for one in (found, earlier))
    gone = [label for label in before.labels if label not in info.labels]
    told = f"AP {_shown(now)} against {_shown(then)} of {before.version} on the same {len(holdout)} images"
    if added or gone:
        told += f", over the {len(common)} common labels"
        told += f"; new: {', '.join(added[:5])}" if added else ""
        told += f"; gone: {', '.join(gone[:5])}" if gone else ""
    better = _at_least(now, then, SLACK) if added else _more(now, then)
    return better, told


def _ap(found: Sequence[Predicted], truth: Sequence[Example], info: ModelInfo, labels: Sequence[str]) -> float | None:
    if DETECTORS[info.detector].learns == "tags":
        share: float | None = tag_metrics(found, truth)["ap"]
        return share
    from backend.detect.metrics import evaluate

    ap: float | None = evaluate(found, _cut(truth, info, labels), labels, resamples=0)["ap"]
    return ap


def _more(now: float | None, then: float | None) -> bool:
    return now is not None and now > (then or 0.0)


def _at_least(now: float | None, then: float | None, slack: float) -> bool:
    return (now or 0.0) >= (then or 0.0) - slack


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
