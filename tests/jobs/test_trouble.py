"""Jobs while what they stand on goes away: the database restarts, the web server dies, the disk is full."""

import fcntl
import os
import signal
import time
from pathlib import Path

import httpx
import pytest
from quick_cli import start

from backend.core.errors import UsageError
from backend.flows.access import service_url
from backend.flows.jobs import Jobs
from backend.flows.service import Service
from backend.flows.work import Pulse
from backend.settings import Settings
from backend.store.tables import open_database
from benchmarks.fleet import RECIPE, fleet, make_yolo, wait_for, wait_until_running
from benchmarks.postgres import Postgres

ORDER = {"dataset": "cats", "recipe": RECIPE}


@pytest.mark.slow
def test_a_job_survives_a_restart_of_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    database = postgres.database("restart")
    settings = Settings(data_dir=tmp_path / "data", database_url=database, worker_timeout=3)
    make_yolo(settings.datasets_dir / "cats", 60)
    with fleet(settings, tmp_path / "logs", 2, start) as workers:
        with Jobs(settings) as jobs:
            job = jobs.submit("augment", ORDER, "me").id
            wait_until_running(jobs, job, "augmenting")
        postgres.control("stop")
        time.sleep(2)
        postgres.control("start")
        with Jobs(settings) as jobs:
            row = wait_for(jobs, job, 150)
            assert row.state == "done", f"{row.error}\n{workers.told()[-8000:]}"
            assert row.result["counts"]["sources"] == 60


def test_a_job_waits_for_a_worker_that_was_taken_for_dead_and_is_still_at_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", worker_timeout=3)
    make_yolo(settings.datasets_dir / "cats", 4)
    work = settings.datasets_dir / "r-v1.partial" / ".work"
    work.mkdir(parents=True)
    with fleet(settings, tmp_path / "logs", 1, start) as workers, Jobs(settings) as jobs:
        with (work / "lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            job = jobs.submit("augment", ORDER, "me").id
            end = time.monotonic() + 60
            while "is being built by another process" not in workers.told():
                assert time.monotonic() < end, workers.told()
                time.sleep(0.1)
            assert jobs.get(job).state == "running"
        assert wait_for(jobs, job, 60).state == "done", jobs.get(job).error


def test_after_a_silence_of_its_own_a_worker_judges_nobody_for_a_while() -> None:
    now = [100.0]
    pulse = Pulse(30, lambda: now[0])
    told = []
    for now[0] in (100, 105, 110, 130, 140, 150, 160, 165):  # silent from 110 to 130
        told.append(pulse.steady())
    assert told == [True, True, True, False, False, False, True, True]


def test_the_service_starts_again_what_dies_and_leaves_nothing_behind(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", worker_timeout=3)
    said: list[str] = []
    service = Service(settings, port=9690, workers=1, say=said.append)
    try:
        service.start()
        address = f"http://127.0.0.1:{service.port}/healthz"
        assert httpx.get(address).status_code == 200
        assert service_url(settings) == f"http://localhost:{service.port}"
        before = {name: process.pid for name, process in service.running.items()}
        assert set(before) == {"web", "worker-1"}
        os.killpg(before["web"], signal.SIGKILL)
        service.running["web"].wait(10)
        service.keep()
        assert said == [f"web ended (-9): started again; its log is {settings.logs_dir / 'web.log'}"]
        end = time.monotonic() + 30
        while True:
            try:
                assert httpx.get(address).status_code == 200
                break
            except httpx.HTTPError:
                assert time.monotonic() < end
                time.sleep(0.1)
        pids = [process.pid for process in service.running.values()]
    finally:
        service.stop()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.killpg(pid, 0)


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="database cannot be opened"):
        open_database(f"sqlite:///{tmp_path / 'file' / 'labelloom.db'}")
    with pytest.raises(UsageError, match="database cannot be opened"):
        open_database("postgresql+psycopg://labelloom@127.0.0.1:1/nothing")
