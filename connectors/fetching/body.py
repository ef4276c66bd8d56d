"""Reads an answer's body within its limits, and says in our words how a connection failed."""

import asyncio
import zlib

import aiohttp

from connectors.fetching.failure import Failure
from connectors.fetching.guard import NOT_PUBLIC
from connectors.fetching.options import FetchOptions

GRACE = 3.0  # seconds before the rate counts
_GZIP_OR_ZLIB = 47


async def read(response: aiohttp.ClientResponse, options: FetchOptions, left: float) -> bytes:
    """Return the whole body, decompressed; left: seconds that remain for it.

    Raises:
        Failure: too-large, too-slow, encoding, cut.
    """
    declared = response.content_length
    if declared is not None and declared > options.max_bytes:
        raise Failure(code="too-large", detail=f"{declared:,} bytes, more than {options.max_bytes:,}")
    inflate = _inflater(response, options.max_bytes)
    now = asyncio.get_running_loop().time
    started, received, size, parts = now(), 0, 0, list[bytes]()
    async for chunk in response.content.iter_any():
        received += len(chunk)
        part = inflate.more(chunk, size) if inflate else chunk
        size += len(part)
        if size > options.max_bytes:
            raise Failure(code="too-large", detail=f"more than {options.max_bytes:,} bytes")
        parts.append(part)
        spent = now() - started
        if spent > GRACE:
            _fast_enough(received, spent, declared, (options.min_rate, left))
    if inflate:
        inflate.end()
    return b"".join(parts)


def _fast_enough(received: int, spent: float, declared: int | None, bounds: tuple[float, float]) -> None:
    """Refuse a body that trickles, and one that twice its speed would not bring in time."""
    min_rate, left = bounds
    rate = received / spent
    if rate < min_rate:
        raise Failure(code="too-slow", detail=f"{rate:,.0f} bytes a second, less than {min_rate:,}")
    if declared is not None and received + 2 * rate * (left - spent) < declared:
        raise Failure(
            code="too-slow", detail=f"{declared:,} bytes at {rate:,.0f} a second do not arrive in {left:,.0f} s"
        )


class _Inflater:
    """Unpacks a body piece by piece, never further than one byte beyond the limit."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._encoding = encoding
        self._limit = limit
        self._machine = zlib.decompressobj(_GZIP_OR_ZLIB)

    def more(self, chunk: bytes, size: int) -> bytes:
        try:
            return self._machine.decompress(chunk, self._limit - size + 1)
        except zlib.error as error:
            raise Failure(code="encoding", detail=f"Content-Encoding: {self._encoding}, but {error}") from error

    def end(self) -> None:
        if not self._machine.eof:
            raise Failure(code="encoding", detail=f"Content-Encoding: {self._encoding}, but it ends too early")


def _inflater(response: aiohttp.ClientResponse, limit: int) -> _Inflater | None:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in {"", "identity", "none"}:
        return None
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise Failure(code="encoding", detail=f"Content-Encoding: {encoding[:40]}")
    return _Inflater(encoding, limit)


def translated(error: Exception) -> Failure:
    """Return what an exception of the HTTP library means."""
    if NOT_PUBLIC in str(error):
        return Failure(code="private-address", detail=str(error).rpartition("[")[2].rstrip("]"))
    for kinds, code, passing in _MEANING:
        if isinstance(error, kinds):
            return Failure(code=code, detail=str(error)[:300] or type(error).__name__, passing=passing)
    return Failure(code="connection", detail=f"{type(error).__name__}: {error}"[:300])


_MEANING: tuple[tuple[tuple[type[Exception], ...], str, bool], ...] = (
    ((aiohttp.ClientConnectorDNSError,), "dns", False),
    ((aiohttp.ClientSSLError,), "tls", False),
    ((aiohttp.InvalidURL, UnicodeError), "bad-url", False),
    ((TimeoutError,), "timeout", False),
    ((aiohttp.ClientConnectorError,), "connection", True),
    ((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, ConnectionError), "cut", True),
)
