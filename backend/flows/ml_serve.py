"""What `/ml` answers with: the project's own model, or the ML backend of somebody else that its detector names."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.core.errors import LabelLoomError
from backend.core.progress import Silent
from backend.flows.detector_options import own_options
from backend.flows.label_studio_connection import translated
from backend.flows.ml_answers import Answer
from backend.flows.ml_versions import AWAY
from backend.flows.predictor import Predictor
from backend.flows.proxy import open_backend, predict_tasks, version_of
from backend.store.models import detector_of
from connectors.label_studio import LabelStudio, Project
from connectors.ml_backend import MLBackend

Json = dict[str, Any]

PROXY = "proxy"
QUICK = 1.5  # seconds that somebody else's backend has for its version; Label Studio waits three for ours


@dataclass(frozen=True, slots=True)
class Asked:
    """The project that Label Studio asks about. key: as it names it, "{id}.{created}"; config: its labelling config."""

    project: int
    key: str
    config: str = ""


def asked_of(client: LabelStudio, project: Project) -> Asked:
    """Return a project as Label Studio would name it.

    Raises:
        ConnectorError: Label Studio is gone.
    """
    created = client.request("GET", f"api/projects/{project.id}/").json()["created_at"]
    return Asked(project.id, f"{project.id}.{int(datetime.fromisoformat(created).timestamp())}", project.label_config)


class Serving:
    """Answers for all projects; one per process, safe to share between threads."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._lock = threading.Lock()
        self._backends: dict[str, MLBackend] = {}
        self._versions: dict[int, str] = {}  # what somebody else's backends said last

    def version(self, asked: Asked) -> str:
        """Return what predicts in a project; it takes no longer than Label Studio waits."""
        options = self._proxied(asked)
        if options is None:
            return self._predictor.version(asked.project)
        try:
            with translated():
                remote = self._backend(options, QUICK).setup(asked.key, asked.config)
        except LabelLoomError as error:
            return self._versions.get(asked.project) or f"{AWAY}: {error}"[:500]
        self._versions[asked.project] = version_of(asked.key, remote)
        return self._versions[asked.project]

    def versions(self, project: int | None) -> list[str]:
        """Return the versions there are, the one that predicts now first."""
        said = [self._versions[project]] if project in self._versions else []
        return list(dict.fromkeys(said + self._predictor.versions(project)))

    def answers(self, asked: Asked, tasks: Sequence[Json]) -> list[Answer]:
        """Return an answer for each task, in order."""
        options = self._proxied(asked)
        if options is None:
            return self._predictor.answers(asked.project, tasks, asked.config)
        engine, project = self._predictor.engine, (asked.key, asked.config)
        try:
            return predict_tasks(self._backend(options), engine, project, tasks, Silent())
        except LabelLoomError as error:
            return [Answer(None, "model", str(error))] * len(tasks)

    def smart(self, asked: Asked, task: Json, context: Mapping[str, Any]) -> tuple[Json, Answer]:
        """Return what stands for that which was just drawn on a task, as a prediction; and the answer it rests on."""
        options = self._proxied(asked)
        if options is None:
            return self._predictor.smart(asked.project, task, asked.config, context)
        try:
            with translated():
                (found,) = self._backend(options).predict(asked.key, asked.config, [task], context=dict(context))
        except LabelLoomError as error:
            return {"result": [], "score": None, "model_version": ""}, Answer(None, "model", str(error))
        return found, Answer(found)

    def _proxied(self, asked: Asked) -> Json | None:
        """Return the options of the detector proxy where that is the project's."""
        name, options = detector_of(self._predictor.engine, asked.project)
        return own_options(options) if name == PROXY else None

    def _backend(self, options: Json, patience: float | None = None) -> MLBackend:
        """Return a backend with its connections kept; one for each way of asking."""
        key = json.dumps([options, patience], sort_keys=True)
        with self._lock:
            if key not in self._backends:
                self._backends[key] = open_backend(options, setup=patience)
            return self._backends[key]
