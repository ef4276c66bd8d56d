"""A project's ML backends in Label Studio. Each of these calls makes Label Studio ask the backend in turn."""

from dataclasses import dataclass
from typing import Any

from connectors.errors import Refused
from connectors.label_studio import LabelStudio

Json = dict[str, Any]

CONNECTED = "CO"


@dataclass(frozen=True, slots=True)
class MlBackend:
    """An ML backend as Label Studio holds it. state: CO (it answered just now), DI, ER, TR or PR."""

    id: int
    title: str
    url: str
    state: str
    user: str
    interactive: bool
    error: str


def list_backends(client: LabelStudio, project: int) -> list[MlBackend]:
    """Return a project's ML backends, the one that predicts (the oldest) first.

    Raises:
        ConnectorError: Label Studio cannot be reached, or refuses.
    """
    rows = client.request("GET", "api/ml/", params={"project": project}).json()
    return sorted((_backend(row) for row in rows), key=lambda backend: backend.id)


def put_backend(
    client: LabelStudio, project: int, url: str, login: tuple[str, str], *, title: str, old: int | None
) -> int:
    """Add an interactive ML backend with Basic auth, or bring the `old` one up to date; return its id.

    Label Studio asks it for /health and /setup before it answers, so it must be running and know the password.

    Raises:
        ConnectorError: the backend did not answer as it should; the message says how.
    """
    user, password = login
    body: Json = {
        "url": url,  # without it a change fails inside Label Studio
        "project": project,
        "title": title,
        "is_interactive": True,
        "auth_method": "BASIC_AUTH",
        "basic_auth_user": user,
        "basic_auth_pass": password,
    }
    if old is not None:
        client.request("PATCH", f"api/ml/{old}", json=body)
        return old
    return int(client.request("POST", "api/ml/", json=body).json()["id"])


def delete_backend(client: LabelStudio, backend: int) -> None:
    """Remove an ML backend; one that is gone already is fine. Its webhook stays: Label Studio leaves it behind."""
    try:
        client.request("DELETE", f"api/ml/{backend}")
    except Refused as error:
        if error.status != 404:
            raise


def _backend(row: Json) -> MlBackend:
    return MlBackend(
        int(row["id"]),
        str(row.get("title") or ""),
        str(row.get("url") or ""),
        str(row.get("state") or ""),
        str(row.get("basic_auth_user") or ""),
        bool(row.get("is_interactive")),
        str(row.get("error_message") or ""),
    )
