"""Predicts for tasks of Label Studio with the model of their project; used by `/ml` and by pre-labelling jobs.

One task's trouble never becomes another's: each gets an answer, and those without a prediction say why.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from backend.core.errors import ImageError, LabelLoomError
from backend.detect.base import Predicted, Runtime
from backend.flows.image_cache import ImageCache
from backend.flows.label_map import LabelMap, map_labels
from backend.flows.label_studio_connection import address_and_key, translated
from backend.flows.loaded_models import LoadedModels, Open, open_folder
from backend.flows.ml_answers import Answer, found_from_json, found_to_json, to_prediction
from backend.flows.ml_versions import untrained
from backend.flows.smart import smart_prediction
from backend.formats.label_config import LabelConfig, parse_label_config
from backend.formats.label_studio_tasks import image_url
from backend.settings import Settings
from backend.store import models as table
from backend.store.deliveries import quick_engine
from backend.store.models import ModelRow
from connectors.label_studio import LabelStudio

if TYPE_CHECKING:
    from backend.detect.model_dir import ModelInfo

Json = dict[str, Any]
Locate = Callable[[str, int], Path]
log = logging.getLogger("labelloom.ml")

FETCHERS = 8
PART = 32  # tasks whose answers are kept together: what is done stays done if the rest fails
PATIENCE = 80.0  # seconds for a request: Label Studio gives up after 100 and then keeps nothing of it
LATE = Answer(None, "late", "the request took too long: pre-label the project with a job instead")


@dataclass(frozen=True, slots=True)
class Work:
    """What answers are made with: the model that predicts in a project, and how its labels are shown there."""

    model: ModelRow
    labels: LabelMap
    end: float


class Predictor:
    """Predicts in all projects; one per process, safe to share between threads.

    keep: how many models stay in memory. opens, locate: for tests, how a model and an image are come by.
    """

    def __init__(
        self,
        settings: Settings,
        engine: sa.Engine,
        *,
        keep: int = 2,
        opens: Open = open_folder,
        locate: Locate | None = None,
    ) -> None:
        self._settings, self.engine = settings, engine
        self._quick = quick_engine(engine)  # what is remembered may be found again: no commit waits for the disk
        self._models = LoadedModels(keep, Runtime(), opens)
        self._busy = threading.BoundedSemaphore(max(1, os.cpu_count() or 1))  # decoded images take memory
        self._lock = threading.Lock()
        self._images: tuple[tuple[str, str], ImageCache] | None = None
        self._locate = locate or self._fetch

    def version(self, project: int) -> str:
        """Return what predicts in a project, as Label Studio is told; no model is loaded."""
        row = table.current_model(self.engine, project)
        return row.version if row else untrained(*table.detector_of(self.engine, project))

    def versions(self, project: int | None) -> list[str]:
        """Return the versions there are, the one that predicts now first."""
        known = [row.version for row in table.list_models(self.engine, project)]
        first = [self.version(project)] if project is not None else []
        return list(dict.fromkeys(first + known))

    def labels(self, project: int, config: LabelConfig) -> LabelMap | None:
        """Return how the labels of a project's model are shown under a config; None where there is no model.

        Raises:
            UsageError: the model's folder cannot be read.
        """
        row = table.current_model(self.engine, project)
        return self._labels(row, project, config) if row else None

    def smart(self, project: int, task: Json, label_config: str, context: Mapping[str, Any]) -> tuple[Json, Answer]:
        """Return what stands for that which was just drawn on a task, as a prediction; and the answer it rests on."""
        row = table.current_model(self.engine, project)
        (answer,) = self.answers(project, [task], label_config, model=row)
        known = row is not None and answer.prediction is not None
        labels = self.labels(project, _parsed(label_config)) if known else None
        return smart_prediction(context, answer, labels, self.version(project)), answer

    def answers(
        self,
        project: int,
        tasks: Sequence[Json],
        label_config: str,
        *,
        patience: float = PATIENCE,
        model: ModelRow | None = None,
    ) -> list[Answer]:
        """Return an answer for each task, in order.

        patience: seconds after which the remaining ones get none. model: to predict with instead of the present one.
        """
        end = time.monotonic() + patience
        row = model or table.current_model(self.engine, project)
        if row is None:
            return [Answer(None, "untrained", self.version(project))] * len(tasks)
        try:
            labels = self._labels(row, project, _parsed(label_config))
        except LabelLoomError as error:
            return [Answer(None, "config", str(error))] * len(tasks)
        work = Work(row, labels, end)
        answers: list[Answer] = []
        for start in range(0, len(tasks), PART):
            answers += self._part(tasks[start : start + PART], work)
        for task, answer in zip(tasks, answers, strict=True):
            if answer.reason:
                log.warning("task %s of project %d gets no prediction: %s", task.get("id"), project, answer.reason)
        return answers

    def _labels(self, row: ModelRow, project: int, config: LabelConfig) -> LabelMap:
        info = _read(row.folder)
        _, options = table.detector_of(self.engine, project)
        return map_labels(config, (info.labels, info.tags), (options, info.threshold))

    def _part(self, tasks: Sequence[Json], work: Work) -> list[Answer]:
        if len(tasks) == 1:  # an annotator waits: no thread is started for it
            located = [self._path(tasks[0], work)]
        else:
            with ThreadPoolExecutor(min(FETCHERS, len(tasks))) as pool:
                located = list(pool.map(lambda task: self._path(task, work), tasks))
        shas = [path.name for path in located if isinstance(path, Path)]
        known = table.known_predictions(self.engine, work.model.version, shas)
        fresh: dict[str, Any] = {}
        answers = [where if isinstance(where, Answer) else self._one(where, work, known, fresh) for where in located]
        table.remember_predictions(self._quick, work.model.version, fresh)
        return answers

    def _path(self, task: Json, work: Work) -> Path | Answer:
        """Return the task's image, or the answer that there is none."""
        if time.monotonic() > work.end:
            return LATE
        try:
            with translated():
                return self._locate(image_url(task, work.labels.config), int(task.get("id") or 0))
        except LabelLoomError as error:
            return Answer(None, "image", str(error))
        except OSError as error:
            return Answer(None, "image", f"the image cannot be kept: {error.strerror or error}")

    def _one(self, path: Path, work: Work, known: Mapping[str, Any], fresh: dict[str, Any]) -> Answer:
        sha = path.name
        kept = known.get(sha) or fresh.get(sha)
        if kept is None:
            if time.monotonic() > work.end:
                return LATE
            try:
                found, size = self._predict(path, work.model)
            except (LabelLoomError, OSError) as error:
                return Answer(None, "image" if isinstance(error, ImageError | OSError) else "model", str(error))
            kept = fresh[sha] = found_to_json(found, size)
        found, size = found_from_json(kept)  # the same numbers, whether they were kept or not
        if found.reason:
            return Answer(None, "model", found.reason, found, size)
        prediction = to_prediction(found, size, work.labels, work.model.version)
        return Answer(prediction, found=found, size=size, cached=sha in known)

    def _predict(self, path: Path, model: ModelRow) -> tuple[Predicted, tuple[int, int]]:
        from backend.imaging.decode import decode

        detector = self._models.get(model.version, model.folder)
        with self._busy:
            rgb = decode(path.read_bytes()).rgb
            try:
                (found,) = detector.predict([rgb])
            except LabelLoomError:
                raise
            except Exception as error:  # a model's code may raise anything; the other tasks go on
                log.exception("model %s failed on %s", model.version, path)
                msg = f"the model {model.version} failed: {type(error).__name__}: {str(error)[:200]}"
                raise LabelLoomError(msg, fix="roll back to another version, or train again") from error
        return found, (rgb.shape[1], rgb.shape[0])

    def _fetch(self, url: str, task: int) -> Path:
        where = address_and_key(self._settings)
        with self._lock:
            if self._images is None or self._images[0] != where:
                self._images = where, ImageCache(LabelStudio(*where), self._settings)
            cache = self._images[1]
        return cache.path(url, task)


@lru_cache(maxsize=64)
def _read(folder: Path) -> "ModelInfo":
    """Return what a model's `model.json` says; a version's folder never changes."""
    from backend.detect.model_dir import read_model

    return read_model(folder)


@lru_cache(maxsize=64)
def _parsed(label_config: str) -> LabelConfig:
    return parse_label_config(label_config)
