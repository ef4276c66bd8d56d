"""An app of its own for each test, with a token and a browser session."""

import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from quick_cli import start
from web_parts import Browser, log_in, picture
from werkzeug.serving import make_server

from backend.flows.access import create_token, login_link
from backend.settings import Settings
from backend.web.app import create_app
from connectors.label_studio import LabelStudio
from connectors.label_studio_server import Account

if TYPE_CHECKING:
    from playwright.sync_api import Page

_QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


@pytest.fixture
def app(settings: Settings) -> Iterator[Any]:
    yield create_app(settings)
    logger = logging.getLogger("labelloom")  # its handler holds this test's standard error
    logger.handlers.clear()


@pytest.fixture
def anyone(app: Any) -> FlaskClient:
    """A client that is nobody."""
    return app.test_client()


@pytest.fixture
def token(settings: Settings) -> str:
    return create_token(settings, "a script", "script@example.org")


@pytest.fixture
def client(app: Any, token: str) -> FlaskClient:
    """A client with an API token."""
    found = app.test_client()
    found.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return found


@pytest.fixture
def browser(app: Any, settings: Settings) -> Browser:
    return log_in(app.test_client(), login_link(settings, "admin@example.org"))


@pytest.fixture
def labelled(settings: Settings, ls: LabelStudio, ls_account: Account, new_project: Callable[..., int]) -> int:
    """A project with four labelled photographs in the Label Studio that the server is told of."""
    settings.label_studio_url, settings.label_studio_api_key = ls.url, SecretStr(ls_account.token)
    project = new_project("Raccoons at night")
    value = {"x": 20, "y": 20, "width": 40, "height": 40, "rotation": 0, "rectanglelabels": ["raccoon"]}
    box = {"from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": value}
    for number in range(4):
        ls.request("POST", f"api/projects/{project}/import", files={"f": (f"{number}.jpg", picture(number))})
    for task in ls.task_ids(project):
        size = {"original_width": 96, "original_height": 72, "image_rotation": 0}
        ls.request("POST", f"api/tasks/{task}/annotations/", json={"result": [box | size]})
    return project


@pytest.fixture
def server(settings: Settings) -> Iterator[str]:
    """The address of a running server."""
    made = make_server("127.0.0.1", 0, create_app(settings), threaded=True)
    settings.base_url = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield settings.base_url
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def worker(settings: Settings) -> Iterator[None]:
    """A worker process on the same data folder."""
    key = settings.label_studio_api_key.get_secret_value() if settings.label_studio_api_key else ""
    environment = os.environ | {
        "LABELLOOM_DATA_DIR": str(settings.data_dir),
        "LABELLOOM_CACHE_DIR": str(settings.cache_dir),
        **(
            {"LABEL_STUDIO_URL": settings.label_studio_url, "LABEL_STUDIO_API_KEY": key}
            if settings.label_studio_url
            else {}
        ),
    }
    process = start(["worker"], environment, settings.data_dir.with_name("worker.log"))
    yield
    process.terminate()
    process.wait(20)


@pytest.fixture
def page(server: str, settings: Settings) -> Iterator["Page"]:
    """A page that is logged in, and that must not have broken anything by the end."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    wrong: list[str] = []

    def heard(message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            wrong.append(message.text)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_QUIET.split())
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.on("console", heard)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(login_link(settings, "admin@example.org"))
        page.wait_for_selector("text=Projects in Label Studio")
        assert "#" not in page.url
        yield page
        browser.close()
    assert not wrong
