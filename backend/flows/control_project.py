"""The control project: an order form inside Label Studio, one task for each project, for servers we cannot touch."""

import json
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

from backend.flows.derived_project import free_title
from backend.flows.label_studio_connection import connect, translated
from backend.flows.orders import ORIGINALS
from backend.flows.recipes import list_recipes
from backend.imaging.files import write_atomic
from backend.settings import Settings
from connectors.label_studio import LabelStudio, Project
from connectors.label_studio_upload import ProjectContent

Json = dict[str, Any]

TITLE = "LabelLoom"
MARK = "[labelloom control]"
ABOUT = f"Each task is the order form of one project: choose a recipe, then Submit (or Update, to order again). {MARK}"
READY = "nothing was ordered yet"
# A picture that says nothing: Label Studio shows an error where there is none.
NO_SHEET = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)
# Columns that say nothing about an order; what is left is the project's name and how its last order goes.
_HIDDEN = (
    "inner_id completed_at total_annotations cancelled_annotations total_predictions annotators annotations_results "
    "annotations_ids predictions_score predictions_model_versions predictions_results file_upload storage_filename "
    "created_at updated_at updated_by avg_lead_time draft_exists comments data.handled data.job data.finished "
    "data.status data.recipes data.sheet data.project data.link"
)
TAB: Json = {
    "title": "Order forms",
    "type": "list",
    "hiddenColumns": {"explore": [f"tasks:{column}" for column in _HIDDEN.split()], "labeling": []},
}


@dataclass(frozen=True, slots=True)
class Control:
    """Where the control project is."""

    url: str
    project: int


@dataclass(frozen=True, slots=True)
class Made:
    """What `connect --control` did. tasks: order forms; added: of them, now."""

    project: Project
    created: bool
    tasks: int
    added: int


def remembered(settings: Settings) -> Control | None:
    """Return the control project that was made here, or None."""
    path = settings.data_dir / "control.json"
    return Control(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def make_control(settings: Settings) -> Made:
    """Make the control project, or bring it up to date: a form for every project, with the present recipes.

    Raises:
        LabelLoomError: Label Studio is gone or refuses.
    """
    with translated():
        client = connect(settings)
        projects = list(client.projects())
        mine = [project for project in projects if MARK in project.description]
        project = min(mine, key=lambda one: one.id) if mine else _create(client, projects)
        if project.label_config.strip() != _form_config().strip():  # made by an earlier version
            client.request("PATCH", f"api/projects/{project.id}/", json={"label_config": _form_config()})
        added, tasks = sync(client, project.id, projects, settings)
    path = settings.data_dir / "control.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps({"url": client.url, "project": project.id}).encode())
    return Made(project, not mine, tasks, added)


def _create(client: LabelStudio, projects: list[Project]) -> Project:
    title = free_title(TITLE, {one.title for one in projects})
    project = client.create_project(title, ABOUT, _form_config())
    client.create_view(project.id, TAB)
    return project


def _form_config() -> str:
    return (files("label_config") / "control.xml").read_text(encoding="utf-8")


def sync(client: LabelStudio, control: int, projects: list[Project], settings: Settings) -> tuple[int, int]:
    """Add forms of new projects, bring the others up to date; return how many were added, and how many there are.

    Raises:
        ConnectorError: Label Studio is gone or refuses.
    """
    content = ProjectContent(client, control)
    known = {task["data"].get("project"): task for task in content.tasks()}
    recipes = [{"value": recipe.name} for recipe in list_recipes(settings)] + [{"value": ORIGINALS}]
    new = []
    for project in projects:
        if MARK in project.description:
            continue
        offer = {"name": project.title, "recipes": recipes}
        task = known.get(project.id)
        if task is None:
            new.append(_form(project) | offer)
        elif any(task["data"].get(name) != value for name, value in offer.items()):
            data = task["data"] | offer
            client.request("PATCH", f"api/tasks/{task['id']}/", json={"data": data | {"status": page(data)}})
    if new:
        content.import_tasks([json.dumps({"data": data | {"status": page(data)}}).encode() for data in new])
    return len(new), len(known) + len(new)


def _form(project: Project) -> Json:
    return {  # in this order they stand in the list
        "name": project.title,
        "project": project.id,
        "state": READY,
        "link": project.link,
        "result": "",
        "sheet": NO_SHEET,
        "handled": "",
        "job": "",
        "finished": True,
    }


def page(data: Json) -> str:
    """Return what stands above the form: the project, how its last order goes, and where the result is."""
    link, result = escape(data["link"]), escape(data["result"])
    found = f'<p>Result: <a href="{result}" target="_blank">{result}</a></p>' if result else ""
    return (
        f'<h3><a href="{link}" target="_blank">{escape(data["name"])}</a> (project {data["project"]})</h3>'
        f"<p>Last order: <b>{escape(data['state'])}</b></p>{found}"
    )
