"""Where images can be collected from, and what each source still needs."""

from typing import Any, Literal, cast

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from backend.flows.collect.access import default_sources, source_access
from backend.web.schemas import ERRORS
from backend.web.services import services
from connectors.sources import SOURCES

Json = dict[str, Any]

routes = APIBlueprint(
    "sources", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="sources")], abp_responses=cast(Any, ERRORS)
)


class SourceItem(BaseModel):
    """A source. takes: what it is asked with; reach: most results for one keyword; ready: it can be used now.

    licensed: it knows licences, so a filter works before anything is fetched. detail, fix: why not, and what to do.
    """

    name: str
    summary: str
    takes: Literal["keyword", "address", "list", "folder"]
    reach: int | None
    licensed: bool
    ready: bool
    detail: str
    fix: str | None


class SourceList(BaseModel):
    """All sources; those in `default` are asked where a job names none, and `note` says why."""

    sources: list[SourceItem]
    default: list[str]
    note: str | None


@routes.get("/sources", summary="List the sources of images.", responses={200: SourceList})
def listing() -> Json:
    """Return every source and whether it can be used; nothing is sent anywhere for that."""
    access = source_access(services().settings)
    items = []
    for source in SOURCES.values():
        ready = source.ready(access)
        fields = {name: getattr(source, name) for name in ("name", "summary", "takes", "reach", "licensed")}
        items.append(SourceItem(**fields, ready=ready.ok, detail=ready.detail, fix=ready.fix))
    default = default_sources(access)
    return SourceList(sources=items, default=list(default.names), note=default.note).model_dump(mode="json")
