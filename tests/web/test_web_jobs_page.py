"""The page of one job: what it was asked, how far it is, its log, its results; and the list beside it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from web_parts import check_accessible, shot

from backend.settings import Settings
from backend.store import jobs as table
from backend.store.jobs import JobRow
from backend.store.tables import open_database

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

HOSTILE = "<img src=x onerror=alert(1)>"


def test_one_job_is_followed_to_its_results(page: "Page", server: str, settings: Settings) -> None:
    engine = open_database(settings.database)
    now = datetime.now(UTC)
    for name in ("other", "wanted"):
        params = {"project": 7, "recipe": HOSTILE, "write_back": HOSTILE}
        table.add_job(engine, JobRow(name, "export", params, "me", "queued", now))
    page.goto(f"{server}/jobs?job=wanted")
    page.wait_for_selector("text=No worker is running")
    assert page.locator("#jobs > li").count() == 1 and page.locator("main img").count() == 0
    run = table.begin_run(engine, "wanted")
    table.report(engine, "wanted", "augmenting", 25, 100, now)
    table.add_line(engine, "wanted", f"skipped {HOSTILE}")
    page.wait_for_selector("text=augmenting: 25 of 100 (25 %), about")
    page.wait_for_selector(f"text=skipped {HOSTILE}")
    assert page.locator("progress").get_attribute("value") == "25"
    table.report(engine, "wanted", "augmenting", 50, 100, now)
    page.wait_for_selector("text=augmenting: 50 of 100", timeout=2_000)
    shot(page, "job-running")
    result = {"dataset": "street v1", "counts": {"images": 3}, "warnings": ["mind the gap"]}
    table.finish_job(engine, "wanted", "done", result=result, run=run)
    page.wait_for_selector("text=images: 3")
    assert "mind the gap" in page.inner_text("#jobs")
    check_accessible(page)
    page.set_viewport_size({"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shot(page, "job-phone")
    page.get_by_role("link", name="All jobs").click()
    page.wait_for_selector("#jobs > li:nth-child(2)")


def test_a_job_that_is_not_there_says_so(page: "Page", server: str) -> None:
    page.goto(f"{server}/jobs?job=gone")
    page.wait_for_selector("text=there is no job 'gone'")
