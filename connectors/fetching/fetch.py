"""Many images: each brought, checked in a worker thread, and lost only for a reason."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

from connectors.errors import FetchError
from connectors.fetching.client import Brought, Client, Errand
from connectors.fetching.failure import Failure
from connectors.fetching.guard import address
from connectors.fetching.options import FetchOptions
from connectors.fetching.optouts import kept_headers
from connectors.fetching.reasons import sentence
from connectors.fetching.values import Answer, BadContent, Got, Lost, Request

T = TypeVar("T")
IMAGES = "image/jpeg,image/png,image/webp,image/*;q=0.8,*/*;q=0.5"
PAGES = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_CHECKERS = 2
_FINAL = frozenset({"robots", "opt-out"})  # an owner's no holds for the smaller copies as well


class Fetcher(Generic[T]):
    """Fetches images; an async context manager.

    Args:
        options: how careful and how polite.
        check: makes a value of an image's bytes, in a thread; raises `BadContent` for what is not wanted.
    """

    def __init__(self, options: FetchOptions, check: Callable[[bytes], T]) -> None:
        self._options = options
        self._check = check
        self._client = Client(options)

    async def __aenter__(self) -> Self:
        self._pool = ThreadPoolExecutor(_CHECKERS, thread_name_prefix="check")
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._client.__aexit__(*error)
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def fetch(self, request: Request) -> Got[T] | Lost:
        """Return one image, its best smaller copy where it cannot be had, or why neither came.

        Never raises, but for being called off.
        """
        first = await self._image(request.url, request.page_url, thumbnail=False)
        if isinstance(first, Got) or first.code in _FINAL:
            return first
        for url in request.fallbacks:
            found = await self._image(url, request.page_url, thumbnail=True)
            if isinstance(found, Got):
                return found
        return first

    async def _image(self, url: str, page_url: str | None, *, thumbnail: bool) -> Got[T] | Lost:
        try:
            brought = await self._unforbidden(url, page_url)
        except Failure as failure:
            return Lost(failure.code, failure.detail, failure.opt_out)
        except BadContent as error:
            return Lost(error.code, error.detail)
        except Exception as error:  # noqa: BLE001 - one image that a decoder chokes on is not the end of the run
            return Lost("unreadable", f"{type(error).__name__}: {error}"[:300])
        return Got(
            value=brought.value,
            url=url,
            final_url=brought.final_url,
            fetched_at=brought.at,
            redirects=brought.redirects,
            thumbnail=thumbnail,
            headers=kept_headers(brought.headers),
            opt_out=brought.opt_out,
        )

    async def _unforbidden(self, url: str, page_url: str | None) -> Brought[T]:
        """Bring an image without a Referer, and once more with its page's address where the host forbids that."""
        errand = Errand(url, IMAGES, self._checked, heed=self._options.opt_out == "refuse")
        try:
            return await self._client.bring(errand)
        except Failure as failure:
            referer = self._referer(page_url) if failure.code == "http-403" else None
            if referer is None:
                raise
        return await self._client.bring(Errand(url, IMAGES, self._checked, errand.heed, referer))

    def _referer(self, page_url: str | None) -> str | None:
        """Return a page's address as a header may hold it: ASCII, without fragment or user name."""
        try:
            return str(address(page_url, self._options.ports, self._options.allow_hosts)) if page_url else None
        except Failure:
            return None

    async def _checked(self, data: bytes) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._check, data)


async def page(url: str, options: FetchOptions) -> Answer:
    """Return one page or file; what its owner reserves is told, not judged.

    Raises:
        FetchError: it cannot be had.
    """

    async def same(data: bytes) -> bytes:
        return data

    async with Client(options) as client:
        try:
            brought = await client.bring(Errand(url, PAGES, same, heed=False))
        except Failure as failure:
            status = int(failure.code[5:]) if failure.code.startswith("http-") else None
            msg = f"{url[:200]}: {failure.detail}"
            raise FetchError(msg, fix=sentence(failure.code), status=status) from failure
    headers = {name.lower(): value for name, value in brought.headers.items()}
    return Answer(brought.status, headers, brought.value, brought.final_url, brought.opt_out)
