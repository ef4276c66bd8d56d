"""Candidates from a source's own thread into the event loop, never more than were asked for."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Iterator

from connectors.sources.base import Candidate

_PATIENCE = 5.0  # seconds that a source has to finish its request when nobody needs more


class Feed:
    """Runs a generator of candidates in a thread; it takes one step for every `allow`.

    changed: set when something came or the end was reached. over: no more will come. waiting: allowed, not yet here.
    """

    def __init__(self, candidates: Iterator[Candidate]) -> None:
        self._candidates = candidates
        self._permits = threading.Semaphore(0)
        self._stop = False
        self._loop = asyncio.get_running_loop()
        self._here: deque[Candidate] = deque()
        self._thread = threading.Thread(target=self._work, name="collect-source", daemon=True)
        self.changed = asyncio.Event()
        self.over = False
        self.waiting = 0
        self._thread.start()

    def allow(self, more: int) -> None:
        """Let the source offer `more` further candidates."""
        if more > 0 and not self.over:
            self.waiting += more
            self._permits.release(more)

    def take(self) -> Candidate | None:
        """Return the next candidate that is here, None where there is none."""
        return self._here.popleft() if self._here else None

    async def close(self) -> None:
        """Ask nothing more, and let the source free what it holds."""
        self._stop = True
        self._permits.release()
        await asyncio.to_thread(self._thread.join, _PATIENCE)

    def _work(self) -> None:
        try:
            while self._permits.acquire() and not self._stop:
                candidate = next(self._candidates, None)
                if candidate is None or not self._call(self._put, candidate):
                    break
        finally:
            close = getattr(self._candidates, "close", None)
            if close:
                close()
            self._call(self._end)

    def _call(self, what: "object", *args: object) -> bool:
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            self._loop.call_soon_threadsafe(what, *args)  # type: ignore[arg-type]
            return True
        return False

    def _put(self, candidate: Candidate) -> None:
        self.waiting -= 1
        self._here.append(candidate)
        self.changed.set()

    def _end(self) -> None:
        self.waiting = 0
        self.over = True
        self.changed.set()
