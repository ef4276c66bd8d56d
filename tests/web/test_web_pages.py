"""The three pages in headless Chromium, against a real server and a real worker process."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from web_parts import shot, yolo_files, zipped

from backend.flows.access import login_link
from backend.settings import Settings
from connectors.label_studio import LabelStudio

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]


def test_an_admin_previews_runs_and_sees_it_finish(page: "Page", server: str, worker: None) -> None:
    page.wait_for_selector("text=no Label Studio is configured")
    assert "What to do: set LABEL_STUDIO_URL" in page.inner_text("#status")
    shot(page, "projects")
    csrf = page.locator('meta[name="csrf-token"]').get_attribute("content") or ""
    answer = page.request.post(
        f"{server}/api/v1/datasets?name=street",
        data=zipped(yolo_files(6)),
        headers={"Content-Type": "application/zip", "X-CSRF-Token": csrf},
    )
    assert answer.status == 201, answer.text()

    page.goto(f"{server}/export?dataset=street")
    page.wait_for_selector("text=The recipe is valid.", timeout=60_000)
    page.fill("#text", "name: street\nvariants: 2\nsteps:\n  - HorizontalFlipp: {p: 0.5}\n")
    page.wait_for_selector("text=did you mean 'HorizontalFlip'")
    page.click("#run")
    page.wait_for_selector("text=Correct the recipe first.")
    page.fill("#text", "name: street\nvariants: 2\nsteps:\n  - Rotate: {limit: 30, p: 1}\noutput: {formats: [yolo]}\n")
    page.wait_for_selector("text=The recipe is valid.")
    page.fill("#save-as", "my-street")
    page.click("#save")
    page.wait_for_selector("text=Saved as my-street.")
    page.click("#preview")
    page.wait_for_selector("#sheets figure:nth-child(2) img[src]", timeout=90_000)
    page.wait_for_selector("#sheets figure:nth-child(1) img[src]", timeout=60_000)
    sizes = page.eval_on_selector_all(
        "#sheets img", "all => Promise.all(all.map(one => one.decode().then(() => one.naturalWidth)))"
    )
    assert len(sizes) == 2 and all(width > 100 for width in sizes)
    shot(page, "export")

    page.check("#format-voc")
    page.fill("#name", "street turned")
    page.click("#run")
    page.wait_for_url("**/jobs?job=*")
    card = page.locator("#jobs > li").first
    card.locator("text=done").wait_for(timeout=90_000)
    assert "augment street" in card.inner_text() and "admin@example.org" in card.inner_text()
    shot(page, "jobs")
    with page.expect_download() as begun:
        card.locator("text=Download the dataset").click()
    assert Path(begun.value.path()).stat().st_size > 10_000


@pytest.mark.e2e
def test_a_project_becomes_an_augmented_project(
    labelled: int, page: "Page", server: str, worker: None, ls: LabelStudio
) -> None:
    from playwright.sync_api import expect

    page.wait_for_selector("text=Raccoons at night", timeout=30_000)
    listed = page.locator("#projects").inner_text()
    assert "4 of 4 tasks finished" in listed, listed
    shot(page, "projects-listed")
    page.get_by_role("link", name="Augment and export Raccoons at night").click()
    page.wait_for_selector("text=The recipe is valid.", timeout=60_000)
    expect(page.locator("#source")).to_have_value(f"project:{labelled}", timeout=30_000)
    page.check("#which-ids")
    first, *_, last = ls.task_ids(labelled)
    page.fill("#chosen", f"{first}-{last - 1}")
    page.fill("#title", "Raccoons, augmented")
    page.click("#run")
    page.wait_for_url("**/jobs?job=*")
    card = page.locator("#jobs > li").first
    card.locator(".badge").filter(has_text=re.compile("done|failed")).wait_for(timeout=90_000)
    assert "Open the project" in card.inner_text(), card.inner_text()
    shot(page, "jobs-exported")
    address = card.locator("text=Open the project").get_attribute("href") or ""
    assert address.startswith(ls.url)
    made = int(address.split("/projects/")[1].split("/")[0])
    assert len(ls.task_ids(made)) == 3 + 3  # gentle: val and test take one each, the third has three variants


def test_a_waiting_job_is_cancelled_and_resumed_by_keyboard_on_a_phone(page: "Page", server: str) -> None:
    page.set_viewport_size({"width": 375, "height": 700})
    csrf = page.locator('meta[name="csrf-token"]').get_attribute("content") or ""
    body = {"project": 1, "recipe": "gentle", "write_back": "a <b>new</b> project"}
    answer = page.request.post(f"{server}/api/v1/export", data=body, headers={"X-CSRF-Token": csrf})
    assert answer.status == 202
    page.goto(f"{server}/jobs")
    card = page.locator("#jobs > li").first
    card.locator("text=waiting for a worker").wait_for()
    assert '"a <b>new</b> project"' in card.inner_text()
    card.get_by_role("button", name="Cancel").focus()
    page.keyboard.press("Enter")
    card.locator("text=cancelled").wait_for()
    card.get_by_role("button", name="Resume").focus()
    page.keyboard.press("Space")
    card.locator("text=queued").wait_for()
    shot(page, "jobs-phone")
    for path in ("/", "/export", "/jobs"):
        page.goto(server + path)
        page.wait_for_load_state("networkidle")
        shot(page, f"phone{path.replace('/', '-')}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than the phone"
        unnamed = page.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden]), select, textarea, progress')]"
            ".filter(one => !(one.labels?.length || one.ariaLabel)).map(one => one.outerHTML)"
        )
        assert not unnamed


def _say_projects(page: "Page") -> None:
    """Answer the page's question for projects as an API with one project would."""
    one = {"id": 1, "title": "Cats", "tasks": 1, "finished": 1, "link": "http://localhost:1/projects/1/data"}
    page.route("**/api/v1/projects", lambda route: route.fulfill(json={"projects": [one]}))


