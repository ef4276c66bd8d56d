"""The state of a training: weights, their average, optimizer and how far it is; kept on disk every now and then."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backend.core.errors import LabelLoomError
from backend.detect.fewshot.net import TRUNK, Net
from backend.detect.fewshot.recipe import Recipe

Json = dict[str, Any]
EVERY = 50  # steps from one checkpoint to the next, and in one mean of the loss
_COOL = 40  # steps in which a training that learns no more comes to its end
_GAIN = 0.99  # a mean loss above this part of the best before is no progress
_LAST = 0.02  # of the learning rate, in the end


class Course:
    """A training under way. `net` holds the weights that are trained, `average` those that are kept."""

    def __init__(self, net: Net, recipe: Recipe) -> None:
        self.net, self.recipe = net, recipe
        self.step, self.end = 0, recipe.steps
        self.losses: list[float] = []
        self._cool: tuple[int, float] | None = None
        named = {name: weight for name, weight in net.named_parameters() if weight.requires_grad}
        self._named = named
        self.average = {name: weight.detach().clone() for name, weight in named.items()}
        slow = [weight for name, weight in named.items() if name.startswith(TRUNK)]
        fast = [weight for name, weight in named.items() if not name.startswith(TRUNK)]
        groups = [{"params": fast, "base": recipe.rate}, {"params": slow, "base": recipe.trunk_rate}][
            : 2 if slow else 1
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=recipe.rate, weight_decay=recipe.decay, foreach=False)

    def learn(self, loss: Tensor) -> float:
        """Take one step down the loss; return its value.

        Raises:
            LabelLoomError: the loss is no number any more.
        """
        value = float(loss.detach())
        if not math.isfinite(value):
            msg = f"the loss is {value} at step {self.step + 1}: the training went astray"
            raise LabelLoomError(msg, fix="set the option `rate` to a third of what it is, and train again")
        share = self._share()
        for group in self._optimizer.param_groups:
            group["lr"] = group["base"] * share
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(list(self._named.values()), 5.0)
        self._optimizer.step()
        self.step += 1
        keep = min(self.recipe.average, self.step / (9 + self.step))
        with torch.no_grad():
            for name, weight in self._named.items():
                self.average[name].lerp_(weight, 1 - keep)
        self.losses.append(value)
        self._maybe_end()
        return value

    def _share(self) -> float:
        """Return the part of the learning rates that holds for the next step: up, then down a cosine."""
        if self._cool is not None:
            begin, share = self._cool
            return share * _cosine((self.step - begin) / _COOL)
        if self.step < self.recipe.warm:
            return (self.step + 1) / self.recipe.warm
        return _cosine((self.step - self.recipe.warm) / max(1, self.end - self.recipe.warm))

    def _maybe_end(self) -> None:
        """Come to an end soon when the mean loss has not gone down for the recipe's patience."""
        patience = -(-self.recipe.patience // EVERY)
        if not patience or self._cool is not None or self.step % EVERY or self.step + _COOL >= self.end:
            return
        means = [sum(self.losses[at : at + EVERY]) / EVERY for at in range(0, self.step, EVERY)]
        if len(means) > patience and min(means[-patience:]) > _GAIN * min(means[:-patience]):
            self._cool = self.step, self._share()
            self.end = self.step + _COOL

    def save(self, path: Path, what: str) -> None:
        """Write a checkpoint, whole or not at all. what: tells this training from others."""
        state = {
            "what": what,
            "step": self.step,
            "end": self.end,
            "cool": self._cool,
            "losses": self.losses,
            "average": self.average,
            "weights": {name: weight.detach() for name, weight in self._named.items()},
            "optimizer": self._optimizer.state_dict(),
        }
        temporary = path.with_suffix(".new")
        torch.save(state, temporary)
        temporary.replace(path)

    def resume(self, path: Path, what: str) -> bool:
        """Go on from a checkpoint of the same training, if there is one; return whether there was."""
        if not path.is_file():
            return False
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # noqa: BLE001 - torch.load raises many kinds, and a broken checkpoint is as good as none
            return False
        if state.get("what") != what:
            return False
        with torch.no_grad():
            for name, weight in self._named.items():
                weight.copy_(state["weights"][name])
        self.average = state["average"]
        self._optimizer.load_state_dict(state["optimizer"])
        self.step, self.end, self._cool, self.losses = (state[key] for key in ("step", "end", "cool", "losses"))
        return True


def _cosine(part: float) -> float:
    return _LAST + (1 - _LAST) * (1 + math.cos(math.pi * min(1.0, part))) / 2
