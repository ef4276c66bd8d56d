"""Rules: list, add, change, try out, remove."""

import re
from datetime import datetime
from typing import Any, cast

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from backend.core.errors import UsageError
from backend.flows.rule_spec import Do, RuleSpec, When
from backend.flows.rules import Added, put_rule, remove_rule, switch_rule, try_rule
from backend.store.rules import RuleRow, RunRow, get_rule, history, list_rules
from backend.web.problems import Problem
from backend.web.schemas import ERRORS, NUMBER, Asked
from backend.web.security import caller
from backend.web.services import answered, services

Json = dict[str, Any]

routes = APIBlueprint(
    "rules", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="rules")], abp_responses=cast(Any, ERRORS)
)


class RulePath(BaseModel):
    """A rule's name or number."""

    rule: str


class RulesQuery(Asked):
    """Which rules."""

    project: int | None = Field(None, ge=1, le=NUMBER)


class RunsQuery(Asked):
    """How many runs."""

    limit: int = Field(50, ge=1, le=200)


class RulePatch(Asked):
    """What of a rule shall change; what is left out stays."""

    enabled: bool | None = None
    when: When | None = None
    quiet: float | None = None
    patience: float | None = None
    derived: bool | None = None
    do: Do | None = None


class Run(BaseModel):
    """A run of a rule. outcome: null until its job ends; wrote: the project its job wrote."""

    id: int
    at: datetime
    why: str
    job: str | None
    outcome: str | None
    detail: str | None
    finished: datetime | None
    wrote: int | None


class Rule(BaseModel):
    """A rule. reason: why it is off, or what it waits for."""

    id: int
    name: str
    project: int
    spec: RuleSpec
    who: str
    created: datetime
    enabled: bool
    reason: str | None
    warnings: list[str] = []


class RuleList(BaseModel):
    """All rules."""

    rules: list[Rule]


class RunList(BaseModel):
    """A rule's runs, newest first."""

    runs: list[Run]


class TrialResult(BaseModel):
    """What a rule would do at this moment, and why."""

    would_run: bool
    why: str
    job: Json
    last: Run | None


def _rule(row: RuleRow, warnings: tuple[str, ...] = ()) -> Json:
    fields = {name: getattr(row, name) for name in Rule.model_fields if name not in {"spec", "warnings"}}
    spec = RuleSpec.model_validate(row.spec)
    return Rule(**fields, spec=spec, warnings=list(warnings)).model_dump(mode="json")


def _run(row: RunRow) -> Run:
    return Run(**{name: getattr(row, name) for name in Run.model_fields})


def _find(rule: str) -> RuleRow:
    try:
        return get_rule(services().engine, rule)
    except UsageError as error:
        raise Problem(404, f"there is no rule {rule[:80]!r}", fix="GET /api/v1/rules lists them") from error


def _put(document: Json) -> Added:
    """Add or change a rule; an error that is about a field names it."""
    try:
        return put_rule(services().engine, services().settings, document, caller().who)
    except UsageError as error:
        field, message = _named(str(error), document["do"])
        if field is None:
            raise
        raise Problem(422, str(error), fix=error.fix, errors=[(field, message)]) from error


def _named(said: str, do: Json) -> tuple[str | None, str]:
    """Return the field that an error is about, if that can be told, and what it says of it."""
    if found := re.match(r"rule: ([a-z_.]+): (.+)", said, re.DOTALL):
        return found[1], found[2]
    if found := re.match(rf"{re.escape(do['kind'])}: ([\w.]+): (.+)", said, re.DOTALL):
        return f"do.params.{found[1]}", found[2]
    recipe = do["params"].get("recipe")
    return ("do.params.recipe" if isinstance(recipe, str) and recipe and recipe in said else None), said


@routes.get("/rules", summary="List rules.", responses={200: RuleList})
def listing(query: RulesQuery) -> Json:
    """Return rules in the order they were made."""
    with answered():
        return {"rules": [_rule(row) for row in list_rules(services().engine, project=query.project)]}


@routes.post("/rules", summary="Add a rule.", responses={201: Rule})
def add(body: RuleSpec) -> tuple[Json, int]:
    """Add a rule and register the webhook of its project; what is in the project already does not count."""
    with answered():
        if any(row.name == body.name for row in list_rules(services().engine)):
            said = f"there is a rule {body.name!r} already"
            raise Problem(409, said, fix="PATCH it, or give another name", errors=[("name", said)])
        made = _put(body.model_dump(mode="json"))
        return _rule(made.rule, made.warnings), 201


@routes.get("/rules/<string:rule>", summary="Show a rule.", responses={200: Rule})
def show(path: RulePath) -> Json:
    """Return a rule."""
    with answered():
        return _rule(_find(path.rule))


@routes.patch("/rules/<string:rule>", summary="Change a rule, or switch it on or off.", responses={200: Rule})
def change(path: RulePath, body: RulePatch) -> Json:
    """Change what is given; the rest stays, and so does what was counted."""
    with answered():
        row, warnings = _find(path.rule), tuple[str, ...]()
        given = body.model_dump(mode="json", exclude_none=True, exclude={"enabled"})
        if given:
            made = _put({**row.spec, **given})
            warnings = made.warnings
        if body.enabled is not None:
            switch_rule(services().engine, row.id, on=body.enabled)
        return _rule(_find(str(row.id)), warnings)


@routes.delete("/rules/<string:rule>", summary="Remove a rule.", responses={204: None})
def delete(path: RulePath) -> tuple[str, int]:
    """Remove a rule with its history, and the webhook with a project's last rule."""
    with answered():
        remove_rule(services().engine, services().settings, _find(path.rule).id)
    return "", 204


@routes.post("/rules/<string:rule>/test", summary="Try a rule out.", responses={200: TrialResult})
def trial(path: RulePath) -> Json:
    """Compare the project with Label Studio now and say what the rule would do; nothing is started."""
    with answered():
        found = try_rule(services().engine, services().settings, _find(path.rule).id)
    last = _run(found.last) if found.last else None
    return TrialResult(would_run=found.would_run, why=found.why, job=found.job, last=last).model_dump(mode="json")


@routes.get("/rules/<string:rule>/runs", summary="List a rule's runs.", responses={200: RunList})
def runs(path: RulePath, query: RunsQuery) -> Json:
    """Return when and why the rule ran, and how its jobs ended."""
    with answered():
        rows = history(services().engine, _find(path.rule).id, query.limit)
    return RunList(runs=[_run(row) for row in rows]).model_dump(mode="json")
