"""AdaIN (Huang & Belongie 2017) as people write it in torch, after the authors': no tiles, no residual correction."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# fmt: off
vgg = nn.Sequential(
    nn.Conv2d(3, 3, (1, 1)),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(3, 64, (3, 3)), nn.ReLU(),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(64, 64, (3, 3)), nn.ReLU(),
    nn.MaxPool2d((2, 2), (2, 2), (0, 0), ceil_mode=True),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(64, 128, (3, 3)), nn.ReLU(),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(128, 128, (3, 3)), nn.ReLU(),
    nn.MaxPool2d((2, 2), (2, 2), (0, 0), ceil_mode=True),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(128, 256, (3, 3)), nn.ReLU(),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(256, 256, (3, 3)), nn.ReLU(),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(256, 256, (3, 3)), nn.ReLU(),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(256, 256, (3, 3)), nn.ReLU(),
    nn.MaxPool2d((2, 2), (2, 2), (0, 0), ceil_mode=True),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(256, 512, (3, 3)), nn.ReLU(),
)
decoder = nn.Sequential(
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(512, 256, (3, 3)), nn.ReLU(), nn.Upsample(scale_factor=2),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(256, 256, (3, 3)), nn.ReLU(),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(256, 256, (3, 3)), nn.ReLU(),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(256, 256, (3, 3)), nn.ReLU(),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(256, 128, (3, 3)), nn.ReLU(), nn.Upsample(scale_factor=2),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(128, 128, (3, 3)), nn.ReLU(),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(128, 64, (3, 3)), nn.ReLU(), nn.Upsample(scale_factor=2),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(64, 64, (3, 3)), nn.ReLU(),
    nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(64, 3, (3, 3)),
)
# fmt: on

Statistics = tuple[Tensor, Tensor]


def mean_std(features: Tensor) -> Statistics:
    """Return mean and standard deviation per channel, (N, C, 1, 1) each."""
    flat = features.view(*features.shape[:2], -1)
    size = (*features.shape[:2], 1, 1)
    return flat.mean(2).view(size), (flat.var(2) + 1e-5).sqrt().view(size)


def adain(content: Tensor, style: Statistics) -> Tensor:
    """Return equation 5."""
    mean, std = mean_std(content)
    return (content - mean) / std * style[1] + style[0]


def features(rgb: NDArray[np.uint8]) -> Tensor:
    """Return relu4_1 of a picture (height, width, 3)."""
    found: Tensor = vgg(torch.from_numpy(rgb).permute(2, 0, 1)[None].float().div(255))
    return found


@torch.no_grad()
def painted(rgb: NDArray[np.uint8], style: Statistics, alpha: float) -> NDArray[np.uint8]:
    """Return a picture in a style whose statistics are known."""
    content = features(rgb)
    out = decoder(alpha * adain(content, style) + (1 - alpha) * content)
    return out[0].mul(255).add(0.5).clamp(0, 255).permute(1, 2, 0).to(torch.uint8).numpy()  # type: ignore[no-any-return]
