"""The networks of the paper (Huang & Belongie 2017) in torch: VGG-19 to relu4_1, and the decoder that mirrors it.

Laid out as the files are that people have (`vgg_normalised.pth`, `decoder.pth`): numbers are layers of a sequence, the
first of which, 1 x 1, takes RGB 0..1 to what VGG was trained on. Reflection instead of zeros at every edge.
"""

import copy
import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from backend.core.errors import UsageError
from backend.style.adain import Affines, Maps
from backend.style.base import Floats, Rgb

FIX = "fetch the files that fit with `labelloom style fetch`, or name yours: encoder=..., decoder=..."
_FLAGS = ("amx_bf16", "avx512_bf16")  # processors that multiply bfloat16 faster than float32
_WORTH = 0.8  # of float32's time that bfloat16 may take: less gain is not worth its coarser numbers


@dataclass(frozen=True, slots=True)
class Way:
    """How it is computed. name: part of the engine's version, for the pixels differ."""

    name: str
    device: str
    dtype: torch.dtype
    layout: torch.memory_format


FP32 = Way("", "cpu", torch.float32, torch.contiguous_format)
BF16 = Way("bf16", "cpu", torch.bfloat16, torch.channels_last)
CUDA = Way("cuda", "cuda", torch.float32, torch.channels_last)


def encoder() -> nn.Sequential:
    """Return VGG-19 to relu4_1: (N, 3, H, W), RGB 0..1, to (N, 512, H / 8, W / 8)."""
    layers: list[nn.Module] = [nn.Conv2d(3, 3, 1)]
    into = 3
    for width, count in ((64, 2), (128, 2), (256, 4), (512, 1)):
        if into > 3:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        for _ in range(count):
            layers += _convolution(into, width)
            into = width
    return nn.Sequential(*layers)


def decoder() -> nn.Sequential:
    """Return the mirror: (N, 512, H / 8, W / 8) to (N, 3, H, W), RGB 0..1 and beyond."""
    layers: list[nn.Module] = []
    into = 512
    for widths in ((256,), (256, 256, 256, 128), (128, 64), (64, 3)):
        if layers:
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
        for width in widths:
            layers += _convolution(into, width)
            into = width
    return nn.Sequential(*layers[:-1])  # colours are not cut off at zero


def _convolution(into: int, out: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(1), nn.Conv2d(into, out, 3), nn.ReLU(inplace=True)]


class Vgg:
    """The pair, ready to compute in one way."""

    name = "vgg"
    grid = 8
    reach = 80  # 37 pixels of the encoder and 37 of the decoder
    side = 640

    def __init__(self, pair: tuple[nn.Sequential, nn.Sequential], way: Way) -> None:
        self.version = _fingerprint(pair) + way.name
        self._way = way
        self._encoder, self._decoder = (
            copy.deepcopy(net).to(way.device, way.dtype).to(memory_format=way.layout).eval().requires_grad_(False)
            for net in pair
        )

    def encode(self, rgb: Rgb) -> Maps:
        """Return relu4_1, (512, height / 8, width / 8)."""
        with torch.inference_mode():
            x = torch.tensor(rgb, device=self._way.device).permute(2, 0, 1)[None].float() / 255
            return (self._encoder(self._there(x))[0].float().cpu().contiguous().numpy(),)

    def decode(self, maps: Maps, affines: Affines, detail: float) -> Floats:
        """Return the picture of relu4_1 with a gain and a shift; `detail` has no meaning here."""
        with torch.inference_mode():
            x, gain, shift = (torch.from_numpy(part).to(self._way.device) for part in (*maps, *affines[0]))
            picture: Tensor = self._decoder(self._there((x * gain[:, None, None] + shift[:, None, None])[None]))[0]
            out: Floats = (picture.float() * 255).permute(1, 2, 0).cpu().contiguous().numpy()
            return out

    def _there(self, x: Tensor) -> Tensor:
        return x.to(self._way.dtype, memory_format=self._way.layout)


