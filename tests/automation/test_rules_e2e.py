"""A rule from end to end: the real command line, Label Studio, web server and worker."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from backend.flows.service import free_port, gunicorn
from connectors.label_studio import LabelStudio
from connectors.label_studio_webhooks import list_webhooks

sys.path.append(str(Path(__file__).parents[1] / "e2e"))
from quick_cli import start
from shell import Shell

pytestmark = pytest.mark.e2e

BOX = {
    "from_name": "label",
    "to_name": "image",
    "type": "rectanglelabels",
    "original_width": 64,
    "original_height": 48,
    "value": {"x": 10, "y": 10, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["cat"]},
}


@pytest.fixture
def shell(ls: LabelStudio, new_project: Callable[..., int], tmp_path: Path) -> Shell:
    return Shell(ls, tmp_path)


@contextmanager
def running(shell: Shell, log: Path, *command: str) -> Iterator[None]:
    environment = os.environ | shell.environment | {"LABELLOOM_WORKER_TIMEOUT": "6"}
    if command == ("worker",):
        process: Any = start(command, environment, log)
    else:
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=40)


def upload(ls: LabelStudio, project: int, folder: Path, count: int) -> list[int]:
    for number in range(count):
        path = folder / f"p{number}.png"
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(path)
        ls.request(
            "POST", f"api/projects/{project}/import", files={"file": (path.name, path.read_bytes(), "image/png")}
        )
    return ls.task_ids(project)


def until(what: Callable[[], Any], seconds: float = 120) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "too late"
        time.sleep(0.5)
    return found


def annotate(ls: LabelStudio, task: int) -> None:
    ls.request("POST", f"api/tasks/{task}/annotations/", json={"result": [BOX]})


def rows(shell: Shell, query: str) -> list[Any]:
    engine = sa.create_engine(f"sqlite:///{shell.folder / 'data' / 'labelloom.db'}")
    with engine.connect() as connection:
        return list(connection.execute(sa.text(query)))


def test_annotating_starts_an_export_that_is_written_back(
    shell: Shell, ls: LabelStudio, new_project: Callable[..., int], tmp_path: Path
) -> None:
    project = new_project("Watched")
    tasks = upload(ls, project, tmp_path, 6)
    port = free_port("127.0.0.1", 9290)
    base = f"http://127.0.0.1:{port}"
    add = ["rules", "add", "-p", project, "--name", "watch", "-n", 2, "--quiet", "2s", "--url", base]
    add += ["-f", "yolo", "--write-back", "Watched again"]
    made = shell(*add)
    assert made["rule"]["spec"]["do"]["params"] == {"formats": ["yolo"], "write_back": "Watched again"}
    (hook,) = list_webhooks(ls, project)
    assert (hook.url, len(hook.headers["X-LabelLoom-Secret"])) == (f"{base}/hooks/label-studio", 43)
    assert shell(*add)["rule"]["id"] == made["rule"]["id"]  # the same again changes nothing
    assert list_webhooks(ls, project) == [hook]
    logs = (tmp_path / "web.log", tmp_path / "worker.log")
    with running(shell, logs[0], *gunicorn("127.0.0.1", port)), running(shell, logs[1], "worker"):
        until(lambda: _answers(base), 60)
        annotate(ls, tasks[0])
        until(lambda: rows(shell, "select * from deliveries where state = 'done'"), 30)
        found = shell("rules", "test", "watch")
        assert (found["would_run"], found["why"]) == (False, "1 of 2 new annotations")
        annotate(ls, tasks[1])
        (run,) = until(lambda: [r for r in shell("rules", "history", "watch")["runs"] if r["outcome"]])
    said = logs[1].read_text(errors="replace")
    assert (run["outcome"], run["why"]) == ("done", "2 of 2 new annotations"), said
    written = ls.project(run["wrote"])
    assert written.title == "Watched again" and written.task_number == 2
    assert [row.action for row in rows(shell, "select action from deliveries")] == ["ANNOTATION_CREATED"] * 2
    (job,) = shell("jobs", "list")["jobs"]
    assert (job["id"], job["who"]) == (run["job"], f"rule watch (run {run['id']})")
    refused = shell("rules", "add", "-p", run["wrote"], "-n", 2, code=2)
    assert "was written by LabelLoom itself" in refused["error"]
    secret = hook.headers["X-LabelLoom-Secret"]
    assert secret not in "".join(log.read_text(errors="replace") for log in logs)
    shell("rules", "rm", "watch")
    assert list_webhooks(ls, project) == []


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/healthz", timeout=2).is_success
    except httpx.HTTPError:
        return False


def test_without_any_webhook_a_real_project_is_reconciled(
    shell: Shell, ls: LabelStudio, new_project: Callable[..., int], tmp_path: Path
) -> None:
    project = new_project("Unheard")
    tasks = upload(ls, project, tmp_path, 3)
    annotate(ls, tasks[0])
    shell("rules", "add", "-p", project, "--name", "deaf", "-n", 2, "--changes", "--quiet", 0)  # nobody listens there

    def pending() -> str:
        return str(shell("rules", "test", "deaf")["why"]).partition(";")[0]

    assert pending() == "0 of 2 new or changed annotations"
    annotate(ls, tasks[0])
    assert pending() == "1 of 2 new or changed annotations"
    (first, second) = sorted(a["id"] for task in ls.tasks(project, ids=[tasks[0]]) for a in task["annotations"])
    ls.request("PATCH", f"api/annotations/{first}/", json={"result": [BOX, {**BOX, "id": "other"}]})
    assert pending() == "2 of 2 new or changed annotations"
    ls.request("DELETE", f"api/annotations/{second}/")
    assert pending() == "1 of 2 new or changed annotations"
    imported = [{"data": {"image": "x.jpg"}, "annotations": [{"result": [BOX]}, {"result": [BOX]}]}]
    ls.request("POST", f"api/projects/{project}/import", json=imported)
    assert pending() == "3 of 2 new or changed annotations"
    ls.request("DELETE", f"api/tasks/{max(ls.task_ids(project))}/")
    assert pending() == "1 of 2 new or changed annotations"
    chosen = {"selectedItems": {"all": False, "included": [tasks[0]]}}
    ls.request("POST", "api/dm/actions/", params={"id": "delete_tasks_annotations", "project": project}, json=chosen)
    assert pending() == "0 of 2 new or changed annotations"
    ls.request("POST", f"api/tasks/{tasks[1]}/annotations/", json={"result": [], "was_cancelled": True})
    assert pending() == "0 of 2 new or changed annotations"  # skipping is not annotating


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-n", 5, "--at", "02:30"], "exactly one of annotations, at, event"),
        ([], "exactly one of annotations, at, event"),
        (["-n", 0], "greater than 0"),
        (["--at", "25:00"], "when.at"),
        (["--at", "02:30", "--zone", "Mars/Base"], "no time zone 'Mars/Base'"),
        (["--event", "full-moon"], "annotation-created"),
        (["-n", 5, "--do", "dream"], "'dream' is nothing a rule can do"),
        (["-n", 5, "--do", "augment"], "'augment' is nothing a rule can do"),
        (["-n", 5, "-f", "png"], "formats"),
        (["-n", 5, "-r", "no-such"], "no-such"),
        (["-n", 5, "--param", "project=3"], "project is the rule's own"),
        (["-n", 5, "--name", "Two words"], "name"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_touched(
    shell: Shell, ls: LabelStudio, arguments: list[Any], said: str
) -> None:
    assert said in shell("rules", "add", "-p", 1, *arguments, code=2)["error"]
