"""The models page in headless Chromium: what predicts, other versions, going back, asking for a training."""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tiny_model import write_tiny
from web_parts import shot

from backend.settings import Settings
from backend.store import models as store
from backend.store.tables import open_database

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]


def _two_models(settings: Settings) -> None:
    engine = open_database(settings.database)
    for number, ap in ((1, 0.41), (2, 0.47)):
        version = f"fewshot-p1-v{number}"
        folder = settings.models_dir / version
        write_tiny(folder, ["고양이"], [[8, 8, 40, 40]], [[0.9]], version=version)
        metrics = {"ap": ap, "ap50": 0.8, "ap_ci": [ap - 0.05, ap + 0.05], "ap50_ci": [0.7, 0.9]}
        made = datetime(2026, 3, number, tzinfo=UTC)
        store.add_model(engine, store.ModelRow(version, 1, "fewshot", folder, made, metrics, "better on 12 images"))
        store.promote(engine, 1, version, who="me", why="better")
    engine.dispose()


def test_a_version_is_chosen_and_rolled_back_and_a_training_asked_for(
    page: "Page", server: str, settings: Settings
) -> None:
    from playwright.sync_api import expect

    _two_models(settings)
    one = {"id": 1, "title": "고양이 <b>", "tasks": 1, "finished": 1, "link": "http://localhost:1/projects/1/data"}
    page.route("**/api/v1/projects", lambda route: route.fulfill(json={"projects": [one]}))
    page.goto(server)
    page.get_by_role("link", name="Model of 고양이 <b>").click()
    expect(page.locator("#now")).to_have_text("fewshot-p1-v2 predicts here.")
    expect(page.locator("#models tr")).to_have_count(2)
    row = page.locator("#models tr", has_text="fewshot-p1-v2")
    expect(row).to_contain_text("0.470 (0.420 to 0.520)")
    expect(row).to_contain_text("in use")
    shot(page, "models")
    page.get_by_role("button", name="Roll back").click()
    expect(page.locator("#now")).to_have_text("fewshot-p1-v1 predicts here.")
    page.get_by_role("button", name="Use fewshot-p1-v2").click()
    expect(page.locator("#now")).to_have_text("fewshot-p1-v2 predicts here.")

    page.get_by_text("Options of the detector").click()
    page.fill("#options", "{no json")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator("#told")).to_contain_text("the options are not JSON")
    page.fill("#options", '{"threshold": 0.4}')
    page.get_by_role("button", name="Save detector and options").click()
    expect(page.locator("#told")).to_have_text("saved")

    asked: list[Any] = []
    page.on("request", lambda sent: asked.append(sent.post_data_json) if sent.url.endswith("/api/v1/fit") else None)
    page.check("#fast")
    page.check("#then")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator("#phase")).to_have_text("waiting for a worker")
    assert asked == [{"project": 1, "fast": True, "predict": True}]
    page.get_by_role("link", name="Show the job").click()
    card = page.locator("#jobs > li").first
    expect(card).to_contain_text(re.compile("fit project 1"))
    page.set_viewport_size({"width": 375, "height": 700})
    page.goto(f"{server}/models?project=1")
    expect(page.locator("#models tr")).to_have_count(2)
    shot(page, "models-phone")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_before_the_first_training_it_says_that_nothing_is_predicted(page: "Page", server: str) -> None:
    from playwright.sync_api import expect

    one = {"id": 7, "title": "New", "tasks": 1, "finished": 0, "link": "http://localhost:1/projects/7/data"}
    page.route("**/api/v1/projects", lambda route: route.fulfill(json={"projects": [one]}))
    page.goto(f"{server}/models?project=8")
    expect(page.locator("#status")).to_contain_text("there is no project 8")
    expect(page.locator("#now")).to_have_text("Nothing is predicted here yet.")
    expect(page.locator("#hint")).to_contain_text("10 boxes at least")
    expect(page.locator("#none")).to_be_visible()
    shot(page, "models-none")
