"""Label Studio's projects, as the pages list them."""

from contextlib import closing
from typing import Any, cast

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from backend.core.errors import LabelLoomError
from backend.web.problems import Problem, ProblemDocument
from backend.web.schemas import ERRORS, ProjectItem, ProjectList
from backend.web.services import services

Json = dict[str, Any]

_PATIENCE = 5.0  # seconds; somebody is looking at the page
_PAGE, _PAGES = 100, 20

routes = APIBlueprint(
    "projects", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="projects")], abp_responses=cast(Any, ERRORS)
)


@routes.get("/projects", summary="List Label Studio's projects.", responses={200: ProjectList, 502: ProblemDocument})
def listing() -> Json:
    """Return the projects that LabelLoom's token may see."""
    try:
        return ProjectList(projects=_projects()).model_dump()
    except LabelLoomError as error:
        raise Problem(502, str(error), fix=error.fix) from error


def _projects() -> list[ProjectItem]:
    from backend.flows.label_studio_connection import connect, translated

    client = connect(services().settings)
    found: list[ProjectItem] = []
    include = "id,title,task_number,finished_task_number"
    with translated(), closing(client.http):
        for page in range(1, _PAGES + 1):
            asked: Json = {"page": page, "page_size": _PAGE, "include": include}
            rows = client.request("GET", "api/projects/", params=asked, timeout=_PATIENCE).json()
            found += [_item(row, client.url) for row in rows["results"]]
            if not rows["next"]:
                break
    return sorted(found, key=lambda project: -project.id)


def _item(row: Json, url: str) -> ProjectItem:
    return ProjectItem(
        id=row["id"],
        title=row.get("title") or "",
        tasks=row.get("task_number") or 0,
        finished=row.get("finished_task_number") or 0,
        link=f"{url}/projects/{row['id']}/data",
    )
