"""Predictions of somebody else's ML backend, behind our cache, batches and progress.

Tasks are passed on as Label Studio gave them: such a backend fetches images itself, with a Label Studio address and a
token of its own, or with those that the options `hostname` and `token` hand to it. What it predicts is kept by its
address, the task's data, the labelling config and the version that it names; one that names none is always asked.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.core.codec import digest
from backend.core.errors import UsageError
from backend.core.progress import Progress
from backend.flows.label_studio_connection import translated
from backend.flows.ml_answers import Answer
from backend.store.models import known_predictions, remember_predictions
from connectors.errors import Refused, ServerFailed
from connectors.ml_backend import MLBackend, Timeouts

Json = dict[str, Any]

BATCH = 8  # tasks a request: some seconds of most models, far from every timeout
_NAME = 60  # characters of the remote's own version that ours repeats


class ProxyOptions(BaseModel):
    """Where the ML backend is, and how it lets us in. timeout: seconds that a batch may take."""

    model_config = ConfigDict(extra="forbid")

    url: str
    user: str = ""
    password: str = ""
    hostname: str = ""
    token: str = ""
    timeout: float = Field(100, gt=0, le=3600)


def open_backend(options: Mapping[str, Any], *, setup: float | None = None) -> MLBackend:
    """Return the ML backend that a project's options name; nothing is asked yet. setup: seconds for its version.

    Raises:
        UsageError: an option is missing, unknown, or not what it must be.
        LabelLoomError: the address is none.
    """
    try:
        wanted = ProxyOptions.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        msg = f"the option {'.'.join(map(str, first['loc']))} of the detector proxy: {first['msg']}"
        raise UsageError(msg, fix=f"options are {', '.join(ProxyOptions.model_fields)}; url is needed") from error
    login = (wanted.user, wanted.password) if wanted.user or wanted.password else None
    with translated():
        return MLBackend(
            wanted.url,
            login,
            hostname=wanted.hostname,
            token=wanted.token,
            timeouts=Timeouts(predict=wanted.timeout, **({"setup": setup} if setup else {})),
        )


def version_of(project: str, remote: str | None) -> str:
    """Return the version that Label Studio is told for what a remote model predicts, `proxy-p{project}-{its own}`.

    project: "{id}.{created}"; remote: the version that the backend names; signs that no version may hold are replaced,
    and a hash keeps two such names apart.
    """
    name = remote or "unnamed"
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:_NAME]
    if clean != name:
        clean += "-" + hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"proxy-p{project.partition('.')[0]}-{clean}"


def predict_tasks(
    backend: MLBackend,
    engine: sa.Engine,
    project: tuple[str, str],
    tasks: Sequence[Json],
    progress: Progress,
) -> list[Answer]:
    """Return an answer for each task, in order; one that the backend fails on says why and costs no other.

    project: ("{id}.{created, unix seconds}", labelling config). What was predicted is kept as it comes, so that a
    repeat after a failure goes on.

    Raises:
        LabelLoomError: the backend does not answer, or lets us not in.
        Cancelled: from the progress.
    """
    name, config = project
    with translated():
        remote = backend.setup(name, config)
    version = version_of(name, remote)
    keys = [digest([backend.url, task.get("data"), config]) for task in tasks]
    known = known_predictions(engine, version, keys) if remote else {}
    answers = {n: _answer(known[key], version, cached=True) for n, key in enumerate(keys) if key in known}
    missing = [n for n in range(len(tasks)) if n not in answers]
    progress.update("predicting", len(answers), len(tasks))
    for part in _parts(missing):
        with translated():
            found = _batch(backend, project, [tasks[n] for n in part])
        fresh = {keys[n]: one for n, one in zip(part, found, strict=True) if not isinstance(one, str)}
        if remote:
            remember_predictions(engine, version, fresh)
        for n, one in zip(part, found, strict=True):
            answers[n] = Answer(None, "model", one) if isinstance(one, str) else _answer(one, version)
        progress.update("predicting", len(answers), len(tasks))
    return [answers[n] for n in range(len(tasks))]


def _parts(numbers: Sequence[int]) -> Iterator[list[int]]:
    rest = iter(numbers)
    while part := list(islice(rest, BATCH)):
        yield part


def _batch(backend: MLBackend, project: tuple[str, str], tasks: list[Json]) -> list[Json | str]:
    """Return predictions, or reasons why there is none; a batch that fails is asked for again one by one."""
    try:
        return list(backend.predict(*project, tasks))
    except (Refused, ServerFailed) as error:
        if len(tasks) == 1:
            return [str(error)]
    return [found for task in tasks for found in _batch(backend, project, [task])]


def _answer(given: Json, version: str, *, cached: bool = False) -> Answer:
    """Return a prediction under our version, its score as it was told if it is a usable number."""
    score = given.get("score")
    usable = isinstance(score, int | float) and math.isfinite(score)
    return Answer(
        {"result": given["result"], "score": score if usable else None, "model_version": version}, cached=cached
    )
