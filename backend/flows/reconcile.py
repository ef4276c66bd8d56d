"""Compare what is known of a project with what Label Studio holds; webhooks only say when to look.

A delivery that is lost, doubled or out of order changes nothing here: each round reads what was changed since the last
one (with an overlap, because a change can become visible later than its time says), and where the numbers of tasks
and annotations differ after that (deletions leave no trace in times), everything is listed and compared. The cursor is
Label Studio's own clock, not the newest time found: some of its bulk actions write local time as if it were UTC, and
a cursor in the future would miss everything until then.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import sqlalchemy as sa

from backend.core.codec import digest
from backend.store import cursors
from backend.store.cursors import Cursor, Found, SeenAnnotation, SeenTask
from connectors.label_studio_changes import AnnotationStamp, TaskStamp, Totals

OVERLAP = timedelta(seconds=60)  # read again before the cursor: a slow transaction shows late, with an early time
LIST_ALL = timedelta(hours=24)  # a clock that was set wrong is healed by then at the latest
DERIVED = "Derived from project "
PART = 100  # tasks whose annotations are read at a time

EVENTS: Mapping[str, tuple[str, ...]] = {  # ours, and the webhook actions that hint at them
    "annotation-created": ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED"),
    "annotation-updated": ("ANNOTATION_UPDATED",),
    "annotation-deleted": ("ANNOTATIONS_DELETED",),
    "task-created": ("TASKS_CREATED",),
    "task-deleted": ("TASKS_DELETED",),
    "project-updated": ("PROJECT_UPDATED",),
}


class Truth(Protocol):
    """What Label Studio holds; `connectors.label_studio_changes.Changes` reads it from a real one."""

    url: str

    def facts(self, project: int) -> tuple[str, str, str]:
        """Return title, description, labelling config."""

    def totals(self, project: int) -> Totals:
        """Return the numbers of tasks and annotations, and the server's time."""

    def listed(self, project: int, since: datetime | None) -> Sequence[TaskStamp]:
        """Return the tasks changed at `since` or later, or all."""

    def annotations(self, project: int, tasks: Sequence[int]) -> Iterator[tuple[TaskStamp, list[AnnotationStamp]]]:
        """Yield these tasks with their annotations."""


@dataclass(frozen=True, slots=True)
class _Round:
    """A round as it goes: what is read, the tasks that differ, their annotations, events."""

    truth: Truth
    engine: sa.Engine
    before: Cursor
    version: int
    tasks: dict[int, SeenTask]
    annotations: dict[int, list[SeenAnnotation]]
    gone: set[int]
    events: set[str]


def reconcile(engine: sa.Engine, truth: Truth, project: int, *, now: datetime | None = None) -> Cursor:
    """Bring what is known of a project up to date and return its cursor; the first round only takes stock.

    Raises:
        ConnectorError: Label Studio cannot be reached or refuses; nothing is changed then.
    """
    moment = now or datetime.now(UTC)
    before = cursors.get_cursor(engine, project)
    if before is None or before.label_studio != truth.url or before.listed is None:
        return _take_stock(engine, truth, project, before, moment)
    totals = truth.totals(project)
    facts, derived = _facts(truth, project)
    this = _Round(truth, engine, before, before.version + 1, {}, {}, set(), set())
    if facts != before.facts:
        this.events.add("project-updated")
    since = before.updated - OVERLAP if before.updated else None
    _compare(this, truth.listed(project, since))
    listed = before.listed
    if since is None or moment - listed > LIST_ALL or _totals(this) != (totals.tasks, totals.annotations):
        everything = truth.listed(project, None)
        _compare(this, everything)
        _remove_gone(this, {stamp.id for stamp in everything})
        listed = moment
    differs = bool(this.events)
    after = replace(
        before,
        updated=totals.now,
        version=this.version if differs else before.version,
        events={**before.events, **dict.fromkeys(this.events, this.version)},
        facts=facts,
        derived=derived,
        changed=moment if differs else before.changed,
        checked=moment,
        listed=listed,
        error=None,
    )
    rows = [row for task in this.tasks for row in this.annotations[task]]
    found = Found(list(this.tasks.values()), rows, sorted(this.gone))
    if not cursors.save_round(engine, after, before.version, found):
        return cursors.get_cursor(engine, project) or after  # another process did the same, quicker
    return after


