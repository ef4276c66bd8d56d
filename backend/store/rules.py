"""Rules, the runs they started, and the webhook of each project."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from backend.core.errors import UsageError
from backend.store.tables import hooks, jobs, rule_runs, rules

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule. mark: the version its last run reckoned with; reason: why it is off, or why it waits."""

    id: int
    name: str
    project: int
    spec: Json
    who: str
    created: datetime
    fired: datetime
    enabled: bool = True
    reason: str | None = None
    mark: int = 0
    due_since: datetime | None = None
    not_before: datetime | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of a rule. outcome: None until its job ends; wrote: the project it wrote; cause: the run behind it."""

    id: int
    rule: int
    at: datetime
    why: str
    mark_before: int
    fired_before: datetime
    job: str | None = None
    outcome: str | None = None
    detail: str | None = None
    started: datetime | None = None
    finished: datetime | None = None
    wrote: int | None = None
    cause: int | None = None


@dataclass(frozen=True, slots=True)
class Hook:
    """A project's webhook in Label Studio; of its secret only the sha256 is kept."""

    project: int
    sha256: str
    url: str
    webhook: int


def add_rule(engine: sa.Engine, rule: RuleRow) -> RuleRow:
    """Enter a rule; its id is given here.

    Raises:
        UsageError: there is one of that name.
    """
    row = {name: getattr(rule, name) for name in rule.__slots__ if name != "id"}
    try:
        with engine.begin() as connection:
            row["spec"] = json.dumps(rule.spec, ensure_ascii=False)
            number = int(connection.execute(sa.insert(rules).values(**row).returning(rules.c.id)).scalar_one())
    except sa.exc.IntegrityError as error:
        msg = f"there is a rule {rule.name!r} already"
        raise UsageError(msg, fix="give another name, or remove that rule first") from error
    return get_rule(engine, number)


def get_rule(engine: sa.Engine, rule: int | str) -> RuleRow:
    """Return a rule by its id or its name.

    Raises:
        UsageError: there is none.
    """
    number = int(rule) if str(rule).isdecimal() and len(str(rule)) < 10 else None  # a name never begins with a digit
    chosen = rules.c.name == str(rule) if number is None else rules.c.id == number
    with engine.connect() as connection:
        row = connection.execute(sa.select(rules).where(chosen)).first()
    if row is None:
        msg = f"there is no rule {rule!r}"
        raise UsageError(msg, fix="`labelloom rules list` shows them")
    return _rule(row._mapping)


def list_rules(engine: sa.Engine, *, project: int | None = None, enabled: bool | None = None) -> list[RuleRow]:
    """Return rules in the order they were made."""
    query = sa.select(rules).order_by(rules.c.id)
    if project is not None:
        query = query.where(rules.c.project == project)
    if enabled is not None:
        query = query.where(rules.c.enabled.is_(enabled))
    with engine.connect() as connection:
        return [_rule(row._mapping) for row in connection.execute(query)]


def change_rule(engine: sa.Engine, rule: int, **values: Any) -> None:
    """Change columns of a rule."""
    if "spec" in values:
        values["spec"] = json.dumps(values["spec"], ensure_ascii=False)
    with engine.begin() as connection:
        connection.execute(sa.update(rules).where(rules.c.id == rule).values(**values))


def remove_rule(engine: sa.Engine, rule: int) -> None:
    """Remove a rule and its history."""
    with engine.begin() as connection:
        connection.execute(sa.delete(rule_runs).where(rule_runs.c.rule == rule))
        connection.execute(sa.delete(rules).where(rules.c.id == rule))


def begin_run(engine: sa.Engine, rule: RuleRow, why: str, mark: int, now: datetime, cause: int | None) -> RunRow | None:
    """Enter a run and move the rule's mark at once; None where another process did so first."""
    same = (rules.c.id == rule.id, rules.c.mark == rule.mark, rules.c.fired == rule.fired, rules.c.enabled.is_(True))
    values: Json = {"rule": rule.id, "at": now, "why": why, "mark_before": rule.mark, "fired_before": rule.fired}
    values["cause"] = cause
    with engine.begin() as connection:
        change = sa.update(rules).where(*same).values(mark=mark, fired=now, due_since=None, reason=None)
        if not connection.execute(change).rowcount:
            return None
        insert = sa.insert(rule_runs).values(**values).returning(rule_runs.c.id)
        number = int(connection.execute(insert).scalar_one())
    return RunRow(id=number, **values)


