"""Batch pre-labelling: every task that nobody has annotated gets the boxes of a model, a batch at a time.

A task that has this version's prediction already is passed over, so a run that was stopped, or killed at any moment,
goes on by being started again, and a second run does nothing.
"""

import math
import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from backend.core.errors import LabelLoomError, UsageError
from backend.core.progress import Progress
from backend.detect import DETECTORS
from backend.flows import models
from backend.flows.fit_events import Tell
from backend.flows.label_studio_connection import connect, find_project, translated
from backend.flows.ml_answers import Answer
from backend.flows.ml_serve import PROXY, Serving, asked_of
from backend.flows.ml_versions import AWAY, UNTRAINED, remedy
from backend.flows.predictor import Predictor
from backend.settings import Settings
from backend.store import models as table
from backend.store.models import ModelRow
from backend.store.tables import open_database
from connectors.errors import Refused
from connectors.label_studio import LabelStudio, Project
from connectors.label_studio_predictions import delete_prediction, import_predictions

Json = dict[str, Any]

MANY = 5  # tasks that all fail in the same way: it is the model
BATCH = 50  # tasks: some seconds of a detector, and as much as is done again after a kill
_OURS = re.compile(rf"({'|'.join(DETECTORS)})-p\d+-v\d+|proxy-p\d+-.+")  # a proxied model's own name may be anything
_EMPTY = {
    "conjunction": "and",
    "items": [{"filter": "filter:tasks:total_annotations", "operator": "equal", "type": "Number", "value": 0}],
}

Answerer = Callable[[Sequence[Json]], list[Answer]]
"""Takes tasks as Label Studio's JSON and returns an answer for each, in order."""


