"""Torchvision's detectors: by name or by a file of weights, and as ONNX. Needs torch, so it runs in the child process.

Nothing is downloaded but what was asked for by name: backbones are always made without weights of their own, which
torchvision would otherwise fetch even for a detector whose weights lie in a file.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import detection, get_model, get_model_weights, list_models

from backend.core.errors import LabelLoomError, UsageError, shown
from backend.detect.base import FLOOR
from backend.detect.label_list import Names, beside, names_of, read_labels
from backend.detect.letterbox import GREY
from backend.detect.model_dir import ONNX, Layout
from backend.detect.options import TorchvisionOptions, torchvision

State = dict[str, Tensor]
OPSET = 17
_SIZES = {"ssd300_vgg16": 300, "ssdlite320_mobilenet_v3_large": 320, "fasterrcnn_mobilenet_v3_large_320_fpn": 448}
_SIZE = 800
_FAMILIES = ("fasterrcnn", "fcos", "retinanet", "ssd")  # those that find boxes and nothing else
_NOTHING = {"__background__", "N/A"}


def read_options(given: Mapping[str, Any]) -> TorchvisionOptions:
    """Return the options of the detector torchvision.

    Raises:
        UsageError: one is unknown or cannot be.
    """
    options = torchvision(given)
    if options.model not in offered():
        msg = f"torchvision has no detector {shown(options.model)}"
        raise UsageError(msg, fix=f"choose from {', '.join(offered())}")
    return options


def offered() -> list[str]:
    """Return the names of torchvision's detectors that find boxes."""
    return [name for name in list_models(module=detection) if name.startswith(_FAMILIES)]


def side(options: TorchvisionOptions) -> int:
    """Return the sides of the square input in pixels."""
    return options.size or _SIZES.get(options.model, _SIZE)


def build(options: TorchvisionOptions, labels: int) -> nn.Module:
    """Return a detector of random weights for so many labels; its class 0 is "nothing"."""
    sides = {} if options.model.startswith("ssd") else {"min_size": side(options), "max_size": side(options)}
    net: Any = get_model(options.model, weights=None, weights_backbone=None, num_classes=labels + 1, **sides)
    (net.roi_heads if options.model.startswith("fasterrcnn") else net).score_thresh = FLOOR
    made: nn.Module = net
    return made


def weights_of(options: TorchvisionOptions) -> State:
    """Return a detector's weights, from torchvision's server (or its cache) or from a file.

    Raises:
        UsageError: the file is none of weights.
        LabelLoomError: they cannot be downloaded.
    """
    if isinstance(options.weights, Path):
        return _from_file(options.weights)
    try:
        found: State = get_model_weights(options.model).DEFAULT.get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        msg = f"the weights of {options.model} cannot be downloaded: {str(error)[:200]}"
        fix = "download them on a machine with internet access, and give their path as the option `weights`"
        raise LabelLoomError(msg, fix=fix) from error
    return found


def _from_file(path: Path) -> State:
    try:
        loaded = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except OSError as error:
        msg = f"the weights {path} cannot be read: {error.strerror or error}"
        raise UsageError(msg, fix="give the path of a .pth or .safetensors file") from error
    except (SafetensorError, Exception) as error:  # torch.load raises many kinds; each means the same to the user
        msg = f"{path} is no file of weights: {str(error).splitlines()[0][:200]}"
        raise UsageError(msg, fix="give a state dict saved by torch.save, or a .safetensors file") from error
    state = loaded.get("model", loaded) if isinstance(loaded, dict) else None
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        msg = f"{path} holds no state dict, but {type(loaded).__name__}"
        raise UsageError(msg, fix="save the weights with torch.save(model.state_dict(), path)")
    return state


def fill(net: nn.Module, state: State, where: str, *, heads: bool) -> None:
    """Put weights into a detector. heads: also those that depend on the labels; otherwise they stay as they are.

    Raises:
        UsageError: the weights are of another detector or of other labels.
    """
    own = net.state_dict()
    fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    missing = [name for name in own if name not in fitting and not name.endswith("num_batches_tracked")]
    if (missing and heads) or len(missing) > len(own) // 4:
        told = f", {missing[0]} is {tuple(own[missing[0]].shape)}" if missing else ""
        had = tuple(state[missing[0]].shape) if missing and missing[0] in state else "not there"
        msg = f"{where} does not fit: of {len(own)} tensors {len(missing)} are others{told} and there {had}"
        raise UsageError(msg, fix="give the model's name and the labels that the weights were trained with")
    net.load_state_dict(fitting, strict=False)


def labels_of(options: TorchvisionOptions) -> tuple[Names, Tensor]:
    """Return the labels of weights, and for each of the model's classes its label's number from 1 on (0: no label).

    Raises:
        UsageError: nothing tells the labels of a file of weights.
    """
    names: Names | None
    if isinstance(options.labels, list):
        names = names_of(options.labels, "the option labels")
    else:
        path = options.labels or (beside(options.weights) if isinstance(options.weights, Path) else None)
        names = read_labels(path) if path else None
    if names is None and isinstance(options.weights, Path) and not _is_coco(options):
        msg = f"nothing tells the labels of {options.weights}"
        raise UsageError(msg, fix=f"write them, one a line, to {options.weights.with_suffix('.labels.txt')}")
    if names is None:
        classes = list(get_model_weights(options.model).DEFAULT.meta["categories"])
        names = tuple(name for name in classes if name not in _NOTHING)
    else:
        names = tuple(name for name in names if name not in _NOTHING)
        classes = ["__background__", *names]
    return names, torch.tensor([names.index(name) + 1 if name in names else 0 for name in classes])


def _is_coco(options: TorchvisionOptions) -> bool:
    """Return whether a file has the very shapes of the weights that torchvision offers."""
    assert isinstance(options.weights, Path)
    own = build(options, len(get_model_weights(options.model).DEFAULT.meta["categories"]) - 1).state_dict()
    state = _from_file(options.weights)
    return all(state[name].shape == value.shape for name, value in own.items() if name in state)


class Single(nn.Module):
    """A detector as it is exported: `images` (1, 3, S, S), values 0 to 1 -> boxes (K, 4), labels (K,), scores (K,)."""

    numbers: Tensor

    def __init__(self, net: nn.Module, numbers: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("numbers", numbers)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what was found in the one image; the detector clears overlaps away itself."""
        found = self.net([images[0]])[0]
        return found["boxes"], self.numbers[found["labels"]], found["scores"]


def export(single: Single, options: TorchvisionOptions, folder: Path) -> Layout:
    """Write model.onnx, and return its layout, in which an image keeps its proportions."""
    single.eval()  # the exporter gives a network back in the mode it found it in
    sides = side(options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, on sizes that are fixed here
        torch.onnx.export(
            single,
            (torch.rand(1, 3, sides, sides),),
            str(folder / ONNX),
            input_names=["images"],
            output_names=["boxes", "labels", "scores"],
            dynamic_axes={name: {0: "found"} for name in ("boxes", "labels", "scores")},
            opset_version=OPSET,
            dynamo=False,
        )
    return Layout(kind="torchvision", size=(sides, sides), background=True, nms=None, pad=GREY)
