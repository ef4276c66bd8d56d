"""A network as ONNX, and the tidying that makes it faster."""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from backend.detect.fewshot.backbone import Lite0
from backend.detect.fewshot.net import SIZE

_OPSET = 17


class Frozen(nn.Module):
    """The stages that are not trained, as a network of their own; whole: that is all of them."""

    def __init__(self, trunk: Lite0, *, whole: bool) -> None:
        super().__init__()
        self.trunk, self.whole = trunk, whole

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of stride 8, or those of stride 8, 16 and 32."""
        low = self.trunk.lower(images)
        return self.trunk.upper(low) if self.whole else (low,)


def export(net: nn.Module, path: Path, outputs: tuple[str, ...]) -> None:
    """Write a network that takes `images` (N, 3, SIZE, SIZE), normalised, and gives the named outputs (N, ...)."""
    net.eval()  # the exporter gives a network back in the mode it found it in
    names = ["images", *outputs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of itself being old, and of what `tidy` folds
        torch.onnx.export(
            net,
            (torch.zeros(1, 3, SIZE, SIZE),),
            str(path),
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={name: {0: "n"} for name in names},
            opset_version=_OPSET,
            dynamo=False,
        )


def tidy(path: Path) -> None:
    """Fold what is constant, and let convolutions pad for themselves, which a tenth of the time depends on."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory(dir=path.parent) as folder:
        folded = Path(folder) / "folded.onnx"
        quant_pre_process(str(path), str(folded), skip_symbolic_shape=True)
        model = onnx.load(folded)
    _join_pads(model.graph)
    onnx.save(model, path)


def _join_pads(graph: Any) -> None:
    """Write the zeros that a `Pad` puts around a convolution's input into the convolution."""
    from onnx import helper, numpy_helper

    known = {tensor.name: tensor for tensor in graph.initializer}
    pads = {node.output[0]: node for node in graph.node if node.op_type == "Pad" and node.input[1] in known}
    for node in graph.node:
        pad = pads.get(node.input[0]) if node.op_type == "Conv" else None
        if pad is None:
            continue
        _, _, top, left, _, _, bottom, right = numpy_helper.to_array(known[pad.input[1]]).tolist()
        others = [attribute for attribute in node.attribute if attribute.name != "pads"]
        del node.attribute[:]
        node.attribute.extend([*others, helper.make_attribute("pads", [top, left, bottom, right])])
        node.input[0] = pad.input[0]
    used = {name for node in graph.node for name in node.input}
    for output, pad in pads.items():
        if output not in used:
            graph.node.remove(pad)
    used = {name for node in graph.node for name in node.input}
    for name, tensor in known.items():
        if name not in used:
            graph.initializer.remove(tensor)
