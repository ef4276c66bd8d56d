"""A rule as a document (the same for the command line, HTTP and the table), and the decision whether it is due."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Json = dict[str, Any]
Event = Literal[
    "annotation-created",
    "annotation-updated",
    "annotation-deleted",
    "task-created",
    "task-deleted",
    "project-updated",
]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class When(_Document):
    """What makes a rule due: exactly one of annotations, at, event."""

    annotations: int | None = Field(None, gt=0, le=1_000_000, description="so many new annotations since the last run")
    changes: bool = Field(False, description="count changed annotations as well as new ones")
    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] | None = Field(None, description="nightly: HH:MM")
    zone: str = Field("UTC", description="the time zone of `at`, such as Asia/Seoul")
    event: Event | None = None

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            msg = f"no time zone {value!r}; write it like Asia/Seoul or UTC"
            raise ValueError(msg) from error
        return value

    @model_validator(mode="after")
    def _one(self) -> "When":
        if sum(value is not None for value in (self.annotations, self.at, self.event)) != 1:
            msg = "give exactly one of annotations, at, event"
            raise ValueError(msg)
        return self

    def text(self) -> str:
        """Return the trigger as people say it."""
        if self.annotations:
            return f"{self.annotations} new{' or changed' if self.changes else ''} annotations"
        return f"every day at {self.at} ({self.zone})" if self.at else f"on {self.event}"


class Do(_Document):
    """The job to start: its kind, and its parameters without `project`."""

    kind: str = "export"
    params: Json = {}


class RuleSpec(_Document):
    """When something happens in a project, and it has been quiet for a while, start a job."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,59}$", description="lower-case letters, digits, hyphens")
    project: int = Field(gt=0, lt=2**31)
    when: When
    quiet: float = Field(60, ge=0, le=86_400, description="seconds without changes before it runs")
    patience: float = Field(3600, ge=0, le=604_800, description="seconds it waits for quiet at most, once it is due")
    derived: bool = Field(False, description="the project may be one that LabelLoom wrote itself")
    do: Do = Do()


@dataclass(frozen=True, slots=True)
class State:
    """What a decision rests on.

    pending: annotations since the last run; event: whether the rule's event happened since; busy: the rule's own job
    that is not finished; changed: when something was last found to differ in the project.
    """

    now: datetime
    fired: datetime
    pending: int = 0
    event: bool = False
    busy: str | None = None
    changed: datetime | None = None
    due_since: datetime | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a rule runs now, and why or why not; due: it wants to, whatever it waits for."""

    run: bool
    due: bool
    why: str


def decide(spec: RuleSpec, state: State) -> Decision:
    """Return whether the rule runs now."""
    due, why = _due(spec.when, state)
    if not due:
        return Decision(False, False, why)
    if state.busy:
        return Decision(False, True, f"{why}; job {state.busy} of this rule is not finished: runs once after it")
    if state.not_before and state.now < state.not_before:
        return Decision(
            False, True, f"{why}; its last job failed: tried again at {state.not_before:%Y-%m-%d %H:%M:%S %Z}"
        )
    left = _quiet_left(spec, state)
    if left > 0:
        return Decision(False, True, f"{why}; waits for {left:.0f} s more without changes")
    return Decision(True, True, why)


def _due(when: When, state: State) -> tuple[bool, str]:
    if when.annotations:
        what = "new or changed" if when.changes else "new"
        return state.pending >= when.annotations, f"{state.pending} of {when.annotations} {what} annotations"
    if when.event:
        return state.event, f"{when.event} {'happened' if state.event else 'has not happened'} since the last run"
    last = last_time(when, state.now)
    if last > state.fired:
        return True, f"it was {when.at} ({when.zone}) at {last:%Y-%m-%d %H:%M %Z}"
    return False, f"waits for {when.at} ({when.zone}); ran for the last one"


def last_time(when: When, now: datetime) -> datetime:
    """Return the last moment at which the clock in the rule's zone showed its time."""
    hour, minute = map(int, (when.at or "00:00").split(":"))
    zone = ZoneInfo(when.zone)
    today = now.astimezone(zone).date()
    found = datetime.combine(today, time(hour, minute), zone)
    if found > now:
        found = datetime.combine(today - timedelta(days=1), time(hour, minute), zone)
    return found.astimezone(now.tzinfo)


def _quiet_left(spec: RuleSpec, state: State) -> float:
    """Return the seconds to wait: until quiet, but not beyond the rule's patience."""
    if state.changed is None:
        return 0
    quiet = spec.quiet - (state.now - state.changed).total_seconds()
    patience = spec.patience - (state.now - (state.due_since or state.now)).total_seconds()
    return max(0.0, min(quiet, patience))
