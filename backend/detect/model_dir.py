"""A model as a folder: `model.json` says what it is, and the sha256 of every file beside it.

`model.onnx` predicts; `model.int8.onnx` is the same, quantised; `weights.safetensors` goes on training; `card.md` tells
people what it is good for; `curve.jsonl` holds the events of its training.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.core.errors import LabelLoomError, UsageError
from backend.imaging.files import write_atomic

Json = dict[str, Any]
MODEL_JSON = "model.json"
ONNX = "model.onnx"
INT8 = "model.int8.onnx"
WEIGHTS = "weights.safetensors"
CARD = "card.md"
CURVE = "curve.jsonl"


class Layout(BaseModel):
    """How an ONNX file wants its images and says what it found; `kind` names a line of `onnx_layouts.LAYOUTS`.

    size: (width, height) of its input. rgb values are scaled as (value * scale - mean) / std, channel by channel.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    size: tuple[int, int] = (320, 320)
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    fit: Literal["letterbox", "stretch"] = "letterbox"
    pad: int = Field(114, ge=0, le=255)
    background: bool = False  # class 0 of the output is "nothing"
    nms: float | None = Field(0.55, gt=0, le=1)


class ModelInfo(BaseModel):
    """What a model is. labels: in the order of the model's classes; data, metrics: as `fit` wrote them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    detector: str
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    labels: tuple[str, ...]
    tags: tuple[str, ...] = ()
    layout: Layout | None = None
    threshold: float = Field(0.5, ge=0, le=1)
    created: str = ""
    parent: str | None = None
    options: Json = {}
    data: Json = {}
    metrics: Json = {}
    files: dict[str, str] = {}


def read_model(folder: Path) -> ModelInfo:
    """Return what `model.json` says.

    Raises:
        UsageError: there is none, or it cannot be understood.
    """
    try:
        return ModelInfo.model_validate_json((folder / MODEL_JSON).read_bytes())
    except OSError as error:
        msg = f"{folder} holds no model: {error.strerror or error}"
        raise UsageError(msg, fix="give the folder that `labelloom fit` printed, the one with model.json") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        msg = f"{folder / MODEL_JSON}: {'.'.join(map(str, first['loc'])) or 'document'}: {first['msg']}"
        raise UsageError(msg, fix="train or import the model again") from error


def write_model(folder: Path, info: ModelInfo) -> ModelInfo:
    """Write `model.json` for the files that lie in the folder, and return it with their hashes."""
    files = {p.name: _sha256(p) for p in sorted(folder.iterdir()) if p.is_file() and p.name != MODEL_JSON}
    complete = info.model_copy(update={"files": files})
    write_atomic(folder / MODEL_JSON, complete.model_dump_json(indent=1).encode(), fsync=True)
    return complete


def publish(folder: Path, target: Path) -> None:
    """Put a finished model where it is found, all of it or nothing.

    Raises:
        LabelLoomError: there is another model of that name, or no room.
    """
    check_files(folder)
    if target.exists():
        if read_model(target).files == read_model(folder).files:
            shutil.rmtree(folder)
            return
        msg = f"there is already a model {target.name}"
        raise LabelLoomError(msg, fix="models are never overwritten; give another name")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
    except OSError as error:
        msg = f"the model cannot be put at {target}: {error.strerror or error}"
        raise LabelLoomError(msg, fix="free some space, or make the folder writable, and try again") from error


def check_files(folder: Path) -> ModelInfo:
    """Return the model's `model.json` if every file that it names is there, unchanged.

    Raises:
        UsageError: one is not.
    """
    info = read_model(folder)
    for name, sha256 in info.files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file() or _sha256(path) != sha256:
            msg = f"{path} is missing or not what it was when the model was made"
            raise UsageError(msg, fix="train or import the model again, or roll back to another version")
    return info


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
