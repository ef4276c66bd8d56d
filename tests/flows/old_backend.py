"""A real label-studio-ml 1.0.9 server in an environment of its own, installed once into the user's cache folder."""

import fcntl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uv
from platformdirs import user_cache_path
from ports import own_port

from connectors.errors import ConnectorError
from connectors.label_studio_server import free_port
from connectors.ml_backend import MLBackend

# It needs rq and redis to be imported, and names `attr`, which lies where `attrs` does
WANTED = ("label-studio-ml==1.0.9", "redis>=4,<9", "rq<1.16", "setuptools")
OVERRIDE = "attr ; sys_platform == 'never'\n"


def _run(*arguments: str) -> None:
    done = subprocess.run(
        [uv.find_uv_bin(), "-q", *arguments], capture_output=True, text=True, timeout=200, check=False
    )
    if done.returncode:
        pytest.skip(f"label-studio-ml 1.0.9 cannot be installed here: {done.stderr.strip()[-300:]}")


def python_with_label_studio_ml() -> Path:
    """Return the interpreter of an environment with label-studio-ml 1.0.9; skips the test where there can be none."""
    home = user_cache_path("labelloom") / "label-studio-ml-1.0.9"
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(home.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").is_file():
            _run("venv", "--clear", "--python", sys.executable, str(home))
            (home / "override.txt").write_text(OVERRIDE)
            python = str(home / "bin" / "python")
            _run("pip", "install", "--python", python, "--override", str(home / "override.txt"), *WANTED)
            (home / "complete").touch()
    return home / "bin" / "python"


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run the server with the model class beside this file; gives its address."""
    model = Path(__file__).with_name("old_backend_model.py")
    python, port = python_with_label_studio_ml(), free_port(own_port(9490))
    url = f"http://127.0.0.1:{port}"
    with (folder / "server.log").open("w") as log:
        command = [str(python), str(model), str(port), str(folder / "models")]
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            _wait(url, server, folder / "server.log")
            yield url
        finally:
            server.terminate()
            server.wait(10)


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            MLBackend(url).health()
        except ConnectorError:
            assert server.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        else:
            return
