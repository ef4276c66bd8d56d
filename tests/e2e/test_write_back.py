"""Write-back into a real Label Studio: what it makes, that a repeat changes nothing, that a killed run is finished."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import line, noise_dataset, write_dataset

from backend.core.errors import Cancelled
from backend.flows.write_back import write_back
from backend.formats.label_studio_tasks import author_of
from connectors.label_studio import LabelStudio
from connectors.label_studio_images import Images
from connectors.label_studio_server import LabelStudioServer
from connectors.label_studio_upload import ProjectContent

pytestmark = pytest.mark.e2e

Make = Callable[..., int]


def tasks_by_file(ls: LabelStudio, project: int) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for task in ls.tasks(project):
        found.setdefault(task["data"]["loom_file"], []).append(task)
    return found


def test_the_new_project_says_what_it_is(ls: LabelStudio, new_project: Make, tmp_path: Path) -> None:
    source = new_project("Street cats")
    folder = noise_dataset(tmp_path / "d", 12)
    colleague = ls.request(
        "POST", "api/users/", json={"email": f"colleague{source}@example.org", "username": "co"}
    ).json()
    lines = [json.loads(text) for text in (folder / "manifest.jsonl").read_text().splitlines()]
    lines[0]["source"]["annotator"] = colleague["email"]
    lines[1]["source"]["annotator"] = "gone@example.org"
    lines[2]["regions"] = []
    write_dataset(folder, lines)
    report = write_back(ls, source, folder, "Street cats augmented")
    project = ls.project(report.project_id)
    assert project.title == "Street cats augmented"
    assert project.description.startswith(
        f"Derived from project {source} by recipe street: correct the original, not this copy"
    )
    assert project.label_config == ls.project(source).label_config
    assert (report.tasks, report.of, report.created, dict(report.losses)) == (12, 12, 12, {})
    found = tasks_by_file(ls, report.project_id)
    assert sorted(found) == sorted(one["file"] for one in lines)
    task = found[lines[3]["file"]][0]
    image = task["data"].pop("image")
    assert task["data"] == {
        "loom_file": lines[3]["file"], "loom_split": "train", "loom_variant": 1, "loom_attempt": 0, "loom_parent": 5,
        "loom_visibility": 0.75, "loom_fate": "clipped", "loom_growth": 1.2,
    }  # fmt: skip
    assert image.startswith(f"/data/upload/{report.project_id}/")  # its own copy: the source may be deleted
    assert Images(ls).fetch(image, task["id"]) == (folder / "yolo/images/train" / lines[3]["file"]).read_bytes()
    (annotation,) = task["annotations"]
    assert annotation["ground_truth"] is False
    assert annotation["result"][0]["value"]["rectanglelabels"] == ["raccoon"]
    assert found[lines[2]["file"]][0]["annotations"][0]["result"] == []
    authors = [author_of(found[one["file"]][0]["annotations"][0]) for one in lines[:3]]
    assert authors == [colleague["id"], ls.check().user_id, ls.check().user_id]
    titles = [view["title"] for view in ls.views(report.project_id)]
    assert titles == ["Most damaged first", "Resampled"]
    views = {view["title"]: view["id"] for view in ls.views(report.project_id)}
    resampled = ls.tasks(report.project_id, view=views["Resampled"])
    assert {task["data"]["loom_attempt"] for task in resampled} == {1, 2}
    first = ls.request("GET", "api/tasks/", params={"view": views["Most damaged first"], "page_size": 100}).json()
    damage = [task["data"]["loom_visibility"] for task in first["tasks"]]
    assert damage == sorted(damage)
    assert len(set(damage)) == 12


def test_a_repeat_changes_nothing_and_other_data_makes_v2(ls: LabelStudio, new_project: Make, tmp_path: Path) -> None:
    source = new_project()
    folder = noise_dataset(tmp_path / "d", 5)
    title = "T" * 49 + "x"
    one = write_back(ls, source, folder, title)
    again = write_back(ls, source, folder, title)
    assert (again.project_id, again.created, again.removed) == (one.project_id, 0, 0)
    assert all(len(tasks) == 1 for tasks in tasks_by_file(ls, one.project_id).values())
    assert len(ls.views(one.project_id)) == 2
    other = noise_dataset(tmp_path / "e", 4)
    two = write_back(ls, source, other, title)
    assert two.project_id != one.project_id
    assert two.title == "T" * 47 + " v2"
    assert len(list(ls.tasks(one.project_id))) == 5


def test_what_the_controls_cannot_hold_is_named_and_counted(ls: LabelStudio, new_project: Make, tmp_path: Path) -> None:
    folder = noise_dataset(tmp_path / "d", 3)
    lines = [json.loads(text) for text in (folder / "manifest.jsonl").read_text().splitlines()]
    for one, variant in zip(lines, (0, 1, 2), strict=True):
        drawn = one["regions"][0]
        source = {**drawn, "shape": {"type": "rotated_box", "cxcywha": [30, 20, 20, 10, 20]}}
        one["source"]["regions"] = [source] if variant else [drawn]
        one["variant"] = variant
        drawn["shape"] = {"type": "polygon", "parts": [[[10, 10], [30, 14], [34, 30], [14, 26]]]}
    write_dataset(folder, lines)
    report = write_back(ls, new_project(), folder, "sheared")
    around = "written as the smallest turned rectangle around it"
    assert report.lines()[2:] == [
        f"loss        new project: 1 region: polygon {around}",
        f"loss        new project: 2 regions (all in variants): turned box that a step sheared or bent {around}",
    ]


def test_predictions_count_nothing_as_done(ls: LabelStudio, new_project: Make, tmp_path: Path) -> None:
    folder = noise_dataset(tmp_path / "d", 3)
    report = write_back(ls, new_project(), folder, "as predictions", as_predictions=True)
    tasks = list(ls.tasks(report.project_id))
    assert [(t["is_labeled"], len(t["annotations"]), len(t["predictions"])) for t in tasks] == [(False, 0, 1)] * 3
    assert tasks[0]["predictions"][0]["model_version"] == "labelloom street"


def test_a_sample_holds_the_worst(ls: LabelStudio, new_project: Make, tmp_path: Path) -> None:
    folder = noise_dataset(tmp_path / "d", 9)
    report = write_back(ls, new_project(), folder, "a sample", sample=3)
    assert (report.tasks, report.of) == (3, 9)
    assert sorted(task["data"]["loom_visibility"] for task in ls.tasks(report.project_id)) == [0.1111, 0.2222, 0.3333]
    assert "a sample, worst first, of 9" in report.lines()[1]


def test_a_shared_folder_holds_the_images(
    ls: LabelStudio, ls_server: LabelStudioServer, new_project: Make, tmp_path: Path
) -> None:
    folder = noise_dataset(tmp_path / "d", 3)
    storage = ls_server.document_root / "loom"
    report = write_back(ls, new_project(), folder, "by folder", storage=str(storage))
    for task in ls.tasks(report.project_id):
        assert task["data"]["image"].startswith("/data/local-files/?d=loom/street-")
        data = (folder / "yolo/images/train" / task["data"]["loom_file"]).read_bytes()
        assert Images(ls).fetch(task["data"]["image"], task["id"]) == data
    assert write_back(ls, new_project(), folder, "by folder", storage=str(storage)).tasks == 3


def test_names_the_config_lacks_are_added_to_it(ls: LabelStudio, new_project: Make, tmp_path: Path) -> None:
    source = new_project()
    folder = noise_dataset(tmp_path / "d", 1)
    text = (folder / "dataset.json").read_text().replace('"labels": ["raccoon"]', '"labels": ["renamed & new"]')
    (folder / "dataset.json").write_text(text)
    report = write_back(ls, source, folder, "renamed labels")
    assert '<Label value="renamed &amp; new"/>' in ls.project(report.project_id).label_config


ROOT = Path(__file__).parents[2]
# Runs write-back once per death, in a process of its own that kills itself with SIGKILL before, during (0.1 s after it
# began) or after the n-th call of one method; prints how each run ended.
RUN = """
import os, signal, sys, threading
from pathlib import Path
import label_studio_sdk.client
from backend.flows.write_back import write_back
from backend.formats.label_studio_tasks import author_of
from connectors.label_studio import LabelStudio
from connectors.label_studio_upload import ProjectContent

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def deadly(owner, name, moment, number):
    call, calls = getattr(owner, name), []
    def wrapped(*arguments):
        calls.append(name)
        now = len(calls) == number
        if now and moment == "during":
            threading.Timer(0.1, die).start()
        answer = call(*arguments)
        if now:
            die()
        return answer
    setattr(owner, name, wrapped)

