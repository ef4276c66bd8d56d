"""Which tasks are exported, as people ask for them: by label, id, view and date; and what the answer says."""

import io
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from shell import Shell

from backend.flows.doctor import NAME, private_addresses
from connectors.errors import ConnectorError, Unreachable
from connectors.label_studio import LabelStudio
from connectors.label_studio_errors import translated
from connectors.label_studio_server import LabelStudioServer
from connectors.label_studio_upload import ProjectContent

pytestmark = pytest.mark.e2e


@pytest.fixture
def shell(ls: LabelStudio, new_project: Callable[..., int], tmp_path: Path) -> Shell:
    """`new_project` deletes whatever projects the test makes."""
    return Shell(ls, tmp_path)


@pytest.fixture
def project(ls: LabelStudio, new_project: Callable[..., int]) -> int:
    """A project of 8 tasks: 3 raccoons, a cat, one submitted empty, one unlabelled, one skipped, one unreadable."""
    made = new_project("choosing")
    content = ProjectContent(ls, made)
    files = [(f"p{n}.png", picture(n)) for n in range(7)] + [("p7.png", b"\x89PNG\r\n\x1a\nno picture")]
    paths = content.paths(content.upload(files))
    tasks: list[dict[str, Any]] = [
        {"data": {"image": f"/data/{path}", "n": n}} for n, path in enumerate(sorted(paths.values(), key=number_of))
    ]
    for n in (0, 1, 2, 3, 7):
        tasks[n]["annotations"] = [drawn("cat" if n == 3 else "raccoon")]
    tasks[4]["annotations"] = [{"result": [], "ground_truth": False}]
    tasks[6]["annotations"] = [{"result": [], "was_cancelled": True, "ground_truth": False}]
    content.import_tasks([json.dumps(task).encode() for task in tasks])
    return made


