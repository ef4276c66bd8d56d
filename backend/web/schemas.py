"""What the API takes and returns beside the jobs' own parameters."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from backend.flows.job_kinds import KINDS
from backend.store.jobs import State
from backend.web.problems import ProblemDocument

Json = dict[str, Any]

ERRORS: dict[int, type[BaseModel]] = dict.fromkeys((400, 401, 403, 404, 409, 413, 415, 503), ProblemDocument)
FILES: dict[str, Any] = {
    kind: {200: {"description": "the file", "content": {kind: {"schema": {"type": "string", "format": "binary"}}}}}
    for kind in ("image/jpeg", "application/zip", "application/x-ndjson")
}
NUMBER = 2_147_483_647  # what every database takes as an integer


class Asked(BaseModel):
    """A part of a request; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class JobPath(BaseModel):
    """A job's id."""

    job: str


class NamePath(BaseModel):
    """A dataset's or a recipe's name."""

    name: str


class Page(Asked):
    """Which part of a list."""

    limit: int = Field(50, ge=1, le=200)
    offset: int = Field(0, ge=0, le=NUMBER)


class JobsQuery(Page):
    """Which jobs."""

    state: list[State] = Field([], max_length=6)
    kind: str | None = Field(None, json_schema_extra={"enum": list(KINDS)})


class LinesQuery(Asked):
    """Which log lines."""

    after: int = Field(0, ge=0, le=NUMBER, description="the number of the last line you have")


class JobBody(Asked):
    """A job of any kind."""

    kind: str = Field(json_schema_extra={"enum": list(KINDS)})
    params: Json = Field({}, description="as the body of POST /api/v1/<kind>")


class Job(BaseModel):
    """A job. done and total: items of the phase; eta and seconds: seconds; links: what can be fetched."""

    id: str
    kind: str
    state: State
    who: str
    params: Json
    created: datetime
    started: datetime | None
    finished: datetime | None
    seconds: float | None
    phase: str | None
    done: int
    total: int | None
    eta: float | None
    runs: int
    error: str | None
    fix: str | None
    result: Json | None
    links: dict[str, str]


class JobList(BaseModel):
    """A page of jobs, newest first. totals: jobs in each state, of all kinds; workers: those that are alive."""

    jobs: list[Job]
    totals: dict[str, int]
    workers: int
    limit: int
    offset: int


class Line(BaseModel):
    """A log line."""

    number: int
    at: datetime
    text: str


class Lines(BaseModel):
    """Log lines; ask again with after=next."""

    lines: list[Line]
    next: int


class DatasetItem(BaseModel):
    """A dataset. project: the Label Studio project that was written from it."""

    name: str
    source: str
    images: int
    created: datetime
    project: int | None
    links: dict[str, str]


class DatasetDetail(DatasetItem):
    """A dataset with its description (`dataset.json`), where LabelLoom made it."""

    description: Json | None


class DatasetList(BaseModel):
    """A page of datasets, newest first."""

    datasets: list[DatasetItem]
    total: int
    limit: int
    offset: int


class UploadQuery(Asked):
    """What an uploaded dataset shall be called."""

    name: str = Field(min_length=1, max_length=100)


class RecipeItem(BaseModel):
    """A recipe's name. own: it is one of yours and can be changed."""

    name: str
    about: str
    own: bool


class RecipeList(BaseModel):
    """All recipes."""

    recipes: list[RecipeItem]


class RecipeText(RecipeItem):
    """A recipe as its file holds it."""

    text: str


class RecipeBody(Asked):
    """A recipe as YAML text or as a document."""

    text: str | None = Field(None, max_length=200_000)
    recipe: Json | None = None


class Verdict(BaseModel):
    """Whether a recipe is valid; the document is complete and can be given to a job."""

    valid: bool
    problems: list[str]
    recipe: Json | None


class ProjectItem(BaseModel):
    """A Label Studio project. finished: tasks that are."""

    id: int
    title: str
    tasks: int
    finished: int
    link: str


class ProjectList(BaseModel):
    """Label Studio's projects, newest first."""

    projects: list[ProjectItem]


class TransformItem(BaseModel):
    """What a recipe's step may be; titles and summaries are in the language that was asked for."""

    name: str
    title: str
    group: str
    group_title: str
    summary: str
    targets: list[str]
    parameters: list[Json]


class Catalog(BaseModel):
    """The transforms on offer."""

    transforms: list[TransformItem]
