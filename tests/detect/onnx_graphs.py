"""Real little ONNX models that answer the same to every image."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def write_constant(
    path: Path,
    outputs: Mapping[str, NDArray[Any]],
    *,
    shape: Sequence[int | str] = (1, 3, 64, 64),
    extra: Mapping[str, Sequence[int | str]] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a model that gives these outputs whatever it sees; extra: further int64 inputs, by name and shape."""
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.ascontiguousarray(value)))
        for name, value in outputs.items()
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, list(shape))]
    inputs += [helper.make_tensor_value_info(n, TensorProto.INT64, list(s)) for n, s in (extra or {}).items()]
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in outputs.items()
    ]
    graph = helper.make_graph(nodes, "constant", inputs, infos)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.save(model, path)
    return path
