"""A model folder whose ONNX file finds the same in every image: real files, made in a moment."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from backend.detect.model_dir import ONNX, Layout, ModelInfo, write_model

SIZE = 64  # of its input, in pixels


def write_tiny(
    folder: Path,
    labels: Sequence[str],
    boxes: Sequence[Sequence[float]],
    scores: Sequence[Sequence[float]],
    version: str = "tiny-v1",
    detector: str = "fewshot",
    threshold: float = 0.5,
) -> ModelInfo:
    """Write a model in layout "labelloom" that answers these boxes, whatever it is shown.

    boxes: (x0, y0, x1, y1) in pixels of its 64 x 64 input, a square letterbox; scores: a row per box, a column per
    label.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        "boxes": np.array(boxes, np.float32).reshape(1, -1, 4),
        "scores": np.array(scores, np.float32).reshape(1, -1, len(labels)),
    }
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(v.shape)) for name, v in found.items()]
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        *(helper.make_node("Add", [f"{name}_found", "nothing"], [name]) for name in found),
    ]
    values = [numpy_helper.from_array(value, f"{name}_found") for name, value in found.items()]
    values.append(numpy_helper.from_array(np.array(0, np.float32), "zero"))
    graph = helper.make_graph(nodes, "tiny", [images], outputs, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / ONNX)
    layout = Layout(kind="labelloom", size=(SIZE, SIZE), scale=1 / 127.5, mean=(1.0, 1.0, 1.0), pad=127)
    info = ModelInfo(
        detector=detector,
        version=version,
        labels=tuple(labels),
        layout=layout,
        threshold=threshold,
        created="2026-03-02T09:00:00Z",
    )
    return write_model(folder, info)
