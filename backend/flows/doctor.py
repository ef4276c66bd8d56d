"""Is everything in place? Each check says what it saw and, where it failed, what to do."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import sqlalchemy as sa

from backend.core.errors import LabelLoomError, UsageError
from backend.flows.access import noted_url, service_url
from backend.flows.image_stores import MARK, both_endpoints, shared_folder
from backend.flows.label_studio_connection import connect, translated
from backend.settings import Settings
from backend.store.tables import open_database
from connectors.errors import ConnectorError
from connectors.label_studio import LabelStudio
from connectors.storage import Storage

PINNED = {"albumentations": "2.0.8", "albucore": "0.0.24"}
LITTLE_SPACE = 2e9  # bytes


@dataclass(frozen=True, slots=True)
class Check:
    """One examined thing."""

    name: str
    ok: bool
    detail: str
    fix: str | None = None


def examine(settings: Settings) -> list[Check]:
    """Run every check; none stops the others."""
    checks: list[Callable[[Settings], Iterator[Check]]] = [
        _python,
        _libraries,
        _folders,
        _database,
        _service,
        _label_studio,
    ]
    return [result for check in checks for result in check(settings)]


def _python(_: Settings) -> Iterator[Check]:
    ok = sys.version_info >= (3, 11)
    yield Check("python", ok, sys.version.split()[0], "install Python 3.11 or newer and run make setup again")


def _libraries(_: Settings) -> Iterator[Check]:
    for name, wanted in PINNED.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "missing"
        fix = f"pixels depend on this version: install {name}=={wanted}, or run make setup again"
        yield Check(name, found == wanted, found, fix)
    clash = shutil.which("python") is not None and _installed("albumentationsx")
    if clash:
        fix = "uninstall albumentationsx: it takes over the import name and sends telemetry"
        yield Check("albumentationsx", False, "installed beside albumentations", fix)


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _folders(settings: Settings) -> Iterator[Check]:
    for name, folder in (("data folder", settings.data_dir), ("cache folder", settings.cache_dir)):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            writable = os.access(folder, os.W_OK)
        except OSError as error:
            yield Check(name, False, f"{folder}: {error.strerror}", "set LABELLOOM_DATA_DIR to a folder you may write")
            continue
        yield Check(name, writable, str(folder), "make it writable, or set LABELLOOM_DATA_DIR")
        free = shutil.disk_usage(folder).free
        yield Check(f"{name} space", free > LITTLE_SPACE, f"{free / 1e9:.1f} GB free", "free some disk space")
    if settings.storage:
        yield _storage(settings.storage)
    if settings.datasets_storage:
        yield _reached("datasets storage", settings.datasets_storage)


def _storage(storage: str) -> Check:
    ours = shared_folder(storage)
    if ours is not None:
        fix = "set LABELLOOM_STORAGE to an existing folder below Label Studio's LOCAL_FILES_DOCUMENT_ROOT"
        return Check("storage", ours.is_dir() and os.access(ours, os.W_OK), storage, fix)
    return _reached("storage", both_endpoints(storage)[0])


def _reached(name: str, url: str) -> Check:
    """Look for a file that need not be there: whoever may not look is told so."""
    try:
        place = Storage(url)
        place.size(MARK)
    except ConnectorError as error:
        return Check(name, False, str(error), error.fix)
    return Check(name, True, place.shown)


def _database(settings: Settings) -> Iterator[Check]:
    try:
        with open_database(settings.database).connect() as connection:
            connection.execute(sa.text("select 1"))
    except UsageError as error:
        yield Check("database", False, str(error), error.fix)
        return
    yield Check("database", True, sa.make_url(settings.database).render_as_string(hide_password=True))


def _service(settings: Settings) -> Iterator[Check]:
    """Tell which address links and webhooks carry; a service that is not started is no fault."""
    import httpx

    url = service_url(settings)
    source = "noted by the service" if noted_url(settings) else "the default"
    source = "LABELLOOM_BASE_URL" if settings.base_url else source
    try:
        answers = httpx.get(f"{url}/healthz", timeout=2).status_code == 200
    except (httpx.HTTPError, httpx.InvalidURL):
        answers = False
    state = "answers" if answers else "does not answer; `labelloom up` starts it"
    yield Check("service", True, f"{url} ({source}) {state}")


def _label_studio(settings: Settings) -> Iterator[Check]:
    try:
        with translated():
            client = connect(settings)
            info = client.check()
    except LabelLoomError as error:
        yield Check("label studio", False, str(error), error.fix)
        return
    yield Check("label studio", True, f"{info.version} at {info.url} as {info.email}")
    yield from _private_addresses(client)


CLOSED = "http://127.0.0.1:9/"  # nothing listens on the discard port, so asking creates nothing
NAME = "label studio reaches private addresses"
SWITCHES = "ML_BLOCK_LOCAL_IP=false SSRF_PROTECTION_ENABLED=false"


def _private_addresses(client: LabelStudio) -> Iterator[Check]:
    """Ask Label Studio to add an ML backend that cannot exist and see how it refuses."""
    try:
        project = next(iter(client.projects()), None)
        if project is None:
            yield Check(NAME, True, "not checked: there is no project to try it with")
            return
        client.request("POST", "api/ml/", json={"project": project.id, "url": CLOSED})
    except ConnectorError as error:
        yield private_addresses(error)
        return
    yield Check(NAME, True, "yes")


def private_addresses(error: ConnectorError) -> Check:
    """Return what Label Studio's answer about a backend where nothing listens proves: yes, no, or nothing."""
    said = str(error)
    if error.status == 400 and "health check failed" in said:  # it went there and found nobody
        return Check(NAME, True, "yes")
    if error.status == 403 and "reserved network" in said:
        fix = f"start Label Studio with these environment variables: {SWITCHES}"
        return Check(NAME, False, "refused, so an ML backend or webhook on this network cannot work", fix)
    return Check(NAME, False, f"could not be checked: {said}", error.fix or "run labelloom doctor again")
