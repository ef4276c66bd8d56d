"""Makes LabelLoom a project's ML backend in Label Studio, with a password of its own, and undoes that."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from backend.core.errors import LabelLoomError, UsageError, shown
from backend.detect import DETECTORS
from backend.flows.access import hashed, service_url
from backend.flows.detector_options import check_options
from backend.flows.label_map import SHOWN
from backend.flows.label_studio_connection import connect, find_project, translated
from backend.flows.ml_serve import PROXY, Asked, Serving, asked_of
from backend.flows.ml_versions import AWAY, remedy
from backend.flows.predictor import Predictor
from backend.flows.rules import register, unregister_if_unused
from backend.formats.label_config import parse_label_config
from backend.settings import Settings
from backend.store import models as table
from backend.store.models import BackendRow
from backend.store.tables import open_database
from connectors.errors import ConnectorError
from connectors.label_studio import LabelStudio, Project
from connectors.label_studio_ml import CONNECTED, MlBackend, delete_backend, list_backends, put_backend
from connectors.label_studio_webhooks import delete_webhook, list_webhooks

Json = dict[str, Any]

TITLE, USER, PATH = "LabelLoom", "labelloom", "/ml"


@dataclass(frozen=True, slots=True)
class Connected:
    """A project whose ML backend we are.

    version: as Label Studio is told. predicts: the same for people. changed: anything was done; new: it was no ML
    backend there before; notes: what else there is to say.
    """

    project: Project
    url: str
    version: str
    detector: str
    predicts: str
    changed: bool
    new: bool
    notes: tuple[str, ...] = ()


def connect_ml(settings: Settings, project: int, detector: str | None = None, options: Json | None = None) -> Connected:
    """Make LabelLoom the project's ML backend; a repeat changes nothing, or sets what no longer works anew.

    detector, options: what shall predict, where that is to change. The webhook that Label Studio makes of itself for an
    ML backend (every event, no secret) is replaced by ours.

    Raises:
        UsageError: there is no such detector, or it cannot work with these options; nothing was changed.
        LabelLoomError: another ML backend predicts there, or Label Studio is gone, has no such project, or cannot reach
            LabelLoom.
    """
    engine = open_database(settings.database)
    wanted = _detector(engine, project, detector, options)
    url = service_url(settings) + PATH
    with translated():
        client = connect(settings)
        found = find_project(client, project)
        there = list_backends(client, project)
        known = next((row for row in table.all_backends(engine) if row.project == project), None)
        own = next((one for one in there if one.url == url or (known and one.id == known.backend)), None)
        _check_first(there, own, project)
        if wanted:
            table.set_detector(engine, project, *wanted)
        changed = _put(engine, client, (project, url), own, known)
        changed = _show(client, project) or changed
        notes = register(engine, client, settings, project, None)
        changed = _replace_webhook(client, project, url) or changed
        asked = asked_of(client, found)
    name, options = table.detector_of(engine, project)
    predictor = Predictor(settings, engine)
    version = Serving(predictor).version(asked)
    if name == PROXY:
        predicts, more = _proxied(version, str(options.get("url")), project)
    else:
        predicts, more = _own(engine, project, name, version), _label_notes(predictor, asked)
    return Connected(found, url, version, name, predicts, changed or bool(wanted), own is None, (*notes, *more))


def disconnect_ml(settings: Settings, project: int) -> bool:
    """Undo `connect_ml`; return whether there was anything to undo. The project's models and detector stay.

    Raises:
        LabelLoomError: Label Studio is gone, or has no such project.
    """
    engine = open_database(settings.database)
    url = service_url(settings) + PATH
    known = next((row for row in table.all_backends(engine) if row.project == project), None)
    with translated():
        client = connect(settings)
        find_project(client, project)
        own = [one for one in list_backends(client, project) if one.url == url or (known and one.id == known.backend)]
        for one in own:
            delete_backend(client, one.id)
        for address in {url, *(one.url for one in own), *([known.url] if known else [])}:
            _replace_webhook(client, project, address)
        table.forget_backends(engine, [project])
        unregister_if_unused(engine, client, project)
    return bool(own) or known is not None


def _detector(engine: sa.Engine, project: int, detector: str | None, options: Json | None) -> tuple[str, Json] | None:
    """Return what shall predict if that changes."""
    before = table.detector_of(engine, project)
    if detector is None and options is None:
        return None
    name = detector or before[0]
    if name not in DETECTORS:
        msg = f"there is no detector {shown(name)}"
        raise UsageError(msg, fix=f"choose from {', '.join(DETECTORS)}")
    kept = before[1] if name == before[0] else {}
    wanted = name, {**kept, **(options or {})}
    _check_shown(wanted[1])
    _check_own(*wanted)
    return wanted if wanted != before else None


def _check_own(detector: str, options: Json) -> None:
    """Make sure that a detector can work with its options.

    Raises:
        UsageError: it cannot.
    """
    shown_by_us = [name for name in SHOWN if name in options]
    if detector == PROXY and shown_by_us:
        msg = f"the detector proxy has no option {shown_by_us[0]}: its ML backend itself decides what is shown"
        raise UsageError(msg, fix="leave it out")
    try:
        check_options(detector, options)
    except UsageError:
        raise
    except LabelLoomError as error:
        raise UsageError(str(error), fix=error.fix) from error


def _check_shown(options: Json) -> None:
    """Make sure that what `label_map` reads can be read."""
    least = [options.get("threshold"), *dict(_mapping(options, "thresholds")).values()]
    for value in least:
        if value is not None and not (isinstance(value, int | float) and 0 <= value <= 1):
            msg = f"a threshold is a number from 0 to 1, not {shown(value)}"
            raise UsageError(msg, fix='write threshold=0.4, or thresholds={"cat": 0.4}')
    _mapping(options, "label_map")


def _mapping(options: Json, name: str) -> Json:
    value = options.get(name) or {}
    if not isinstance(value, dict):
        msg = f"the option {name} is {shown(value)}"
        raise UsageError(msg, fix=f'write {name}={{"one": "other"}}')
    return value


def _check_first(there: Iterable[MlBackend], own: MlBackend | None, project: int) -> None:
    """Make sure that Label Studio will ask us: only a project's first ML backend predicts."""
    first = next(iter(there), None)
    if first is not None and (own is None or first.id != own.id):
        msg = f"project {project} has the ML backend {first.title!r} at {first.url}; Label Studio asks only the first"
        fix = "remove it under Settings > Model, or put it behind LabelLoom: --detector proxy --option url=ITS_ADDRESS"
        raise LabelLoomError(msg, fix=fix)


