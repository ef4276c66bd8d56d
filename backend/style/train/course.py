"""One training: iterations that can be cut off anywhere and go on as if they had not been.

Everything that is drawn depends on the seed and the number of the iteration; the checkpoint holds the rest. The
network that is kept is a moving average of the weights, which paints calmer than any single one of them.
"""

import json
import math
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backend.core.errors import LabelLoomError, UsageError
from backend.imaging.files import write_atomic
from backend.style.train.data import Pictures, Tell, batch
from backend.style.train.judge import Judge
from backend.style.train.losses import (
    Described,
    Weights,
    content_loss,
    describe,
    distances,
    style_loss,
    variation,
)
from backend.style.train.net import Decoder, Prefix, affine

Json = dict[str, Any]
Step = Callable[[int, Json | None], None]  # the iteration that is done, and the mean losses since the last report

CHECKPOINT, CONFIG, CURVE = "checkpoint.pt", "config.json", "curve.jsonl"
EVERY = 50  # iterations between points of the curve
SAVED = 250  # iterations between checkpoints
_CALM = 0.998  # of the moving average
_RATE = 1.5e-3
_WARM = 100  # iterations until the full rate
_USUAL = 96  # styles that tell how far styles lie apart


@dataclass(frozen=True, slots=True)
class Config:
    """How to train; what a repeat must agree with to go on. size: pixels of a crop; batch: crops an iteration."""

    iterations: int = 9000
    seed: int = 0
    size: int = 128
    batch: int = 4
    style: float = 5.0
    content: float = 0.7
    identity: float = 10.0
    smooth: float = 0.5
    colour: float = 1.0

    @property
    def weights(self) -> Weights:
        """The weights of the losses."""
        return Weights(self.style, self.content, self.identity, self.smooth, self.colour)

    def check(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            UsageError: a value is out of range.
        """
        ranges = (("iterations", 1, 10**7), ("size", 64, 512), ("batch", 2, 256))
        for name, low, high in ranges:
            if not low <= getattr(self, name) <= high:
                msg = f"{name} is {getattr(self, name)}"
                raise UsageError(msg, fix=f"give {low} to {high}")
        if self.size % 16:
            msg = f"size is {self.size}"
            raise UsageError(msg, fix="give a multiple of 16")
        if not all(0 <= value <= 1000 for value in asdict(self.weights).values()):
            msg = "a loss weight is below 0 or above 1000"
            raise UsageError(msg, fix="give 0 to 1000")


class Course:
    """A training in a folder. Build it, then `run` it; both go on where an earlier one stopped.

    Raises:
        UsageError: the folder holds a training of another configuration, or a checkpoint of something else.
    """

    def __init__(self, config: Config, networks: tuple[Prefix, Judge], folder: Path, device: str = "cpu") -> None:
        config.check()
        self.config, self.folder, self.device = config, folder, device
        folder.mkdir(parents=True, exist_ok=True)
        self._agree()
        torch.manual_seed(config.seed)
        self.prefix, self.judge = networks
        self.decoder = Decoder()
        for net in (self.prefix, self.judge, self.decoder):
            net.to(device).to(memory_format=torch.channels_last)
        self.calm = {name: value.detach().clone() for name, value in self.decoder.state_dict().items()}
        self.optimizer = torch.optim.Adam(self.decoder.parameters(), lr=_RATE)
        self.done = 0
        self._sums: dict[str, float] = {}  # of the losses, since the last point of the curve
        if (folder / CHECKPOINT).exists():
            self._restore()

    def run(self, contents: Pictures, styles: Pictures, step: Step, tell: Tell) -> None:
        """Train to the end, calling `step` after every iteration; what that raises ends it, after a checkpoint.

        Raises:
            LabelLoomError: the loss is no number any more.
        """
        if self.done < self.config.iterations:
            tell(f"iteration {self.done} of {self.config.iterations}")
        usual = self._usual(styles)
        sums = self._sums
        try:
            while self.done < self.config.iterations:
                losses = self._iterate(contents, styles, usual)
                self.done += 1
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0.0) + value / EVERY
                point = None
                if self.done % EVERY == 0:
                    point = {"iteration": self.done, **{n: round(v, 5) for n, v in sums.items()}}
                    sums.clear()
                    self._note(point)
                if self.done % SAVED == 0:
                    self.save()
                step(self.done, point)
        finally:
            self.save()

    def kept(self) -> Decoder:
        """Return the averaged decoder, on the CPU."""
        decoder = Decoder()
        decoder.load_state_dict(self.calm)
        return decoder.cpu().eval().requires_grad_(False)

    def save(self) -> None:
        """Write a checkpoint."""
        state = {
            "done": self.done,
            "sums": self._sums,
            "decoder": self.decoder.state_dict(),
            "calm": self.calm,
            "optimizer": self.optimizer.state_dict(),
        }
        partial = self.folder / f"{CHECKPOINT}.tmp"
        torch.save(state, partial)
        partial.replace(self.folder / CHECKPOINT)

    def _iterate(self, contents: Pictures, styles: Pictures, usual: Tensor) -> dict[str, float]:
        config, dice = self.config, random.Random(f"{self.config.seed}:{self.done}")
        content = self._images(contents, dice)
        style = self._images(styles, dice)
        style[-1] = content[-1]  # the last is its own style: it must come out as it is
        details = [dice.choice((0.0, 1.0, 1.0, dice.random())) for _ in range(config.batch)]
        detail = torch.tensor(details, device=self.device).reshape(-1, 1, 1, 1)
        detail[-1] = 1
        with torch.no_grad():
            taps, style_taps = self.prefix(content), self.prefix(style)
            seen, wanted = self.judge(content), describe(style, self.judge(style))
            affines = tuple(affine(a, b) for a, b in zip(taps, style_taps, strict=True))
        made = self.decoder(taps, affines, detail)
        maps = self.judge(made)
        # Broad painting (detail 0) may leave the photograph further behind than fine painting.
        broad = 1 - detail.flatten()[:-1]
        terms = {
            "style": (style_loss(describe(made, maps), wanted, usual, config.colour)[:-1] * (1 + 0.5 * broad)).mean(),
            "content": (content_loss(maps, seen)[:-1] * (1 - 0.5 * broad)).mean(),
            "identity": (made[-1] - content[-1]).abs().mean(),
            "smooth": variation(made).mean(),
        }
        weights = asdict(config.weights)
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        if not bool(torch.isfinite(loss)):
            msg = f"the loss is no number any more at iteration {self.done}"
            raise LabelLoomError(msg, fix="train again with another --seed or a smaller --style-weight")
        self._descend(loss)
        return {name: float(term.detach()) for name, term in terms.items()}

    def _descend(self, loss: Tensor) -> None:
        share = self.done / self.config.iterations
        rate = _RATE * min(1, (self.done + 1) / _WARM) * (0.02 + 0.49 * (1 + math.cos(math.pi * share)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.decoder.parameters(), 5.0)
        self.optimizer.step()
        calm = min(_CALM, (self.done + 1) / (self.done + 10))
        with torch.no_grad():
            for name, value in self.decoder.state_dict().items():
                self.calm[name].lerp_(value, 1 - calm)

    def _images(self, pictures: Pictures, dice: random.Random) -> Tensor:
        images = batch(pictures, self.config.batch, self.config.size, dice)
        return images.to(self.device, memory_format=torch.channels_last)

    @torch.no_grad()
    def _usual(self, styles: Pictures) -> Tensor:
        dice = random.Random(f"{self.config.seed}:usual")
        described = []
        for _ in range(_USUAL // 8):
            images = batch(styles, 8, self.config.size, dice).to(self.device)
            described.append(describe(images, self.judge(images)))
        mixed = [Described(tuple(tuple(t.roll(1, 0) for t in one) for one in d.terms)) for d in described]  # type: ignore[misc]
        apart = [distances(a, b).mean(2) for a, b in zip(described, mixed, strict=True)]
        return torch.stack(apart).mean(0).clamp_min(1e-8)

    def _agree(self) -> None:
        path, ours = self.folder / CONFIG, asdict(self.config)
        if path.exists():
            theirs = json.loads(path.read_text(encoding="utf-8"))
            other = [name for name, value in ours.items() if theirs.get(name) != value]
            if other:
                msg = f"{self.folder} holds a training with another {', '.join(other)}"
                raise UsageError(msg, fix="give the same options to go on, or another --out")
        write_atomic(path, json.dumps(ours, indent=1).encode())

    def _restore(self) -> None:
        path = self.folder / CHECKPOINT
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.decoder.load_state_dict(state["decoder"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.calm = {name: value.to(self.device) for name, value in state["calm"].items()}
            self.done, self._sums = int(state["done"]), dict(state["sums"])
        except Exception as error:  # torch raises many kinds; each means that the file is not ours
            msg = f"{path} is no checkpoint of this training: {str(error).splitlines()[0][:200]}"
            raise UsageError(msg, fix="remove the folder, or give another --out") from error

    def points(self) -> list[Json]:
        """Return the curve: mean losses, a point for every `EVERY` iterations."""
        path = self.folder / CURVE
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def _note(self, point: Json) -> None:
        kept = [old for old in self.points() if old["iteration"] < point["iteration"]]  # a lost checkpoint's came later
        lines = "".join(json.dumps(one) + "\n" for one in [*kept, point])
        write_atomic(self.folder / CURVE, lines.encode())


def use_threads(threads: int, device: str) -> str:
    """Set how many threads compute, and return the device to train on: cpu or cuda.

    Raises:
        UsageError: cuda was asked for and is not there.
    """
    torch.set_num_threads(threads)
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        msg = "there is no CUDA device"
        raise UsageError(msg, fix="give --device cpu")
    return "cuda" if there and device != "cpu" else "cpu"