def read_pair(files: tuple[Path, Path]) -> tuple[nn.Sequential, nn.Sequential]:
    """Return the networks with the weights of two files; the encoder's may be of the whole VGG.

    Raises:
        UsageError: a file is missing, cut short, of another network, or holds more than numbers.
    """
    pair = encoder(), decoder()
    for net, path, alone in zip(pair, files, (False, True), strict=True):
        _fill(net, path, alone=alone)
    return pair


def _fill(net: nn.Sequential, path: Path, *, alone: bool) -> None:
    """Load a file's weights into a network. alone: the file may hold no others."""
    there = _read(path)
    wanted = net.state_dict()
    extra = sorted(set(there) - set(wanted)) if alone else []
    if extra:
        raise _wrong(path, f"it has {extra[0]}, which the decoder has not")
    for name, tensor in wanted.items():
        found = there.get(name)
        if not isinstance(found, Tensor) or not found.is_floating_point():
            raise _wrong(path, f"{name} is missing")
        if found.shape != tensor.shape:
            raise _wrong(path, f"{name} is {_sides(found)}, not {_sides(tensor)}")
        if not torch.isfinite(found).all():
            raise _wrong(path, f"{name} holds values that are no numbers")
    net.load_state_dict({name: there[name].float() for name in wanted})


def _read(path: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        msg = f"{path} does not exist"
        raise UsageError(msg, fix=FIX) from error
    except Exception as error:  # torch fails in a dozen ways; which one says nothing to the user
        asked = re.search(r"GLOBAL (\S+)", str(error))
        cause = f"it asks to run {asked[1]}, which no weights do" if asked else "it is cut short, or no file of torch"
        msg = f"{path} cannot be read: {cause}"
        raise UsageError(msg, fix=FIX) from error
    if not isinstance(found, dict):
        raise _wrong(path, f"it holds a {type(found).__name__}, not weights by name")
    return found


def _wrong(path: Path, cause: str) -> UsageError:
    msg = f"{path} holds weights of another network: {cause}"
    return UsageError(msg, fix=FIX)


def _sides(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"


def _fingerprint(pair: tuple[nn.Sequential, nn.Sequential]) -> str:
    """Return twelve digits that are the weights', however their file is wrapped."""
    total = hashlib.sha256()
    for net in pair:
        for tensor in net.state_dict().values():
            total.update(tensor.numpy().tobytes())
    return total.hexdigest()[:12]


def best_way(pair: tuple[nn.Sequential, nn.Sequential], device: str) -> Way:
    """Return the fastest way here: CUDA, or bfloat16 where the processor has it and it proves faster, or float32.

    Raises:
        UsageError: CUDA is asked for, and there is none.
    """
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        msg = "there is no CUDA device, but --device cuda asks for it"
        raise UsageError(msg, fix="choose the device auto or cpu")
    if there and device != "cpu":
        return CUDA
    if not has_bf16():
        return FP32
    return BF16 if _seconds(Vgg(pair, BF16)) < _WORTH * _seconds(Vgg(pair, FP32)) else FP32


def has_bf16(cpu: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the processor says that it multiplies bfloat16."""
    try:
        words = set(cpu.read_text(encoding="utf-8").split())
    except OSError:
        return False
    return not words.isdisjoint(_FLAGS)


def _seconds(net: Vgg) -> float:
    """Return the processor time of a small picture, the better of two after one to warm up."""
    rgb, taken = np.full((128, 128, 3), 128, np.uint8), []
    for _ in range(3):
        start = time.process_time()  # wall time would tell how busy the machine is
        maps = net.encode(rgb)
        still = np.ones(512, np.float32), np.zeros(512, np.float32)
        net.decode(maps, (still,), 1.0)
        taken.append(time.process_time() - start)
    return min(taken[1:])
