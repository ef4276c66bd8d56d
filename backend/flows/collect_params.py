"""What the jobs that bring images in may be asked for, checked before they are queued."""

import re
import unicodedata
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from backend.core.codec import digest
from backend.core.errors import UsageError, shown
from backend.core.names import safe_stem
from backend.flows.collect.spec import MAX_PIXELS, MIN_SIDE, Config
from backend.flows.job_base import Number, Params
from connectors.sources import SOURCES

if TYPE_CHECKING:
    from backend.flows.collect.spec import LabelSpec

_STEM = 40  # characters of a label or keyword in a collection's name

Text = Annotated[str, Field(min_length=1, max_length=1024)]


def _known(name: str) -> str:
    if name not in SOURCES:
        msg = f"there is no source {shown(name)}; choose from {', '.join(SOURCES)}"
        raise ValueError(msg)
    return name


def usable_name(name: str) -> str:
    """Return a collection's name.

    Raises:
        ValueError: it cannot be the name of a folder everywhere, or a program would take it for an option.
    """
    if name != safe_stem(name) or name.startswith("-"):
        msg = f"{shown(name)} cannot be a collection's name; {shown(safe_stem(name.lstrip('-')))} can"
        raise ValueError(msg)
    return name


SourceName = Annotated[str, Field(max_length=50), AfterValidator(_known)]
CollectionName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(usable_name)]
Title = Annotated[str, Field(min_length=3, max_length=50)]
License = Literal["by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd", "cc0", "pdm"]


class LabelParams(BaseModel):
    """A label and what to look for; without a label, images come unlabelled."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    queries: list[Text] = Field([], max_length=1000, description="default: the label itself")


class OptionParams(BaseModel):
    """What is good enough, and how patiently it is fetched."""

    model_config = ConfigDict(extra="forbid")

    min_side: int = Field(MIN_SIDE, ge=1, le=65_535, description="pixels of the shorter side")
    max_pixels: int = Field(MAX_PIXELS, ge=1, le=200_000_000)
    keep_gps: bool = Field(False, description="leave the camera's position in the files")
    opt_out: Literal["refuse", "record"] = Field("refuse", description="images whose owner reserves them")
    deadline: float = Field(30.0, gt=0, le=600, description="seconds for one image")
    max_bytes: int = Field(50 * 1024 * 1024, ge=1, le=1024**3, description="of one image")


class Target(Params):
    """The project that gets the images, or the title of a new one."""

    project: Number | None = None
    title: Title | None = None
    prelabel: bool = Field(False, description="let the project's model predict in the new tasks")
    config: Config = Field("bbox", description="what a new project's annotators draw")

    @model_validator(mode="after")
    def _one_target(self) -> "Target":
        if self.project is not None and self.title is not None:
            msg = "give either project or title"
            raise ValueError(msg)
        return self


class CollectParams(Target):
    """Collect images, and make tasks of them where a project or a new title is given."""

    labels: list[LabelParams] = Field([], max_length=1000)
    keywords: list[Text] = Field([], max_length=1000, description="for images without a label")
    sources: list[SourceName] = Field([], max_length=10, description="default: those that need no key")
    count: int | None = Field(
        None, ge=1, le=10_000_000, description="kept images for each label; default: 100 for keywords, else all"
    )
    licenses: list[License] = Field([], max_length=30, description="by, cc0 ...; default: any, also unknown ones")
    near: Literal["skip", "group", "keep"] = Field("skip", description="nearly equal images")
    options: OptionParams = OptionParams()
    name: CollectionName | None = Field(None, description="of the collection; default: made from what is asked for")
    retry: bool = Field(False, description="ask again for what could not be had because of the network or a host")
    review: bool = Field(False, description="stop before the import, so that somebody can look at the images")

    @model_validator(mode="after")
    def _complete(self) -> "CollectParams":
        wanted(self)
        if self.prelabel and self.project is None and self.title is None:
            msg = "prelabel needs a project or a title"
            raise ValueError(msg)
        return self


class ImportCollectionParams(Target):
    """Make tasks of a collection's accepted images, in a project or in a new one with a title."""

    collection: str = Field(min_length=1, max_length=255, description="its name")

    @model_validator(mode="after")
    def _some_target(self) -> "ImportCollectionParams":
        if self.project is None and self.title is None:
            msg = "give either project or title"
            raise ValueError(msg)
        return self


def wanted(params: CollectParams) -> tuple["LabelSpec", ...]:
    """Return what to look for, label by label.

    Raises:
        ValueError: nothing, an empty keyword, or a label that is there twice.
    """
    from backend.flows.collect.spec import CollectSpec, LabelSpec

    try:
        labels = [LabelSpec(one.label, tuple(one.queries or [one.label or ""])) for one in params.labels]
        if params.keywords:
            labels.append(LabelSpec(None, tuple(params.keywords)))
        CollectSpec(tuple(labels), ("checked later",))
    except UsageError as error:
        raise ValueError(str(error)) from error
    return tuple(labels)


def collection_name(params: CollectParams) -> str:
    """Return the collection's name: the one given, or one that is the same for the same request."""
    if params.name:
        return params.name
    asked = params.model_dump(
        mode="json", exclude={"project", "title", "prelabel", "retry", "review", "config", "name"}
    )
    first = next((one.label or one.queries[0] for one in params.labels), "") or params.keywords[0]
    stem = safe_stem(re.sub(r"^\W+", "", unicodedata.normalize("NFC", first))[:_STEM])
    return f"{stem}-{digest(asked)[:8]}"
