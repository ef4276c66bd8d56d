"""The project a dataset is written into: found again by a key in its description, else made, never somebody else's."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from backend.formats.base import Classes
from backend.formats.label_config import add_names, parse_label_config
from connectors.errors import ServerFailed, Unreachable
from connectors.label_studio import LabelStudio, Project

Json = dict[str, Any]

TITLE = 50  # characters Label Studio takes at most, and 3 at least


@dataclass(frozen=True, slots=True)
class Derivation:
    """What a project is derived from. key: names its exact content."""

    source: Project
    recipe: str
    title: str
    key: str

    @property
    def mark(self) -> str:
        """The part of the description by which the project is found again."""
        return f"[labelloom {self.key}]"

    @property
    def description(self) -> str:
        """What people read first when they open the project."""
        return (
            f"Derived from project {self.source.id} by recipe {self.recipe}: correct the original, not this copy. "
            f"({self.source.title}) {self.mark}"
        )


def find_or_create(client: LabelStudio, wanted: Derivation, classes: Classes) -> Project:
    """Return the derived project, with its tabs, made unless an earlier run made it.

    Two runs at the same moment, or a creation that was carried out although it was answered with an error, leave
    several: the oldest is used, empty others are removed.
    """
    projects = list(client.projects())
    mine = [p for p in projects if wanted.mark in p.description]
    if not mine:
        config = add_names(wanted.source.label_config, classes.labels, classes.tags)
        title = free_title(wanted.title, {p.title for p in projects})
        try:
            client.create_project(title, wanted.description, config)
        except (Unreachable, ServerFailed):
            mine = [p for p in client.projects() if wanted.mark in p.description]
            if not mine:
                raise
    mine = mine or [p for p in client.projects() if wanted.mark in p.description]
    project = min(mine, key=lambda p: p.id)
    for other in mine:
        if other.id != project.id and other.task_number == 0:
            client.delete_project(other.id)
    _add_tabs(client, project)
    return project


def free_title(title: str, taken: Collection[str]) -> str:
    """Return the title, or "title v2", "title v3" ... where it is taken; never over 50 characters."""
    choice, number = title[:TITLE], 1
    while choice in taken:
        number += 1
        suffix = f" v{number}"
        choice = title[: TITLE - len(suffix)].rstrip() + suffix
    return choice


def _add_tabs(client: LabelStudio, project: Project) -> None:
    there = {view["title"] for view in client.views(project.id)}
    for tab in tabs(parse_label_config(project.label_config).image_key):
        if tab["title"] not in there:
            client.create_view(project.id, tab)


def tabs(image_key: str) -> list[Json]:
    """Return the Data Manager tabs of a derived project; the first is the one it opens with."""
    resampled = {"filter": "filter:tasks:data.loom_attempt", "operator": "greater", "type": "Number", "value": 0}
    hidden = {
        "explore": ["tasks:annotations_results", "tasks:predictions_results", "tasks:file_upload"],
        "labeling": [],
    }
    worst = ["tasks:data.loom_visibility"]
    common: Json = {"type": "list", "hiddenColumns": hidden, "ordering": worst}
    return [
        {**common, "title": "All images", "ordering": []},
        {**common, "title": "Most damaged first"},
        {**common, "title": "Resampled", "filters": {"conjunction": "and", "items": [resampled]}},
    ]
