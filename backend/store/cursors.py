"""What was last seen of a project in Label Studio: a cursor over its times, its tasks, and its annotations by version.

A project's `version` counts the rounds that found something; `born` and `changed` say in which round an annotation
was first seen and last seen to differ. So "since the last run" is a number, never a clock.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from backend.store.tables import as_utc, cursors, leases, seen_annotations, seen_tasks

PART = 500  # ids in one statement


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where reconciling a project stands.

    updated: no task that was changed before is unknown; events: the last version at which each kind of event was found;
    changed: when something was last found; checked, listed: when it was last compared, and last listed as a whole.
    """

    project: int
    label_studio: str
    updated: datetime | None = None
    version: int = 0
    events: Mapping[str, int] = field(default_factory=dict)
    facts: str = ""
    derived: bool = False
    changed: datetime | None = None
    checked: datetime | None = None
    listed: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SeenTask:
    """A task as listed: its time, its number of annotations; `read` when these are known one by one."""

    task: int
    updated: str
    annotations: int
    read: bool


@dataclass(frozen=True, slots=True)
class SeenAnnotation:
    """An annotation, and the versions at which it appeared and last differed."""

    annotation: int
    task: int
    created: datetime
    updated: str
    born: int
    changed: int


def get_cursor(engine: sa.Engine, project: int) -> Cursor | None:
    """Return a project's cursor, or None."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(cursors).where(cursors.c.project == project)).first()
    if row is None:
        return None
    values = dict(row._mapping)
    for name in ("updated", "changed", "checked", "listed"):
        values[name] = as_utc(values[name]) if values[name] else None
    return Cursor(**{**values, "events": json.loads(values["events"])})


def save_error(engine: sa.Engine, project: int, label_studio: str, error: str) -> None:
    """Note why a project could not be compared; what was known of it stays."""
    with engine.begin() as connection:
        change = sa.update(cursors).where(cursors.c.project == project).values(error=error)
        if not connection.execute(change).rowcount:
            connection.execute(sa.insert(cursors), _cursor_row(Cursor(project, label_studio, error=error)))


def tasks_seen(engine: sa.Engine, project: int) -> dict[int, SeenTask]:
    """Return every task known of a project."""
    query = sa.select(seen_tasks).where(seen_tasks.c.project == project)
    with engine.connect() as connection:
        return {row.task: _task(row) for row in connection.execute(query)}


def some_tasks(engine: sa.Engine, project: int, tasks: Sequence[int]) -> dict[int, SeenTask]:
    """Return those of these tasks that are known."""
    found: dict[int, SeenTask] = {}
    with engine.connect() as connection:
        for part in _parts(tasks):
            query = sa.select(seen_tasks).where(seen_tasks.c.project == project, seen_tasks.c.task.in_(part))
            for row in connection.execute(query):
                found[row.task] = _task(row)
    return found


def totals_seen(engine: sa.Engine, project: int) -> tuple[int, int]:
    """Return how many tasks and annotations are known."""
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(seen_tasks.c.annotations), 0))
    with engine.connect() as connection:
        row = connection.execute(query.where(seen_tasks.c.project == project)).one()
    return int(row[0]), int(row[1])


def annotations_of(engine: sa.Engine, project: int, tasks: Sequence[int]) -> dict[int, list[SeenAnnotation]]:
    """Return the known annotations of these tasks."""
    table, found = seen_annotations, dict[int, list[SeenAnnotation]]()
    with engine.connect() as connection:
        for part in _parts(tasks):
            query = sa.select(table).where(table.c.project == project, table.c.task.in_(part))
            for row in connection.execute(query):
                seen = SeenAnnotation(row.annotation, row.task, as_utc(row.created), row.updated, row.born, row.changed)
                found.setdefault(row.task, []).append(seen)
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """What one round found: tasks that differ, their annotations now, and tasks that are gone."""

    tasks: Sequence[SeenTask] = ()
    annotations: Sequence[SeenAnnotation] = ()
    gone: Sequence[int] = ()


def save_round(engine: sa.Engine, cursor: Cursor, before: int | None, found: Found, *, afresh: bool = False) -> bool:
    """Store a round at once; return False, and store nothing, where another process stored one meanwhile.

    before: the version the round began with, None where there was no cursor.
    """
    project, row = cursor.project, _cursor_row(cursor)
    with engine.begin() as connection:
        if before is None:
            connection.execute(sa.delete(cursors).where(cursors.c.project == project, cursors.c.checked.is_(None)))
            try:
                connection.execute(sa.insert(cursors), row)
            except sa.exc.IntegrityError:
                connection.rollback()
                return False
        else:
            same = sa.update(cursors).where(cursors.c.project == project, cursors.c.version == before)
            if not connection.execute(same.values(**row)).rowcount:
                return False
        differing = None if afresh else [*(seen.task for seen in found.tasks), *found.gone]
        _remove(connection, project, differing)
        if found.tasks:
            connection.execute(sa.insert(seen_tasks), [{"project": project, **_plain(seen)} for seen in found.tasks])
        if found.annotations:
            many = [{"project": project, **_plain(seen)} for seen in found.annotations]
            connection.execute(sa.insert(seen_annotations), many)
    return True


def forget_project(engine: sa.Engine, project: int) -> None:
    """Remove all that is known of a project."""
    with engine.begin() as connection:
        connection.execute(sa.delete(cursors).where(cursors.c.project == project))
        _remove(connection, project, None)


def count_since(
    engine: sa.Engine, project: int, mark: int, *, changes: bool, outside: Iterable[tuple[datetime, datetime]] = ()
) -> int:
    """Return how many annotations appeared (or changed) after a version, those made within `outside` left out."""
    table = seen_annotations
    newer = table.c.changed > mark if changes else table.c.born > mark
    query = sa.select(sa.func.count()).select_from(table).where(table.c.project == project, newer)
    for begin, end in outside:
        query = query.where(sa.not_(table.c.created.between(begin, end)))
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def take_lease(engine: sa.Engine, name: str, holder: str, seconds: float) -> bool:
    """Take or renew a lease; return whether it is ours now."""
    now = datetime.now(UTC)
    until = now + timedelta(seconds=seconds)
    mine = sa.or_(leases.c.holder == holder, leases.c.until < now)
    try:
        with engine.begin() as connection:
            change = sa.update(leases).where(leases.c.name == name, mine).values(holder=holder, until=until)
            if connection.execute(change).rowcount:
                return True
            if connection.execute(sa.select(leases.c.name).where(leases.c.name == name)).first():
                return False
            connection.execute(sa.insert(leases), {"name": name, "holder": holder, "until": until})
    except sa.exc.IntegrityError:
        return False  # another process was quicker
    return True


def _remove(connection: sa.Connection, project: int, tasks: Sequence[int] | None) -> None:
    for table in (seen_tasks, seen_annotations):
        if tasks is None:
            connection.execute(sa.delete(table).where(table.c.project == project))
            continue
        for part in _parts(tasks):
            connection.execute(sa.delete(table).where(table.c.project == project, table.c.task.in_(part)))


def _parts(numbers: Sequence[int]) -> Iterable[Sequence[int]]:
    return (numbers[begin : begin + PART] for begin in range(0, len(numbers), PART))


def _task(row: sa.Row[Any]) -> SeenTask:
    return SeenTask(row.task, row.updated, row.annotations, row.read)


def _plain(seen: SeenTask | SeenAnnotation) -> dict[str, Any]:
    return {name: getattr(seen, name) for name in seen.__slots__}


def _cursor_row(cursor: Cursor) -> dict[str, Any]:
    row = {name: getattr(cursor, name) for name in cursor.__slots__}
    return row | {"events": json.dumps(dict(cursor.events))}
