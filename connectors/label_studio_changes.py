"""What changed in a Label Studio project: light listings by time, and the annotations of single tasks."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.label_studio import LabelStudio

Json = dict[str, Any]

_PAGE = 1000
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"  # the one form that Label Studio's filters take


@dataclass(frozen=True, slots=True)
class TaskStamp:
    """A task's time of change as Label Studio writes it, and how many annotations it holds, skipped ones left out."""

    id: int
    updated: str
    annotations: int


@dataclass(frozen=True, slots=True)
class AnnotationStamp:
    """An annotation's times."""

    id: int
    created: datetime
    updated: str


@dataclass(frozen=True, slots=True)
class Totals:
    """How many tasks and annotations a project holds, and the server's time (to the second) when it said so."""

    tasks: int
    annotations: int
    now: datetime


class Changes:
    """Reads times and numbers of one Label Studio's projects."""

    def __init__(self, client: LabelStudio) -> None:
        self._client = client
        self.url = client.url

    def facts(self, project: int) -> tuple[str, str, str]:
        """Return a project's title, description and labelling config.

        Raises:
            ConnectorError: Label Studio cannot be reached, or has no such project.
        """
        found = self._client.request("GET", f"api/projects/{project}/").json()
        return str(found["title"]), str(found.get("description") or ""), str(found.get("label_config") or "")

    def totals(self, project: int) -> Totals:
        """Return the project's numbers."""
        response = self._list(project, page=1, page_size=1)
        body, said = response.json(), response.headers.get("Date")
        now = parsedate_to_datetime(said) if said else datetime.now(UTC)
        return Totals(int(body["total"]), int(body["total_annotations"]), now)

    def listed(self, project: int, since: datetime | None) -> list[TaskStamp]:
        """Return the tasks changed at `since` or later, or all.

        The newest come first: a task that changes while we page moves to the front, so others move back, and are read
        twice rather than never. Where tasks were deleted meanwhile, which moves others forward, it begins again.
        """
        query: Json = {"ordering": ["-tasks:updated_at"]}
        if since is not None:
            item = {"filter": "filter:tasks:updated_at", "operator": "greater_or_equal", "type": "Datetime"}
            item["value"] = since.astimezone(UTC).strftime(_TIME)
            query["filters"] = {"conjunction": "and", "items": [item]}
        found: dict[int, TaskStamp] = {}
        page, total = 1, 0
        while True:
            body = self._list(project, page=page, page_size=_PAGE, query=json.dumps(query)).json()
            if body["total"] < total:
                found, page, total = {}, 1, 0
                continue
            total = body["total"]
            for row in body["tasks"]:
                found.setdefault(row["id"], TaskStamp(row["id"], row["updated_at"], row["total_annotations"] or 0))
            if page * _PAGE >= total or not body["tasks"]:
                return list(found.values())
            page += 1

    def annotations(self, project: int, tasks: Sequence[int]) -> Iterator[tuple[TaskStamp, list[AnnotationStamp]]]:
        """Yield these tasks with their annotations, skipped ones left out; a task deleted meanwhile is left out."""
        for task in self._client.tasks(project, ids=tasks):
            stamps = [
                AnnotationStamp(row["id"], datetime.fromisoformat(row["created_at"]), row["updated_at"])
                for row in task["annotations"]
                if not row.get("was_cancelled")
            ]
            yield TaskStamp(task["id"], task["updated_at"], len(stamps)), sorted(stamps, key=lambda stamp: stamp.id)

    def _list(self, project: int, **parameters: Any) -> Any:
        include = "id,updated_at,total_annotations"
        return self._client.request("GET", "api/tasks/", params={"project": project, "include": include, **parameters})