def _take_stock(engine: sa.Engine, truth: Truth, project: int, before: Cursor | None, now: datetime) -> Cursor:
    """List everything as known: nothing of it is new. Annotations are read one by one when their task next changes."""
    totals = truth.totals(project)
    facts, derived = _facts(truth, project)
    everything = truth.listed(project, None)
    fresh = Cursor(project, truth.url, totals.now, facts=facts, derived=derived)
    version = 0 if before is None else before.version + 1
    cursor = replace(fresh, version=version, checked=now, listed=now, changed=before.changed if before else None)
    tasks = [SeenTask(stamp.id, stamp.updated, stamp.annotations, read=stamp.annotations == 0) for stamp in everything]
    begun = None if before is None else before.version
    if not cursors.save_round(engine, cursor, begun, Found(tasks), afresh=True):
        return cursors.get_cursor(engine, project) or cursor
    return cursor


def _facts(truth: Truth, project: int) -> tuple[str, bool]:
    title, description, config = truth.facts(project)
    return digest([title, config]), description.startswith(DERIVED)


def _compare(this: _Round, stamps: Sequence[TaskStamp]) -> None:
    """Read the annotations of tasks that differ from what is known, and note what that means."""
    project = this.before.project
    known = cursors.some_tasks(this.engine, project, [stamp.id for stamp in stamps]) | this.tasks
    differing = [stamp for stamp in stamps if not _same(known.get(stamp.id), stamp)]
    empty = [stamp for stamp in differing if stamp.annotations == 0]
    for stamp in empty:
        _note(this, stamp, [], known.get(stamp.id))
    wanted = sorted(stamp.id for stamp in differing if stamp.annotations)
    for begin in range(0, len(wanted), PART):
        part = wanted[begin : begin + PART]
        for stamp, annotations in this.truth.annotations(project, part):
            _note(this, stamp, annotations, known.get(stamp.id))


def _same(seen: SeenTask | None, stamp: TaskStamp) -> bool:
    return seen is not None and (seen.updated, seen.annotations) == (stamp.updated, stamp.annotations)


def _note(this: _Round, stamp: TaskStamp, annotations: list[AnnotationStamp], seen: SeenTask | None) -> None:
    """Enter a task that differs: which of its annotations are new, changed, gone."""
    if seen is None:
        this.events.add("task-created")
    old = _known_annotations(this, stamp, annotations, seen)
    rows = []
    for one in annotations:
        was = old.pop(one.id, None)
        if was is None:
            this.events.add("annotation-created")
            was = SeenAnnotation(one.id, stamp.id, one.created, one.updated, this.version, this.version)
        elif was.updated != one.updated:
            this.events.add("annotation-updated")
            was = replace(was, updated=one.updated, changed=this.version)
        rows.append(was)
    if old or (seen is not None and seen.annotations > len(annotations)):
        this.events.add("annotation-deleted")
    this.tasks[stamp.id] = SeenTask(stamp.id, stamp.updated, len(annotations), read=True)
    this.annotations[stamp.id] = rows


def _known_annotations(
    this: _Round, stamp: TaskStamp, annotations: list[AnnotationStamp], seen: SeenTask | None
) -> dict[int, SeenAnnotation]:
    """Return what is known of a task's annotations, by id."""
    if seen is None:
        return {}
    if stamp.id in this.annotations:
        return {row.annotation: row for row in this.annotations[stamp.id]}
    if seen.read:
        rows = cursors.annotations_of(this.engine, this.before.project, [stamp.id]).get(stamp.id, [])
        return {row.annotation: row for row in rows}
    time = datetime.fromisoformat(seen.updated) + timedelta(seconds=1)  # an import writes annotations after their task
    first = annotations[: seen.annotations]  # only counted until now: the lowest ids are the oldest
    found = {one.id: SeenAnnotation(one.id, stamp.id, one.created, one.updated, 0, 0) for one in first}
    later = {one.id for one in first if datetime.fromisoformat(one.updated) > time}
    return {number: replace(row, updated="" if number in later else row.updated) for number, row in found.items()}


def _totals(this: _Round) -> tuple[int, int]:
    """Return how many tasks and annotations are known, this round's findings included."""
    tasks, annotations = cursors.totals_seen(this.engine, this.before.project)
    before = cursors.some_tasks(this.engine, this.before.project, list(this.tasks))
    annotations += sum(seen.annotations for seen in this.tasks.values())
    annotations -= sum(seen.annotations for seen in before.values())
    return tasks + len(this.tasks) - len(before), annotations


def _remove_gone(this: _Round, there: set[int]) -> None:
    known = cursors.tasks_seen(this.engine, this.before.project)
    gone = [seen for number, seen in known.items() if number not in there]
    this.gone.update(seen.task for seen in gone)
    for number in set(this.tasks) - there:  # deleted between the two listings
        del this.tasks[number], this.annotations[number]
    if gone:
        this.events.add("task-deleted")
    if any(seen.annotations for seen in gone):
        this.events.add("annotation-deleted")
