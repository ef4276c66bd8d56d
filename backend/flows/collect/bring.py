"""One candidate's bytes, from the web or from a folder of the user's, checked and put aside."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Self

from backend.flows.collect.folder import Staged
from connectors.fetching.options import FetchOptions
from connectors.fetching.values import BadContent, Got, Lost, Request
from connectors.sources import SOURCES
from connectors.sources.base import Candidate
from connectors.sources.folder import path_of

_READERS = 2
Stage = Callable[[bytes], Staged | OSError]


class Bringer:
    """Brings candidates; an async context manager. stage: checks bytes and puts the image aside, in a thread."""

    def __init__(self, options: FetchOptions, stage: Stage) -> None:
        from connectors.fetching.fetch import Fetcher  # aiohttp: not needed to look at a collection

        self._fetcher = Fetcher[Staged | OSError](options, stage)
        self._max_bytes = options.max_bytes
        self._stage = stage
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="folder")

    async def __aenter__(self) -> Self:
        await self._fetcher.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._fetcher.__aexit__(None, None, None)
        self._readers.shutdown(wait=True, cancel_futures=True)

    async def fetch(self, candidate: Candidate) -> Got[Staged | OSError] | Lost:
        """Return the candidate's image, or why there is none."""
        if not candidate.url.startswith("file:"):
            return await self._fetcher.fetch(Request(candidate.url, candidate.page_url, candidate.fallbacks))
        if SOURCES[candidate.source].takes != "folder":  # no list or page from elsewhere may name a file of ours
            return Lost("bad-url", "the address of a local file")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, candidate.url)

    def _read(self, url: str) -> Got[Staged | OSError] | Lost:
        path = path_of(url)
        try:
            size = path.stat().st_size
            if size > self._max_bytes:
                return Lost("too-large", f"{size:,} bytes, more than {self._max_bytes:,}")
            value = self._stage(path.read_bytes())
        except BadContent as error:
            return Lost(error.code, error.detail)
        except OSError as error:
            return Lost("unreadable", error.strerror or str(error))
        return Got(value, url, url, datetime.now(UTC))
