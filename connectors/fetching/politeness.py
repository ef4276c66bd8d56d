"""Turns: how many requests at once, how many to one host, how far apart, and which hosts are left alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connectors.fetching.failure import Failure
from connectors.fetching.options import FetchOptions
from connectors.fetching.patience import LONGEST

_REFUSING = frozenset({403, 429})


class _Host:
    __slots__ = ("door", "next", "refused", "slots")

    def __init__(self, slots: int) -> None:
        self.slots = asyncio.Semaphore(slots)
        self.door = asyncio.Lock()
        self.next = 0.0  # when the next request may start, in the loop's time
        self.refused = 0


class Turns:
    """Who may ask whom, and when."""

    def __init__(self, options: FetchOptions) -> None:
        self._options = options
        self._all = asyncio.Semaphore(options.connections)
        self._hosts: dict[str, _Host] = {}

    def _host(self, name: str) -> _Host:
        if name not in self._hosts:
            self._hosts[name] = _Host(self._options.per_host)
        return self._hosts[name]

    @asynccontextmanager
    async def turn(self, name: str, delay: float = 0.0) -> AsyncIterator[None]:
        """Wait for a turn at a host and hold it; delay: seconds between starts that the host asks for, at least.

        Raises:
            Failure: `host-refuses`: the host is left alone.
        """
        host = self._host(name)
        async with host.slots:
            async with host.door:
                # The place among all is taken at the door: whoever waits for it keeps the distance to the next one.
                await self._pause(name, host)
                await self._all.acquire()
                host.next = asyncio.get_running_loop().time() + max(delay, self._options.host_interval)
            try:
                yield
            finally:
                self._all.release()

    async def _pause(self, name: str, host: _Host) -> None:
        now = asyncio.get_running_loop().time
        while True:
            if host.refused >= self._options.refusals:
                raise Failure(code="host-refuses", detail=f"{name} refused {self._options.refusals} requests in a row")
            if host.next <= now():
                return
            await asyncio.sleep(host.next - now())

    def answered(self, name: str, status: int, wait: float | None) -> None:
        """Note a host's answer; wait: seconds its Retry-After asks for."""
        host = self._host(name)
        host.refused = host.refused + 1 if status in _REFUSING else 0
        if wait is None:
            return
        if wait > LONGEST:
            host.refused = self._options.refusals
        host.next = max(host.next, asyncio.get_running_loop().time() + wait)
