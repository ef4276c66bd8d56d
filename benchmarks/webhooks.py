"""How long does an annotator wait for our webhook, against an empty endpoint of the same server?"""

import asyncio
import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import httpx
import sqlalchemy as sa

from backend.flows.rules import HEADER, PATH
from backend.flows.service import free_port, gunicorn
from backend.imaging.hashes import sha256
from backend.settings import Settings
from backend.store.rules import Hook, save_hook
from backend.store.tables import open_database
from benchmarks.harness import ROOT, Ratio, Scale, Section, environment_with, in_turns

Make = Callable[[], bytes]
CONNECTIONS, RATE = 50, 100  # a second, all together
EMPTY = "/healthz"
BEFORE = """\
A real server (`gunicorn`, one process, {threads} threads, SQLite on this machine's disk) gets {rate} requests a second
over {connections} connections kept open, {seconds} s at a time, in turns: deliveries as Label Studio's webhooks send
them (each another annotation, {size} KB), and an empty endpoint (`GET {empty}`) of the same server. A request's time
runs from the moment it was due, so a server that falls behind is not spared."""


def run(scale: Scale) -> Section:
    """Measure both in turns on one server."""
    seconds = 20 if scale.images is None else 2
    with _server() as (address, secret, engine):
        body = _delivery(0)
        numbers = iter(range(10**9))

        def ours() -> float:
            return _p99(address, seconds, lambda: _post(secret, _delivery(next(numbers))))

        def empty() -> float:
            return _p99(address, seconds, lambda: f"GET {EMPTY} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

        in_turns([empty, ours], 1)  # once for nothing: connections, the database, the code
        before = _stored(engine)
        rounds = in_turns([empty, ours], scale.pairs)
        stored = _stored(engine) - before
    sent = scale.pairs * seconds * RATE
    if stored != sent:
        msg = f"{stored} of {sent} deliveries were stored"
        raise RuntimeError(msg)
    found = Ratio("p99 of a delivery", "p99 of an empty answer", tuple(b / a for a, b in rounds))
    p99 = [median(times) * 1000 for times in zip(*rounds, strict=True)]
    worst = max(b for _, b in rounds) * 1000
    after = (
        f"p99, median of the rounds: empty {p99[0]:.1f} ms, delivery {p99[1]:.1f} ms (worst round {worst:.1f} ms; "
        f"target below 50 ms). All {sent} deliveries were answered 204 and are in the database once. A delivery is "
        "answered after its commit (write-ahead log, `synchronous=NORMAL`: a killed process loses nothing; a power cut "
        "may lose the last moments, which comparing the project finds again)."
    )
    about = {"connections": CONNECTIONS, "rate": RATE, "seconds": seconds, "size": round(len(body) / 1000)}
    return Section("Webhooks", BEFORE.format(threads=16, empty=EMPTY, **about), (found,), after)


@contextmanager
def _server() -> Iterator[tuple[tuple[str, int], str, sa.Engine]]:
    folder = ROOT / ".bench" / f"webhooks-{time.time_ns()}"  # a real disk: its syncs are part of the answer
    folder.mkdir(parents=True)
    settings = Settings(data_dir=folder, cache_dir=folder / "cache", database_url=None)
    engine, secret = open_database(settings.database), secrets.token_urlsafe(32)
    save_hook(engine, Hook(1, sha256(secret.encode()), "http://localhost" + PATH, 1))
    port = free_port("127.0.0.1", 9390)
    environment = environment_with({"LABELLOOM_DATA_DIR": str(folder), "LABELLOOM_DATABASE_URL": settings.database})
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(gunicorn("127.0.0.1", port), env=environment, stderr=log, stdout=log, cwd=ROOT)
        try:
            _wait(f"http://127.0.0.1:{port}{EMPTY}", folder / "log")
            yield ("127.0.0.1", port), secret, engine
        finally:
            process.terminate()
            process.wait(timeout=30)
            engine.dispose()
            for path in sorted(folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            folder.rmdir()


def _wait(url: str, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    msg = f"the server did not start: {log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(msg)


def _stored(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text("select count(*) from deliveries")).scalar_one())


def _delivery(number: int) -> bytes:
    box = {"x": 1.5, "y": 2.5, "width": 30.25, "height": 40.125, "rotation": 0, "rectanglelabels": ["raccoon"]}
    result = [{"id": f"r{i}", "type": "rectanglelabels", "value": box, "original_width": 640} for i in range(12)]
    at = f"2026-03-02T09:00:00.{number % 1_000_000:06}Z"
    annotation = {"id": number, "task": number, "updated_at": at, "result": result}
    config = "<View>" + '<Label value="raccoon"/>' * 60 + "</View>"
    project = {"id": 1, "title": "a project", "label_config": config}
    task = {"id": number, "updated_at": at, "data": {"image": f"/data/upload/1/{number}.jpg"}}
    return json.dumps(
        {"action": "ANNOTATION_CREATED", "annotation": annotation, "task": task, "project": project}
    ).encode()


def _post(secret: str, body: bytes) -> bytes:
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{HEADER}: {secret}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _p99(address: tuple[str, int], seconds: int, make: Make) -> float:
    """Return the 99th percentile of the seconds that requests took."""
    times = asyncio.run(_load(address, seconds, make))
    return quantiles(times, n=100, method="inclusive")[98]


async def _load(address: tuple[str, int], seconds: int, make: Make) -> list[float]:
    begin = time.perf_counter() + 0.2
    jobs = [_connection(address, begin + number / RATE, seconds, make) for number in range(CONNECTIONS)]
    return [taken for times in await asyncio.gather(*jobs) for taken in times]


async def _connection(address: tuple[str, int], begin: float, seconds: int, make: Make) -> list[float]:
    """Send a request each time one is due on a connection kept open; return what each took."""
    reader, writer = await asyncio.open_connection(*address)
    times = []
    for turn in range(seconds * RATE // CONNECTIONS):
        due = begin + turn * CONNECTIONS / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        writer.write(make())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith((b"HTTP/1.1 204", b"HTTP/1.1 200")):
            msg = f"answered {head[:40]!r}"
            raise RuntimeError(msg)
        length = next((int(h[15:]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")), 0)
        await reader.readexactly(length)
        times.append(time.perf_counter() - due)
    writer.close()
    return times