url, token, project, folder, *deaths = sys.argv[1:]
for death in deaths:
    child = os.fork()
    if not child:
        if death:
            name, moment, number = death.split()
            deadly(LabelStudio if hasattr(LabelStudio, name) else ProjectContent, name, moment, int(number))
        write_back(LabelStudio(url, token), int(project), Path(folder), "killed")
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
DEATHS = ("create_project after 1", "create_view after 1", "upload after 1", "upload during 1", "import_tasks during 1")


def test_killed_at_any_moment_and_run_again_it_ends_right(ls: LabelStudio, new_project: Make, tmp_path: Path) -> None:
    folder = noise_dataset(tmp_path / "d", 130)
    command = [sys.executable, "-c", RUN, ls.url, ls.auth._token, str(new_project()), str(folder), *DEATHS, ""]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == ["-9"] * len(DEATHS) + ["0"]
    (project,) = [p for p in ls.projects() if p.title.startswith("killed")]
    found = tasks_by_file(ls, project.id)
    assert len(found) == 130
    assert {len(tasks) for tasks in found.values()} == {1}
    assert {len(tasks[0]["annotations"]) for tasks in found.values()} == {1}
    assert len(ls.views(project.id)) == 2
    assert len(ProjectContent(ls, project.id).uploads()) == 130  # uploads of killed runs were used


class Stop:
    """Progress that asks to stop at the given report."""

    def __init__(self, at: int) -> None:
        self.left = at

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cancelled("stopped")


def test_what_a_stopped_import_left_twice_is_removed(ls: LabelStudio, new_project: Make, tmp_path: Path) -> None:
    source = new_project()
    folder = noise_dataset(tmp_path / "d", 120)
    with pytest.raises(Cancelled):
        write_back(ls, source, folder, "stopped", progress=Stop(1))
    (project,) = [p for p in ls.projects() if p.title == "stopped"]
    first = next(iter(ls.tasks(project.id)), None)
    repeat = {"data": first["data"] if first else {"image": "x", "loom_file": line("a", "b", (1, 1))["file"]}}
    ls.request("POST", f"api/projects/{project.id}/import", json=[repeat, repeat])
    report = write_back(ls, source, folder, "stopped")
    found = tasks_by_file(ls, report.project_id)
    assert {len(tasks) for tasks in found.values()} == {1}
    assert report.project_id == project.id
