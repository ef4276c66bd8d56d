"""Our own Label Studio as a process: kept state, safe files, ports, and death of the parent. Uses a stand-in command.

The stand-in listens as Label Studio does and answers /health, in a tenth of a second instead of half a minute.
"""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connectors.errors import ServerError
from connectors.label_studio_install import LOCK, VERSION, install
from connectors.label_studio_server import LabelStudioServer, free_port, is_up, read_account

STAND_IN = """#!{python}
import json, os, pathlib, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
pathlib.Path("environment.json").write_text(json.dumps(dict(os.environ)))
print("started with", sys.argv[1:], flush=True)
if os.path.exists("fail"):
    sys.exit("broken on purpose")
if os.path.exists("slow"):
    import time
    time.sleep(2)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{{"status": "UP"}}')
    def log_message(self, *_): pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[4])), Handler).serve_forever()
"""


@pytest.fixture
def command(tmp_path: Path) -> Path:
    path = tmp_path / "label-studio"
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    return path


def wait_until_down(url: str, seconds: float = 8) -> bool:
    until = time.monotonic() + seconds
    while is_up(url) and time.monotonic() < until:
        time.sleep(0.1)
    return not is_up(url)


def test_it_starts_keeps_its_secrets_and_comes_back_as_it_was(command: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with LabelStudioServer(command, home) as server:
        account = server.start(port=9400)
        assert is_up(account.url)
        assert server.running()
    assert wait_until_down(account.url)
    assert not server.running()
    assert stat.S_IMODE((home / "server.json").stat().st_mode) == 0o600
    assert read_account(home) == account
    assert len(account.password) >= 16
    assert len(account.token) == 40
    assert account.password not in (home / "label-studio.log").read_text()
    with LabelStudioServer(command, home) as again:
        assert again.start() == account  # the port it had as well


def test_a_first_start_is_told_once_and_a_long_one_names_the_log(
    command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.label_studio_server.TELL_EVERY", 0.5)
    monkeypatch.setattr("connectors.label_studio_server.LONG_WAIT", 1.2)
    home = tmp_path / "home"
    home.mkdir()
    (home / "slow").touch()
    for first in (True, False):
        said: list[str] = []
        with LabelStudioServer(command, home) as server:
            server.start(said.append, port=9400)
        assert [("first time" in line, "half a minute" in line) for line in said[:2]] == [
            (first, first),
            (False, False),
        ]
        assert not any("half a minute" in line for line in said[1:])
        waiting = [line for line in said if "still starting" in line]
        assert "log" not in waiting[0]
        assert str(home / "label-studio.log") in waiting[-1]


def test_another_label_studios_settings_do_not_leak_in(
    command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_HOST", "https://other.example")
    monkeypatch.setenv("KEPT", "yes")
    with LabelStudioServer(command, tmp_path / "home", document_root=tmp_path / "shared") as server:
        server.start(port=9400)
        environment = (tmp_path / "home" / "environment.json").read_text()
    assert "other.example" not in environment
    assert '"KEPT": "yes"' in environment
    assert f'"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": "{tmp_path / "shared"}"' in environment


def test_a_busy_port_gives_way_to_the_next(command: Path, tmp_path: Path) -> None:
    with socket.socket() as taken, LabelStudioServer(command, tmp_path / "home") as server:
        port = free_port(9400)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert server.start(port=port).port > port


def test_two_on_one_directory_are_refused(command: Path, tmp_path: Path) -> None:
    with LabelStudioServer(command, tmp_path / "home") as server:
        account = server.start(port=9400)
        with pytest.raises(ServerError, match=f"already running.*{account.url}"):
            LabelStudioServer(command, tmp_path / "home").start(port=9400)
        assert is_up(account.url)


def test_a_failed_start_shows_the_log(command: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "fail").touch()
    with pytest.raises(ServerError, match=r"ended while starting.*\n.*started with.*\nbroken on purpose"):
        LabelStudioServer(command, tmp_path / "home").start(port=9400)


PARENT = """
import sys, time
from pathlib import Path
from connectors.label_studio_server import LabelStudioServer
server = LabelStudioServer(Path(sys.argv[1]), Path(sys.argv[2]))
print(server.start(port=9400).url, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_dies_with_its_parent_however_that_ends(command: Path, tmp_path: Path, number: signal.Signals) -> None:
    arguments = [sys.executable, "-c", PARENT, str(command), str(tmp_path / "home")]
    parent = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout is not None
    url = parent.stdout.readline().strip()
    assert is_up(url)
    os.kill(parent.pid, number)
    parent.wait()
    parent.stdout.close()
    assert wait_until_down(url)
    with LabelStudioServer(command, tmp_path / "home") as again:  # and its lock is free
        assert again.start().url == url


def test_an_unfinished_install_is_thrown_away_and_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "env"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "label-studio").write_text("cut short")
    calls: list[tuple[str, ...]] = []

    def uv(*arguments: str) -> None:
        calls.append(arguments)
        (home / "bin").mkdir(parents=True, exist_ok=True)
        (home / "bin" / "label-studio").write_text("whole")

    monkeypatch.setattr("connectors.label_studio_install._uv", uv)
    said: list[str] = []
    assert install(home, said.append).read_text() == "whole"
    assert [call[0] for call in calls] == ["venv", "pip"]
    assert str(LOCK) in calls[1]
    assert f"\nlabel-studio=={VERSION}\n" in LOCK.read_text()
    assert "Removing an unfinished install of Label Studio" in said
    install(home, said.append)
    assert len(calls) == 2


def test_a_failed_install_says_what_uv_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "wrong.lock"
    wrong.write_text("label-studio==0.0.0.no-such-version\n")
    monkeypatch.setattr("connectors.label_studio_install.LOCK", wrong)
    with pytest.raises(ServerError, match="uv pip install failed"):
        install(tmp_path / "env", lambda _: None)
    assert not (tmp_path / "env" / "labelloom-complete").exists()
