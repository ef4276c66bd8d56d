"""Options of detectors, checked before any work begins; nothing here loads torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.core.errors import UsageError

M = TypeVar("M", bound=BaseModel)


class TorchvisionOptions(BaseModel):
    """What model to take, and how to train it.

    model: a name of `torchvision_net.offered`. weights: "coco", "none" (random, to train from nothing), or a file (.pth
    with a state dict, .safetensors). labels: of that file's classes, a file or names. size: sides of the square input
    in pixels. steps, batch, rate: of a training.
    """

    model_config = ConfigDict(extra="forbid")

    model: str = "fasterrcnn_mobilenet_v3_large_320_fpn"
    weights: Literal["coco", "none"] | Path = "coco"
    labels: Path | list[str] | None = None
    size: int | None = Field(None, ge=64, le=2048)
    steps: int | None = Field(None, ge=1, le=100_000)
    batch: int = Field(4, ge=1, le=64)
    rate: float = Field(2e-4, gt=0, le=1)


def parsed(model: type[M], given: Mapping[str, Any], detector: str) -> M:
    """Return a detector's options.

    Raises:
        UsageError: one is missing, unknown, or not what it must be.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"][:1]))
        why = {"missing": "is needed", "extra_forbidden": "is not known"}.get(
            first["type"], f"cannot be: {first['msg']}"
        )
        msg = f"the option {name} of the detector {detector} {why}"
        raise UsageError(msg, fix=f"options are {', '.join(model.model_fields)}") from error


def torchvision(given: Mapping[str, Any]) -> TorchvisionOptions:
    """Return the options of the detector torchvision; whether there is such a model is asked where torch is loaded."""
    return parsed(TorchvisionOptions, given, "torchvision")