def _put(
    engine: sa.Engine, client: LabelStudio, where: tuple[int, str], own: MlBackend | None, known: BackendRow | None
) -> bool:
    """Set address and password in Label Studio, unless those there work; return whether they were set."""
    project, url = where
    if own and known and (own.url, own.state, own.user) == (url, CONNECTED, USER) and own.interactive:
        return False
    password = secrets.token_urlsafe(32)
    # Label Studio tries the password while it is being set, so we have to know it first
    table.set_backend(engine, BackendRow(project, hashed(password), url, own.id if own else 0))
    try:
        number = put_backend(client, project, url, (USER, password), title=TITLE, old=own.id if own else None)
    except ConnectorError as error:
        table.forget_backends(engine, [project])
        if known:
            table.set_backend(engine, known)
        raise _refused(error, url) from error
    table.set_backend(engine, BackendRow(project, hashed(password), url, number))
    return True


def _refused(error: ConnectorError, url: str) -> LabelLoomError:
    """Return what to tell of Label Studio's refusal."""
    msg = f"Label Studio does not take {url} as an ML backend: {error}"
    if "reserved network" in str(error):
        return LabelLoomError(msg, fix="start Label Studio with ML_BLOCK_LOCAL_IP=false: it refuses private addresses")
    if error.status == 400:
        here = urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}
        where = "; if Label Studio runs on another machine, set LABELLOOM_BASE_URL to an address it reaches"
        return LabelLoomError(msg, fix=f"start LabelLoom first: `labelloom web`{where if here else ''}")
    return LabelLoomError(msg, fix=error.fix)


def _show(client: LabelStudio, project: int) -> bool:
    """Let annotators see our predictions: those of the ML backend that the project names. Return whether it did not."""
    path = f"api/projects/{project}/"
    now = client.request("GET", path).json()
    wanted = {"model_version": TITLE, "show_collab_predictions": True}
    if all(now.get(name) == value for name, value in wanted.items()):
        return False
    client.request("PATCH", path, json=wanted)
    return True


def _replace_webhook(client: LabelStudio, project: int, url: str) -> bool:
    """Remove the webhook that Label Studio makes for an ML backend; return whether there was one."""
    automatic = [hook for hook in list_webhooks(client, project) if hook.url == f"{url}/webhook"]
    for hook in automatic:
        delete_webhook(client, hook.id)
    return bool(automatic)


def _proxied(version: str, url: str, project: int) -> tuple[str, tuple[str, ...]]:
    """Return what is predicted with behind us, and what there is to say of it."""
    where = f"the ML backend at {url}"
    if version.startswith(f"{AWAY}: "):
        said = version.removeprefix(f"{AWAY}: ")
        return f"nothing: {where} does not answer as it should", (f"{said}; {remedy(PROXY, project)}",)
    return f"{where} ({version})", ()


def _own(engine: sa.Engine, project: int, detector: str, version: str) -> str:
    """Return what predicts, and what is missing until the detector that was chosen does."""
    row = table.current_model(engine, project)
    if row is not None and row.detector != detector:
        return f"{version}, until the detector {detector} has a model: {remedy(detector, project)}"
    return f"{version}: {remedy(detector, project)}" if row is None and DETECTORS[detector].makes else version


def _label_notes(predictor: Predictor, asked: Asked) -> tuple[str, ...]:
    """Return what does not fit between the labels of the model and those of the project."""
    try:
        labels = predictor.labels(asked.project, parse_label_config(asked.config))
    except LabelLoomError as error:
        return (f"nothing can be predicted: {error}",)
    return labels.notes if labels else ()
