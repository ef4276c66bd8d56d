"""Orders given in the control project: found by looking, placed once, and answered in the task they were given in."""

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.core.errors import LabelLoomError, UsageError
from backend.flows.connect import own_url
from backend.flows.control_project import Control, make_control, page, remembered
from backend.flows.jobs import Jobs
from backend.flows.label_studio_connection import connect, translated
from backend.flows.orders import ORIGINALS, Order, place, told
from backend.jobs.queue import Busy
from backend.store.cursors import take_lease
from backend.store.jobs import FINISHED, JobRow, get_job
from connectors.errors import Refused
from connectors.label_studio import PAGE, LabelStudio
from connectors.label_studio_upload import ProjectContent

Json = dict[str, Any]

_FILLED = {"filter": "filter:tasks:total_annotations", "operator": "greater", "type": "Number", "value": 0}
LEASE = 15.0  # seconds that one process keeps to itself what several would do twice
_HOLDER = secrets.token_hex(8)
AGAIN = 300.0  # seconds after which new projects and recipes are looked for


@dataclass(frozen=True)
class _Round:
    """What one look works with."""

    jobs: Jobs
    client: LabelStudio
    control: Control

    @cached_property
    def users(self) -> dict[int, str]:
        """Everybody's e-mail, asked for only where there is an order."""
        return self.client.users()


def poll(jobs: Jobs) -> int:
    """Place new orders and tell in their tasks how the earlier ones go; return how many were placed.

    Where another process is at it, or there is no control project, nothing is done.

    What was placed is remembered in the task itself: a stop between the job and that note places the order again, which
    the job's key, or the equal dataset, makes harmless.

    Raises:
        LabelLoomError: Label Studio is gone or refuses; the next look finds the same.
    """
    control = remembered(jobs.settings)
    if control is None or not take_lease(jobs.engine, "control", _HOLDER, LEASE):
        return 0
    _refresh(jobs)
    with translated():
        client = connect(jobs.settings, control.url)
        this = _Round(jobs, client, control)
        return sum(_look(this, task) for task in _tasks(this))


def _refresh(jobs: Jobs) -> None:
    if time.time() - (jobs.settings.data_dir / "control.json").stat().st_mtime > AGAIN:
        make_control(jobs.settings)


def _tasks(this: _Round) -> Iterator[Json]:
    """Yield the forms that somebody has filled in: mostly one request, as this is asked for every few seconds."""
    page_number, seen = 1, 0
    while True:
        query = json.dumps({"filters": {"conjunction": "and", "items": [_FILLED]}, "ordering": ["tasks:id"]})
        asked = {"project": this.control.project, "fields": "all", "resolve_uri": "false", "query": query}
        found = this.client.request(
            "GET", "api/tasks/", params={**asked, "page": page_number, "page_size": PAGE}
        ).json()
        yield from found["tasks"]
        seen += len(found["tasks"])
        if not found["tasks"] or seen >= found["total"]:
            return
        page_number += 1


def _look(this: _Round, task: Json) -> int:
    """Place a task's newest order if it is a new one, else tell how it goes; return how many were placed."""
    given = [one for one in task.get("annotations") or () if not one.get("was_cancelled")]
    if not given:
        return 0
    newest = max(given, key=lambda one: str(one["updated_at"]))
    stamp = f"{newest['id']}@{newest['updated_at']}"
    if stamp == task["data"].get("handled"):
        if not task["data"].get("finished"):
            _follow(this, task)
        return 0
    job, state = _place(this, task, newest)
    _write(this, task, {"handled": stamp, "job": job, "finished": not job, "state": state, "result": ""})
    return 1 if job else 0


def _place(this: _Round, task: Json, annotation: Json) -> tuple[str, str]:
    """Return the job's id (or nothing) and what to tell."""
    author = annotation.get("completed_by")
    user = author.get("email", "") if isinstance(author, dict) else this.users.get(author or 0, "")
    try:
        order = read_order(task["data"]["project"], user or "somebody unknown", annotation["result"])
        row = place(this.jobs, order)
    except Busy as error:
        return error.holder, "the same is being done already"
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return "", f"refused: {first['loc'][0]}: {first['msg']}"
    except LabelLoomError as error:
        return "", f"refused: {error}" + (f" ({error.fix})" if error.fix else "")
    return row.id, told(row)


def read_order(project: int, user: str, result: list[Json]) -> Order:
    """Return the order that a filled-in form is.

    Raises:
        UsageError: no recipe was chosen.
        pydantic.ValidationError: something in it is invalid.
    """
    entered = {part["from_name"]: part["value"] for part in result if "from_name" in part}

    def first(name: str, kind: str) -> Any:
        value = entered.get(name, {}).get(kind)
        return value[0] if isinstance(value, list) and value else value

    recipe, title = first("recipe", "choices"), str(first("title", "text") or "").strip()
    do = first("do", "choices") or "preview"
    if recipe is None and do != "train":
        msg = "choose a recipe"
        raise UsageError(msg)
    found = {
        "project": project,
        "user": user,
        "recipe": None if recipe == ORIGINALS else recipe,
        "variants": first("variants", "number"),
        "title": title or None,
        "do": do,
    }
    return Order.model_validate(found)


def _follow(this: _Round, task: Json) -> None:
    row = get_job(this.jobs.engine, task["data"]["job"])
    if row is None:
        _write(this, task, {"state": "that job is no longer known", "finished": True})
        return
    change: Json = {"state": told(row)}
    if row.state in FINISHED:
        change |= {"finished": True, **_result(this, row)}
    if any(task["data"].get(name) != value for name, value in change.items()):
        _write(this, task, change)


def _result(this: _Round, row: JobRow) -> Json:
    result = row.result or {}
    if url := (result.get("write_back") or {}).get("url"):
        return {"result": str(url)}
    sheet = this.jobs.settings.sheets_dir / f"{row.id}.jpg"
    if result.get("sheet") and sheet.is_file():
        return _sheet(this, row, sheet)
    return {}


def _sheet(this: _Round, row: JobRow, sheet: Path) -> Json:
    """Show a contact sheet. It goes into the source project: a form's several data keys forbid uploads."""
    content = ProjectContent(this.client, row.params["project"])
    try:
        (number,) = content.upload([(sheet.name, sheet.read_bytes())])
        return {"sheet": f"/data/{content.paths([number])[number]}"}
    except Refused:
        return {"result": f"{own_url(this.jobs.settings)}/api/v1/jobs/{row.id}/sheet"}


def _write(this: _Round, task: Json, change: Json) -> None:
    data = task["data"] | change
    this.client.request("PATCH", f"api/tasks/{task['id']}/", json={"data": data | {"status": page(data)}})
