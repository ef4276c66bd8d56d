"""Jobs as people see them: who asked for what, how far it is, how it ended. DBOS runs them, this table tells."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from backend.store.tables import as_utc, job_lines, jobs

Json = dict[str, Any]
State = Literal["queued", "running", "done", "failed", "cancelling", "cancelled"]

ACTIVE: tuple[State, ...] = ("queued", "running", "cancelling")
FINISHED: tuple[State, ...] = ("done", "failed", "cancelled")
LINES = 1000  # log lines kept of one job


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job. runs: how often it was started (recoveries included); done and total: items of `phase`."""

    id: str
    kind: str
    params: Json
    who: str
    state: State
    created: datetime
    key: str | None = None
    runs: int = 0
    started: datetime | None = None
    finished: datetime | None = None
    phase: str | None = None
    done: int = 0
    total: int | None = None
    phase_since: datetime | None = None
    error: str | None = None
    fix: str | None = None
    result: Json | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took, or has taken so far."""
        if self.started is None:
            return None
        return ((self.finished or datetime.now(UTC)) - self.started).total_seconds()

    @property
    def eta(self) -> float | None:
        """Seconds that the phase will still take at its rate so far, or None where that is not known."""
        if self.state != "running" or not self.total or not self.done or self.phase_since is None:
            return None
        spent = (datetime.now(UTC) - self.phase_since).total_seconds()
        return spent / self.done * max(self.total - self.done, 0)


def add_job(engine: sa.Engine, job: JobRow) -> None:
    """Enter a new job."""
    columns = ("id", "kind", "who", "key", "state", "runs", "created", "done")
    row = {name: getattr(job, name) for name in columns} | {"params": json.dumps(job.params, ensure_ascii=False)}
    with engine.begin() as connection:
        connection.execute(sa.insert(jobs), row)


def remove_job(engine: sa.Engine, job: str) -> None:
    """Remove a job that was not enqueued after all."""
    with engine.begin() as connection:
        connection.execute(sa.delete(jobs).where(jobs.c.id == job))


def get_job(engine: sa.Engine, job: str) -> JobRow | None:
    """Return a job, or None."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(jobs).where(jobs.c.id == job)).first()
    return None if row is None else _row(row._mapping)


def list_jobs(
    engine: sa.Engine,
    *,
    states: Sequence[str] = (),
    kind: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[JobRow]:
    """Return jobs, newest first."""
    query = sa.select(jobs).order_by(jobs.c.created.desc(), jobs.c.id).limit(limit).offset(offset)
    if states:
        query = query.where(jobs.c.state.in_(states))
    if kind:
        query = query.where(jobs.c.kind == kind)
    with engine.connect() as connection:
        return [_row(row._mapping) for row in connection.execute(query)]


def count_states(engine: sa.Engine) -> dict[str, int]:
    """Return how many jobs are in each state."""
    query = sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state)
    with engine.connect() as connection:
        return {state: count for state, count in connection.execute(query)}


def begin_run(engine: sa.Engine, job: str) -> int | None:
    """Mark a job as running; return the number of this run, or None where it is no longer wanted."""
    now = datetime.now(UTC)
    change = (
        sa.update(jobs)
        .where(jobs.c.id == job, jobs.c.state.in_(("queued", "running")))
        .values(
            state="running", runs=jobs.c.runs + 1, started=sa.func.coalesce(jobs.c.started, now), phase=None, done=0
        )
        .values(total=None, phase_since=None, error=None, fix=None, result=None, finished=None)
    )
    with engine.begin() as connection:
        if not connection.execute(change).rowcount:
            return None
        return int(connection.execute(sa.select(jobs.c.runs).where(jobs.c.id == job)).scalar_one())


def report(engine: sa.Engine, job: str, phase: str, done: int, total: int | None, since: datetime) -> bool:
    """Store how far a job is; return False where it has been asked to stop."""
    change = sa.update(jobs).where(jobs.c.id == job)
    with engine.begin() as connection:
        connection.execute(change.values(phase=phase[:64], done=done, total=total, phase_since=since))
        state = connection.execute(sa.select(jobs.c.state).where(jobs.c.id == job)).scalar()
    return state == "running"


def finish_job(
    engine: sa.Engine,
    job: str,
    state: State,
    *,
    result: Mapping[str, Any] | None = None,
    error: tuple[str, str | None] | None = None,
    run: int | None = None,
) -> None:
    """Store how a job ended; error: its message, and what to do about it.

    run: which one ended; one that was taken for dead has no say any more.
    """
    message, fix = error or (None, None)
    text = None if result is None else json.dumps(result, ensure_ascii=False)
    values = {"state": state, "finished": datetime.now(UTC), "result": text, "error": message, "fix": fix}
    with engine.begin() as connection:
        change = sa.update(jobs).where(jobs.c.id == job)
        connection.execute((change if run is None else change.where(jobs.c.runs == run)).values(**values))


def move(engine: sa.Engine, job: str, *, before: Sequence[State], after: State) -> bool:
    """Change a job's state if it is one of `before`; return whether it was."""
    values: dict[str, Any] = {"state": after}
    if after in FINISHED:
        values["finished"] = datetime.now(UTC)
    if after == "queued":
        values |= {"finished": None, "error": None, "fix": None}
    change = sa.update(jobs).where(jobs.c.id == job, jobs.c.state.in_(before)).values(**values)
    with engine.begin() as connection:
        return bool(connection.execute(change).rowcount)


def add_line(engine: sa.Engine, job: str, text: str) -> None:
    """Add a line to a job's log."""
    with engine.begin() as connection:
        connection.execute(sa.insert(job_lines), {"job": job, "at": datetime.now(UTC), "text": text[:2000]})


def lines_of(engine: sa.Engine, job: str, *, after: int = 0) -> list[tuple[int, datetime, str]]:
    """Return a job's log lines with numbers beyond `after`: (number, when, text)."""
    query = sa.select(job_lines).where(job_lines.c.job == job, job_lines.c.id > after).order_by(job_lines.c.id)
    with engine.connect() as connection:
        return [(row.id, as_utc(row.at), row.text) for row in connection.execute(query.limit(LINES))]


def prune(engine: sa.Engine, older_than: timedelta) -> list[str]:
    """Remove finished jobs that ended that long ago, and their lines; return their ids."""
    limit = datetime.now(UTC) - older_than
    with engine.begin() as connection:
        query = sa.select(jobs.c.id).where(jobs.c.state.in_(FINISHED), jobs.c.finished < limit).limit(500)
        old = list(connection.execute(query).scalars())
        connection.execute(sa.delete(job_lines).where(job_lines.c.job.in_(old)))
        connection.execute(sa.delete(jobs).where(jobs.c.id.in_(old)))
    return old


def _row(row: Mapping[Any, Any]) -> JobRow:
    values = dict(row)
    for name in ("created", "started", "finished", "phase_since"):
        values[name] = as_utc(values[name]) if values[name] else None
    values["params"] = json.loads(values["params"])
    values["result"] = json.loads(values["result"]) if values["result"] else None
    return JobRow(**values)
