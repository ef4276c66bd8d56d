"""Ask for jobs, look at them, stop and resume them: what the command line, the HTTP API and rules share."""

import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from backend.core.errors import LabelLoomError, UsageError
from backend.flows.job_kinds import KINDS
from backend.jobs.queue import Busy, Queue
from backend.settings import Settings
from backend.store import jobs as table
from backend.store.jobs import ACTIVE, FINISHED, JobRow
from backend.store.tables import open_database

Json = dict[str, Any]

LATE = timedelta(seconds=15)  # after which a job that DBOS knows nothing of was lost by a process that died


class Jobs(AbstractContextManager["Jobs"]):
    """The jobs of one installation; close it, or use it as a context."""

    def __init__(self, settings: Settings, engine: sa.Engine | None = None) -> None:
        self.settings = settings
        self.engine = engine or open_database(settings.database)
        self.queue = Queue(settings.database)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let go of the queue's connections."""
        self.queue.close()

    def submit(self, kind: str, params: Json, who: str) -> JobRow:
        """Enter and enqueue a job.

        Raises:
            UsageError: an unknown kind, or invalid parameters.
            Busy: a job with the same key is waiting or running.
        """
        key, clean = check_params(kind, params)
        job = JobRow(secrets.token_hex(6), kind, clean, who, "queued", datetime.now(UTC), key)
        table.add_job(self.engine, job)
        try:
            self._put(job)
        except Busy:
            table.remove_job(self.engine, job.id)
            raise
        return job

    def get(self, job: str) -> JobRow:
        """Return a job.

        Raises:
            UsageError: there is none of that id.
        """
        found = table.get_job(self.engine, job)
        if found is None:
            msg = f"there is no job {job!r}"
            raise UsageError(msg, fix="`labelloom jobs list` shows them")
        return found

    def cancel(self, job: str) -> JobRow:
        """Ask a job to stop after the item in hand; one that waits stops at once, a finished one stays as it is."""
        self.get(job)
        if table.move(self.engine, job, before=("queued",), after="cancelled"):
            self.queue.drop(self.queue.unfinished(f"{job}."))
        else:
            table.move(self.engine, job, before=("running",), after="cancelling")
        return self.get(job)

    def resume(self, job: str) -> JobRow:
        """Enqueue a failed or cancelled job again; what it had done stays done.

        Raises:
            LabelLoomError: it is not one that can be resumed.
            Busy: another job with the same key is waiting or running.
        """
        row = self.get(job)
        if not table.move(self.engine, job, before=("failed", "cancelled"), after="queued"):
            msg = f"job {job} is {row.state}"
            raise LabelLoomError(msg, fix="only failed and cancelled jobs can be resumed")
        try:
            self._put(row)
        except Busy:
            table.move(self.engine, job, before=("queued",), after=row.state)
            raise
        return self.get(job)

    def _put(self, job: JobRow) -> None:
        self.queue.put_job(f"{job.id}.{secrets.token_hex(3)}", job.id, key=job.key)

    def repair(self) -> None:
        """Bring rows and queue together where a process died between the two."""
        now = datetime.now(UTC)
        for job in table.list_jobs(self.engine, states=ACTIVE, limit=1000):
            if now - (job.started or job.created) < LATE or self.queue.unfinished(f"{job.id}."):
                continue
            current = table.get_job(self.engine, job.id)  # it may have ended meanwhile
            if current is None or current.state in FINISHED:
                continue
            if current.state == "cancelling":
                table.finish_job(self.engine, job.id, "cancelled")
            else:
                table.move(self.engine, job.id, before=("running",), after="queued")
                self._put(job)

    def prune(self, older_than: timedelta) -> Sequence[str]:
        """Forget jobs that ended that long ago."""
        old = table.prune(self.engine, older_than)
        for job in old:
            self.queue.delete(f"{job}.")
            (self.settings.sheets_dir / f"{job}.jpg").unlink(missing_ok=True)
        return old


def check_params(kind: str, params: Json) -> tuple[str | None, Json]:
    """Return a job's key and its parameters, complete and as plain JSON.

    Raises:
        UsageError: an unknown kind, or invalid parameters.
    """
    if kind not in KINDS:
        msg = f"unknown kind of job {kind!r}"
        raise UsageError(msg, fix=f"choose from {', '.join(KINDS)}")
    try:
        parsed = KINDS[kind].parse(params)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "parameters"
        msg = f"{kind}: {field}: {first['msg']}"
        raise UsageError(msg) from error
    return KINDS[kind].key(parsed), parsed.model_dump(mode="json", exclude_unset=True)
