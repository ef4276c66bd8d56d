"""docker-compose.yml: parsed, and its commands started as processes with its environment, against PostgreSQL."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from backend.flows.access import create_token
from backend.flows.service import free_port
from backend.settings import Settings
from benchmarks import postgres
from benchmarks.fleet import RECIPE, make_yolo

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "POSTGRES_PASSWORD": "pg-secret",
    "LABEL_STUDIO_PASSWORD": "ls-secret",
    "LABEL_STUDIO_USER_TOKEN": "0" * 40,
    "MINIO_ROOT_PASSWORD": "minio-secret",
}


def filled(value: Any) -> Any:
    """Return the document with ${NAME:?} and ${NAME:-default} filled in as Compose does."""
    if isinstance(value, dict):
        return {key: filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item) for item in value]
    if not isinstance(value, str):
        return value
    return re.sub(r"\$\{(\w+)(?::([-?])([^}]*))?\}", lambda m: SECRETS.get(m[1], m[3] or ""), value)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return filled(yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))["services"]


def test_label_studio_may_reach_the_neighbours(services: dict[str, Any]) -> None:
    studio = services["label-studio"]
    assert studio["image"].endswith(":1.23.2")
    for switch in ("ML_BLOCK_LOCAL_IP", "SSRF_PROTECTION_ENABLED", "USE_DEFAULT_BANNED_SUBNETS"):
        assert studio["environment"][switch] == "false"
    assert any("label_studio_action.py:" in volume for volume in studio["volumes"])


def test_every_service_is_watched_and_none_is_open_to_the_world(services: dict[str, Any]) -> None:
    assert all("healthcheck" in service for name, service in services.items() if name != "worker")
    assert services["worker"]["deploy"]["replicas"] >= 2
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
    assert "USER loom" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for name in SECRETS:
        assert f"${{{name}:?}}" in text and f"${{{name}:-" not in text


def test_compose_accepts_the_file() -> None:
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("no docker compose client here")
    command = ["docker", "compose", "-f", str(ROOT / "docker-compose.yml"), "config", "--quiet"]
    subprocess.run(command, check=True, env=os.environ | SECRETS)


@pytest.fixture
def started(services: dict[str, Any], tmp_path: Path) -> Iterator[tuple[str, Settings]]:
    """The address of web and the settings, both services running as processes."""
    if not postgres.installed():
        pytest.skip("no PostgreSQL server is installed (initdb, pg_ctl, psql)")
    with ExitStack() as stack:
        server = stack.enter_context(postgres.running())
        database = server.database("labelloom")
        port = free_port("127.0.0.1", 9590)
        own = {"LABELLOOM_DATA_DIR": str(tmp_path / "data"), "LABELLOOM_CACHE_DIR": str(tmp_path / "cache")}
        for name, count in (("web", 1), ("worker", services["worker"]["deploy"]["replicas"])):
            given = services[name]["environment"]
            assert given["LABELLOOM_DATABASE_URL"] == "postgresql://labelloom:pg-secret@postgres/labelloom"
            environment = os.environ | given | own | {"LABELLOOM_DATABASE_URL": database}
            command = [str(port) if word == "9090" else word for word in services[name]["command"]]
            command[0] = str(Path(sys.executable).with_name(command[0]))
            for number in range(count):
                log = stack.enter_context((tmp_path / f"{name}-{number}.log").open("wb"))
                process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
                stack.callback(process.wait, 30)
                stack.callback(process.terminate)
        yield f"http://127.0.0.1:{port}", Settings(data_dir=tmp_path / "data", database_url=database)


@pytest.mark.slow
def test_its_commands_do_a_job(started: tuple[str, Settings], tmp_path: Path) -> None:
    url, settings = started
    make_yolo(settings.datasets_dir / "cats", 20)
    end = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                break
        except httpx.HTTPError:
            pass
        assert time.monotonic() < end, (tmp_path / "web-0.log").read_text()
        time.sleep(0.2)
    headers = {"Authorization": f"Bearer {create_token(settings, 'test')}"}
    answer = httpx.post(f"{url}/api/v1/augment", json={"dataset": "cats", "recipe": RECIPE}, headers=headers)
    assert answer.status_code == 202, answer.text
    job = url + answer.headers["Location"].removeprefix(url)
    while (row := httpx.get(job, headers=headers).json())["state"] in {"queued", "running"}:
        assert time.monotonic() < end + 120, row
        time.sleep(0.2)
    assert row["state"] == "done" and row["result"]["counts"]["sources"] == 20
