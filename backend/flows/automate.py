"""Rules at work: look at projects, decide, start jobs, follow them; any worker calls `tick` every few seconds."""

import logging
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from backend.core.errors import LabelLoomError
from backend.flows.jobs import Jobs
from backend.flows.label_studio_connection import connect, translated
from backend.flows.loops import find_loop
from backend.flows.reconcile import Truth, reconcile
from backend.flows.rule_spec import Decision, RuleSpec, State, decide
from backend.jobs.queue import Busy
from backend.store import cursors, deliveries, rules
from backend.store.cursors import Cursor
from backend.store.jobs import FINISHED, JobRow, get_job
from backend.store.rules import RuleRow, RunRow
from connectors.label_studio_changes import Changes

Json = dict[str, Any]
log = logging.getLogger("labelloom.rules")

LOOK = timedelta(seconds=60)  # a project is compared this often without any webhook
LEASE = 60.0  # seconds; renewed before each project
LOST = timedelta(seconds=60)  # after which a run without a job was left by a process that died
RETRY = timedelta(minutes=1)  # after a failed job; doubled each time, up to an hour
KEEP = timedelta(days=7)  # deliveries
_HOLDER = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Clock:
    """The seams of a tick: the time, and what Label Studio holds."""

    now: Callable[[], datetime]
    truth: Callable[[], Truth]


def tick(jobs: Jobs, clock: Clock | None = None) -> None:
    """Do what is due now; where another process is at it, or there is no rule, nothing.

    A project that cannot be compared keeps its rules as they are, with the reason, for the next tick.
    """
    engine = jobs.engine
    if not rules.list_rules(engine) or not cursors.take_lease(engine, "rules", _HOLDER, LEASE):
        return
    at = clock or Clock(lambda: datetime.now(UTC), lambda: Changes(connect(jobs.settings)))
    _follow(jobs, at.now())
    hints = deliveries.waiting(engine)
    active = rules.list_rules(engine, enabled=True)
    for project in sorted({rule.project for rule in active}):
        if not cursors.take_lease(engine, "rules", _HOLDER, LEASE):
            return
        _project(jobs, at, project, [rule for rule in active if rule.project == project], hinted=project in hints)
    for project, last in hints.items():
        cursor = cursors.get_cursor(engine, project)
        if cursor is None or cursor.error is None:  # otherwise they stay, so that the next tick looks again
            deliveries.looked_at(engine, project, last)
    if cursors.take_lease(engine, "rules-prune", secrets.token_hex(4), 3600):  # nobody's twice: once an hour
        deliveries.prune_deliveries(engine, KEEP)
        rules.prune_runs(engine, timedelta(days=jobs.settings.keep_jobs_days))


def _project(jobs: Jobs, at: Clock, project: int, active: list[RuleRow], *, hinted: bool) -> None:
    """Look at a project if it is time to, and run those of its rules that are due."""
    engine, now = jobs.engine, at.now()
    cursor = cursors.get_cursor(engine, project)
    late = cursor is None or cursor.checked is None or now - cursor.checked >= LOOK or cursor.error is not None
    fresh = hinted or late
    try:
        if fresh:
            cursor = _look(engine, at, project)
        if cursor is not None and not fresh and any(judge(engine, rule, cursor, now)[0].run for rule in active):
            cursor = _look(engine, at, project)  # the last word before a job: is it really quiet?
    except LabelLoomError as error:
        reason = f"waits: {error}"
        for rule in active:
            rules.change_rule(engine, rule.id, reason=reason[:2000])
        return
    if cursor is not None:
        for rule in active:
            _rule(jobs, rule, cursor, now)


def _look(engine: sa.Engine, at: Clock, project: int) -> Cursor:
    """Compare a project with Label Studio.

    Raises:
        LabelLoomError: that cannot be done now; the reason is stored with the project's cursor.
    """
    url = ""
    try:
        with translated():
            truth = at.truth()
            url = truth.url
            return reconcile(engine, truth, project, now=at.now())
    except LabelLoomError as error:
        cursors.save_error(engine, project, url, str(error)[:2000])
        raise


def judge(engine: sa.Engine, rule: RuleRow, cursor: Cursor, now: datetime) -> tuple[Decision, RuleSpec]:
    """Return what would be done about a rule at this moment; nothing is changed."""
    spec = RuleSpec.model_validate(rule.spec)
    last = next(iter(rules.history(engine, rule.id, 1)), None)
    state = State(
        now=now,
        fired=rule.fired,
        pending=cursors.count_since(engine, rule.project, rule.mark, changes=spec.when.changes),
        event=cursor.events.get(spec.when.event or "", 0) > rule.mark,
        busy=(last.job or "(being started)") if last and last.outcome is None else None,
        changed=cursor.changed,
        due_since=rule.due_since,
        not_before=rule.not_before,
    )
    return decide(spec, state), spec


