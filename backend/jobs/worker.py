"""A worker process: takes jobs and shards from the queues, as many as it has places for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from backend.jobs.address import system_database
from backend.jobs.queue import JOBS, SHARDS, VERSION

POLL = 0.2  # seconds; DBOS's own 1 s lets short shards starve

Job = Callable[[str], Any]
Shard = Callable[..., Any]


@contextmanager
def working(database: str, name: str, job: Job, shard: Shard, *, jobs: int = 4) -> Iterator[None]:
    """Take work until the block ends. `name` is this process's own, new at each start.

    A process takes `jobs` jobs at a time (they mostly wait) and one shard: pixels hold the interpreter's lock, so more
    processes, not more threads, make it faster. `job` gets a job's id, `shard` what was put; both return plain JSON.
    """
    from dbos import DBOS
    from dbos._serialization import DBOSPortableJSONSerializer

    DBOS(
        config={
            "name": "labelloom",
            "system_database_url": system_database(database),
            "application_version": VERSION,
            "executor_id": name,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "max_executor_threads": jobs + 4,
        }
    )
    DBOS.workflow(name="job")(lambda *arguments: job(*arguments))  # DBOS puts attributes on it, which methods refuse
    DBOS.workflow(name="shard")(lambda *arguments: shard(*arguments))
    DBOS.launch()
    try:
        DBOS.register_queue(JOBS, worker_concurrency=jobs, polling_interval_sec=POLL)
        DBOS.register_queue(SHARDS, worker_concurrency=1, polling_interval_sec=POLL)
        yield
    finally:
        DBOS.destroy(workflow_completion_timeout_sec=0)


class Ticker:
    """Calls a function every so many seconds on a thread of its own, until stopped; an error does not end it."""

    def __init__(self, every: float, function: Callable[[], object], failed: Callable[[Exception], None]) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(every, function, failed), daemon=True)
        self._thread.start()

    def _run(self, every: float, function: Callable[[], object], failed: Callable[[Exception], None]) -> None:
        while not self._stop.wait(every):
            try:
                function()
            except Exception as error:  # noqa: BLE001 - a database away for a minute must not end the heartbeat
                failed(error)

    def stop(self) -> None:
        """End it and wait for the call in hand."""
        self._stop.set()
        self._thread.join(timeout=10)
