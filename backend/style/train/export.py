"""The trained networks as files: the decoder's weights as safetensors, both networks as ONNX, all in half precision.

Half precision halves what is shipped; the ONNX files turn it back into single precision as they are loaded, so what
runs is one network whatever file it is read from.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from backend.core.errors import UsageError
from backend.style.train.net import CHANNELS, STRIDES, Decoder, Prefix

ENCODER, DECODER, WEIGHTS = "encoder.onnx", "decoder.onnx", "decoder.safetensors"
TAPS = ("fine", "middle", "coarse")
_LEAST = 64  # numbers; smaller tensors stay in single precision


class _Painter(nn.Module):
    """The decoder with its inputs one by one, as ONNX has them."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, *given: Tensor) -> Tensor:
        taps, numbers, detail = given[:3], given[3:9], given[9]
        affines = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        picture: Tensor = self.decoder(taps, affines, detail) * 255
        return picture


class _Looker(nn.Module):
    """The prefix on whole numbers, 0..255."""

    def __init__(self, prefix: Prefix) -> None:
        super().__init__()
        self.prefix = prefix

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        taps: tuple[Tensor, Tensor, Tensor] = self.prefix(rgb / 255)
        return taps


def export(prefix: Prefix, decoder: Decoder, folder: Path) -> None:
    """Write the three files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half() for name, value in decoder.state_dict().items()}, folder / WEIGHTS)
    prefix, decoder = prefix.cpu().eval(), read_decoder(folder / WEIGHTS)
    sides = {2: "height", 3: "width"}
    picture = torch.zeros(1, 3, 64, 64)
    _write(_Looker(prefix), (picture,), (["rgb"], list(TAPS)), {"rgb": sides}, folder / ENCODER)
    taps = tuple(torch.zeros(1, c, 64 // s, 64 // s) for c, s in zip(CHANNELS, STRIDES, strict=True))
    numbers = tuple(torch.ones(1, c, 1, 1) for c in CHANNELS for _ in ("gain", "shift"))
    names = [*TAPS, *(f"{tap}_{what}" for tap in TAPS for what in ("gain", "shift")), "detail"]
    given = (*taps, *numbers, torch.ones(1, 1, 1, 1))
    axes = {tap: {2: f"{tap}_height", 3: f"{tap}_width"} for tap in TAPS}
    _write(_Painter(decoder), given, (names, ["rgb"]), axes, folder / DECODER)


def read_decoder(path: Path) -> Decoder:
    """Return a decoder out of its weights.

    Raises:
        UsageError: the file is missing, or holds something else.
    """
    decoder = Decoder()
    try:
        state = {name: value.float() for name, value in load_file(path).items()}
        decoder.load_state_dict(state)
    except Exception as error:  # of the operating system, safetensors or torch: the same to the user
        msg = f"{path} holds no decoder: {str(error).splitlines()[0][:200]}"
        raise UsageError(msg, fix="give the decoder.safetensors that `labelloom train-style` wrote") from error
    return decoder.eval().requires_grad_(False)


def _write(
    net: nn.Module, given: tuple[Tensor, ...], names: tuple[list[str], list[str]], axes: dict[str, Any], path: Path
) -> None:
    inputs, outputs = names
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of itself being old, and of what it does not fold
        torch.onnx.export(
            net.eval(),
            given,
            path,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    model = onnx.load(path)
    _halve(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _halve(graph: Any) -> None:
    """Store large weights in half precision, with a cast behind each, which is folded away as the file is loaded."""
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= _LEAST:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    for node in reversed(casts):
        graph.node.insert(0, node)
