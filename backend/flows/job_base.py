"""What every kind of job is made of: parameters that are checked before it is queued, tools to work with, a key."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from backend.core.errors import UsageError, shown
from backend.core.progress import Progress
from backend.core.recipe import NAME
from backend.flows.builder.pool import Pool
from backend.settings import Settings

Json = dict[str, Any]
FormatKey = Literal["yolo", "yolo-obb", "yolo-seg", "voc", "coco", "folders"]
DatasetName = Annotated[
    str,
    Field(description="a dataset's name in the datasets folder, or a folder inside the data folder", max_length=1024),
]
Number = Annotated[int, Field(strict=True, gt=0, le=2**31 - 1)]  # an id in Label Studio; neither true nor "7" is one


def _usable(name: str) -> str:
    if not re.fullmatch(NAME, name):
        msg = f"{shown(name)} cannot be a dataset's name; give one of 1 to 100 characters without / and \\"
        raise ValueError(msg)
    return name


NewName = Annotated[str, Field(max_length=100), AfterValidator(_usable)]  # as `--name`, judged before the job is queued


def _nobody(_text: str) -> None:
    """Take a line that nobody reads."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a job works with. job: its id; pools: opens what shards run on; tell: adds to its log; who: asked for it."""

    settings: Settings
    progress: Progress
    job: str
    pools: Callable[[], AbstractContextManager[Pool]]
    tell: Callable[[str], None] = _nobody
    who: str = "somebody"


class Params(BaseModel):
    """Parameters of a job; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid")


P = TypeVar("P", bound=Params)


@dataclass(frozen=True, slots=True)
class Kind(Generic[P]):
    """A kind of job. key: jobs with the same key never run at the same time, and a second one is refused."""

    name: str
    params: type[P]
    run: Callable[[P, Tools], Json]
    key: Callable[[P], str | None]

    def parse(self, data: Json) -> P:
        """Return the parameters.

        Raises:
            pydantic.ValidationError: they are invalid.
        """
        return self.params.model_validate(data)


def dataset_path(given: str, settings: Settings) -> Path:
    """Return the folder of a dataset that a client names; nothing outside the data folder is ever opened for one.

    Raises:
        UsageError: it leads elsewhere, or there is nothing.
    """
    root = settings.data_dir.resolve()
    for base in (settings.datasets_dir, settings.data_dir):
        path = (base / given).resolve()
        if path.is_relative_to(root) and path != root and path.exists():
            return path
    msg = f"there is no dataset {given!r} in the data folder"
    raise UsageError(msg, fix="GET /api/v1/datasets lists them; others have to be put below the data folder first")
