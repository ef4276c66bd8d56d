"""The network that judges while the decoder is trained: the first convolutions of YOLOv3-tiny, trained on COCO.

Plain 3 x 3 convolutions with max pooling, as in VGG, whose statistics say more of brushwork than those of a network
of depthwise convolutions. Nothing of it is shipped: it is only asked during training.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from backend.core.errors import UsageError

_WIDTHS = (16, 32, 64, 128, 256)  # at strides 1, 2, 4, 8 and 16
_HEADER = 20  # bytes: three 32-bit version numbers and a 64-bit count of images seen
_EPSILON = 1e-6  # Darknet adds it to standard deviations


class Judge(nn.Module):
    """Five convolutions, each with its batch norm folded in. Input: (N, 3, H, W), RGB 0..1."""

    def __init__(self) -> None:
        super().__init__()
        into = (3, *_WIDTHS[:-1])
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, padding_mode="reflect") for a, b in zip(into, _WIDTHS, strict=True)
        )
        self.requires_grad_(False)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Return the five maps, finest first."""
        maps, x = [], rgb
        for number, conv in enumerate(self.convs):
            x = functional.leaky_relu(conv(functional.max_pool2d(x, 2) if number else x), 0.1)
            maps.append(x)
        return maps


def read_judge(path: Path) -> Judge:
    """Return the judge out of a Darknet weights file of YOLOv3-tiny.

    Raises:
        UsageError: the file is cut short, or is something else.
    """
    with path.open("rb") as file:
        file.seek(_HEADER)
        numbers = np.frombuffer(file.read(4 * 500_000), dtype="<f4")
    judge, at = Judge(), 0
    for conv in judge.convs:
        assert isinstance(conv, nn.Conv2d)
        out, size = conv.out_channels, conv.weight.numel()
        part = numbers[at : at + 4 * out + size]
        if part.size != 4 * out + size or not np.isfinite(part).all():
            msg = f"{path.name} holds no weights of YOLOv3-tiny"
            raise UsageError(msg, fix="give the file yolov3-tiny.weights, of 35,434,956 bytes")
        shift, gain, mean, variance = part[: 4 * out].reshape(4, out)
        factor = torch.from_numpy(gain / (np.sqrt(np.maximum(variance, 0)) + _EPSILON))
        weight = torch.from_numpy(part[4 * out :].reshape(conv.weight.shape).copy())
        with torch.no_grad():
            conv.weight.copy_(weight * factor[:, None, None, None])
            assert conv.bias is not None
            conv.bias.copy_(torch.from_numpy(shift.copy()) - torch.from_numpy(mean.copy()) * factor)
        at += part.size
    return judge.eval()
