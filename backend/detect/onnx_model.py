"""Predicting with a model folder's ONNX file."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.core.errors import LabelLoomError, UsageError
from backend.core.model import Region, Shape
from backend.detect.base import Detector, Predicted, Rgb, Runtime
from backend.detect.candidates import Candidates, surest
from backend.detect.letterbox import letterbox
from backend.detect.model_dir import INT8, ONNX, Layout, ModelInfo, check_files
from backend.detect.onnx_layouts import LAYOUTS
from backend.detect.onnx_shapes import shapes_of

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_SIZES = "orig_target_sizes"  # RT-DETR's second input: what its boxes are to be scaled to
_SLACK = 0.01  # a quantised score may lie this far above 1


def open_model(folder: Path, info: ModelInfo, runtime: Runtime) -> Detector:
    """Return a model that predicts through ONNX Runtime.

    Raises:
        UsageError: a file is missing, was changed, or is not understood.
        LabelLoomError: it cannot be loaded, or not on the wanted device.
    """
    check_files(folder)
    if info.layout is None or info.layout.kind not in LAYOUTS:
        wanted = "no layout" if info.layout is None else f"the layout {info.layout.kind!r}"
        msg = f"{folder / 'model.json'} names {wanted}; known are {', '.join(LAYOUTS)}"
        raise UsageError(msg, fix="import the model again")
    path = folder / (INT8 if runtime.int8 and INT8 in info.files else ONNX)
    return OnnxDetector(open_session(path, runtime), info, info.layout, path)


def open_session(path: Path, runtime: Runtime) -> Any:
    """Return an `onnxruntime.InferenceSession` for a file.

    Raises:
        LabelLoomError: the file cannot be loaded, or not on the wanted device.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = runtime.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # threads that spin for each other take the core that Label Studio needs
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = _providers(ort, runtime.device)
    try:
        session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's own errors share no base class
        msg = f"{path} cannot be loaded as an ONNX model: {_short(error)}"
        raise LabelLoomError(msg, fix="export it again, or train again") from error
    if runtime.device == "cuda" and "CUDAExecutionProvider" not in session.get_providers():
        msg = f"{path.name} cannot run on CUDA: ONNX Runtime found no usable CUDA libraries"
        raise LabelLoomError(
            msg, fix="install the CUDA and cuDNN that onnxruntime-gpu asks for, or choose --device cpu"
        )
    return session


def _providers(ort: Any, device: str) -> list[str]:
    cuda = "CUDAExecutionProvider" in ort.get_available_providers()
    if device == "cuda" and not cuda:
        msg = "there is no CUDA in this ONNX Runtime, but --device cuda asks for it"
        raise LabelLoomError(msg, fix="`pip install onnxruntime-gpu` in place of onnxruntime, or choose --device cpu")
    return ["CUDAExecutionProvider", "CPUExecutionProvider"] if cuda and device != "cpu" else ["CPUExecutionProvider"]


def image_input(session: Any) -> Any:
    """Return the input of a session that takes the image."""
    inputs = session.get_inputs()
    return next((given for given in inputs if given.name != _SIZES), inputs[0])


def run(session: Any, canvas: Rgb, layout: Layout, path: Path) -> dict[str, NDArray[Any]]:
    """Return a model's outputs, by name, for an image that has the size of its input.

    Raises:
        LabelLoomError: the model fails on it; `path` names it.
    """
    given = image_input(session)
    mean, std = np.array(layout.mean, np.float32), np.array(layout.std, np.float32)
    values = np.ascontiguousarray(canvas.transpose(2, 0, 1)).astype(np.float32)  # planes first: a third of the time
    values *= (np.float32(layout.scale) / std)[:, None, None]
    values -= (mean / std)[:, None, None]
    pixels = values.astype(_TYPES.get(given.type, np.float32), copy=False)
    feed = {given.name: pixels if len(given.shape) == 3 else pixels[None]}
    if any(one.name == _SIZES for one in session.get_inputs()):
        feed[_SIZES] = np.array([layout.size], np.int64)
    names = [output.name for output in session.get_outputs()]
    try:
        found = session.run(names, feed)
    except Exception as error:  # onnxruntime's own errors share no base class
        msg = f"the model {path} failed on an image: {_short(error)}"
        raise LabelLoomError(msg, fix="import it again with the input size it was exported with") from error
    return dict(zip(names, found, strict=True))


class OnnxDetector:
    """A detector in an ONNX session, which several threads may share."""

    def __init__(self, session: Any, info: ModelInfo, layout: Layout, path: Path) -> None:
        self.labels = info.labels
        self._session, self._layout, self._path, self._version = session, layout, path, info.version

    def predict(self, images: Sequence[Rgb]) -> list[Predicted]:
        """Return what was found in each image, one inference each."""
        return [self._one(rgb) for rgb in images]

    def _one(self, rgb: Rgb) -> Predicted:
        height, width = rgb.shape[:2]
        canvas, scale, shift = framed(rgb, self._layout)
        found = surest(self._decoded(run(self._session, canvas, self._layout, self._path)), self._layout.nms)
        shapes = shapes_of(found, self._layout.size, (scale, shift), (width, height))
        regions = tuple(
            Region(_id(self._version, index, shape), self.labels[int(label)], shape, score=min(1.0, float(score)))
            for index, (shape, label, score) in enumerate(zip(shapes, found.classes, found.scores, strict=True))
            if shape is not None
        )
        return Predicted(regions)

    def _decoded(self, outputs: dict[str, NDArray[Any]]) -> Candidates:
        shapes = ", ".join(f"{name} {value.shape}" for name, value in outputs.items())
        try:
            found = LAYOUTS[self._layout.kind].decode(outputs, self._layout.size)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            msg = (
                f"the model {self._path} does not answer in the layout {self._layout.kind}: {shapes} ({_short(error)})"
            )
            raise LabelLoomError(msg, fix="import it again with the right layout, or train again") from error
        if self._layout.background:
            found = found.take(found.classes > 0)
            found = replace(found, classes=found.classes - 1)
        problem = _problem(found, outputs, len(self.labels))
        if problem:
            msg = f"the model {self._path} gave {problem} ({shapes})"
            raise LabelLoomError(msg, fix="import it again with the right layout and labels, or train again")
        return found


def _problem(found: Candidates, outputs: dict[str, NDArray[Any]], labels: int) -> str:
    for name, value in outputs.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return f"values in {name!r} that are no numbers"
    if len(found) and found.scores.max() > 1 + _SLACK:
        return f"a score of {found.scores.max():.3g}, where 1 is the most"
    if len(found) and not 0 <= found.classes.min() <= found.classes.max() < labels:
        return f"the class {found.classes.max()}, but has {labels} labels"
    return ""


def framed(rgb: Rgb, layout: Layout) -> tuple[Rgb, tuple[float, float], tuple[float, float]]:
    """Return the model's input as pixels, and how a point of the image gets there: times the scale, plus the shift."""
    if layout.fit == "stretch":
        import cv2

        height, width = rgb.shape[:2]
        how = cv2.INTER_AREA if layout.size[0] < width else cv2.INTER_LINEAR
        stretched = cv2.resize(rgb, layout.size, interpolation=how).astype(np.uint8)
        return stretched, (layout.size[0] / width, layout.size[1] / height), (0.0, 0.0)
    canvas, scale, dx, dy = letterbox(rgb, layout.size, layout.pad)
    return canvas, (scale, scale), (dx, dy)


def _id(version: str, index: int, shape: Shape) -> str:
    return hashlib.sha256(f"{version}|{index}|{shape}".encode()).hexdigest()[:10]


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
