"""What a stylised picture is held against: its content's structure, its style's statistics, and itself.

Every style term is divided by what it is between two styles on average, so that layers weigh the same whatever their
numbers are. Content is compared after instance normalisation: structure counts, colour and contrast are the style's.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Maps = list[Tensor]


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each term counts. identity: a picture in its own style must stay itself; smooth: total variation."""

    style: float = 3.0
    content: float = 0.7
    identity: float = 10.0
    smooth: float = 0.5
    colour: float = 1.0


@dataclass(frozen=True, slots=True)
class Described:
    """A style as the judge sees it, per layer: mean, deviation (N, C) and Gram matrix (N, C, C); colours first."""

    terms: tuple[tuple[Tensor, Tensor, Tensor], ...]


def describe(rgb: Tensor, maps: Maps) -> Described:
    """Return the statistics that make a style; `maps` are the judge's of the pictures (N, 3, H, W)."""
    return Described(tuple(_terms(one) for one in (rgb, *maps)))


def _terms(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    flat = x.flatten(2)
    gram = flat @ flat.transpose(1, 2) / flat.shape[2]
    return flat.mean(2), (flat.var(2, unbiased=False) + 1e-6).sqrt(), gram


def distances(a: Described, b: Described) -> Tensor:
    """Return squared distances, (layers, 3, N)."""
    return torch.stack(
        [
            torch.stack([(p - q).square().flatten(1).mean(1) for p, q in zip(one, other, strict=True)])
            for one, other in zip(a.terms, b.terms, strict=True)
        ]
    )


def style_loss(made: Described, style: Described, scale: Tensor, colour: float) -> Tensor:
    """Return the distance of each picture to its style, (N,); `scale` (layers, 3) is what is usual between styles."""
    relative = distances(made, style) / scale[:, :, None]
    weight = torch.ones(len(relative), 1, 1)
    weight[0] = colour
    return (relative * weight.to(relative)).mean((0, 1))


def content_loss(made: Maps, content: Maps) -> Tensor:
    """Return how far structure went astray at strides 4 and 8, (N,)."""
    return _structure(made[3], content[3]) + 0.5 * _structure(made[2], content[2])


def _structure(a: Tensor, b: Tensor) -> Tensor:
    return (functional.instance_norm(a) - functional.instance_norm(b)).square().mean((1, 2, 3))


def variation(rgb: Tensor) -> Tensor:
    """Return the total variation of pictures, (N,)."""
    across = (rgb[..., 1:] - rgb[..., :-1]).abs().mean((1, 2, 3))
    return across + (rgb[..., 1:, :] - rgb[..., :-1, :]).abs().mean((1, 2, 3))
