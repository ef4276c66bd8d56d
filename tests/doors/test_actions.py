"""The entry in Label Studio's Actions menu, pressed in a real browser."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from doors_kit import Loom

from connectors.label_studio import LabelStudio

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.slow]

Shot = Callable[["Page", str], None]
ENTRY = "Augment and export with LabelLoom"


def open_dialog(page: "Page", url: str, project: int, rows: tuple[int, ...]) -> None:
    page.goto(f"{url}/projects/{project}/data")
    page.wait_for_selector("text=p0.jpg, [class*=table-head]")
    page.wait_for_timeout(2000)
    boxes = page.locator("[class*=row-wrapper] input[type=checkbox], [class*=table] input[type=checkbox]")
    for row in rows:
        boxes.nth(row).click(force=True)
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Tasks").first.click()
    page.click(f"text={ENTRY}")
    page.wait_for_selector("[class*=modal]")
    page.wait_for_timeout(1500)


def test_two_selected_tasks_become_a_project(
    admin: "Page", ls: LabelStudio, loom: Loom, labelled: int, shot: Shot
) -> None:
    open_dialog(admin, ls.url, labelled, (1, 2))
    shot(admin, "dialog")
