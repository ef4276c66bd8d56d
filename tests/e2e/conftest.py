"""A browser in which somebody is logged in to the session's Label Studio."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from connectors.label_studio_server import Account

if TYPE_CHECKING:
    from playwright.sync_api import Page

_QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture
def page(ls_account: Account) -> Iterator["Page"]:
    """A browser page, logged in."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_QUIET.split())
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(f"{ls_account.url}/user/login/")
        page.fill("input[name=email]", ls_account.username)
        page.fill("input[name=password]", ls_account.password)
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "/login" not in url)
        yield page
        browser.close()


@pytest.fixture
def shot(tmp_path: Path) -> Callable[["Page", str], Path]:
    """Keeps a picture of a page, in LABELLOOM_SHOTS where that is set, and returns its path."""
    folder = Path(os.environ.get("LABELLOOM_SHOTS", tmp_path))

    def keep(page: "Page", name: str) -> Path:
        page.screenshot(path=str(folder / f"{name}.png"))
        return folder / f"{name}.png"

    return keep
