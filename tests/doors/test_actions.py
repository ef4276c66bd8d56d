"""The entry in Label Studio's Actions menu, pressed in a real browser."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from doors_kit import Loom, last_of, wait_until_done

from backend.flows.jobs import Jobs
from connectors.label_studio import LabelStudio

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.slow]

Shot = Callable[["Page", str], None]
ENTRY = "Augment and export with LabelLoom..."


def open_dialog(page: "Page", url: str, project: int, rows: int) -> str:
    """Select the first rows, open the entry's dialog, and return what it says."""
    page.goto(f"{url}/projects/{project}/data")
    page.wait_for_selector("input[type=checkbox] >> nth=4", state="attached")
    for row in range(1, rows + 1):
        page.locator("input[type=checkbox]").nth(row).click(force=True)
    page.click(f'button:has-text("{rows} Task") >> nth=0')
    page.click(f"text={ENTRY}")
    page.wait_for_selector("text=/Last job here|Not possible now/")
    return " ".join(page.locator("body").inner_text().split())


@contextmanager
def other_list(loom: Loom, *emails: str) -> Iterator[None]:
    """Have another list of people who may order."""
    before = loom.settings
    loom.stop()
    loom.settings = before.model_copy(update={"allowed_emails": emails})
    loom.start()
    yield
    loom.stop()
    loom.settings = before
    loom.start()


@pytest.mark.timeout(180)
def test_two_selected_tasks_become_a_project(
    admin: "Page", ls: LabelStudio, loom: Loom, labelled: int, shot: Shot
) -> None:
    said = open_dialog(admin, ls.url, labelled, 2)
    assert "nothing was ordered yet" in said
    admin.get_by_text("aerial-rotations:").last.click()
    admin.get_by_text("gentle:").last.click()
    admin.fill("input[name=variants]", "1")
    admin.fill("input[name=title]", "made from the menu")
    shot(admin, "dialog")
    with admin.expect_response(lambda r: "labelloom_export" in r.url and r.request.method == "POST") as answer:
        admin.click('button:has-text("OK")')
    assert answer.value.status == 200
    with Jobs(loom.settings) as jobs:
        row = wait_until_done(jobs, last_of(jobs, labelled))
    assert row.state == "done", row
    assert row.who == "admin@labelloom.local (Label Studio)"
    (made,) = [project for project in ls.projects() if project.title == "made from the menu"]
    tasks = list(ls.tasks(made.id))
    assert {task["data"]["loom_parent"] for task in tasks} == set(ls.task_ids(labelled)[:2])
    assert {task["data"]["loom_variant"] for task in tasks} == {0, 1}
    assert row.params["recipe"]["name"] == "gentle"
    said = open_dialog(admin, ls.url, labelled, 2)
    assert f"export {row.id}: done" in said and made.link in said
    shot(admin, "dialog-done")


def test_a_refusal_is_a_toast(admin: "Page", ls: LabelStudio, loom: Loom, labelled: int, shot: Shot) -> None:
    open_dialog(admin, ls.url, labelled, 1)
    admin.fill("input[name=variants]", "many")
    admin.click('button:has-text("OK")')
    admin.wait_for_selector("text=/variants.*integer/")
    shot(admin, "toast")


def test_labelloom_down_is_said_in_the_dialog(
    admin: "Page", ls: LabelStudio, loom: Loom, labelled: int, shot: Shot
) -> None:
    loom.stop()
    try:
        said = open_dialog(admin, ls.url, labelled, 1)
        shot(admin, "down")
        assert f"LabelLoom does not answer at http://localhost:{loom.port}" in said
        answer = ls.http.post(f"{ls.url}/api/dm/actions/?id=labelloom_export&project={labelled}", json={})
        assert answer.status_code == 400 and "does not answer" in answer.text
    finally:
        loom.start()


def test_who_is_not_on_the_list_is_told_so(
    admin: "Page", ls: LabelStudio, loom: Loom, labelled: int, shot: Shot
) -> None:
    with other_list(loom, "somebody@example.org"):
        said = open_dialog(admin, ls.url, labelled, 1)
        shot(admin, "not-allowed")
        assert "admin@labelloom.local may not start LabelLoom jobs" in said and "LABELLOOM_ALLOWED_EMAILS" in said
        answer = ls.http.post(f"{ls.url}/api/dm/actions/?id=labelloom_export&project={labelled}", json={})
        assert answer.status_code == 400 and "may not start" in answer.text
    with other_list(loom, "*"):
        assert "may not" not in open_dialog(admin, ls.url, labelled, 1)
