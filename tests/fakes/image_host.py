"""A host of images as the web has them: slow, broken, moved, protected, hostile; it counts what it is asked.

A real HTTP server on loopback, in a thread with an event loop of its own. Every path answers with its `Reply`; a list
of replies is served one after the other, the last one for good.
"""

import asyncio
import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Reply:
    """What a path answers.

    trouble: cut (the connection breaks half-way), drip (the body over `seconds`), endless (no end), chunked (no
    declared length), stall (headers, then silence). referers: those let in, "" for none; others get 403.
    """

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "image/jpeg"),)
    trouble: str = ""
    seconds: float = 30.0
    referers: Callable[[str], bool] | None = None


def moved(target: str, status: int = 302) -> Reply:
    """Return a redirect."""
    return Reply(status=status, headers=(("Location", target),))


def zipped(size: int) -> Reply:
    """Return a small answer that unpacks to `size` zeros."""
    headers = (("Content-Type", "image/jpeg"), ("Content-Encoding", "gzip"))
    return Reply(gzip.compress(bytes(size)), headers=headers)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that came: when (time.monotonic()), what, and its headers with names in lower case."""

    at: float
    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class ImageHost:
    """A context manager: serving while it lasts. latency: seconds before each answer."""

    replies: dict[str, Reply | Sequence[Reply]] = field(default_factory=dict)
    latency: float = 0.0
    asked: list[Asked] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _port: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    @property
    def counts(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(one.path for one in self.asked)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the address of a path."""
        return f"http://{host}:{self._port}{path}"

    def put(self, bodies: Mapping[str, bytes]) -> None:
        """Serve bodies as they are, as JPEG whatever they are."""
        self.replies.update({path: Reply(body) for path, body in bodies.items()})

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._loop and self._thread
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self, ready: threading.Event) -> None:
        async def begin() -> web.ServerRunner:
            runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self._port = runner.addresses[0][1]
            return runner

        self._loop = asyncio.new_event_loop()
        runner = self._loop.run_until_complete(begin())
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        left = asyncio.all_tasks(self._loop)  # answers that nobody waits for
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left))
        self._loop.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path
        headers = {name.lower(): value for name, value in request.headers.items()}
        earlier = self.counts[path] if isinstance(self.replies.get(path), Sequence) else 0
        self.asked.append(Asked(time.monotonic(), path, headers))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(self.latency)
            found = self.replies.get(path, Reply(b"gone", 404))
            reply = found if isinstance(found, Reply) else found[min(earlier, len(found) - 1)]
            if reply.referers and not reply.referers(headers.get("referer", "")):
                reply = Reply(b"forbidden", 403)
            return await self._answer(request, reply)
        finally:
            self._now -= 1

    async def _answer(self, request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
        if not reply.trouble:
            answer = web.Response(body=reply.body, status=reply.status)
            answer.headers.popall("Content-Type", None)
            answer.headers.extend(reply.headers)
            return answer
        stream = web.StreamResponse(status=reply.status)
        stream.headers.extend(reply.headers)
        if reply.trouble not in {"chunked", "endless"}:
            stream.content_length = len(reply.body)
        with suppress(ConnectionError):  # clients hang up on purpose
            await stream.prepare(request)
            await _TROUBLES[reply.trouble](request, stream, reply)
        return stream


async def _cut(request: web.BaseRequest, stream: web.StreamResponse, reply: Reply) -> None:
    await stream.write(reply.body[: len(reply.body) // 2])
    await asyncio.sleep(0.02)
    assert request.transport
    request.transport.close()


async def _drip(request: web.BaseRequest, stream: web.StreamResponse, reply: Reply) -> None:
    steps = max(1, int(reply.seconds / 0.5))
    size = -(-len(reply.body) // steps)
    for start in range(0, len(reply.body), size):
        await stream.write(reply.body[start : start + size])
        await asyncio.sleep(0.5)


async def _endless(request: web.BaseRequest, stream: web.StreamResponse, reply: Reply) -> None:
    while True:
        await stream.write(bytes(1 << 16))


async def _chunked(request: web.BaseRequest, stream: web.StreamResponse, reply: Reply) -> None:
    await stream.write(reply.body)


async def _stall(request: web.BaseRequest, stream: web.StreamResponse, reply: Reply) -> None:
    await asyncio.sleep(reply.seconds)


_TROUBLES = {"cut": _cut, "drip": _drip, "endless": _endless, "chunked": _chunked, "stall": _stall}
