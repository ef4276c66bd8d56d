"""The network of the paper (Huang & Belongie 2017): VGG-19 up to relu4_1, and a decoder that mirrors it.

Weights are the widely used pair `vgg_normalised.pth` and `decoder.pth`, state dicts of plain sequences of layers. What
runs is measured, not assumed: where the processor multiplies bfloat16 in hardware, one picture is timed both ways.
"""

import hashlib
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backend.core.errors import UsageError
from backend.style.adain import AdainEngine, Affines, Maps
from backend.style.base import Floats, Json, Rgb, Runtime

ENCODER, DECODER = "vgg_normalised.pth", "decoder.pth"
_FETCH = "`labelloom style fetch` gets both files, or give their folder with the option weights"
# Output channels of the convolutions up to relu4_1; "P" halves the picture.
_ENCODE = (64, 64, "P", 128, 128, "P", 256, 256, 256, 256, "P", 512)
# The mirror; "U" doubles the picture by repeating pixels.
_DECODE = (256, "U", 256, 256, 256, 128, "U", 128, 64, "U", 64, 3)


def encoder() -> nn.Sequential:
    """Return the encoder: a 1 x 1 convolution that takes in colours, then VGG-19 to relu4_1, all reflection-padded."""
    layers: list[nn.Module] = [nn.Conv2d(3, 3, 1)]
    into = 3
    for one in _ENCODE:
        if isinstance(one, int):
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(into, one, 3), nn.ReLU()]
            into = one
        else:
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
    return nn.Sequential(*layers)


def decoder() -> nn.Sequential:
    """Return the decoder, from (N, 512, H/8, W/8) to (N, 3, H, W)."""
    layers: list[nn.Module] = []
    into = 512
    for one in _DECODE:
        if isinstance(one, int):
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(into, one, 3), nn.ReLU()]
            into = one
        else:
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
    return nn.Sequential(*layers[:-1])  # colours are not cut at 0 by the last layer


class Vgg:
    """The pair of networks. fast: bfloat16 and channels last; device: cpu or cuda."""

    name = "vgg"
    grid = 8
    reach = 200  # measured: see tests/style/test_vgg.py
    side = 512

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        torch.set_num_threads(runtime.threads)
        there = torch.cuda.is_available()
        if runtime.device == "cuda" and not there:
            msg = "there is no CUDA device"
            raise UsageError(msg, fix="use the device cpu")
        self.device = "cuda" if there and runtime.device != "cpu" else "cpu"
        self._encoder, first = _loaded(encoder(), folder / ENCODER)
        self._decoder, second = _loaded(decoder(), folder / DECODER)
        for net in (self._encoder, self._decoder):
            net.to(self.device).to(memory_format=torch.channels_last)
        self.fast = self.device == "cpu" and has_bfloat16() and self._faster()
        self.version = first[:6] + second[:6] + ("b" if self.fast else "")

    def encode(self, rgb: Rgb) -> Maps:
        """Return relu4_1."""
        with torch.inference_mode(), self._precision():
            given = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].to(self.device).float() / 255
            found = self._encoder(given.contiguous(memory_format=torch.channels_last))
        return (found[0].float().cpu().contiguous().numpy(),)

    def decode(self, maps: Maps, affines: Affines, detail: float) -> Floats:
        """Return the picture of moved maps; there is no detail to choose."""
        (gain, shift), given = affines[0], torch.from_numpy(maps[0])[None].to(self.device)
        with torch.inference_mode(), self._precision():
            moved = given * _column(gain, given) + _column(shift, given)
            picture = self._decoder(moved.contiguous(memory_format=torch.channels_last))
        painted: Floats = picture[0].float().permute(1, 2, 0).cpu().numpy() * np.float32(255)
        return painted

    def _precision(self) -> Any:
        return torch.autocast("cpu", torch.bfloat16) if getattr(self, "fast", False) else nullcontext()

    def _faster(self) -> bool:
        """Time one small picture in both precisions; keep bfloat16 where it wins."""
        picture, seconds = np.zeros((128, 128, 3), np.uint8), []
        for fast in (True, False):
            self.fast = fast
            self.encode(picture)  # the first one prepares
            begin = time.perf_counter()
            self.encode(picture)
            seconds.append(time.perf_counter() - begin)
        return seconds[0] < seconds[1]


def has_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 in hardware (AMX or AVX-512 BF16)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def open_engine(options: Json, runtime: Runtime) -> AdainEngine:
    """Return the engine. Option `weights`: the folder of both files.

    Raises:
        UsageError: a file is missing, is no file of weights, or of another network.
        LabelLoomError: torch is not installed.
    """
    return AdainEngine(Vgg(Path(options.get("weights") or "."), runtime))


def _column(numbers: Floats, like: Tensor) -> Tensor:
    return torch.from_numpy(numbers).to(like.device).reshape(1, -1, 1, 1)


def _loaded(net: nn.Sequential, path: Path) -> tuple[nn.Sequential, str]:
    if not path.is_file():
        msg = f"the weights {path} are not there"
        raise UsageError(msg, fix=_FETCH)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds; each means the same to the user
        msg = f"{path} is no file of weights: {str(error).splitlines()[0][:160]}"
        raise UsageError(msg, fix=_FETCH) from error
    wanted = net.state_dict()
    for name, ours in wanted.items():
        theirs = state.get(name) if isinstance(state, dict) else None
        if not isinstance(theirs, Tensor) or theirs.shape != ours.shape or not bool(torch.isfinite(theirs).all()):
            found = tuple(theirs.shape) if isinstance(theirs, Tensor) else "nothing"
            msg = f"{path} is of another network: {name} is {found}, expected {tuple(ours.shape)} of finite numbers"
            raise UsageError(msg, fix=_FETCH)
    net.load_state_dict({name: state[name] for name in wanted})
    with path.open("rb") as file:
        return net.eval().requires_grad_(False), hashlib.file_digest(file, "sha256").hexdigest()
