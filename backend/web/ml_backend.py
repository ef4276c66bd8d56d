"""`/ml`: an ML backend as Label Studio 1.23 speaks to one. Training runs elsewhere, as a job.

Label Studio waits one second for /health, three for /setup, 100 for /predict, and an annotator may wait with it.
So only /predict touches a model, and a task that cannot be predicted costs the other tasks of its batch nothing.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from backend.detect import DETECTORS
from backend.flows.ml_serve import Asked, Serving
from backend.flows.predictor import Predictor
from backend.jobs.queue import Busy
from backend.store.models import detector_of
from backend.web.ml_auth import Doorkeeper
from backend.web.ml_metrics import MlMetrics
from backend.web.problems import Problem
from backend.web.security import own_auth
from backend.web.services import Services, answered

Json = dict[str, Any]
TRAIN = "START_TRAINING"
log = logging.getLogger("labelloom.ml")


class Backend:
    """What the routes share; one per app."""

    def __init__(self, services: Callable[[], Services], predictor: Predictor | None = None) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._serving = Serving(predictor) if predictor else None
        self.door = Doorkeeper(lambda: services().engine)
        self.metrics = MlMetrics()

    @property
    def serving(self) -> Serving:
        """What answers, made at first use."""
        services = self._services()
        engine = services.engine
        with self._lock:
            if self._serving is None:
                self._serving = Serving(Predictor(services.settings, engine))
            return self._serving

    def predict(self, body: Json) -> list[Any]:
        """Return the results for a request, and count them."""
        begin = time.perf_counter()
        asked, tasks, context = _asked(body, "label_config"), _tasks(body), _context(body)
        results: list[Any]
        if context is not None and len(tasks) == 1:
            drawn, answer = self.serving.smart(asked, tasks[0], context)
            answers, results, what = [answer], [drawn], "interactive"
        else:
            answers = self.serving.answers(asked, tasks)
            results, what = [answer.to_json() for answer in answers], "task" if len(tasks) == 1 else "batch"
        self.metrics.count(answers, what, time.perf_counter() - begin)
        return results

    def train(self, project: int, who: str) -> Json:
        """Start a training; one that runs already is the answer too.

        Raises:
            Problem: 409, the project's detector does not learn.
        """
        services = self._services()
        detector, _ = detector_of(services.engine, project)
        if detector in DETECTORS and DETECTORS[detector].trains is None:
            msg = f"the detector {detector} of project {project} does not learn: {DETECTORS[detector].summary}"
            log.warning("no training starts: %s", msg)  # Label Studio shows nobody that it was refused
            fix = f"choose one that learns: `labelloom connect --project {project} --detector fewshot`"
            raise Problem(409, msg, fix=fix)
        try:
            job = services.jobs.submit("fit", {"project": project}, who).id
        except Busy as busy:
            return {"job": busy.holder, "status": "is being trained already"}
        return {"job": job, "status": "queued"}


def ml_backend(services: Callable[[], Services], predictor: Predictor | None = None) -> Blueprint:
    """Return the routes; `services` gives the database and the jobs at the first request that needs them."""
    blueprint, backend = Blueprint("ml", __name__, url_prefix="/ml"), Backend(services, predictor)

    @blueprint.get("/")
    @blueprint.get("/health")
    @own_auth
    def health() -> Any:
        """Answer while the process lives; it tells nothing, so it asks for no password."""
        return {"status": "UP", "model_class": "LabelLoom"}

    @blueprint.post("/setup")
    @own_auth
    def setup() -> Any:
        """Tell which model predicts in the project."""
        with answered():
            speaker, body = backend.door.admit(), _body()
            speaker.may(_project(body))
            return {"model_version": backend.serving.version(_asked(body, "schema"))}

    @blueprint.post("/predict")
    @own_auth
    def predict() -> Any:
        """Return what the project's model finds in each task, in order."""
        with answered():
            speaker, body = backend.door.admit(), _body()
            speaker.may(_project(body))
            return {"results": backend.predict(body)}

    @blueprint.post("/webhook")
    @own_auth
    def webhook() -> Any:
        """Start a training; what Label Studio tells of annotations goes to our own webhook, not here."""
        with answered():
            speaker, body = backend.door.admit(), _body()
            if body.get("action") != TRAIN:
                return {"status": "ignored"}, 202
            project = _project(body)
            speaker.may(project)
            return backend.train(project, speaker.who), 201

    @blueprint.get("/versions")
    @own_auth
    def versions() -> Any:
        """Return the versions there are, the one that predicts now first."""
        with answered():
            return {"versions": backend.serving.versions(backend.door.admit().project)}

    @blueprint.get("/metrics")
    @own_auth
    def metrics() -> Response:
        """Return the figures for Prometheus."""
        with answered():
            backend.door.admit()
        return Response(backend.metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")

    return blueprint


def _body() -> Json:
    try:
        found = json.loads(request.get_data(cache=False))
    except RequestEntityTooLarge as error:
        raise Problem(413, f"a request here may have at most {request.max_content_length} bytes") from error
    except (ValueError, RecursionError) as error:
        raise Problem(400, "the body is not JSON") from error
    if not isinstance(found, dict):
        raise Problem(400, "the body must be a JSON object")
    return found


def _project(body: Json) -> int:
    """Return the project's number: `"4.1795429553"` in most requests, `{"id": 4}` where training is asked for."""
    given = body.get("project")
    number = str(given.get("id") if isinstance(given, dict) else given).partition(".")[0]
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise Problem(400, "the request names no project", fix="this address is for Label Studio's ML backend requests")
    return int(number)


def _asked(body: Json, config: str) -> Asked:
    return Asked(_project(body), str(body["project"]), str(body.get(config) or ""))


def _context(body: Json) -> Json | None:
    """Return what a smart tool drew; None in requests for ordinary predictions."""
    params = body.get("params")
    context = params.get("context") if isinstance(params, dict) else None
    return context if isinstance(context, dict) and isinstance(context.get("result"), list) else None


def _tasks(body: Json) -> list[Json]:
    tasks = body.get("tasks")
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise Problem(400, "tasks must be a list of Label Studio's tasks")
    return tasks
