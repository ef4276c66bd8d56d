"""Models: list them, choose which one predicts in a project, go back; and each project's kind of detector."""

import json
from datetime import datetime
from typing import Any, Literal, cast

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, field_validator

from backend.flows import models
from backend.store import models as table
from backend.web.problems import Problem
from backend.web.schemas import ERRORS, NUMBER, Asked
from backend.web.security import caller
from backend.web.services import answered, services

Json = dict[str, Any]

_LONG = 20_000  # characters of a detector's options

routes = APIBlueprint(
    "models", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="models")], abp_responses=cast(Any, ERRORS)
)


class ModelPath(BaseModel):
    """A model's version."""

    version: str


class ProjectPath(BaseModel):
    """A Label Studio project's id."""

    project: int = Field(ge=1, le=NUMBER)


class ModelsQuery(Asked):
    """Which models."""

    project: int | None = Field(None, ge=1, le=NUMBER)


class PromoteBody(Asked):
    """Where a model shall predict; default: in the project it was trained for."""

    project: int | None = Field(None, ge=1, le=NUMBER)


class ModelItem(BaseModel):
    """A model. predicts_in: the projects it predicts in now; there: its files are; note: why it was promoted or not."""

    version: str
    project: int | None
    detector: str
    created: datetime
    metrics: dict[str, float | list[float] | None]
    note: str | None
    predicts_in: list[int]
    there: bool


class ModelList(BaseModel):
    """Models, newest first."""

    models: list[ModelItem]


class InUse(BaseModel):
    """Which model predicts in a project, since when, by whom and why."""

    project: int
    version: str
    at: datetime
    who: str
    why: str


class Chosen(Asked):
    """A project's kind of detector, and its options."""

    detector: Literal["fewshot", "torchvision", "onnx", "proxy", "similar"]
    options: Json = Field({}, description="the detector's own")

    @field_validator("options")
    @classmethod
    def _short(cls, value: Json) -> Json:
        if len(json.dumps(value)) > _LONG:
            msg = f"options take more than {_LONG} characters"
            raise ValueError(msg)
        return value


class Detector(BaseModel):
    """A project's kind of detector, and the version that predicts (null: none was trained yet)."""

    detector: str
    options: Json
    version: str | None


@routes.get("/models", summary="List models, newest first.", responses={200: ModelList})
def listing(query: ModelsQuery) -> Json:
    """Return models of one project or of all."""
    with answered():
        known = models.list_known(services().engine, query.project)
    items = [ModelItem.model_validate({k: v for k, v in one.to_json().items() if k != "folder"}) for one in known]
    return ModelList(models=items).model_dump(mode="json")


@routes.post("/models/<string:version>/promote", summary="Let a model predict from now on.", responses={200: InUse})
def promote(path: ModelPath, body: PromoteBody) -> Json:
    """Let a model predict in a project."""
    engine = services().engine
    with answered():
        if table.get_model(engine, path.version) is None:
            raise Problem(404, f"there is no model {path.version[:100]!r}", fix="GET /api/v1/models lists them")
        return _in_use(models.promote(engine, body.project, path.version, who=caller().who))


@routes.post(
    "/projects/<int:project>/models/rollback", summary="Go back to the model used before.", responses={200: InUse}
)
def rollback(path: ProjectPath) -> Json:
    """Let the model predict again that did before the present one."""
    with answered():
        return _in_use(models.rollback(services().engine, path.project, who=caller().who))


def _in_use(made: table.Promotion) -> Json:
    return InUse(**{name: getattr(made, name) for name in InUse.model_fields}).model_dump(mode="json")


@routes.get("/projects/<int:project>/detector", summary="Show a project's detector.", responses={200: Detector})
def detector(path: ProjectPath) -> Json:
    """Return a project's kind of detector; fewshot where none was chosen."""
    with answered():
        return _detector(path.project)


@routes.put("/projects/<int:project>/detector", summary="Choose a project's detector.", responses={200: Detector})
def choose(path: ProjectPath, body: Chosen) -> Json:
    """Choose a project's kind of detector; what predicts already goes on until another model is promoted."""
    with answered():
        models.choose_detector(services().engine, path.project, body.detector, body.options)
        return _detector(path.project)


def _detector(project: int) -> Json:
    engine = services().engine
    kind, options = table.detector_of(engine, project)
    row = table.current_model(engine, project)
    return Detector(detector=kind, options=options, version=row.version if row else None).model_dump(mode="json")
