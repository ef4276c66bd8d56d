"""A project's webhook in Label Studio: found by its address, made or corrected, removed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import Refused
from connectors.label_studio import LabelStudio


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as Label Studio holds it."""

    id: int
    url: str
    headers: Mapping[str, str]


def list_webhooks(client: LabelStudio, project: int) -> list[Webhook]:
    """Return a project's webhooks, oldest first.

    Raises:
        ConnectorError: Label Studio cannot be reached, or refuses.
    """
    with client.calling() as sdk:
        found = [w for w in sdk.webhooks.list(project=str(project)) if w.project == project]
    return sorted((_webhook(w) for w in found), key=lambda webhook: webhook.id)


def set_webhook(
    client: LabelStudio, project: int, url: str, actions: Sequence[str], headers: Mapping[str, str], *, old: int | None
) -> int:
    """Make a webhook with payload for some actions, or bring the `old` one up to date; return its id."""
    wanted: dict[str, Any] = {
        "url": url,
        "actions": sorted(actions),
        "headers": dict(headers),
        "send_for_all_actions": False,
        "send_payload": True,
        "is_active": True,
    }
    with client.calling() as sdk:
        if old is not None:
            sdk.webhooks.update(old, **wanted)
            return old
        return int(sdk.webhooks.create(project=project, **wanted).id)


def delete_webhook(client: LabelStudio, webhook: int) -> None:
    """Remove a webhook; one that is gone already is fine."""
    try:
        with client.calling() as sdk:
            sdk.webhooks.delete(webhook)
    except Refused as error:
        if error.status != 404:
            raise


def _webhook(found: Any) -> Webhook:
    headers = found.headers if isinstance(found.headers, dict) else {}
    return Webhook(int(found.id), str(found.url), {str(name): str(value) for name, value in headers.items()})
