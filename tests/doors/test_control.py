"""The control project: a form filled in by hand in a real browser becomes a job, and its task tells of it."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from doors_kit import Loom, last_of, wait_until_done

from backend.flows.control import poll
from backend.flows.control_project import make_control
from backend.flows.jobs import Jobs
from backend.store.jobs import list_jobs
from connectors.label_studio import LabelStudio

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Shot = Callable[["Page", str], None]


def form_of(ls: LabelStudio, control: int, project: int) -> dict[str, Any]:
    (form,) = [task for task in ls.tasks(control) if task["data"]["project"] == project]
    return form


def poll_until(jobs: Jobs, ls: LabelStudio, form: dict[str, Any], word: str) -> dict[str, Any]:
    end = time.monotonic() + 90
    while True:
        poll(jobs)
        data: dict[str, Any] = ls.request("GET", f"api/tasks/{form['id']}/").json()["data"]
        if word in data["state"]:
            return data
        assert time.monotonic() < end, data["state"]
        time.sleep(0.5)


def choice(name: str, value: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "status", "type": "choices", "value": {"choices": [value]}}


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_the_form_makes_a_preview_and_then_a_project(
    admin: "Page", ls: LabelStudio, loom: Loom, labelled: int, shot: Shot
) -> None:
    made = make_control(loom.settings)
    again = make_control(loom.settings)
    assert made.created and not again.created and again.added == 0 and again.project.id == made.project.id
    form = form_of(ls, made.project.id, labelled)
    page_of_form = f"{ls.url}/projects/{made.project.id}/data?task={form['id']}"

    admin.goto(page_of_form)
    admin.click('label:has-text("gentle")')
    admin.click('label:has-text("preview")')
    with admin.expect_response(lambda r: r.request.method == "POST" and "/annotations" in r.url):
        admin.click('button:has-text("Submit")')
    with Jobs(loom.settings) as jobs:
        data = poll_until(jobs, ls, form, "done")
        assert data["sheet"].startswith("/data/upload/")
        assert ls.request("GET", data["sheet"]).headers["content-type"] == "image/jpeg"
        assert poll(jobs) == 0  # what was handled is not ordered again

        admin.goto(page_of_form)
        admin.wait_for_selector("text=done: a sheet of 4 images")
        admin.wait_for_timeout(1500)
        shot(admin, "control-preview")
        admin.click('label:has-text("export")')
        admin.fill("input[name=variants]", "1")
        admin.fill("input[name=title]", "made by the form")
        with admin.expect_response(lambda r: r.request.method == "PATCH" and "/annotations" in r.url):
            admin.click('button:has-text("Update")')
        data = poll_until(jobs, ls, form, "made by the form")
        row = wait_until_done(jobs, last_of(jobs, labelled))
    assert (row.kind, row.who) == ("export", "admin@labelloom.local (Label Studio)")
    (project,) = [one for one in ls.projects() if one.title == "made by the form"]
    assert data["result"] == project.link
    tasks = [task["data"] for task in ls.tasks(project.id)]
    assert {task["loom_parent"] for task in tasks} == set(ls.task_ids(labelled))
    assert {task["loom_variant"] for task in tasks} == {0, 1}
    assert {task["loom_link"] for task in tasks} == {f"http://localhost:{loom.port}/export?project={labelled}"}
    admin.goto(page_of_form)
    admin.wait_for_selector(f'a[href="{project.link}"]')
    admin.wait_for_timeout(1500)
    shot(admin, "control-export")
    admin.goto(f"{ls.url}/projects/{made.project.id}/data")
    admin.wait_for_selector("text=doors")
    shot(admin, "control-list")


def test_refusals_are_told_in_the_form(ls: LabelStudio, loom: Loom, labelled: int) -> None:
    made = make_control(loom.settings)
    form = form_of(ls, made.project.id, labelled)
    result = [choice("recipe", "gentle"), choice("do", "export")]
    strict = loom.settings.model_copy(update={"allowed_emails": ("somebody@example.org",)})
    with loom.worker_asleep(), Jobs(strict) as jobs:
        before = len(list_jobs(jobs.engine))
        ls.request("POST", f"api/tasks/{form['id']}/annotations/", json={"result": result})
        data = poll_until(jobs, ls, form, "refused")
        assert "admin@labelloom.local may not start LabelLoom jobs" in data["state"] and not data["job"]
        assert poll(jobs) == 0 and len(list_jobs(jobs.engine)) == before
    with Jobs(loom.settings) as jobs:
        wrong = [choice("recipe", "no such"), choice("do", "export")]
        ls.request("POST", f"api/tasks/{form['id']}/annotations/", json={"result": wrong})
        assert "no such" in poll_until(jobs, ls, form, "no recipe file")["state"]
        assert len(list_jobs(jobs.engine)) == before
