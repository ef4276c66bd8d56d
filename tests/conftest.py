"""Fixtures shared by all tests."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from platformdirs import user_cache_path
from ports import own_port

from connectors.label_studio import LabelStudio
from connectors.label_studio_install import VERSION, install
from connectors.label_studio_server import Account, LabelStudioServer

BOXES = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    '<Label value="raccoon"/><Label value="cat"/></RectangleLabels></View>'
)


_SLOW = ("jobs", "e2e", "automation", "doors", "storage", "web", "detect", "ops", "test_benchmarks.py", "test_cli.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow files: one that starts last keeps one core waiting for the other."""
    root = Path(__file__).parent
    rank = {name: number for number, name in enumerate(_SLOW)}
    items.sort(key=lambda item: rank.get(item.path.relative_to(root).parts[0], len(rank)))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real photographs and hostile images, named by LABELLOOM_TEST_DATA."""
    value = os.environ.get("LABELLOOM_TEST_DATA")
    if not value or not Path(value).is_dir():
        pytest.skip("LABELLOOM_TEST_DATA does not name a folder with raccoon/, bccd/ and edge/")
    return Path(value)


@pytest.fixture(scope="session")
def label_studio_command() -> Path:
    """The `label-studio` command; installed once into the user's cache folder, shared by all test runs."""
    return install(user_cache_path("labelloom") / f"label-studio-{VERSION}", print)


def _empty_label_studio(command: Path) -> Path:
    """Return a data directory after its first start; making the database takes half a minute, copying it nothing."""
    seed = user_cache_path("labelloom") / f"label-studio-{VERSION}-empty"
    if not seed.is_dir():
        with tempfile.TemporaryDirectory(dir=seed.parent) as folder:
            with LabelStudioServer(command, Path(folder) / "made") as server:
                server.start(print, port=own_port(8390))
            with contextlib.suppress(OSError):  # another test run was quicker
                (Path(folder) / "made").rename(seed)
    return seed


@pytest.fixture(scope="session")
def empty_label_studio(label_studio_command: Path) -> Path:
    """A data directory to copy, of a Label Studio that was started once."""
    return _empty_label_studio(label_studio_command)


@pytest.fixture(scope="session")
def ls_server(
    label_studio_command: Path, empty_label_studio: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabelStudioServer]:
    """A Label Studio without projects for this session."""
    home = tmp_path_factory.mktemp("label-studio") / "home"
    shutil.copytree(empty_label_studio, home)
    server = LabelStudioServer(label_studio_command, home)
    with server:
        server.start(print, port=own_port(8390))
        yield server


@pytest.fixture(scope="session")
def ls_account(ls_server: LabelStudioServer) -> Account:
    """Address, login and legacy token of the session's Label Studio."""
    assert ls_server.account is not None
    return ls_server.account


@pytest.fixture(scope="session")
def ls(ls_account: Account) -> LabelStudio:
    """A connection to the session's Label Studio."""
    return LabelStudio(ls_account.url, ls_account.token)


@pytest.fixture
def new_project(ls: LabelStudio) -> Iterator[Callable[..., int]]:
    """Make a project, optionally with tasks: `new_project(title, config, tasks) -> id`.

    Every project that appears during the test is deleted after it.
    """
    before = {project.id for project in ls.projects()}

    def make(title: str = "a test", config: str = BOXES, tasks: list[dict[str, Any]] | None = None) -> int:
        project = ls.create_project(title, "", config).id
        if tasks:
            ls.request("POST", f"api/projects/{project}/import", json=tasks)
        return project

    yield make
    for project in list(ls.projects()):
        if project.id not in before:
            ls.delete_project(project.id)
