"""Where the service answers, and what its commands say when it cannot be started."""

import logging
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.commands.operate_log import Seldom
from backend.flows.access import login_link, note_url, service_url
from backend.flows.connect import own_url
from backend.flows.doctor import examine
from backend.flows.service import address, free_port
from backend.settings import Settings

WRONG = "postgresql://nobody:pw-secret@localhost:1/x"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


@pytest.fixture
def busy() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def labelloom(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("labelloom")), *arguments]
    own = {"LABELLOOM_DATA_DIR": str(folder / "data"), "LABELLOOM_CACHE_DIR": str(folder / "cache")}
    inherited = os.environ | own | environment
    return subprocess.run(command, env=inherited, capture_output=True, text=True, timeout=60, check=False)


def test_commands_use_the_address_that_the_service_noted(settings: Settings) -> None:
    assert service_url(settings) == "http://localhost:9090"
    note_url(settings, "http://localhost:9191")
    assert stat.S_IMODE((settings.data_dir / "service.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    assert [path.name for path in settings.data_dir.iterdir()] == ["service.json"]
    assert login_link(settings, "me").startswith("http://localhost:9191/login#")
    assert own_url(settings) == "http://localhost:9191"
    assert service_url(settings.model_copy(update={"base_url": "https://loom.example/"})) == "https://loom.example"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": 7}', '{"url": "javascript:1"}', "\x00"])
def test_a_damaged_note_is_no_address(settings: Settings, text: str) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "service.json").write_text(text)
    assert service_url(settings) == "http://localhost:9090"


def test_doctor_says_which_address_is_used_and_that_nobody_answers(settings: Settings) -> None:
    url = f"http://localhost:{free_port('127.0.0.1', 9790)}"
    note_url(settings, url)
    (check,) = [check for check in examine(settings) if check.name == "service"]
    assert check.ok and check.detail.startswith(f"{url} (noted by the service) does not answer")


@pytest.mark.parametrize(
    ("host", "name"), [("127.0.0.1", "localhost"), ("0.0.0.0", "localhost"), ("192.0.2.7", "192.0.2.7")]
)
def test_the_address_is_one_that_people_can_open(settings: Settings, host: str, name: str) -> None:
    assert address(settings, host, 9191) == f"http://{name}:9191"


@pytest.mark.parametrize("command", ["worker", "web"])
@pytest.mark.parametrize("database", [WRONG, "nonsense://u:pw-secret@h/x", "postgresql://u:pw-secret@h:port/x"])
def test_a_wrong_database_ends_a_process_with_a_fix(tmp_path: Path, command: str, database: str) -> None:
    ended = labelloom(tmp_path, command, LABELLOOM_DATABASE_URL=database)
    assert ended.returncode == 2, ended.stderr
    assert "error: the database" in ended.stderr and "fix: correct LABELLOOM_DATABASE_URL" in ended.stderr
    assert "Traceback" not in ended.stderr and "pw-secret" not in ended.stderr


def test_a_busy_port_ends_the_web_server_with_a_fix(tmp_path: Path, busy: int) -> None:
    ended = labelloom(tmp_path, "web", "--port", str(busy))
    assert ended.returncode == 1, ended.stderr
    assert f"port {busy}: Address already in use" in ended.stderr and "fix: give another --port" in ended.stderr
    assert not (tmp_path / "data" / "service.json").exists()
    ended = labelloom(tmp_path, "web", "--port", "99999")
    assert ended.returncode == 2 and "65535" in ended.stderr and "Traceback" not in ended.stderr


def test_the_data_folder_that_a_command_makes_is_its_owners_alone(tmp_path: Path) -> None:
    assert labelloom(tmp_path, "tokens", "list").returncode == 0
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_the_same_warning_is_logged_once_a_minute() -> None:
    seldom = Seldom({"stamina"})

    def passes(name: str, level: int, text: str) -> bool:
        return bool(seldom.filter(logging.LogRecord(name, level, "x", 1, text, None, None)))

    assert passes("stamina", logging.WARNING, "again") and not passes("stamina", logging.WARNING, "again")
    assert passes("stamina", logging.WARNING, "other")
    assert all(passes("labelloom", logging.WARNING, "again") for _ in range(2))
    assert all(passes("stamina", logging.ERROR, "again") for _ in range(2))