@dataclass(slots=True)
class PrelabelReport:
    """What was done. counts: tasks predicted, with nothing found, passed over, left alone, and older ones replaced."""

    project: int
    version: str
    tasks: int = 0
    predicted: int = 0
    regions: int = 0
    present: int = 0
    annotated: int = 0
    replaced: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the numbers."""
        names = ("tasks", "predicted", "regions", "present", "annotated", "replaced")
        return {name: getattr(self, name) for name in names} | {"skipped": len(self.skipped)}

    def to_json(self) -> Json:
        """Return it as jobs and `--json` show it."""
        skipped = [{"item": item, "reason": reason} for item, reason in self.skipped[:1000]]
        return {"project": self.project, "model": self.version, "counts": self.counts(), "skipped": skipped}


def prelabel(
    project: int,
    model: str | None,
    tools: tuple[Settings, Progress],
    *,
    tell: Tell = lambda _text: None,
    answerer: Answerer | None = None,
) -> PrelabelReport:
    """Pre-label a project's tasks that nobody has annotated, with a model's version or the one in use.

    Of older predictions, those of our own models are replaced; those of others stay.

    Raises:
        UsageError: no such project or model, or none was trained for it yet.
        LabelLoomError: Label Studio or the model fails.
        Cancelled: from the progress; a repeat goes on.
    """
    settings, progress = tools
    engine = open_database(settings.database)
    row = models.find(engine, model) if model is not None else None
    with translated():
        client = connect(settings)
        found = find_project(client, project)
        version, answer = _asking(Predictor(settings, engine), client, found, row)
        report = PrelabelReport(project, version)
        ids = client.task_ids(project, filters=_EMPTY)
        report.tasks = len(ids)
        known = {one.version for one in table.list_models(engine)}
        _Run(client, found, known, answerer or answer, report).go(ids, progress)
    tell(f"pre-labelled {report.predicted} tasks with {version}: {report.regions} regions")
    return report


def _asking(predictor: Predictor, client: LabelStudio, project: Project, row: ModelRow | None) -> tuple[str, Answerer]:
    """Return what predicts in a project, one version from the first task to the last, and how to ask it.

    Raises:
        UsageError: nothing does.
    """
    engine = predictor.engine
    detector, _ = table.detector_of(engine, project.id)
    if row is None and detector == PROXY:
        serving, asked = Serving(predictor), asked_of(client, project)
        return _usable(serving.version(asked), project.id, detector), partial(serving.answers, asked)
    row = row or table.current_model(engine, project.id)
    if row is None:
        return _usable(predictor.version(project.id), project.id, detector), lambda _tasks: []

    def answer(tasks: Sequence[Json]) -> list[Answer]:
        return predictor.answers(project.id, tasks, project.label_config, patience=math.inf, model=row)

    return row.version, answer


def _usable(version: str, project: int, detector: str) -> str:
    for state, when in ((UNTRAINED, "yet"), (AWAY, "now")):
        if version.startswith(f"{state}: "):
            msg = f"nothing predicts in project {project} {when} ({version})"
            raise UsageError(msg, fix=f"{remedy(detector, project)}, or name a model with --model")
    return version


@dataclass(slots=True)
class _Run:
    """known: versions of our models, whose predictions are ours to replace."""

    client: LabelStudio
    project: Project
    known: set[str]
    answer: Answerer
    report: PrelabelReport

    def go(self, ids: list[int], progress: Progress) -> None:
        """Do all tasks, a batch at a time."""
        done = 0
        progress.update("pre-labelling", 0, len(ids))
        for part in _parts(ids):
            self._batch(list(self.client.tasks(self.project.id, ids=part)))
            done += len(part)
            progress.update("pre-labelling", done, len(ids))

    def _batch(self, tasks: list[Json]) -> None:
        """Predict tasks that still need it, take our older predictions away, and import the new ones."""
        wanted = [task for task in tasks if self._wanted(task)]
        if not wanted:
            return
        answers, new = self.answer(wanted), []
        _check_hope(answers)
        for task, answer in zip(wanted, answers, strict=True):
            if answer.prediction is None:
                self.report.skipped.append((f"task {task['id']}", answer.reason))
                continue
            self._clear(task)
            new.append({"task": task["id"], **answer.prediction})
        self._import(new)

    def _wanted(self, task: Json) -> bool:
        if task.get("annotations"):  # somebody was quicker, or skipped it
            self.report.annotated += 1
            return False
        if any(one.get("model_version") == self.report.version for one in task.get("predictions") or ()):
            self._clear(task)
            self.report.present += 1
            return False
        return True

    def _clear(self, task: Json) -> None:
        for one in task.get("predictions") or ():
            version = str(one.get("model_version") or "")
            if version != self.report.version and _is_ours(version, self.known):
                delete_prediction(self.client, one["id"])
                self.report.replaced += 1

    def _import(self, new: list[Json]) -> None:
        """Import predictions; where a task was deleted meanwhile, Label Studio refuses all, so the rest go again."""
        if not new:
            return
        try:
            import_predictions(self.client, self.project.id, new)
        except Refused:
            there = {task["id"] for task in self.client.tasks(self.project.id, ids=[one["task"] for one in new])}
            gone = [one for one in new if one["task"] not in there]
            if not gone:
                raise
            self.report.skipped += [(f"task {one['task']}", "was deleted meanwhile") for one in gone]
            self._import([one for one in new if one["task"] in there])
            return
        self.report.predicted += len(new)
        self.report.regions += sum(len(one["result"]) for one in new)


def _is_ours(version: str, known: Container[str]) -> bool:
    """Return whether a model of ours predicted that, be it removed since; known: versions in our tables."""
    return version in known or bool(_OURS.fullmatch(version)) or version.startswith(f"{UNTRAINED}:")


def _check_hope(answers: Sequence[Answer]) -> None:
    """Stop where the next batch would fail for the same reason.

    Raises:
        LabelLoomError: the project's config does not suit the model, or the model fails on every image.
    """
    kinds, reasons = {one.kind for one in answers}, {one.reason for one in answers}
    every = kinds == {"model"} and len(reasons) == 1 and len(answers) >= MANY
    if every or kinds <= {"config", "untrained"}:
        raise LabelLoomError(reasons.pop(), fix="see `labelloom models list`; roll back, or train again")


def _parts(ids: list[int]) -> Iterator[list[int]]:
    source = iter(ids)
    while part := list(islice(source, BATCH)):
        yield part
