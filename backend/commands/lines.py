"""Progress where there is no terminal: a line every few seconds, also while one long item is being worked on."""

import threading
import time
from collections.abc import Callable

EVERY = 5.0  # seconds between lines


class ProgressLines:
    """Tells the latest state of the current phase every few seconds, from a thread of its own.

    Args:
        say: takes each line.
        every: seconds between lines.
    """

    def __init__(self, say: Callable[[str], None], every: float = EVERY) -> None:
        self._say = say
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="progress", daemon=True)
        self._state: tuple[str, int, int | None] | None = None
        self._begin = 0.0, 0  # when the phase began, and with how many items done already
        self.quiet = False

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def stop(self) -> None:
        """Tell nothing more."""
        self._over.set()
        self._thread.join()

    def update(self, phase: str, done: int, total: int | None) -> None:
        """Take note of a phase's state."""
        if self._state is None or self._state[0] != phase:
            self._begin = time.monotonic(), done
        self._state = phase, done, total

    def _beat(self) -> None:
        while not self._over.wait(self._every):
            if self._state and not self.quiet:
                self._say(line(*self._state, time.monotonic() - self._begin[0], self._begin[1]))


def line(phase: str, done: int, total: int | None, seconds: float, before: int = 0) -> str:
    """Return a phase's state in words: `augmenting: 120 of 800 (15%), about 4 min left`.

    seconds: how long the phase has run. before: items that were done when it began.
    """
    if not total:
        return f"{phase}: {done:,} so far, {duration(seconds)}"
    text = f"{phase}: {done:,} of {total:,} ({100 * done // total}%)"
    if before < done < total:
        return f"{text}, about {duration(seconds / (done - before) * (total - done))} left"
    return f"{text}, {duration(seconds)} so far"


def duration(seconds: float) -> str:
    """Return a time span as people say it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
