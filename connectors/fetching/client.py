"""One address: its turn, its robots.txt, each hop guarded, its body within the limits."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Generic, Self, TypeVar

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from connectors.fetching import guard
from connectors.fetching.body import read, translated
from connectors.fetching.failure import Failure
from connectors.fetching.options import FetchOptions
from connectors.fetching.optouts import TOKEN, observed, refusal
from connectors.fetching.patience import LONGEST, Allowance, back_off, retry_after
from connectors.fetching.politeness import Turns
from connectors.fetching.robots import SIZE, RobotsFiles, Verdict
from connectors.fetching.values import OptOut

V = TypeVar("V")
REDIRECTS = 5
VERSION = "0.1"
_MOVED = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Errand(Generic[V]):
    """What to bring and what to do with it while its turn lasts.

    finish: takes the body's bytes. heed: whether its owner's reservation ends it before the body is read.
    """

    url: str
    accept: str
    finish: Callable[[bytes], Awaitable[V]]
    heed: bool
    referer: str | None = None


@dataclass(frozen=True, slots=True)
class Brought(Generic[V]):
    """What came. redirects: the addresses on the way, in order, without the first. at: UTC."""

    value: V
    status: int
    headers: CIMultiDictProxy[str]
    final_url: str
    redirects: tuple[str, ...]
    opt_out: OptOut
    at: datetime


def user_agent(contact: str | None) -> str:
    """Return how we call ourselves; a contact that is not ASCII is left out."""
    who = f" (+{contact})" if contact and contact.isascii() and contact.isprintable() else ""
    return f"{TOKEN}/{VERSION}{who}"


class Client:
    """Brings addresses as the options say; an async context manager."""

    def __init__(self, options: FetchOptions) -> None:
        self._options = options
        self._turns = Turns(options)
        self._robots = RobotsFiles(self._robots_file, options.robots_dir)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._guarded = await self._stack.enter_async_context(self._session(trusted=False))
        self._trusted = await self._stack.enter_async_context(self._session(trusted=True))
        self._stack.push_async_callback(self._robots.close)
        return self

    async def __aexit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._stack.aclose()

    def _session(self, *, trusted: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # the turns are the limit
            ttl_dns_cache=300,
            socket_factory=None if trusted else guard.public_socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": user_agent(self._options.contact), "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # a proxy would connect for us, to an address nobody has checked
            auto_decompress=False,  # bounded by us
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(10.0, self._options.deadline)),
            read_bufsize=1 << 18,
            raise_for_status=False,
        )

    async def bring(self, errand: Errand[V], allowance: Allowance | None = None) -> Brought[V]:
        """Return what is at an address, with as many attempts as the options allow.

        Raises:
            Failure: it cannot be had.
        """
        allowance = allowance or Allowance(self._options.deadline)
        for attempt in range(self._options.retries + 1):
            try:
                return await self._once(errand, allowance)
            except Failure as failure:
                too_long = failure.wait is not None and failure.wait > LONGEST
                if not failure.passing or too_long or attempt == self._options.retries:
                    raise
                if failure.wait is None:  # else the host's next turn is that far away
                    await back_off(attempt)
        raise AssertionError  # the last attempt returns or raises

    async def _once(self, errand: Errand[V], allowance: Allowance) -> Brought[V]:
        ports, allowed = self._options.ports, self._options.allow_hosts
        address = guard.address(errand.url, ports, allowed)
        chain: list[str] = []
        while True:
            verdict = await self._verdict(address)
            async with self._turns.turn(address.raw_host or "", verdict.delay):
                found = await self._hop(address, errand, allowance, verdict)
                if isinstance(found, Brought):
                    value = await errand.finish(found.value)
                    return replace(found, value=value, redirects=tuple(chain))  # type: ignore[arg-type, return-value]
            address = _next(address, found, (ports, allowed))
            chain.append(str(address))
            if len(chain) > REDIRECTS:
                raise Failure(code="redirects", detail=f"more than {REDIRECTS} redirects")

    async def _verdict(self, address: URL) -> Verdict:
        if not self._options.robots:
            return Verdict("ignored")
        try:
            verdict = await self._robots.verdict(address)
        except Failure as failure:
            raise Failure(
                code=failure.code, detail=f"robots.txt: {failure.detail}", opt_out=OptOut("unreachable")
            ) from failure
        if verdict.state in {"refused", "unreachable"}:
            raise Failure(code="robots", detail=verdict.detail, opt_out=OptOut(verdict.state))
        if verdict.delay > LONGEST:
            detail = f"{address.host}: robots.txt asks for {verdict.delay:,.0f} s between requests"
            raise Failure(code="robots", detail=detail, opt_out=OptOut("refused"))
        return verdict

    async def _hop(
        self, address: URL, errand: Errand[V], allowance: Allowance, verdict: Verdict
    ) -> "Brought[bytes] | str":
        """Return what is at an address, or where it has moved to."""
        headers = {"Accept": errand.accept} | ({"Referer": errand.referer} if errand.referer else {})
        session = self._trusted if address.host in self._options.allow_hosts else self._guarded
        try:
            async with allowance.spend(), session.get(address, headers=headers, allow_redirects=False) as answer:
                moved = self._judged(address, answer)
                if moved is not None:
                    return moved
                opt_out = _said(answer, verdict, heed=errand.heed)
                data = await read(answer, self._options, allowance.left)
                now = datetime.now(UTC).replace(microsecond=0)
                return Brought(data, answer.status, answer.headers, str(address), (), opt_out, now)
        except Failure:
            raise
        except Exception as error:  # whatever a hostile server can do to the HTTP library is one lost address
            raise translated(error) from error

    def _judged(self, address: URL, answer: aiohttp.ClientResponse) -> str | None:
        """Return where an answer sends us, or None for one with a body; other answers are failures."""
        status, target = answer.status, answer.headers.get("Location")
        wait = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC)) if status in _PASSING else None
        self._turns.answered(address.raw_host or "", status, wait)
        if status in _MOVED and target:
            return target
        if 200 <= status < 300:
            return None
        asked = f" and asks to wait {wait:,.0f} s" if wait is not None else ""
        detail = f"{address.host} answered with HTTP {status}{asked}"
        raise Failure(code=f"http-{status}", detail=detail, passing=status in _PASSING, wait=wait)

    async def _robots_file(self, address: URL) -> tuple[int, bytes]:
        """Return status and first bytes of a robots.txt."""
        allowance = Allowance(self._options.deadline)
        ports, allowed = self._options.ports, self._options.allow_hosts
        for _ in range(REDIRECTS + 1):
            session = self._trusted if address.host in allowed else self._guarded
            async with self._turns.turn(address.raw_host or ""):
                try:
                    async with allowance.spend(), session.get(address, allow_redirects=False) as answer:
                        target = answer.headers.get("Location") if answer.status in _MOVED else None
                        if target is None:
                            return answer.status, await _first(answer)
                except Failure:
                    raise
                except Exception as error:
                    raise translated(error) from error
            address = _next(address, target, (ports, allowed))
        return 404, b""  # RFC 9309: one that cannot be reached by five redirects counts as absent


def _said(answer: aiohttp.ClientResponse, verdict: Verdict, *, heed: bool) -> OptOut:
    values = answer.headers.getall("X-Robots-Tag", ())
    opt_out = observed(values, answer.headers.get("tdm-reservation"), verdict.state)
    word = refusal(opt_out) if heed else None
    if word:
        raise Failure(code="opt-out", detail=word, opt_out=opt_out)
    return opt_out


async def _first(answer: aiohttp.ClientResponse) -> bytes:
    """Return the first bytes of a robots.txt; an error's body says nothing."""
    data = bytearray()
    if answer.status < 300:
        while len(data) < SIZE and (chunk := await answer.content.readany()):
            data += chunk
    return bytes(data[:SIZE])


def _next(address: URL, target: str, bounds: tuple[frozenset[int], frozenset[str]]) -> URL:
    following = guard.address(target, *bounds, base=address)
    if address.scheme == "https" and following.scheme == "http":
        raise Failure(code="redirects", detail=f"from https to http ({following.host})")
    return following