def picture(number: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def number_of(path: str) -> str:
    return path.rpartition("-")[2]


def drawn(label: str) -> dict[str, Any]:
    value = {"x": 10, "y": 10, "width": 50, "height": 60, "rotation": 0, "rectanglelabels": [label]}
    region = {"id": "a", "from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": value}
    return {"result": [region], "ground_truth": False}


def ids(ls: LabelStudio, project: int) -> dict[int, int]:
    """Return the id of each task by its number."""
    return {task["data"]["n"]: task["id"] for task in ls.tasks(project)}


def test_labels_that_the_project_does_not_have_are_refused_and_the_nearest_named(shell: Shell, project: int) -> None:
    for asked in (["--label", "racoon"], ["--label", "cat", "--label", "racoon"]):
        answer = shell("export", "-p", project, *asked, "-o", shell.folder / "out", code=2)
        assert answer["error"] == f"project {project} has no label 'racoon'"
        assert answer["fix"] == "its labels are: raccoon, cat"
    answer = shell("export", "-p", project, "--label", "cat", "-o", shell.folder / "out")
    assert answer["counts"]["tasks"]["exported"] == 1
    assert answer["counts"]["regions"] == {"cat": 1}


def test_a_label_that_left_the_config_can_still_be_asked_for(shell: Shell, ls: LabelStudio, project: int) -> None:
    ls.request("POST", f"api/projects/{project}/import", json=[
        {"data": {"image": next(ls.tasks(project))["data"]["image"], "n": 9}, "annotations": [drawn("ferret")]}
    ])  # fmt: skip
    answer = shell("export", "-p", project, "--label", "ferret", "-o", shell.folder / "out")
    assert answer["counts"]["regions"] == {"ferret": 1}


def test_task_ids_that_do_not_exist_are_named(shell: Shell, ls: LabelStudio, project: int) -> None:
    known = ids(ls, project)
    out = ("-o", shell.folder / "out")
    answer = shell("export", "-p", project, "--tasks", "999990-999992,999999", *out, code=2)
    assert answer["error"] == f"project {project} has no tasks 999990-999992, 999999"
    answer = shell("export", "-p", project, "--tasks", f"{known[0]},{known[3]},999999", *out)
    assert answer["warnings"][0] == f"project {project} has no task 999999"
    assert answer["counts"]["tasks"]["exported"] == 2


def test_the_summary_counts_everything_once_also_when_nothing_is_left_to_do(shell: Shell, project: int) -> None:
    said = "5 of 8 tasks: 1 skipped, 1 unlabelled, 1 unreadable image (of the 5, 1 is an empty background image)"
    run = ("export", "-p", project, "-o", shell.folder / "out")
    for code in (3, 0):
        ended = shell.say(*run)
        assert ended.code == code, ended.err
        assert f"tasks       {said}" in ended.out
        assert ("left out    unusable images: 1 (skipped.jsonl says why)" in ended.out) == (code == 3)
    assert shell(*run)["counts"]["tasks"] == {
        "total": 8, "exported": 5, "background": 1, "labelled": 5, "skipped": 1, "unlabelled": 1, "unreadable": 1,
    }  # fmt: skip


def test_a_preview_without_some_images_exits_3(shell: Shell, project: int) -> None:
    answer = shell("preview", "-p", project, "-r", shell.recipe, "-o", shell.folder / "p.png", "--images", 9, code=3)
    assert answer["ok"] and (answer["counts"]["images"], answer["counts"]["skipped"]) == (5, 1)


def test_a_view_chooses_and_goes_together_with_ids(shell: Shell, ls: LabelStudio, project: int) -> None:
    known = ids(ls, project)
    few = {"filter": "filter:tasks:data.n", "operator": "less", "type": "Number", "value": 3}
    view = ls.create_view(project, {"title": "Few", "filters": {"conjunction": "and", "items": [few]}})
    run = ("export", "-p", project, "--view", view, "-o", shell.folder / "out", "--dry-run")
    assert shell(*run)["counts"]["tasks"] == {"total": 3, "exported": 3, "labelled": 3}
    answer = shell(*run, "--tasks", f"{known[1]},{known[3]}")
    assert answer["counts"]["tasks"]["total"] == 1
    assert answer["warnings"][0] == f"project {project}, view {view} has no task {known[3]}"
    answer = shell("export", "-p", project, "--view", view + 999, "-o", shell.folder / "out", code=2)
    assert answer["error"] == f"project {project} has no view {view + 999}"
    assert f"{view} (Few)" in answer["fix"]


def test_since_leaves_out_what_was_not_changed(shell: Shell, ls: LabelStudio, project: int) -> None:
    known = ids(ls, project)
    time.sleep(1.1)
    moment = datetime.now().astimezone()
    (task,) = ls.tasks(project, ids=[known[0]])
    number = task["annotations"][0]["id"]
    ls.request("PATCH", f"api/annotations/{number}/", json={"result": drawn("cat")["result"]})
    for text in (moment.isoformat(), moment.replace(tzinfo=None).isoformat()):  # without a zone: this machine's
        answer = shell("export", "-p", project, "--since", text, "-o", shell.folder / "out")
        assert answer["counts"]["tasks"]["exported"] == 1
        assert answer["counts"]["tasks"]["older"] == 5
        assert answer["counts"]["regions"] == {"cat": 1}


def test_nothing_chosen_says_why(shell: Shell, project: int) -> None:
    answer = shell("export", "-p", project, "--since", "2999-01-01", "-o", shell.folder / "out", code=1)
    said = "0 of 8 tasks: 6 older, 1 skipped, 1 unlabelled"
    assert answer["error"] == f"Label Studio project {project} (choosing) has no task to export: {said}"
    answer = shell("export", "-p", project, "--annotations", "ground-truth", "-o", shell.folder / "out", code=1)
    assert answer["error"].endswith("0 of 8 tasks: 6 no ground truth, 1 skipped, 1 unlabelled")


def test_an_import_into_a_shared_folder(
    shell: Shell, ls: LabelStudio, ls_server: LabelStudioServer, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for n, name in enumerate(("a b#.png", "사진.png")):
        (tmp_path / "photos" / name).write_bytes(picture(n))
    storage = str(ls_server.document_root / "imported")
    run = ("import", tmp_path / "photos", "--new", "By folder")
    answer = shell(*run, LABELLOOM_STORAGE=storage)
    assert answer["counts"]["created"] == 2
    tasks = list(ls.tasks(answer["project"]))
    assert {ls.request("GET", task["data"]["image"]).content for task in tasks} == {picture(0), picture(1)}
    again = shell(*run, LABELLOOM_STORAGE=storage)
    assert (again["project"], again["counts"]["created"], again["counts"]["present"]) == (answer["project"], 0, 2)


def test_write_back_of_a_sample_as_predictions_into_a_shared_folder(
    shell: Shell, ls: LabelStudio, ls_server: LabelStudioServer, project: int
) -> None:
    storage = ls_server.document_root / "shared"
    storage.mkdir()
    run = ("export", "-p", project, "-r", shell.recipe, "-o", shell.folder / "out", "--write-back", "Guesses")
    answer = shell(*run, "--as-predictions", "--sample", 4, code=3, LABELLOOM_STORAGE=str(storage))
    assert answer["write_back"]["tasks"] == 4
    made = answer["write_back"]["project"]
    tasks = list(ls.tasks(made))
    assert [(len(t["annotations"]), len(t["predictions"])) for t in tasks] == [(0, 1)] * 4
    for task in tasks:
        assert task["data"]["image"].startswith("/data/local-files/?d=shared/")
        assert ls.request("GET", task["data"]["image"]).content[:3] in {b"\xff\xd8\xff", b"\x89PN"}
    again = shell(*run, "--as-predictions", "--sample", 4, LABELLOOM_STORAGE=str(storage))
    assert (again["write_back"]["project"], again["write_back"]["created"]) == (made, 0)


def test_a_shared_folder_that_label_studio_may_not_serve_is_named(
    shell: Shell, ls: LabelStudio, project: int, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    run = ("export", "-p", project, "-o", shell.folder / "out", "--write-back", "Elsewhere")
    answer = shell(*run, code=1, LABELLOOM_STORAGE=str(elsewhere))
    assert str(elsewhere) in answer["error"] and "LABELLOOM_STORAGE" in answer["fix"]
    (tmp_path / "file").touch()
    answer = shell(*run, code=2, LABELLOOM_STORAGE=str(tmp_path / "file"))
    assert "cannot be written: Not a directory" in answer["error"]
    assert not (shell.folder / "out").exists()  # said before the work, not after it
    assert "Elsewhere" not in {found.title for found in ls.projects()}


def test_a_folder_that_label_studio_sees_under_another_path(
    shell: Shell, ls: LabelStudio, ls_server: LabelStudioServer, project: int, tmp_path: Path
) -> None:
    theirs = ls_server.document_root / "mounted"
    ours = tmp_path / "ours"
    ours.mkdir()
    theirs.symlink_to(ours)  # what a container's mount is to it
    storage = f"{ours}={theirs}"
    run = ("export", "-p", project, "-o", shell.folder / "out", "--label", "cat", "--write-back", "Mounted")
    answer = shell(*run, LABELLOOM_STORAGE=storage)
    (task,) = ls.tasks(answer["write_back"]["project"])
    assert task["data"]["image"].startswith("/data/local-files/?d=mounted/")
    assert ls.request("GET", task["data"]["image"]).content == picture(3)
    checks = {check["name"]: check for check in shell("doctor", LABELLOOM_STORAGE=storage)["checks"]}
    assert checks["storage"]["ok"]


def test_doctor_says_yes_only_of_what_label_studio_did(shell: Shell, ls: LabelStudio, project: int) -> None:
    checks = {check["name"]: check for check in shell("doctor")["checks"]}
    assert checks[NAME]["detail"] == "yes"
    with pytest.raises(ConnectorError) as caught, translated(ls.url):
        ls.request("POST", "api/ml/", json={"project": 999999, "url": "http://127.0.0.1:9/"})
    check = private_addresses(caught.value)
    assert not check.ok and check.detail == f"could not be checked: {caught.value}"
    assert not private_addresses(Unreachable("no answer")).ok
    assert "could not be checked: no answer" in private_addresses(Unreachable("no answer")).detail
