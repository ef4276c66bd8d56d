"""Rules as people look after them: add, change, test, switch on and off, remove. `automate` runs them."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from pydantic import ValidationError

from backend.core.errors import LabelLoomError, UsageError
from backend.flows.access import hashed, service_url
from backend.flows.automate import judge
from backend.flows.job_kinds import KINDS, recipe_of
from backend.flows.jobs import check_params
from backend.flows.label_studio_connection import connect, find_project, translated
from backend.flows.loops import find_loop
from backend.flows.reconcile import DERIVED, EVENTS, reconcile
from backend.flows.rule_spec import RuleSpec
from backend.settings import Settings
from backend.store import cursors, rules
from backend.store.cursors import Cursor
from backend.store.datasets import list_datasets
from backend.store.models import all_backends
from backend.store.rules import Hook, RuleRow, RunRow
from connectors.label_studio import LabelStudio
from connectors.label_studio_changes import Changes
from connectors.label_studio_webhooks import Webhook, delete_webhook, list_webhooks, set_webhook

Json = dict[str, Any]

HEADER = "X-LabelLoom-Secret"
PATH = "/hooks/label-studio"
_HERE = ("localhost", "127.0.0.1", "::1")
_ALWAYS = ("annotation-created", "annotation-updated", "annotation-deleted")  # what counts and quiet times rest on


@dataclass(frozen=True, slots=True)
class Added:
    """A rule as it stands; warnings: what of it does not work yet; updated: there was one of that name."""

    rule: RuleRow
    warnings: tuple[str, ...] = ()
    updated: bool = False


def parse_rule(document: Json) -> RuleSpec:
    """Return the rule of a document.

    Raises:
        UsageError: a field is invalid; it is named.
    """
    try:
        return RuleSpec.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "rule"
        said = "give a time such as 02:30" if field == "when.at" else first["msg"].removeprefix("Value error, ")
        msg = f"rule: {field}: {said}"
        raise UsageError(msg, fix="`labelloom rules add --help` shows the options") from error


def put_rule(engine: sa.Engine, settings: Settings, document: Json, who: str, url: str | None = None) -> Added:
    """Add a rule, or change the one of the same name, and register its project's webhook; a repeat changes nothing.

    What is in the project already does not count as new. Without a webhook a rule works all the same, later.

    Raises:
        UsageError: the document is invalid, its job could not be started with these parameters, or another project
            has a rule of that name.
        LabelLoomError: Label Studio cannot be reached, or has no such project.
    """
    spec = parse_rule(document)
    check_action(spec, settings)
    old = next((rule for rule in rules.list_rules(engine) if rule.name == spec.name), None)
    if old is not None and old.project != spec.project:
        msg = f"the rule {spec.name!r} is one of project {old.project}"
        raise UsageError(msg, fix="give another --name, or remove that rule first: `labelloom rules rm`")
    client = connect(settings)
    with translated():
        project = find_project(client, spec.project)
        check_not_derived(engine, spec, project.description)
        cursor = reconcile(engine, Changes(client), spec.project)
    plain = spec.model_dump(mode="json")
    if old is None:
        now = datetime.now(UTC)
        rule = RuleRow(0, spec.name, spec.project, plain, who, now, now, mark=cursor.version)
        rule = rules.add_rule(engine, rule)
    else:
        rule = _update(engine, old.id, plain, cursor)
    return Added(rule, register(engine, client, settings, spec.project, url), old is not None)


def _update(engine: sa.Engine, rule: int, spec: Json, cursor: Cursor) -> RuleRow:
    """Give a rule another spec; what it waits for is told anew, while a rule that is off stays off for its reason."""
    rules.change_rule(engine, rule, spec=spec, due_since=None)
    row = rules.get_rule(engine, rule)
    if row.enabled:
        rules.change_rule(engine, rule, reason=judge(engine, row, cursor, datetime.now(UTC))[0].why)
    return rules.get_rule(engine, rule)


def check_action(spec: RuleSpec, settings: Settings) -> None:
    """Make sure that the rule's job could be started.

    Raises:
        UsageError: it is of no kind that works on a project, or its parameters are invalid.
    """
    possible = [name for name, kind in KINDS.items() if "project" in kind.params.model_fields]
    if spec.do.kind not in possible:
        msg = f"rule: do.kind: {spec.do.kind!r} is nothing a rule can do"
        raise UsageError(msg, fix=f"choose from {', '.join(possible)}")
    if "project" in spec.do.params:
        msg = "rule: do.params: project is the rule's own"
        raise UsageError(msg, fix="leave it out of the job's parameters")
    check_params(spec.do.kind, {**spec.do.params, "project": spec.project})
    if "recipe" in spec.do.params:
        recipe_of(spec.do.params["recipe"], settings, spec.name)


def check_not_derived(engine: sa.Engine, spec: RuleSpec, description: str) -> None:
    """Make sure that a project that LabelLoom wrote is not watched by mistake.

    Raises:
        UsageError: it is, and the rule does not say that this is meant.
    """
    written = any(row.project == spec.project for row in list_datasets(engine)) or description.startswith(DERIVED)
    if written and not spec.derived:
        msg = f"project {spec.project} was written by LabelLoom itself"
        raise UsageError(
            msg, fix="watch the project it was derived from, or say that this is meant: derived (--derived)"
        )


def register(
    engine: sa.Engine, client: LabelStudio, settings: Settings, project: int, url: str | None
) -> tuple[str, ...]:
    """Bring the project's webhook up to date; return warnings.

    All rules of a project, and its ML backend, share one webhook.
    """
    known = next((hook for hook in rules.all_hooks(engine) if hook.project == project), None)
    address = (url or service_url(settings)).rstrip("/") + PATH
    if known and not url and _is_here(address) and not _is_here(known.url):
        address = known.url  # somebody gave it, because Label Studio does not reach us at localhost
    with translated():
        there = _ours(list_webhooks(client, project), known, address)
        secret = next((value for name, value in (there.headers if there else {}).items() if name == HEADER), "")
        if known is None or hashed(secret) != known.sha256:
            secret = secrets.token_urlsafe(32)  # nobody knows the old one any more
        headers = {HEADER: secret}
        number = set_webhook(
            client, project, address, _actions(engine, project), headers, old=there.id if there else None
        )
    rules.save_hook(engine, Hook(project, hashed(secret), address, number))
    if url or settings.base_url or known:
        return ()
    return (f"Label Studio tells {address}: set LABELLOOM_BASE_URL if it runs on another machine",)


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in _HERE


def _ours(there: list[Webhook], known: Hook | None, address: str) -> Webhook | None:
    for webhook in there:
        if (known and webhook.id == known.webhook) or (webhook.url == address and HEADER in webhook.headers):
            return webhook
    return None


def _actions(engine: sa.Engine, project: int) -> list[str]:
    """Return the webhook actions that the project's rules rest on."""
    specs = [RuleSpec.model_validate(rule.spec) for rule in rules.list_rules(engine, project=project)]
    events = {*_ALWAYS, *(spec.when.event for spec in specs if spec.when.event)}
    return sorted(action for event in events for action in EVENTS[event])


