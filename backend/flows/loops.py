"""Rules that trigger each other through what their jobs write: found by who caused what, and stopped."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from backend.flows.rule_spec import RuleSpec
from backend.store import cursors, rules
from backend.store.rules import RuleRow, RunRow

WINDOW = timedelta(hours=1)
LIMIT = 3  # runs within the window that jobs of rules may cause
MARGIN = timedelta(seconds=5)  # clocks of Label Studio and ours
DEPTH = 100


def find_loop(engine: sa.Engine, rule: RuleRow, spec: RuleSpec, now: datetime) -> tuple[int | None, str | None]:
    """Return the run whose job caused this trigger, if one did, and why the rule must stop, if it must.

    A trigger is caused by jobs of rules when what these wrote into the project makes the rule due, and what people did
    does not.
    """
    writers = rules.wrote_into(engine, rule.project, rule.fired - MARGIN)
    if spec.when.at or not writers or _due_without(engine, rule, spec, writers):
        return None, None
    cause = writers[0]
    chain = _chain(engine, cause)
    if rule.id in {run.rule for run in chain}:
        names = " <- ".join(_name(engine, run.rule) for run in chain)
        return cause.id, f"rules trigger each other: {rule.name} <- {names} (job {cause.job} wrote into the project)"
    if rules.caused_runs(engine, rule.id, now - WINDOW) >= LIMIT:
        return cause.id, f"jobs of rules triggered it more than {LIMIT} times within an hour (last: job {cause.job})"
    return cause.id, None


def _due_without(engine: sa.Engine, rule: RuleRow, spec: RuleSpec, writers: list[RunRow]) -> bool:
    """Return whether the rule would be due without what the writers' jobs wrote."""
    spans = [(run.started - MARGIN, run.finished + MARGIN) for run in writers if run.started and run.finished]
    left = cursors.count_since(engine, rule.project, rule.mark, changes=spec.when.changes, outside=spans)
    return left >= (spec.when.annotations or 1)


def _chain(engine: sa.Engine, run: RunRow) -> list[RunRow]:
    """Return a run, the run that caused it, and so on."""
    found: list[RunRow] = []
    current: RunRow | None = run
    while current is not None and len(found) < DEPTH:
        found.append(current)
        current = None if current.cause is None else rules.get_run(engine, current.cause)
    return found


def _name(engine: sa.Engine, rule: int) -> str:
    return next((row.name for row in rules.list_rules(engine) if row.id == rule), "(removed)")
