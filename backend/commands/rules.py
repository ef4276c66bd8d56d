"""Commands that look after rules."""

import json
import re
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from backend.commands.terminal import Outcome, TerminalProgress, run
from backend.core.errors import UsageError

if TYPE_CHECKING:
    from backend.settings import Settings
    from backend.store.rules import RuleRow, RunRow

Json = dict[str, Any]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def add(document: Json, url: str | None, *, as_json: bool) -> None:
    """Run `labelloom rules add`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.rules import put_rule
        from backend.store.tables import open_database

        made = put_rule(open_database(settings.database), settings, document, "the command line", url)
        text = ["updated     the rule of that name"] if made.updated else []
        text += [line(made.rule), f"rehearse    labelloom rules test {made.rule.name}"]
        return Outcome(text, warnings=list(made.warnings), more={"rule": rule_json(made.rule), "updated": made.updated})

    run("rules add", work, as_json=as_json)


def parameters(given: list[str], option: str) -> Json:
    """Return NAME=VALUE texts as a mapping; values are JSON, YAML or plain text.

    Raises:
        UsageError: one has no value.
    """
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            msg = f"{option} {text!r} has no value"
            raise UsageError(msg, fix=f"write {option} NAME=VALUE")
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    """Return what a text says as JSON or YAML; what JSON could not hold, such as a date, stays the text."""
    import yaml

    for read in (json.loads, yaml.safe_load):
        try:
            value = read(text)
            json.dumps(value)
        except (ValueError, TypeError, yaml.YAMLError):
            continue
        return value
    return text


def listing(project: int | None, *, as_json: bool) -> None:
    """Run `labelloom rules list`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.store.rules import list_rules
        from backend.store.tables import open_database

        rows = list_rules(open_database(settings.database), project=project)
        text = [line(row) for row in rows] or ["no rules"]
        return Outcome(text, more={"rules": [rule_json(row) for row in rows]})

    run("rules list", work, as_json=as_json)


def show(rule: str, *, as_json: bool) -> None:
    """Run `labelloom rules show`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        import yaml

        from backend.store.rules import get_rule, history
        from backend.store.tables import open_database

        engine = open_database(settings.database)
        row = get_rule(engine, rule)
        runs = history(engine, row.id, 5)
        text = [line(row), *yaml.safe_dump(row.spec, sort_keys=False, allow_unicode=True).splitlines()]
        return Outcome([*text, *map(run_line, runs)], more={"rule": rule_json(row), "runs": [_plain(r) for r in runs]})

    run("rules show", work, as_json=as_json)


def test(rule: str, *, as_json: bool) -> None:
    """Run `labelloom rules test`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.rules import try_rule
        from backend.store.tables import open_database

        found = try_rule(open_database(settings.database), settings, rule)
        said = "would run now" if found.would_run else "would not run now"
        text = [f"{found.rule.name} {said}: {found.why}", f"its job     {found.job['kind']} {found.job['params']}"]
        text += [run_line(found.last)] if found.last else ["it has not run yet"]
        more = {"would_run": found.would_run, "why": found.why, "job": found.job, "rule": rule_json(found.rule)}
        return Outcome([*text, found.looked], more=more)

    run("rules test", work, as_json=as_json)


def switch(rule: str, *, on: bool, as_json: bool) -> None:
    """Run `labelloom rules enable` and `labelloom rules disable`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.rules import switch_rule
        from backend.store.tables import open_database

        row = switch_rule(open_database(settings.database), rule, on=on)
        return Outcome([line(row)], more={"rule": rule_json(row)})

    run(f"rules {'enable' if on else 'disable'}", work, as_json=as_json)


def remove(rule: str, *, as_json: bool) -> None:
    """Run `labelloom rules rm`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.rules import remove_rule
        from backend.store.tables import open_database

        row, warnings = remove_rule(open_database(settings.database), settings, rule)
        return Outcome([f"removed     {row.name}"], warnings=list(warnings), more={"rule": rule_json(row)})

    run("rules rm", work, as_json=as_json)


def history(rule: str, limit: int, *, as_json: bool) -> None:
    """Run `labelloom rules history`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.store.rules import get_rule
        from backend.store.rules import history as runs_of
        from backend.store.tables import open_database

        engine = open_database(settings.database)
        runs = runs_of(engine, get_rule(engine, rule).id, limit)
        return Outcome([run_line(row) for row in runs] or ["no runs yet"], more={"runs": [_plain(row) for row in runs]})

    run("rules history", work, as_json=as_json)


def seconds(text: str) -> float:
    """Return the seconds of `90`, `90s`, `10m`, `2h` or `1d`.

    Raises:
        UsageError: it is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if match is None:
        msg = f"{text!r} is no length of time"
        raise UsageError(msg, fix="write 90, 90s, 10m, 2h or 1d")
    return float(match[1]) * _UNITS[match[2] or "s"]


def rule_json(row: "RuleRow") -> Json:
    """Return a rule as JSON."""
    return _plain(row)


def _plain(row: "RuleRow | RunRow") -> Json:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(row).items()}


def line(row: "RuleRow") -> str:
    """Return a rule in one line."""
    from backend.flows.rule_spec import RuleSpec

    spec = RuleSpec.model_validate(row.spec)
    state = "on " if row.enabled else "off"
    why = f"  ({row.reason})" if row.reason else ""
    return f"{row.name:16} {state} project {row.project}: {spec.when.text()} -> {spec.do.kind}{why}"


def run_line(row: "RunRow") -> str:
    """Return a run in one line."""
    job = f"job {row.job}" if row.job else "no job yet"
    end = f"{row.outcome}: {row.detail}" if row.outcome and row.detail else row.outcome or "not finished"
    return f"{row.at:%Y-%m-%d %H:%M:%S}  {row.why}: {job}, {end}"
