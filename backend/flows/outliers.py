"""Labelled images that look unlike the others of their tag: they come first here, where a mistake is most likely.

With `write`, each task gets a prediction without regions whose score says how typical its image is, so that the Data
Manager can sort by it; the version tells it from pre-labels, which annotated tasks never get.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from backend.core.errors import UsageError
from backend.core.model import Sample
from backend.core.progress import Progress
from backend.detect.outliers import Typical, typical_first
from backend.flows import models
from backend.flows.fit_source import project_source
from backend.flows.label_studio_connection import connect, translated
from backend.settings import Settings
from backend.store.tables import open_database
from connectors.label_studio import LabelStudio
from connectors.label_studio_predictions import delete_prediction, import_predictions

Json = dict[str, Any]

BATCH = 500


@dataclass(frozen=True, slots=True)
class Outlier:
    """A labelled image. score: how typical of its tag it is, 0 to 1; item: its task, or its sha256 if none is known."""

    item: str
    tag: str
    score: float
    task: int | None = None

    def to_json(self) -> Json:
        """Return it as `--json` shows it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Outliers:
    """Images, the least typical first; written: tasks that got their score as a prediction."""

    images: tuple[Outlier, ...]
    written: int = 0


def outliers(version: str, tools: tuple[Settings, Progress], *, write: bool = False) -> Outliers:
    """Return a model's labelled images, the least typical of their tag first.

    Raises:
        UsageError: no such model, or one of another detector.
        LabelLoomError: Label Studio cannot be asked for the tasks.
    """
    settings, progress = tools
    row = models.find(open_database(settings.database), version)
    if row.detector != "similar":
        msg = f"{version} is a model of the detector {row.detector}"
        raise UsageError(msg, fix="outliers are found by a model of `similar`: labelloom fit -p ID --detector similar")
    found = [_named(one, None) for one in reversed(typical_first(row.folder))]
    if row.project is None:
        return Outliers(tuple(found))
    with project_source(row.project, settings, progress) as source:
        tasks: dict[str, Sample] = {}
        for number, sample in enumerate(source.dataset.samples):
            progress.update("finding the tasks", number, source.total)
            if isinstance(sample, Sample) and sample.origin.task is not None:
                tasks[Path(sample.path).name] = sample  # the cache keeps images by their sha256
    known = [replace(one, **_task(tasks.get(one.item))) for one in found]
    if not write:
        return Outliers(tuple(known))
    with translated():
        return Outliers(tuple(known), _write(connect(settings), row.project, known, progress))


def _named(one: Typical, task: int | None) -> Outlier:
    return Outlier(one.sha256, one.tag, one.score, task)


def _task(sample: Sample | None) -> Json:
    return {} if sample is None else {"task": sample.origin.task, "item": f"task {sample.origin.task} ({sample.name})"}


def _write(client: LabelStudio, project: int, found: list[Outlier], progress: Progress) -> int:
    """Give each task the score of its least typical tag; what an earlier run wrote is replaced."""
    version = f"outliers-p{project}"
    scores: dict[int, float] = {}
    for one in found:
        if one.task is not None:
            scores[one.task] = min(one.score, scores.get(one.task, 1.0))
    ids = sorted(scores)
    for start in range(0, len(ids), BATCH):
        part = ids[start : start + BATCH]
        progress.update("writing scores", start, len(ids))
        for task in client.tasks(project, ids=part):
            for old in task.get("predictions") or ():
                if old.get("model_version") == version:
                    delete_prediction(client, old["id"])
        new = [{"task": task, "result": [], "score": scores[task], "model_version": version} for task in part]
        import_predictions(client, project, new)
    return len(ids)
