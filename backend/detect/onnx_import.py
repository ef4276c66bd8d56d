"""An exported detector of any make, by path, as a model folder. No torch is needed."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.core.errors import UsageError, shown
from backend.detect.base import Runtime
from backend.detect.label_list import Names, beside, metadata_labels, names_of, read_labels
from backend.detect.model_dir import ONNX, Layout, ModelInfo, write_model
from backend.detect.onnx_file import has_external_data
from backend.detect.onnx_layouts import ANY, LAYOUTS, LayoutKind, Outputs, Size
from backend.detect.onnx_model import OnnxDetector, image_input, open_session, run
from backend.detect.options import parsed

LARGEST = 1 << 30  # bytes of a model file
_BACKGROUND = {"__background__", "background"}

Triple = tuple[float, float, float]


class ImportOptions(BaseModel):
    """What can be said of a model file; all but its path is guessed where it is left out.

    labels: a file, or the names themselves; layout: a line of `LAYOUTS`; size: (width, height) of the input, where the
    file does not fix it; the others are fields of `Layout`.
    """

    model_config = ConfigDict(extra="forbid")

    path: Path
    labels: Path | list[str] | None = None
    layout: str | None = None
    size: tuple[int, int] | None = None
    scale: float | None = None
    mean: Triple | None = None
    std: Triple | None = None
    fit: str | None = None
    pad: int | None = None
    background: bool | None = None
    nms: float | None = None
    threshold: float = Field(0.5, ge=0, le=1)


def make(options: Mapping[str, Any], folder: Path) -> ModelInfo:
    """Copy a model file into an existing folder, find out what its outputs mean, and write its model.json.

    options: fields of `ImportOptions`. The version is "untitled"; who keeps the model names it.

    Raises:
        UsageError: no such file, not a model, larger than LARGEST, values outside of it, no labels, labels that do not
            go with its outputs, or a layout that is not known.
        LabelLoomError: the model fails on an image.
    """
    wanted = read_options(options)
    copy = folder / ONNX
    _copy(wanted.path, copy)
    session = open_session(copy, Runtime())
    metadata = dict(session.get_modelmeta().custom_metadata_map)
    labels, background = _labels(wanted, metadata)
    size = wanted.size or _input_size(session, metadata, wanted.path)
    if metadata.get("task") == "obb" and wanted.layout is None:
        wanted = wanted.model_copy(update={"layout": "yolo-obb"})
    probe = Layout(kind=wanted.layout or "?", size=size)
    outputs = run(session, np.full((size[1], size[0], 3), 114, np.uint8), probe, wanted.path)
    kind = _kind(wanted, outputs, size, len(labels) + background)
    layout = _layout(wanted, kind, size, background)
    info = ModelInfo(
        detector="onnx",
        version="untitled",
        labels=labels,
        layout=layout,
        threshold=wanted.threshold,
        options={"path": str(wanted.path), "layout": kind.name},
    )
    OnnxDetector(session, info, layout, wanted.path).predict([_noise(size)])
    return write_model(folder, info)


def read_options(given: Mapping[str, Any]) -> ImportOptions:
    """Return the options of an imported model.

    Raises:
        UsageError: the path is missing, or an option is unknown or cannot be.
    """
    return parsed(ImportOptions, given, "onnx")


def guess(outputs: Outputs, size: Size, labels: int) -> LayoutKind:
    """Return the one layout that outputs with that many labels can be of.

    Raises:
        UsageError: there is none, or several.
    """
    possible = {name: kind.classes(outputs, size) for name, kind in LAYOUTS.items()}
    fitting = [name for name, classes in possible.items() if classes in (ANY, labels) and not LAYOUTS[name].alike]
    if len(fitting) == 1:
        return LAYOUTS[fitting[0]]
    found = ", ".join(f"{name} {value.shape} {value.dtype}" for name, value in outputs.items())
    if fitting:
        msg = f"the model's outputs ({found}) can be of the layout {' or '.join(fitting)}"
        raise UsageError(msg, fix="say which it is with the option `layout`")
    others = ", ".join(f"{name} with {classes} labels" for name, classes in possible.items() if classes)
    if others:
        msg = f"the model's outputs ({found}) do not go with {labels} labels; they could be of {others}"
        raise UsageError(msg, fix="give the label list that the model was trained with")
    msg = f"the model's outputs ({found}) are of no known layout; known are {', '.join(LAYOUTS)}"
    raise UsageError(msg, fix="export it in one of them, for example without further post-processing")


def _copy(path: Path, copy: Path) -> None:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            msg = f"{path} has {size >> 20} MiB, more than the {LARGEST >> 20} MiB that are allowed"
            raise UsageError(msg, fix="export a smaller model, or at half precision")
        shutil.copyfile(path, copy)
        external = has_external_data(copy.read_bytes())
    except OSError as error:
        msg = f"the model file {path} cannot be read: {error.strerror or error}"
        raise UsageError(msg, fix="give the path of an .onnx file") from error
    except ValueError as error:
        msg = f"{path} is no ONNX model: {error}"
        raise UsageError(
            msg, fix="give the path of an .onnx file; weights of other kinds must be exported first"
        ) from error
    if external:
        msg = f"{path} keeps its values in other files"
        raise UsageError(msg, fix="export it into one file (onnx.save with save_as_external_data=False)")


def _labels(wanted: ImportOptions, metadata: Mapping[str, str]) -> tuple[Names, bool]:
    """Return the labels, and whether the list began with a class for nothing."""
    path = wanted.labels if isinstance(wanted.labels, Path) else beside(wanted.path)
    if isinstance(wanted.labels, list):
        labels = names_of(wanted.labels, "the option labels")
    elif path is not None:
        labels = read_labels(path)
    elif metadata.get("names"):
        labels = metadata_labels(metadata["names"])
    else:
        msg = f"nothing tells the labels of {wanted.path}"
        fix = f"write them, one a line in the order of its classes, to {wanted.path.with_suffix('.labels.txt')}"
        raise UsageError(msg, fix=fix)
    background = len(labels) > 1 and labels[0].lower() in _BACKGROUND
    return labels[background:], background


def _input_size(session: Any, metadata: Mapping[str, str], path: Path) -> tuple[int, int]:
    """Return (width, height) of the input, as the graph fixes it or the exporter noted it."""
    shape = image_input(session).shape
    height, width = shape[-2:] if len(shape) in (3, 4) else (None, None)
    if isinstance(width, int) and isinstance(height, int):
        return width, height
    noted = [int(number) for number in re.findall(r"\d{1,5}", metadata.get("imgsz", ""))]  # [height, width]
    if len(noted) == 2 and all(noted):
        return noted[1], noted[0]
    msg = f"{path} takes images of any size: its input is {json.dumps(shape)}"
    raise UsageError(msg, fix="give the option `size`: the width and height that it was trained with")


def _kind(wanted: ImportOptions, outputs: Outputs, size: tuple[int, int], labels: int) -> LayoutKind:
    if wanted.layout is None:
        return guess(outputs, size, labels)
    if wanted.layout not in LAYOUTS:
        msg = f"there is no layout {shown(wanted.layout)}"
        raise UsageError(msg, fix=f"choose from {', '.join(LAYOUTS)}")
    kind = LAYOUTS[wanted.layout]
    classes = kind.classes(outputs, size)
    if classes not in (ANY, labels):
        found = ", ".join(f"{name} {value.shape}" for name, value in outputs.items())
        there = "are not of the layout" if classes is None else f"hold {classes} labels in the layout"
        msg = f"the model's outputs ({found}) {there} {kind.name}, and the label list has {labels}"
        raise UsageError(msg, fix="give the label list that the model was trained with, or another layout")
    return kind


def _layout(wanted: ImportOptions, kind: LayoutKind, size: tuple[int, int], background: bool) -> Layout:
    said = {name: getattr(wanted, name) for name in ("scale", "mean", "std", "fit", "pad", "background", "nms")}
    fields = {**kind.frame, **{name: value for name, value in said.items() if value is not None}}
    if background:
        fields["background"] = True
    try:
        return Layout.model_validate({"kind": kind.name, "size": size, **fields})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        msg = f"the option {'.'.join(map(str, first['loc']))} of an imported model: {first['msg']}"
        raise UsageError(msg, fix="leave it out to use what such models usually want") from error


def _noise(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an image that is not empty, so that a model which fails on images fails here."""
    return np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
