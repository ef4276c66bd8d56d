"""What a webhook says: which project, which action, and a digest that is the same whenever the same is told again."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from backend.core.codec import digest
from backend.core.errors import UsageError
from backend.flows.reconcile import EVENTS
from backend.store.deliveries import Delivery

Json = dict[str, Any]

ACTIONS = frozenset(action for actions in EVENTS.values() for action in actions)
_VERSIONED = ("annotation", "annotations", "task", "tasks", "project")
_INTEGER = 2**31


def read_delivery(body: bytes, project: int) -> Delivery:
    """Return what a webhook of a project delivered, to be looked at or, with the reason, ignored.

    Nothing else of the payload is kept: it holds passwords and an invitation token.

    Raises:
        UsageError: it is not a JSON object with an action.
    """
    document = _parse(body)
    action = document.get("action")
    if not isinstance(action, str) or not action or len(action) > 64 or not action.isascii() or "\x00" in action:
        msg = "the body has no action"
        raise UsageError(msg)
    told = _project(document)
    now = datetime.now(UTC)
    if action not in ACTIONS:
        return Delivery(sha256(body).hexdigest(), project, action, now, "ignored", "unknown action")
    if told not in (None, project):
        return Delivery(
            sha256(body).hexdigest(), project, action, now, "ignored", "another project than the webhook's own"
        )
    versions = {name: _versions(document[name]) for name in _VERSIONED if name in document and name != "project"}
    if action == "PROJECT_UPDATED" or not any(versions.values()):
        return Delivery(sha256(body).hexdigest(), project, action, now)
    return Delivery(digest([action, project, versions]), project, action, now)


def _parse(body: bytes) -> Json:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        msg = "the body is not JSON"
        raise UsageError(msg) from error
    if not isinstance(document, dict):
        msg = "the body is not a JSON object"
        raise UsageError(msg)
    return document


def _project(document: Json) -> int | None:
    """Return the project a payload names, -1 for nonsense, None where it names none."""
    found = document.get("project")
    if found is None:
        return None
    number = found.get("id") if isinstance(found, dict) else found
    return number if isinstance(number, int) and 0 < number < _INTEGER else -1


def _versions(value: Any) -> list[list[str]]:
    """Return the ids and times of change of one object or several, in one order."""
    rows = value if isinstance(value, list) else [value]
    return sorted([str(row.get("id")), str(row.get("updated_at"))] for row in rows if isinstance(row, dict))