def undo_run(engine: sa.Engine, run: RunRow, reason: str) -> None:
    """Take back a run whose job was not accepted; the rule is where it was before."""
    back = {"mark": run.mark_before, "fired": run.fired_before, "reason": reason}
    with engine.begin() as connection:
        connection.execute(sa.delete(rule_runs).where(rule_runs.c.id == run.id))
        connection.execute(sa.update(rules).where(rules.c.id == run.rule).values(**back))


def set_run(engine: sa.Engine, run: int, **values: Any) -> None:
    """Change columns of a run."""
    with engine.begin() as connection:
        connection.execute(sa.update(rule_runs).where(rule_runs.c.id == run).values(**values))


def open_runs(engine: sa.Engine) -> list[RunRow]:
    """Return the runs whose outcome is not known yet."""
    return _runs(engine, sa.select(rule_runs).where(rule_runs.c.outcome.is_(None)).order_by(rule_runs.c.id))


def history(engine: sa.Engine, rule: int, limit: int = 50) -> list[RunRow]:
    """Return a rule's runs, newest first."""
    query = sa.select(rule_runs).where(rule_runs.c.rule == rule).order_by(rule_runs.c.id.desc())
    return _runs(engine, query.limit(limit))


def get_run(engine: sa.Engine, run: int) -> RunRow | None:
    """Return a run, or None."""
    return next(iter(_runs(engine, sa.select(rule_runs).where(rule_runs.c.id == run))), None)


def wrote_into(engine: sa.Engine, project: int, since: datetime) -> list[RunRow]:
    """Return the runs whose jobs wrote into a project and ended after a time, newest first."""
    query = sa.select(rule_runs).where(rule_runs.c.wrote == project, rule_runs.c.finished > since)
    return _runs(engine, query.order_by(rule_runs.c.id.desc()).limit(100))


def caused_runs(engine: sa.Engine, rule: int, since: datetime) -> int:
    """Return how many runs of a rule since a time were caused by jobs of rules."""
    chosen = (rule_runs.c.rule == rule, rule_runs.c.at > since, rule_runs.c.cause.is_not(None))
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(rule_runs).where(*chosen)).scalar_one())


def job_asked_by(engine: sa.Engine, who: str) -> str | None:
    """Return the id of the newest job that `who` asked for."""
    query = sa.select(jobs.c.id).where(jobs.c.who == who).order_by(jobs.c.created.desc()).limit(1)
    with engine.connect() as connection:
        found: str | None = connection.execute(query).scalar()
    return found


def prune_runs(engine: sa.Engine, older_than: timedelta) -> None:
    """Forget runs that ended that long ago."""
    with engine.begin() as connection:
        connection.execute(sa.delete(rule_runs).where(rule_runs.c.finished < datetime.now(UTC) - older_than))


def all_hooks(engine: sa.Engine) -> list[Hook]:
    """Return every webhook."""
    with engine.connect() as connection:
        return [Hook(**row._mapping) for row in connection.execute(sa.select(hooks))]


def save_hook(engine: sa.Engine, hook: Hook) -> None:
    """Enter a project's webhook, or replace it."""
    with engine.begin() as connection:
        connection.execute(sa.delete(hooks).where(hooks.c.project == hook.project))
        connection.execute(sa.insert(hooks), {name: getattr(hook, name) for name in hook.__slots__})


def remove_hook(engine: sa.Engine, project: int) -> None:
    """Forget a project's webhook."""
    with engine.begin() as connection:
        connection.execute(sa.delete(hooks).where(hooks.c.project == project))


def _runs(engine: sa.Engine, query: sa.Select[Any]) -> list[RunRow]:
    with engine.connect() as connection:
        return [RunRow(**_times(row._mapping)) for row in connection.execute(query)]


def _rule(row: Mapping[Any, Any]) -> RuleRow:
    values = _times(row)
    return RuleRow(**{**values, "spec": json.loads(values["spec"])})


def _times(row: Mapping[Any, Any]) -> Json:
    """Return a row as a dictionary; SQLite forgets the zone of times, and all we store is UTC."""
    zoned = {k: v.replace(tzinfo=UTC) for k, v in row.items() if isinstance(v, datetime) and v.tzinfo is None}
    return {**row, **zoned}
