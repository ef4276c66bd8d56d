"""How long do lists and pages take with many jobs, datasets and rules, against an empty answer of the same server?"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import httpx
import sqlalchemy as sa

from backend.flows.access import create_token
from backend.flows.service import free_port, gunicorn
from backend.settings import Settings
from backend.store.tables import datasets, jobs, open_database, rules
from benchmarks.harness import ROOT, Ratio, Scale, Section, environment_with, ratios

JOBS, DATASETS, RULES = 10_000, 500, 200
EMPTY = "/healthz"
PATHS = (
    "/api/v1/jobs?limit=25",
    "/api/v1/jobs?limit=25&offset=5000",
    "/api/v1/jobs?limit=25&state=failed",
    "/api/v1/jobs/00000000000a",
    "/api/v1/datasets",
    "/api/v1/rules",
    "/jobs",
    "/rules",
    "/models",
    "/collections",
)
BEFORE = f"""\
A real server (`gunicorn`, one process, SQLite on this machine's disk) that knows {JOBS} jobs, {DATASETS} datasets (rows
and folders) and {RULES} rules answers requests one after the other over one connection, each path in turn with an empty
endpoint (`GET {EMPTY}`) of the same server."""


def run(scale: Scale) -> Section:
    """Measure all paths in turns on one server."""
    asked = 100 if scale.images is None else 5
    with _server() as client:
        sides = (EMPTY, *PATHS)
        _round(client, sides, 3)  # once for nothing: connections, the database, the code
        rounds = [_round(client, sides, asked) for _ in range(scale.pairs)]
    found = tuple(
        Ratio(f"p95 of `GET {path}`", f"p95 of `GET {EMPTY}`", ratios(rounds, over=number, under=0))
        for number, path in enumerate(PATHS, 1)
    )
    middle = [median(times) * 1000 for times in zip(*rounds, strict=True)]
    rows = [f"| `{path}` | {took:.1f} |" for path, took in zip(sides, middle, strict=True)]
    after = "\n".join(
        ["p95, median of the rounds; a list shall stay below 150 ms:", "", "| path | ms |", "|---|---|", *rows]
    )
    return Section("Pages and lists", BEFORE, found, after)


def _round(client: httpx.Client, paths: tuple[str, ...], asked: int) -> tuple[float, ...]:
    """Return the p95 of each path in seconds; the paths are asked in turns."""
    took: list[list[float]] = [[] for _ in paths]
    for _ in range(asked):
        for path, times in zip(paths, took, strict=True):
            start = time.perf_counter()
            client.get(path).raise_for_status()
            times.append(time.perf_counter() - start)
    return tuple(quantiles(times, n=20)[-1] for times in took)


@contextmanager
def _server() -> Iterator[httpx.Client]:
    folder = ROOT / ".bench" / f"pages-{time.time_ns()}"  # a real disk: its folders are part of the answer
    folder.mkdir(parents=True)
    settings = Settings(data_dir=folder, cache_dir=folder / "cache", database_url=None)
    engine = open_database(settings.database)
    _fill(engine, settings.datasets_dir.resolve())
    token = create_token(settings, "benchmark", "benchmark@example.org")
    port = free_port("127.0.0.1", 9490)
    environment = environment_with({"LABELLOOM_DATA_DIR": str(folder), "LABELLOOM_DATABASE_URL": settings.database})
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(gunicorn("127.0.0.1", port), env=environment, stderr=log, stdout=log, cwd=ROOT)
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=30
            ) as client:
                _wait(client, folder / "log")
                yield client
        finally:
            process.terminate()
            process.wait(timeout=30)
            engine.dispose()
            shutil.rmtree(folder)


def _wait(client: httpx.Client, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if client.get(EMPTY).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    msg = f"the server did not start: {log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(msg)


def _fill(engine: sa.Engine, folder: Path) -> None:
    """Enter the rows, and make the datasets' folders."""
    now = datetime.now(UTC)
    params = json.dumps({"project": 7, "recipe": {"name": "x", "steps": [{"HorizontalFlip": {"p": 0.5}}] * 20}})
    result = json.dumps({"dataset": "street-v1", "counts": {"images": 3}, "skipped": [], "ledger": {"kept": 5}})
    many = [
        {"id": f"{number:012x}", "kind": "export", "params": params, "who": "me", "runs": 1, "done": 0,
         "state": "failed" if number % 10 == 0 else "done", "created": now - timedelta(seconds=number),
         "result": result}
        for number in range(JOBS)
    ]  # fmt: skip
    made = []
    for number in range(DATASETS):
        path = folder / f"street-v{number}"
        path.mkdir(parents=True)
        made.append({"path": str(path), "name": path.name, "source": "a project", "images": 100, "created": now})
    with engine.begin() as connection:
        connection.execute(sa.insert(jobs), many)
        connection.execute(sa.insert(datasets), made)
        connection.execute(sa.insert(rules), [_rule(number, now) for number in range(RULES)])


def _rule(number: int, now: datetime) -> dict[str, object]:
    spec = {"name": f"rule-{number}", "project": number % 20 + 1, "when": {"annotations": 50}, "do": {"kind": "fit"}}
    same = {"who": "me", "created": now, "fired": now, "enabled": True, "mark": 0, "failures": 0}
    return {"name": spec["name"], "project": spec["project"], "spec": json.dumps(spec), **same}