def unregister_if_unused(engine: sa.Engine, client: LabelStudio, project: int) -> None:
    """Remove the webhook and all that is known of a project that no rule watches and no model serves any more."""
    if rules.list_rules(engine, project=project) or any(row.project == project for row in all_backends(engine)):
        return
    hook = next((hook for hook in rules.all_hooks(engine) if hook.project == project), None)
    if hook is not None:
        with translated():
            delete_webhook(client, hook.webhook)
        rules.remove_hook(engine, project)
    cursors.forget_project(engine, project)


def remove_rule(engine: sa.Engine, settings: Settings, rule: int | str) -> tuple[RuleRow, tuple[str, ...]]:
    """Remove a rule with its history, and its webhook with the project's last rule; return it, and warnings.

    Raises:
        UsageError: there is none.
    """
    row = rules.get_rule(engine, rule)
    rules.remove_rule(engine, row.id)
    try:
        unregister_if_unused(engine, connect(settings), row.project)
    except LabelLoomError as error:
        rules.remove_hook(engine, row.project)  # its secret opens nothing any more
        return row, (f"the webhook of project {row.project} is still in Label Studio: {error}",)
    return row, ()


def switch_rule(engine: sa.Engine, rule: int | str, *, on: bool) -> RuleRow:
    """Enable or disable a rule; what happened while it was off still counts when it is on again.

    Raises:
        UsageError: there is none.
    """
    row = rules.get_rule(engine, rule)
    fresh = {"failures": 0, "not_before": None} if on else {}
    rules.change_rule(engine, row.id, enabled=on, due_since=None, reason=None if on else "switched off", **fresh)
    return rules.get_rule(engine, row.id)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule would do at this moment, and why."""

    rule: RuleRow
    would_run: bool
    why: str
    job: Json
    last: RunRow | None
    looked: str


def try_rule(engine: sa.Engine, settings: Settings, rule: int | str) -> Trial:
    """Look at Label Studio now and say what the rule would do; no job is started and no count is lost.

    Raises:
        UsageError: there is no such rule.
        LabelLoomError: Label Studio cannot be reached.
    """
    row = rules.get_rule(engine, rule)
    with translated():
        cursor = reconcile(engine, Changes(connect(settings)), row.project)
    now = datetime.now(UTC)
    decision, spec = judge(engine, row, cursor, now)
    _, loop = find_loop(engine, row, spec, now) if decision.run else (None, None)
    why = loop or decision.why
    if not row.enabled:
        why = f"it is off ({row.reason or 'switched off'}); otherwise: {why}"
    job = {"kind": spec.do.kind, "params": {**spec.do.params, "project": spec.project}}
    last = next(iter(rules.history(engine, row.id, 1)), None)
    looked = f"compared with {cursor.label_studio}: version {cursor.version}, this rule ran for {row.mark}"
    return Trial(row, decision.run and row.enabled and not loop, why, job, last, looked)