@pytest.mark.parametrize("asked", ["project=999", "project=abc", "dataset=gone"])
def test_a_source_that_is_not_there_is_said_and_none_is_taken(page: "Page", server: str, asked: str) -> None:
    _say_projects(page)
    page.goto(f"{server}/export?{asked}")
    page.wait_for_selector(f"text=there is no {asked.replace('=', ' ')}")
    assert page.input_value("#source") == ""
    assert page.is_disabled("#run") and page.is_disabled("#preview")
    page.select_option("#source", "project:1")
    assert page.is_enabled("#run") and not page.inner_text("#source-missing")


def test_a_preview_takes_the_chosen_tasks_and_names_are_checked(page: "Page", server: str) -> None:
    from playwright.sync_api import expect

    _say_projects(page)
    page.goto(server)
    page.wait_for_selector("text=1 project")
    assert page.inner_text("#status") == "1 project"
    page.goto(f"{server}/export?project=1&tasks=2,4-5")
    page.wait_for_selector("text=The recipe is valid.", timeout=60_000)
    asked: list[Any] = []

    def refuse(route: Any) -> None:
        asked.append(route.request.post_data_json)
        route.abort()

    page.route("**/api/v1/preview", refuse)
    for pick, text, expected in (
        ("#which-ids", "2, 4-5", {"tasks": [2, 4, 5]}),
        ("#which-labels", "cat, dog", {"labels": ["cat", "dog"]}),
        ("#which-all", "", {}),
    ):
        page.check(pick)
        if text:
            page.fill("#chosen", text)
        asked.clear()
        page.click("#preview")
        expect(page.locator("#sheets .alert-danger")).to_have_count(2)
        for body in asked:
            assert {key: body[key] for key in ("tasks", "labels") if key in body} == expected
        assert len(asked) == 2
    for name, told in (("a/b", "is not a recipe's name"), ("gentle", "gentle ships with LabelLoom")):
        page.fill("#save-as", name)
        page.click("#save")
        page.locator("#saved", has_text=told).wait_for()


def test_jobs_are_told_apart_and_missing_workers_are_said(page: "Page", server: str) -> None:
    csrf = page.locator('meta[name="csrf-token"]').get_attribute("content") or ""
    for name in ("first", "second"):
        body = {"project": 1, "recipe": "gentle", "name": name}
        assert page.request.post(f"{server}/api/v1/export", data=body, headers={"X-CSRF-Token": csrf}).status == 202
    page.goto(f"{server}/jobs")
    page.wait_for_selector("text=export project 1 by gentle as first")
    page.wait_for_selector("text=export project 1 by gentle as second")
    page.wait_for_selector("text=No worker is running: start `labelloom worker`.")


def test_logging_out_ends_it(page: "Page", server: str, settings: Settings) -> None:
    page.click("text=Log out")
    page.wait_for_url("**/login")
    page.goto(f"{server}/jobs")
    assert page.url.endswith("/login?next=%2Fjobs")
    page.goto(f"{server}/login")
    page.goto(f"{server}/login#wrong")  # the same tab: only the hash changes
    page.wait_for_selector("text=This code is wrong, was used already")
    page.goto(login_link(settings, "admin@example.org"))
    page.wait_for_url("**/jobs")
    page.wait_for_selector("text=No jobs yet.")
