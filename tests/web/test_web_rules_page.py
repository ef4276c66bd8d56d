"""The page of rules in headless Chromium: add, switch, try out, change, delete; errors beside their fields."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from web_parts import check_accessible, shot

from backend.settings import Settings
from backend.store.rules import RuleRow, add_rule, list_rules
from backend.store.tables import open_database
from connectors.label_studio import LabelStudio
from connectors.label_studio_server import Account

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]


def check(page: "Page") -> None:
    """No serious finding of axe, and no sideways scrolling on a phone."""
    check_accessible(page)
    size = page.viewport_size or {"width": 1200, "height": 900}
    page.set_viewport_size({"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size(size)


def put(settings: Settings, name: str, project: int = 7, **more: Any) -> RuleRow:
    spec = {"name": name, "project": project, "when": {"annotations": 50}, "do": {"kind": "export", "params": {}}}
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    row = RuleRow(0, name, project, spec | more, "<b>me</b>", now, now)
    return add_rule(open_database(settings.database), row)


def test_rules_are_shown_by_project_switched_and_deleted(page: "Page", server: str, settings: Settings) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    put(settings, "nightly", when={"at": "02:30", "zone": "Asia/Seoul"})
    put(settings, "after-fifty", 8, do={"kind": "export", "params": {"recipe": hostile, "write_back": hostile}})
    titles = [{"id": 7, "title": hostile, "tasks": 1, "finished": 1, "link": "http://ls/projects/7"}]
    page.route("**/api/v1/projects", lambda route: route.fulfill(json={"projects": titles}))
    page.goto(f"{server}/rules")
    page.wait_for_selector("text=2 rules")
    assert f"{hostile} (7)" in page.inner_text("#rules") and f'by {hostile} to "{hostile}"' in page.inner_text("#rules")
    assert page.locator("main img").count() == 0
    shot(page, "rules")
    check(page)
    switch = page.get_by_role("switch", name="nightly is on")
    switch.focus()
    page.keyboard.press("Space")
    page.wait_for_selector("text=Off: switched off")
    assert not next(row for row in list_rules(open_database(settings.database)) if row.name == "nightly").enabled
    page.locator("#project-7 summary").click()
    page.wait_for_selector("text=It never ran.")
    page.get_by_role("button", name="Delete nightly").click()
    page.get_by_role("button", name="Keep it").click()
    assert page.locator("article").count() == 2
    page.get_by_role("button", name="Delete nightly").click()
    page.locator("#sure").get_by_role("button", name="Delete").click()
    page.wait_for_selector("text=one rule")
    page.goto(f"{server}/rules?project=7")
    page.wait_for_selector("text=This project has no rules yet.")


def test_errors_stand_beside_their_fields_and_a_double_click_sends_once(
    page: "Page", server: str, settings: Settings
) -> None:
    put(settings, "taken")
    page.goto(f"{server}/rules")
    page.get_by_role("button", name="New rule").click()
    page.wait_for_selector("text=Label Studio says: no Label Studio is configured")
    page.get_by_label("Number of the project to watch").fill("7")
    page.fill("#name", "Not A Name")
    page.check("#when-at")
    page.fill("#zone", "Mars/Base")
    page.click("#save")
    page.wait_for_selector("[data-wrong='when.zone']:has-text('Mars/Base')")
    assert "match" in page.inner_text("[data-wrong='name']") and page.locator("#name[aria-invalid]").count()
    shot(page, "rules-errors")
    check(page)
    page.fill("#name", "taken")
    page.check("#when-annotations")
    page.click("#save")
    page.wait_for_selector("[data-wrong='name']:has-text(\"there is a rule 'taken' already\")")
    page.fill("#name", "fresh")
    page.locator("#more summary").click()
    page.fill("#params", "{")
    page.click("#save")
    page.wait_for_selector("[data-wrong='do.params']:has-text('not a JSON object')")
    page.fill("#params", '{"bogus": 1}')
    page.click("#save")
    page.wait_for_selector("#message:has-text('bogus'), [data-wrong='do.params']:has-text('bogus')")
    page.fill("#params", "")
    sent: list[Any] = []

    def slow(route: Any) -> None:
        if route.request.method != "POST":
            return route.fallback()
        sent.append(route.request.post_data_json)
        page.wait_for_timeout(300)
        return route.fulfill(status=502, json={"detail": "not today", "errors": []})

    page.route("**/api/v1/rules", slow)
    page.locator("#save").dblclick(force=True, no_wait_after=True)
    page.wait_for_selector("text=not today")
    page.wait_for_timeout(300)
    assert len(sent) == 1, sent
    assert sent[0]["when"] == {"annotations": 50, "changes": False} and sent[0]["project"] == 7


@pytest.mark.e2e
def test_a_rule_is_added_tried_changed_and_removed(
    page: "Page", server: str, settings: Settings, ls: LabelStudio, ls_account: Account, new_project: Callable[..., int]
) -> None:
    settings.label_studio_url, settings.label_studio_api_key = ls.url, SecretStr(ls_account.token)
    project = new_project("Raccoons by rule")
    page.goto(f"{server}/rules")
    page.get_by_role("button", name="New rule").click()
    page.locator(f"#project option[value='{project}']").wait_for(state="attached", timeout=30_000)
    page.select_option("#project", str(project))
    page.fill("#name", "watch")
    page.fill("#annotations", "3")
    page.locator("#recipe option[value='gentle']").wait_for(state="attached")
    page.select_option("#recipe", "gentle")
    page.fill("#write-back", "Augmented by a rule")
    page.set_viewport_size({"width": 375, "height": 800})
    shot(page, "rules-form-phone")
    page.set_viewport_size({"width": 1200, "height": 900})
    shot(page, "rules-form")
    page.click("#save")
    page.wait_for_selector("text=watch was added.", timeout=30_000)
    page.get_by_role("button", name="Try watch out").click()
    page.wait_for_selector("text=It would not run now: 0 of 3 new annotations", timeout=30_000)
    assert '"gentle"' in page.inner_text("article pre")
    shot(page, "rules-tried")
    page.get_by_role("button", name="Edit watch").click()
    assert page.input_value("#write-back") == "Augmented by a rule" and page.is_disabled("#name")
    page.select_option("#kind", "predict")
    page.click("#save")
    page.wait_for_selector("text=watch was changed.", timeout=30_000)
    assert "predict" in page.inner_text("article")
    (row,) = list_rules(open_database(settings.database))
    assert row.spec["do"] == {"kind": "predict", "params": {}} and row.spec["when"]["annotations"] == 3
