"""`labelloom worker`: do queued jobs and shards, tell that this process lives, take over what dead ones left."""

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from types import FrameType
from typing import Any

import sqlalchemy as sa
import stamina

from backend.core.errors import Cancelled, Held, LabelLoomError
from backend.flows import automate, control
from backend.flows.job_base import Tools
from backend.flows.job_kinds import KINDS
from backend.flows.job_pool import JobPool, do_shards
from backend.flows.jobs import Jobs
from backend.jobs.queue import AWAY, patiently
from backend.jobs.worker import Ticker, working
from backend.settings import Settings
from backend.store import jobs as table
from backend.store.workers import alive, beat, forget_workers

Json = dict[str, Any]
log = logging.getLogger("labelloom.worker")

EVERY = 0.5  # seconds between two writes of a job's progress
RULES = 2.0  # seconds between two looks at what webhooks told and which rules are due


class JobProgress:
    """A job's progress as rows; a request to stop comes back the same way."""

    def __init__(self, engine: sa.Engine, job: str) -> None:
        self._engine, self._job = engine, job
        self._phase, self._since, self._last = "", datetime.now(UTC), 0.0

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        """Store how far it is, twice a second at most.

        Raises:
            Cancelled: somebody asked the job to stop.
        """
        if phase != self._phase:
            self._phase, self._since = phase, datetime.now(UTC)
        elif time.monotonic() - self._last < EVERY:
            return
        self._last = time.monotonic()
        if not patiently(table.report)(self._engine, self._job, phase, done, total, self._since):
            msg = f"stopped while {phase}: {done} of {total if total is not None else 'unknown'} done"
            raise Cancelled(msg, fix="resume the job to go on from here")


class Worker:
    """What this process does with a job's id or a shard's arguments."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs, self._engine = jobs, jobs.engine
        self.stopping = threading.Event()

    def job(self, job: str) -> Json:
        """Do a job from where it was left, and store how it ended; nothing is raised."""
        run = self._keep(lambda: table.begin_run(self._engine, job))
        if run is None:
            self._keep(lambda: table.move(self._engine, job, before=("cancelling",), after="cancelled"))
            return {"state": "not wanted"}
        row = self._jobs.get(job)
        log.info("%s of %s: run %d", row.kind, row.who, run, extra={"job": job})
        if run > 1:
            self._keep(lambda: table.add_line(self._engine, job, f"run {run}: goes on from what is there"))
        try:
            again = stamina.retry(on=AWAY, attempts=5, timeout=None, wait_initial=1.0, wait_max=10.0)
            # what is done stays done, so again is cheap
            while (result := again(self._try)(row.kind, row.params, job, run)) is None:
                if self.stopping.wait(1) or not self._wanted(job):
                    return {"state": "not wanted"}
        except Cancelled as error:
            return self._end(job, "cancelled", run, error=(str(error), error.fix))
        except LabelLoomError as error:
            return self._end(job, "failed", run, error=(str(error), error.fix))
        except Exception as error:  # the job fails; the worker and its other jobs go on
            log.exception("failed", extra={"job": job})
            message = f"{type(error).__name__}: {error}"
            return self._end(
                job, "failed", run, error=(message, "the worker's log holds the details; please report it")
            )
        return self._end(job, "done", run, result=result)

    def _try(self, kind: str, params: Json, job: str, run: int) -> Json | None:
        """Return the result, or None while another worker, taken for dead, is still at it."""
        try:
            return self._do(kind, params, job, run)
        except Held as error:
            log.info("%s", error, extra={"job": job})
            return None

    def _do(self, kind: str, params: Json, job: str, run: int) -> Json:
        @contextmanager
        def pools() -> Iterator[JobPool]:
            yield JobPool(self._jobs.queue, job, run)

        def tell(text: str) -> None:
            self._keep(partial(table.add_line, self._engine, job, text))

        who = self._jobs.get(job).who
        tools = Tools(self._jobs.settings, JobProgress(self._engine, job), job, pools, tell, who)
        result: Json = KINDS[kind].run(KINDS[kind].parse(params), tools)
        for warning in result.get("warnings", ()):
            self._keep(partial(table.add_line, self._engine, job, f"warning: {warning}"))
        return result

    def _end(
        self,
        job: str,
        state: table.State,
        run: int,
        *,
        result: Json | None = None,
        error: tuple[str, str | None] | None = None,
    ) -> Json:
        self._keep(lambda: table.finish_job(self._engine, job, state, result=result, error=error, run=run))
        log.info("%s%s", state, f": {error[0]}" if error else "", extra={"job": job})
        return {"state": state}

    def shard(self, job: str, name: str, work: str, numbers: list[int]) -> Json:
        """Do some shards of a job."""
        return do_shards(name, work, numbers, lambda: self.stopping.is_set() or not self._wanted(job))

    def _wanted(self, job: str) -> bool:
        row = self._keep(lambda: table.get_job(self._engine, job))
        return row is not None and row.state == "running"

    def _keep(self, write: Callable[[], Any]) -> Any:
        return patiently(write)()


class Pulse:
    """Whether this worker may judge others by their silence: not right after it could not write itself."""

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout, self._clock = timeout, clock
        self._last, self._judges = float("inf"), float("-inf")

    def steady(self) -> bool:
        """Note a heartbeat that was just written; return False while a gap before it may have silenced all."""
        now = self._clock()
        if now - self._last > self._timeout / 2:
            self._judges = now + self._timeout
        self._last = now
        return now >= self._judges


def work(settings: Settings, *, stop: threading.Event | None = None) -> None:
    """Work until a signal (or `stop`); what is in hand then is put back for others.

    Work that holds the interpreter's lock does not run faster on threads: start one process per core.
    """
    place = f"{socket.gethostname()} {os.getpid()}"
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    ended = stop or _on_signals()
    with Jobs(settings) as jobs:
        worker = Worker(jobs)
        patience = timedelta(seconds=settings.worker_timeout)
        pulse = Pulse(settings.worker_timeout)
        beat(jobs.engine, name, place)

        def look_round() -> None:
            beat(jobs.engine, name, place)
            if pulse.steady():
                for run in jobs.queue.revive(alive(jobs.engine, patience)):
                    log.warning("%s was left by a worker that is gone: it goes on here or elsewhere", run)
            jobs.repair()
            jobs.prune(timedelta(days=settings.keep_jobs_days))
            forget_workers(jobs.engine, silent=timedelta(days=1))

        with working(settings.database, name, worker.job, worker.shard):
            look_round()
            ticker = Ticker(settings.worker_timeout / 6, look_round, lambda error: log.warning("%s", error))
            # a thread of its own: Label Studio may take long to answer, and the heartbeat must not wait for it
            rules = Ticker(RULES, lambda: automate.tick(jobs), lambda error: log.warning("rules: %s", error))
            orders = Ticker(RULES, lambda: control.poll(jobs), lambda error: log.warning("control project: %s", error))
            log.info("worker %s is ready", name)
            ended.wait()
            worker.stopping.set()
            orders.stop()
            rules.stop()
            ticker.stop()
            forget_workers(jobs.engine, worker=name)
    logging.shutdown()
    if stop is None:
        os._exit(0)  # jobs in hand are threads that cannot be interrupted; others take them over from where they are


def _on_signals() -> threading.Event:
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return ended
