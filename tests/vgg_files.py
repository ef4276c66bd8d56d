"""Files of weights with the right names and sides, and numbers drawn at random."""

from pathlib import Path

import torch
from torch import nn

from backend.style.base import Json
from backend.style.vgg import FILES
from backend.style.vgg_net import decoder, encoder


def drawn(net: nn.Sequential, seed: int) -> dict[str, torch.Tensor]:
    """Return weights that neither die out nor explode on the way."""
    dice, made = torch.Generator().manual_seed(seed), {}
    for name, tensor in net.state_dict().items():
        fan = tensor[0].numel() if tensor.dim() > 1 else 1
        scale = (2 / fan) ** 0.5 if tensor.dim() > 1 else 0.02
        made[name] = torch.randn(tensor.shape, generator=dice) * scale
    return made


def vgg_files(folder: Path, seed: int = 0) -> Json:
    """Write a pair into a folder, and return the engine's options."""
    folder.mkdir(parents=True, exist_ok=True)
    last = encoder()
    made = drawn(last, seed) | {"32.weight": torch.zeros(512, 512, 3, 3), "32.bias": torch.zeros(512)}
    torch.save(made, folder / FILES["encoder"])
    torch.save(drawn(decoder(), seed + 1), folder / FILES["decoder"])
    return {"weights": str(folder)}
