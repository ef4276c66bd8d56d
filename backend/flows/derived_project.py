"""The project a dataset is written into: found again by a key in its description, else made, never somebody else's."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from backend.core.errors import UsageError
from backend.formats.base import Classes
from backend.formats.label_config import add_names
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


def find_or_create(client: LabelStudio, wanted: Derivation, classes: Classes) -> tuple[Project, bool]:
    """Return the derived project, with its tabs, and whether it was made now rather than by an earlier run.

    A creation that was carried out although it was answered with an error leaves a project that is found again; of
    several the oldest is used, and empty others are removed.
    """
    projects = list(client.projects())
    mine = _marked(projects, wanted)
    if mine:
        return _adopt(client, mine), False
    config = add_names(wanted.source.label_config, classes.labels, classes.tags)
    title = free_title(wanted.title, {p.title for p in projects})
    try:
        project = client.create_project(title, wanted.description, config)
    except (Unreachable, ServerFailed):
        mine = _marked(client.projects(), wanted)
        if not mine:
            raise
        return _adopt(client, mine), False
    _add_tabs(client, project, there=set())
    return project, True


def _marked(projects: Iterable[Project], wanted: Derivation) -> list[Project]:
    return [p for p in projects if wanted.mark in p.description]


def _adopt(client: LabelStudio, mine: list[Project]) -> Project:
    project = min(mine, key=lambda p: p.id)
    for other in mine:
        if other.id != project.id and other.task_number == 0:
            client.delete_project(other.id)
    _add_tabs(client, project, there={view["title"] for view in client.views(project.id)})
    return project


def check_title(title: str) -> None:
    """Refuse a title that Label Studio would not take.

    Raises:
        UsageError: it is not 3 to 50 characters long.
    """
    if not 3 <= len(title) <= TITLE:
        msg = f"Label Studio takes titles of 3 to {TITLE} characters, {title!r} has {len(title)}"
        raise UsageError(msg, fix="give another title")


def free_title(title: str, taken: Collection[str]) -> str:
    """Return the title, or "title v2", "title v3" ... where it is taken; never over 50 characters."""
    choice, number = title[:TITLE], 1
    while choice in taken:
        number += 1
        suffix = f" v{number}"
        choice = title[: TITLE - len(suffix)].rstrip() + suffix
    return choice


def _add_tabs(client: LabelStudio, project: Project, there: set[str]) -> None:
    for tab in TABS:
        if tab["title"] not in there:
            client.create_view(project.id, tab)


# What says nothing about an image that was just made would push the picture and our columns off the screen.
_NOISE = (
    "inner_id completed_at cancelled_annotations total_predictions annotations_ids annotations_results file_upload "
    "predictions_score predictions_model_versions predictions_results storage_filename created_at updated_at "
    "updated_by avg_lead_time draft_exists"
)
_HIDDEN = {"explore": [f"tasks:{column}" for column in _NOISE.split()], "labeling": []}
_AGAIN = {"filter": "filter:tasks:data.loom_attempt", "operator": "greater", "type": "Number", "value": 0}
_WORST: Json = {"type": "list", "hiddenColumns": _HIDDEN, "ordering": ["tasks:data.loom_visibility"]}

# The Data Manager's tabs of a derived project; it opens with the first.
TABS: tuple[Json, ...] = (
    {**_WORST, "title": "Most damaged first"},
    {**_WORST, "title": "Resampled", "filters": {"conjunction": "and", "items": [_AGAIN]}},
)
