"""A Label Studio and a job desk in memory, on a clock that the test moves."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from backend.flows.automate import Clock, tick
from backend.flows.jobs import check_params
from backend.flows.rule_spec import RuleSpec
from backend.jobs.queue import Busy
from backend.settings import Settings
from backend.store import jobs as table
from backend.store.jobs import ACTIVE, JobRow
from backend.store.rules import RuleRow, add_rule, get_rule
from backend.store.tables import open_database
from connectors.errors import Unreachable
from connectors.label_studio_changes import AnnotationStamp, TaskStamp, Totals

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class PretendLabelStudio:
    """Tasks and annotations of projects; `now` is its clock; reads are counted."""

    url: str = "http://label.studio"
    now: datetime = START
    down: bool = False
    tasks: dict[int, dict[int, datetime]] = field(default_factory=dict)
    marks: dict[int, dict[int, tuple[datetime, datetime]]] = field(default_factory=dict)  # by task
    descriptions: dict[int, str] = field(default_factory=dict)
    reads: Counter[str] = field(default_factory=Counter)
    number: int = 0

    def _next(self) -> int:
        self.number += 1
        return self.number

    def add_task(self, project: int, annotations: int = 0) -> int:
        task = self._next()
        self.tasks.setdefault(project, {})[task] = self.now
        self.marks[task] = {self._next(): (self.now, self.now) for _ in range(annotations)}
        return task

    def annotate(self, project: int, task: int, *, silent: bool = False) -> int:
        annotation = self._next()
        self.marks[task][annotation] = (self.now, self.now)
        if not silent:
            self.tasks[project][task] = self.now
        return annotation

    def update(self, project: int, task: int, annotation: int) -> None:
        self.marks[task][annotation] = (self.marks[task][annotation][0], self.now)
        self.tasks[project][task] = self.now

    def delete(self, project: int, task: int, annotation: int) -> None:
        del self.marks[task][annotation]
        self.tasks[project][task] = self.now

    def delete_task(self, project: int, task: int) -> None:
        del self.tasks[project][task], self.marks[task]

    def _ask(self, what: str) -> None:
        self.reads[what] += 1
        if self.down:
            msg = f"Label Studio at {self.url} cannot be reached"
            raise Unreachable(msg, fix="start it")

    def facts(self, project: int) -> tuple[str, str, str]:
        self._ask("facts")
        return f"project {project}", self.descriptions.get(project, ""), "<View/>"

    def totals(self, project: int) -> Totals:
        self._ask("totals")
        tasks = self.tasks.get(project, {})
        return Totals(len(tasks), sum(len(self.marks[task]) for task in tasks), self.now.replace(microsecond=0))

    def listed(self, project: int, since: datetime | None) -> Sequence[TaskStamp]:
        self._ask("all" if since is None else "since")
        found = [(task, at) for task, at in self.tasks.get(project, {}).items() if since is None or at >= since]
        return [TaskStamp(task, stamp(at), len(self.marks[task])) for task, at in found]

    def annotations(self, project: int, tasks: Sequence[int]) -> Iterator[tuple[TaskStamp, list[AnnotationStamp]]]:
        self._ask("annotations")
        for task in tasks:
            self.reads["tasks"] += 1
            marks = [AnnotationStamp(n, made, stamp(at)) for n, (made, at) in sorted(self.marks[task].items())]
            yield TaskStamp(task, stamp(self.tasks[project][task]), len(marks)), marks


class Desk:
    """Takes jobs as `Jobs` does, and does them when the test says so."""

    def __init__(self, folder: Path, studio: PretendLabelStudio, database: str | None = None) -> None:
        self.settings = Settings(data_dir=folder, cache_dir=folder / "cache", database_url=database)
        self.engine: sa.Engine = open_database(self.settings.database)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", lambda connection, _: connection.execute("pragma synchronous=off"))
            self.engine.dispose()
        self.studio = studio
        self.submitted: list[JobRow] = []

    def submit(self, kind: str, params: dict[str, Any], who: str) -> JobRow:
        key, clean = check_params(kind, params)
        for other in table.list_jobs(self.engine, states=ACTIVE, limit=1000):
            if key is not None and other.key == key:
                raise Busy(other.id)
        job = JobRow(f"job{len(self.submitted)}", kind, clean, who, "queued", self.studio.now, key)
        table.add_job(self.engine, job)
        self.submitted.append(job)
        return job

    def finish(self, state: str = "done", *, wrote: int | None = None, took: float = 0) -> None:
        """End every job that is not finished."""
        for job in table.list_jobs(self.engine, states=ACTIVE, limit=1000):
            result = {"dataset": "d-v1"} | ({"write_back": {"project": wrote}} if wrote else {})
            times = {"started": self.studio.now - timedelta(seconds=took), "finished": self.studio.now}
            values = {"state": state, "result": json.dumps(result), "error": None if state == "done" else "it broke"}
            with self.engine.begin() as connection:
                chosen = sa.update(table.jobs).where(table.jobs.c.id == job.id)
                connection.execute(chosen.values(**values, **times))

    def tick(self) -> None:
        tick(self, Clock(lambda: self.studio.now, lambda: self.studio))  # type: ignore[arg-type]

    def run(self, seconds: float, step: float = 5) -> None:
        """Let time pass."""
        for _ in range(int(seconds / step)):
            self.studio.now += timedelta(seconds=step)
            self.tick()

    def rule(self, name: str = "r", project: int = 1, **spec: Any) -> RuleRow:
        """Enter a rule whose counting begins now."""
        spec.setdefault("when", {"annotations": 3})
        spec.setdefault("quiet", 30)
        document = RuleSpec.model_validate({"name": name, "project": project, **spec}).model_dump(mode="json")
        row = add_rule(self.engine, RuleRow(0, name, project, document, "me", self.studio.now, self.studio.now))
        self.tick()
        return row

    def state(self, rule: RuleRow) -> RuleRow:
        return get_rule(self.engine, rule.id)
