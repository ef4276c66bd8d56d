"""Collecting and looking at a collection in headless Chromium."""

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from collection_parts import NAME, make_collection
from web_parts import shot

from backend.flows.collect.collection import find_collection
from backend.settings import Settings
from backend.store import jobs as table
from backend.store.tables import open_database

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

ONE = {"id": 1, "title": "고양이 <b>", "tasks": 1, "finished": 1, "link": "http://localhost:1/projects/1/data"}


def _projects(page: "Page") -> None:
    page.route("**/api/v1/projects", lambda route: route.fulfill(json={"projects": [ONE]}))


def _unnamed(page: "Page") -> Any:
    return page.evaluate(
        "[...document.querySelectorAll('main input, main select, main textarea, main progress, main button')]"
        ".filter(one => !(one.labels?.length || one.ariaLabel || one.textContent.trim())).map(one => one.outerHTML)"
    )


def test_images_are_accepted_and_rejected_by_click_and_by_key(page: "Page", server: str, settings: Settings) -> None:
    from playwright.sync_api import expect

    folder = settings.collections_dir / NAME
    lines = make_collection(folder, 7)
    _projects(page)
    page.goto(f"{server}/collections")
    expect(page.locator("#collections tr")).to_contain_text("14")
    shot(page, "collections")
    page.get_by_role("link", name=NAME).click()
    cards = page.locator("#grid > li")
    expect(cards).to_have_count(14)
    expect(page.locator("#accepted")).to_have_text("14 of 14 accepted")
    page.wait_for_load_state("networkidle")
    seen = page.eval_on_selector_all("#grid img", "all => all.map(one => one.naturalWidth)")
    assert seen[:7] == [160] * 7
    expect(cards.nth(0).locator("summary")).to_have_text("2 repeats left out")
    cards.nth(0).locator("summary").click()
    expect(cards.nth(0)).to_contain_text("the same file as rank 1 of openverse")

    crafted = cards.nth(1)
    expect(crafted.locator("[data-is=title]")).to_have_text(lines[1]["title"])
    assert not crafted.locator("script").count() and crafted.locator("a:visible").count() == 1
    expect(cards.nth(2)).to_contain_text("licence unknown")

    button = cards.nth(0).get_by_role("button")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    expect(page.locator("#accepted")).to_have_text("12 of 14 accepted")
    page.keyboard.press("End")
    page.keyboard.press("X")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(page.locator(":focus")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Space")
    expect(page.locator("#import")).to_have_text("Import 10 images")
    shot(page, "collection")
    end = time.monotonic() + 20
    while len(find_collection(settings, NAME).rejected()) < 4 and time.monotonic() < end:
        page.wait_for_timeout(50)  # what is shown is stored a moment later
    page.reload()
    expect(page.locator("#accepted")).to_have_text("10 of 14 accepted")
    gone = find_collection(settings, NAME).rejected()
    assert {lines[0]["sha256"], lines[1]["sha256"], lines[13]["sha256"]} < gone and len(gone) == 4

    page.select_option("#label", "=개")
    expect(cards).to_have_count(7)
    page.get_by_role("button", name="Reject all").click()
    expect(page.locator("#grid > li.out")).to_have_count(7)
    page.select_option("#label", "*")
    expect(cards).to_have_count(14)
    page.get_by_role("button", name="Accept all").click()
    expect(page.locator("#accepted")).to_have_text("14 of 14 accepted")

    page.get_by_role("button", name="Show: The host answered with HTTP status 404.").click()
    expect(page.locator("#entries tr")).to_have_count(3)
    expect(page.locator("#entries")).to_contain_text("the host answered with 404")
    assert not _unnamed(page)

    page.get_by_role("button", name="Import 14 images").click()
    expect(page.locator("#told")).to_contain_text("Give the new project a title")
    page.fill("#title", "고양이와 개 <i>")
    asked: list[Any] = []
    page.on("request", lambda sent: asked.append(sent.post_data_json) if sent.url.endswith("/import") else None)
    page.get_by_role("button", name="Import 14 images").click()
    expect(page.locator("#phase")).to_have_text("waiting for a worker")
    assert asked == [{"title": "고양이와 개 <i>"}]

    page.get_by_role("button", name="Delete this collection").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#status")).to_contain_text("What to do: cancel the job first")
    page.set_viewport_size({"width": 375, "height": 700})
    page.goto(f"{server}/collections/{quote(NAME)}")
    expect(cards).to_have_count(14)
    shot(page, "collection-phone")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_collection_is_ordered_seen_growing_stopped_and_resumed(
    page: "Page", server: str, settings: Settings
) -> None:
    from playwright.sync_api import expect

    _projects(page)
    page.goto(f"{server}/collect?project=1")
    expect(page.locator("#sources input")).not_to_have_count(0)
    expect(page.locator("#target")).to_have_value("1")
    expect(page.get_by_role("checkbox", name="naver:")).to_be_disabled()
    expect(page.get_by_role("checkbox", name="openverse:")).to_be_checked()
    page.get_by_role("button", name="Collect").click()
    expect(page.locator("#message")).to_contain_text("Write what to look for")
    page.fill("#lines", "고양이 = 고양이 사진, 아기 고양이\n<script>alert(1)</script>\n")
    page.fill("#count", "5")
    page.check("#license-cc0")
    page.get_by_text("More", exact=True).click()
    page.fill("#side", "0")
    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="Collect").click()
    expect(page.locator("#message")).to_contain_text("write a number from 1")
    page.fill("#side", "64")
    page.fill("#name", NAME.replace(" ", "_"))
    shot(page, "collect")
    asked: list[Any] = []
    page.on("request", lambda sent: asked.append(sent.post_data_json) if sent.url.endswith("/v1/collect") else None)
    page.get_by_role("button", name="Collect").click()
    expect(page.locator("#phase")).to_have_text("waiting for a worker")
    assert asked == [
        {
            "labels": [{"label": "고양이", "queries": ["고양이 사진", "아기 고양이"]}],
            "keywords": ["<script>alert(1)</script>"],
            "project": 1,
            "near": "skip",
            "sources": ["openverse", "wikimedia"],
            "count": 5,
            "licenses": ["cc0"],
            "options": {"min_side": 64},
            "name": NAME.replace(" ", "_"),
            "review": True,
        }
    ]
    folder = settings.collections_dir / NAME.replace(" ", "_")
    make_collection(folder)
    expect(page.locator("#n-kept")).to_have_text("10")
    expect(page.locator("#n-found")).to_have_text("15")
    expect(page.locator("#reasons")).to_contain_text("The host answered with HTTP status 404.")
    shot(page, "collect-running")
    assert not _unnamed(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#ended")).to_contain_text("resume goes on from here")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#phase")).to_have_text("waiting for a worker")

    engine = open_database(settings.database)
    (job,) = table.list_jobs(engine)
    result = {"collection": folder.name, "state": "short", "counts": {}, "warnings": ["개: 3 of 5 kept <b>"]}
    table.begin_run(engine, job.id)
    table.finish_job(engine, job.id, "done", result=json.loads(json.dumps(result)))
    engine.dispose()
    expect(page.locator("#ended")).to_contain_text("개: 3 of 5 kept <b>")
    page.reload()
    expect(page.locator("#ended")).to_contain_text("개: 3 of 5 kept <b>")
    page.get_by_role("link", name="Look at the images").click()
    expect(page.locator("#grid > li")).to_have_count(10)
    page.goto(f"{server}/jobs")
    expect(page.locator("#jobs > li")).to_contain_text("collect 고양이, <script>alert(1)</script>")
    page.set_viewport_size({"width": 375, "height": 700})
    page.goto(f"{server}/collect")
    expect(page.locator("#sources input")).not_to_have_count(0)
    shot(page, "collect-phone")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_many_images_are_turned_page_by_page_and_none_is_said(page: "Page", server: str, settings: Settings) -> None:
    from playwright.sync_api import expect

    make_collection(settings.collections_dir / "many", 35)
    _projects(page)
    page.goto(f"{server}/collections/many")
    expect(page.locator("#grid > li")).to_have_count(60)
    expect(page.locator("#shown")).to_have_text("1 to 60 of 70")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#grid > li")).to_have_count(10)
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.goto(f"{server}/collections/nothing")
    expect(page.locator("#status")).to_contain_text("there is no collection 'nothing'")
    expect(page.locator("#whole")).to_be_hidden()
