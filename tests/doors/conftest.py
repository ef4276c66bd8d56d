"""A Label Studio whose Actions menu leads to a LabelLoom that runs beside it: web in this process, one worker."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from doors_kit import Loom, log_in, picture
from ports import own_port
from quick_cli import start

from backend.flows.access import create_token
from backend.flows.connect import install_action
from backend.settings import Settings
from connectors.label_studio import LabelStudio
from connectors.label_studio_server import Account, LabelStudioServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def unconnected(tmp_path_factory: pytest.TempPathFactory) -> Loom:
    """Address, folder and token of our service, before anything runs."""
    home = tmp_path_factory.mktemp("loom")
    settings = Settings(data_dir=home / "data", cache_dir=home / "cache")
    return Loom(home, _free_port(), create_token(settings, "the action"), settings)


@pytest.fixture(scope="session")
def ls_server(
    label_studio_command: Path, empty_label_studio: Path, unconnected: Loom, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabelStudioServer]:
    """A Label Studio of its own with the entry in its Actions menu."""
    install_action(label_studio_command)
    home = tmp_path_factory.mktemp("doors") / "home"
    shutil.copytree(empty_label_studio, home)
    environment = {"LABELLOOM_URL": f"http://localhost:{unconnected.port}", "LABELLOOM_TOKEN": unconnected.token}
    with LabelStudioServer(label_studio_command, home, settings=environment) as server:
        server.start(print, port=own_port(8470))
        yield server


@pytest.fixture(scope="session")
def ls_account(ls_server: LabelStudioServer) -> Account:
    """Address and login of that Label Studio."""
    assert ls_server.account is not None
    return ls_server.account


@pytest.fixture(scope="session")
def ls(ls_account: Account) -> LabelStudio:
    """A connection to that Label Studio."""
    return LabelStudio(ls_account.url, ls_account.token)


@pytest.fixture(scope="session")
def loom(unconnected: Loom, ls_account: Account) -> Iterator[Loom]:
    """Our service, connected and running."""
    unconnected.settings = unconnected.settings.model_copy(
        update={
            "label_studio_url": ls_account.url,
            "label_studio_api_key": Settings(label_studio_api_key=ls_account.token).label_studio_api_key,
            "allowed_emails": (ls_account.username,),
        }
    )
    environment = os.environ | {
        "LABELLOOM_DATA_DIR": str(unconnected.settings.data_dir),
        "LABELLOOM_CACHE_DIR": str(unconnected.settings.cache_dir),
        "LABEL_STUDIO_URL": ls_account.url,
        "LABEL_STUDIO_API_KEY": ls_account.token,
        "LABELLOOM_ALLOWED_EMAILS": ls_account.username,
        "LABELLOOM_BASE_URL": f"http://localhost:{unconnected.port}",
    }
    unconnected.start()
    worker = unconnected.worker = start(["worker"], environment, unconnected.home / "worker.log")
    yield unconnected
    worker.kill()
    worker.wait()
    if unconnected.web:
        unconnected.stop()


@pytest.fixture
def labelled(ls: LabelStudio, new_project: Callable[..., int]) -> int:
    """A project of four pictures with one box each."""
    project = new_project("doors")
    files = [(f"f{n}", (f"p{n}.jpg", picture(n))) for n in range(4)]
    ls.request("POST", f"api/projects/{project}/import", files=files)
    box = {"x": 25, "y": 25, "width": 31.25, "height": 41.6, "rotation": 0, "rectanglelabels": ["raccoon"]}
    region = {"from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": box,
              "original_width": 320, "original_height": 240}  # fmt: skip
    for task in ls.task_ids(project):
        ls.request("POST", f"api/tasks/{task}/annotations/", json={"result": [region]})
    return project


@pytest.fixture(scope="module")  # its event loop must be over before other tests start theirs
def browser() -> Iterator["Browser"]:
    """A headless Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=_QUIET.split())
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def admin(browser: "Browser", ls_account: Account) -> Iterator["Page"]:
    """A page of the account that may order."""
    page = log_in(browser, ls_account.url, ls_account.username, ls_account.password)
    yield page
    page.context.close()


@pytest.fixture
def shot(tmp_path: Path) -> Callable[["Page", str], None]:
    """Keeps a picture of a page, in LABELLOOM_SHOTS where that is set."""
    folder = Path(os.environ.get("LABELLOOM_SHOTS", tmp_path))

    def keep(page: "Page", name: str) -> Any:
        page.screenshot(path=str(folder / f"{name}.png"))

    return keep
