"""The compact AdaIN network: an ImageNet prefix that encodes, and a small decoder that is trained.

The prefix is the start of EfficientNet-Lite0, its taps lying after the expanding convolutions (Huang & Belongie 2017
take VGG's relu4_1; three taps keep fine outlines that one at stride 8 loses). It differs from the classifier's in
padding only: images are reflected at their edges, so that frames do not darken, and which of two pixels a stride
keeps is chosen so that the maps of all strides lie as nearly as can be over one another.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = (32, 144, 240)  # of the taps at strides 2, 4 and 8
STRIDES = (2, 4, 8)
GRID = 8  # sides of what is encoded are multiples of this
REACH = 96  # pixels; what lies further away changes no pixel (see tests/style/test_tiles.py)
_WIDTHS = (32, 48, 64)  # of the decoder at strides 2, 4 and 8
# What a stride-2 convolution adds before and after: (0, 1) shifts its samples half a step right, (1, 0) left.
_SHIFTS = ((0, 1), (1, 0), (1, 2))

Affine = tuple[Tensor, Tensor]  # gain and shift, each (N, C, 1, 1)


class Prefix(nn.Module):
    """EfficientNet-Lite0 up to its widened maps of stride 8. Input: (N, 3, H, W), RGB 0..1, sides multiples of 8."""

    def __init__(self, lite0: Any) -> None:
        """Take the convolutions of a network that has `stem` and `blocks` of `expand`, `depthwise` and `project`."""
        super().__init__()
        self.stem: nn.Conv2d = lite0.stem
        self.blocks: Any = nn.ModuleList(lite0.blocks[:5])
        self.requires_grad_(False)

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the taps: (N, 32, H/2, W/2), (N, 144, H/4, W/4) and (N, 240, H/8, W/8)."""
        fine = functional.relu6(_padded(self.stem, rgb * (255 / 127.5) - 1, _SHIFTS[0]))
        x = self._block(1, self._block(0, fine), _SHIFTS[1])
        middle = functional.relu6(self.blocks[2].expand(x))
        x = x + self._narrow(2, middle)
        x = self._block(3, x, _SHIFTS[2])
        coarse = functional.relu6(self.blocks[4].expand(x))
        return fine, middle, coarse

    def _block(self, number: int, x: Tensor, shift: tuple[int, int] | None = None) -> Tensor:
        expand = self.blocks[number].expand
        wide = functional.relu6(expand(x)) if expand is not None else x
        return self._narrow(number, wide, shift)

    def _narrow(self, number: int, wide: Tensor, shift: tuple[int, int] | None = None) -> Tensor:
        block = self.blocks[number]
        return cast("Tensor", block.project(functional.relu6(_padded(block.depthwise, wide, shift))))


class Residual(nn.Module):
    """Two 3 x 3 convolutions, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _conv3(width, width), _conv3(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the changed maps, of the same shape."""
        return x + cast("Tensor", self.second(functional.relu(self.first(functional.relu(x)))))


class Decoder(nn.Module):
    """From taps to a picture. Each tap is moved first, `x * gain + shift` per channel: AdaIN's equation 5."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.take = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in zip(CHANNELS, _WIDTHS, strict=True))
        self.coarse = nn.Sequential(Residual(coarse), Residual(coarse))
        self.to_middle = _conv3(coarse, middle)
        self.middle = Residual(middle)
        self.to_fine = _conv3(middle, fine)
        self.fine = Residual(fine)
        self.narrow = _conv3(fine, 16)
        self.paint = nn.Sequential(nn.ReLU(), _conv3(16, 16), nn.ReLU(), _conv3(16, 3))

    def forward(self, taps: tuple[Tensor, ...], affines: tuple[Affine, ...], detail: Tensor) -> Tensor:
        """Return pictures (N, 3, H, W), RGB 0..1.

        Args:
            taps: the prefix's maps.
            affines: gain and shift per tap.
            detail: (N, 1, 1, 1), gain of the finest tap: 0 paints broadly, 1 keeps fine outlines.
        """
        moved = [tap * gain + shift for tap, (gain, shift) in zip(taps, affines, strict=True)]
        fine, middle, coarse = (take(tap) for take, tap in zip(self.take, moved, strict=True))
        x = self.middle(_twice(self.to_middle(functional.relu(self.coarse(coarse)))) + middle)
        x = self.fine(_twice(self.to_fine(functional.relu(x))) + fine * detail)
        return torch.sigmoid(self.paint(_twice(self.narrow(functional.relu(x)))))


def statistics(tap: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation per channel, each (N, C, 1, 1)."""
    mean = tap.mean((2, 3), keepdim=True)
    return mean, (tap.var((2, 3), keepdim=True, unbiased=False) + EPSILON).sqrt()


EPSILON = 1e-5  # added to variances, so that a picture of one colour divides by no zero


def affine(content: Tensor, style: Tensor) -> Affine:
    """Return gain and shift that give a content's tap the style's statistics (equation 5 of the paper)."""
    (mean, deviation), (style_mean, style_deviation) = statistics(content), statistics(style)
    gain = style_deviation / deviation
    return gain, style_mean - mean * gain


def unmoved(taps: tuple[Tensor, ...]) -> tuple[Affine, ...]:
    """Return the gains and shifts that leave taps as they are."""
    return tuple((torch.ones_like(t[:, :, :1, :1]), torch.zeros_like(t[:, :, :1, :1])) for t in taps)


def _padded(conv: nn.Conv2d, x: Tensor, shift: tuple[int, int] | None) -> Tensor:
    near, far = shift or ((conv.kernel_size[0] - 1) // 2,) * 2
    framed = functional.pad(x, (near, far, near, far), mode="reflect")
    return functional.conv2d(framed, conv.weight, conv.bias, conv.stride, 0, 1, conv.groups)


def _conv3(into: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(into, out, 3, padding=1, padding_mode="reflect")


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
