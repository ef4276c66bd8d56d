"""A training's events as progress, as lines people read, and as the curve that the model keeps."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.core.progress import Progress

Json = dict[str, Any]
Tell = Callable[[str], None]

EVERY = 5.0  # seconds between two lines about the loss


class Live:
    """Takes what the training process reports.

    progress: gets phases with done and total, and may raise Cancelled. tell: gets a line now and then. curve: the file
    that all events are added to.
    """

    def __init__(self, progress: Progress, tell: Tell, curve: Path) -> None:
        self._progress, self._tell, self._curve = progress, tell, curve
        self._told = 0.0
        self._last: tuple[str, int, int | None] = ("starting", 0, None)

    def __call__(self, event: Json) -> None:
        """Pass an event on.

        Raises:
            Cancelled: from `progress`.
        """
        match event.get("event"):
            case "step":
                self._at("training", event["step"], event["of"])
                self._loss(event)
            case "phase":
                self._at(event["phase"], event.get("done"), event.get("of"))
            case "curve":
                self._tell(f"after {event['step']} steps: AP {event['ap']:.3f}, AP50 {event['ap50']:.3f}")
                self._keep(event)
            case "note":
                self._tell(str(event["text"]))
                self._keep(event)
            case _:  # a beat, so that a request to stop is heard
                self._progress.update(*self._last)

    def _at(self, phase: str, done: int | None, of: int | None) -> None:
        self._last = (phase, done or 0, of)
        self._progress.update(*self._last)

    def _keep(self, event: Json) -> None:
        self._curve.parent.mkdir(parents=True, exist_ok=True)
        with self._curve.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")

    def _loss(self, event: Json) -> None:
        self._keep(event)
        if event["step"] == event["of"] or time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            self._tell(f"step {event['step']} of {event['of']}: loss {event['loss']:.4g}")