def _rule(jobs: Jobs, rule: RuleRow, cursor: Cursor, now: datetime) -> None:
    """Run a rule if it is due, or store why it waits."""
    engine = jobs.engine
    decision, spec = judge(engine, rule, cursor, now)
    if cursor.derived and not spec.derived:
        _stop(engine, rule, f"project {rule.project} was written by LabelLoom, and the rule does not allow that")
        return
    if not decision.run:
        since = (rule.due_since or now) if decision.due else None
        if (since, decision.why) != (rule.due_since, rule.reason):
            rules.change_rule(engine, rule.id, due_since=since, reason=decision.why)
        return
    cause, loop = find_loop(engine, rule, spec, now)
    if loop:
        _stop(engine, rule, loop)
        return
    run = rules.begin_run(engine, rule, decision.why, cursor.version, now, cause)
    if run is not None:
        _submit(jobs, rule, spec, run)


def _stop(engine: sa.Engine, rule: RuleRow, reason: str) -> None:
    log.warning("rule %s is stopped: %s", rule.name, reason)
    rules.change_rule(engine, rule.id, enabled=False, due_since=None, reason=f"stopped: {reason}")


def _submit(jobs: Jobs, rule: RuleRow, spec: RuleSpec, run: RunRow) -> None:
    """Start a run's job; a job that does the same already is waited for."""
    params = {**spec.do.params, "project": spec.project}
    try:
        job = jobs.submit(spec.do.kind, params, asked_by(rule, run.id))
    except Busy as busy:
        rules.undo_run(jobs.engine, run, f"{run.why}; job {busy.holder} does the same already: runs after it")
        return
    except LabelLoomError as error:
        _ended(jobs.engine, rule, run, "failed", str(error))
        return
    log.info("rule %s: %s: job %s", rule.name, run.why, job.id)
    rules.set_run(jobs.engine, run.id, job=job.id)


def asked_by(rule: RuleRow, run: int) -> str:
    """Return who a run's job is asked for by; unique, so that the job of a run is found again after a crash."""
    return f"rule {rule.name} (run {run})"


def _follow(jobs: Jobs, now: datetime) -> None:
    """Store how the jobs of runs ended, and start those again that a process left before it had a job."""
    engine = jobs.engine
    for run in rules.open_runs(engine):
        rule = rules.get_rule(engine, run.rule)
        if run.job is None:
            found = rules.job_asked_by(engine, asked_by(rule, run.id))
            if found is not None:
                rules.set_run(engine, run.id, job=found)
            elif now - run.at > LOST:
                _submit(jobs, rule, RuleSpec.model_validate(rule.spec), run)
            continue
        job = get_job(engine, run.job)
        if job is None:
            rules.set_run(engine, run.id, outcome="forgotten", finished=now)
        elif job.state in FINISHED:
            wrote = _wrote(job)
            rules.set_run(engine, run.id, started=job.started, wrote=wrote)
            _ended(engine, rule, replace(run, finished=job.finished), job.state, job.error or _summary(job))


def _ended(engine: sa.Engine, rule: RuleRow, run: RunRow, outcome: str, detail: str) -> None:
    """Store a run's end. A failed one counts as not done: what it was for is still due, after a pause."""
    ended = run.finished or datetime.now(UTC)
    rules.set_run(engine, run.id, outcome=outcome, detail=detail[:2000], finished=ended)
    if outcome != "failed":
        rules.change_rule(engine, rule.id, failures=0, not_before=None)
        return
    pause = min(RETRY * 2 ** min(rule.failures, 10), timedelta(hours=1))
    back = {"mark": min(run.mark_before, rule.mark), "fired": run.fired_before}
    rules.change_rule(engine, rule.id, failures=rule.failures + 1, not_before=ended + pause, **back)


def _wrote(job: JobRow) -> int | None:
    """Return the project that a job wrote into, if any."""
    result = job.result or {}
    written = (result.get("write_back") or result).get("project")
    return int(written) if isinstance(written, int) else None


def _summary(job: JobRow) -> str:
    result = job.result or {}
    parts = [f"dataset {result['dataset']}"] if result.get("dataset") else []
    if result.get("state") == "unchanged":
        parts.append("unchanged")
    wrote = _wrote(job)
    return ", ".join([*parts, *([f"wrote project {wrote}"] if wrote else [])])
