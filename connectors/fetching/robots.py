"""robots.txt, as RFC 9309 has it: one request per site, kept for a day, obeyed under our own name."""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from protego import Protego  # type: ignore[import-untyped, unused-ignore]
from yarl import URL

from connectors.fetching.failure import Failure
from connectors.fetching.optouts import TOKEN
from connectors.fetching.values import Robots

SIZE = 500 * 1024  # bytes of a robots.txt that are read
_KEPT = 24 * 3600.0  # seconds
_SITES = 2000  # sites remembered at once


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a site's robots.txt says of an address. delay: seconds between requests that it asks for."""

    state: Robots
    delay: float = 0.0
    detail: str = ""


class _Rules:
    """One site's rules; without text all is allowed (`none`) or nothing (`unreachable`)."""

    def __init__(self, state: Robots, text: str | None = None, detail: str = "") -> None:
        self._state = state
        self._detail = detail
        self._parser = Protego.parse(text) if text is not None else None
        self._delay = float(self._parser.crawl_delay(TOKEN) or 0.0) if self._parser else 0.0

    def verdict(self, address: URL) -> Verdict:
        if self._parser is None:
            return Verdict(self._state, detail=self._detail)
        if self._parser.can_fetch(str(address), TOKEN):
            return Verdict("allowed", self._delay)
        return Verdict("refused", self._delay, f"{address.host}: robots.txt does not allow it")


class RobotsFiles:
    """The rules of all sites of a run.

    Args:
        ask: returns the status and the first bytes of what is at an address, redirects followed; raises `Failure`.
        folder: where answers are kept between runs; None keeps none.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        ask: Callable[[URL], Awaitable[tuple[int, bytes]]],
        folder: Path | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ask = ask
        self._folder = folder
        self._clock = clock
        self._sites: dict[URL, asyncio.Task[_Rules]] = {}

    async def verdict(self, address: URL) -> Verdict:
        """Return what the site of an address says of it.

        Raises:
            Failure: the site could not be asked at all.
        """
        site = address.origin()
        task = self._sites.get(site)
        if task is None:
            self._forget()
            task = self._sites[site] = asyncio.create_task(self._rules(site))
        # Shielded: the one who asked first may be called off, the others still want to know.
        return (await asyncio.shield(task)).verdict(address)

    def _forget(self) -> None:
        if len(self._sites) >= _SITES:
            for site in [site for site, task in self._sites.items() if task.done()][: _SITES // 2]:
                del self._sites[site]

    async def close(self) -> None:
        """Call off what is under way."""
        for task in self._sites.values():
            task.cancel()
        await asyncio.gather(*self._sites.values(), return_exceptions=True)

    async def _rules(self, site: URL) -> _Rules:
        known = self._read(site)
        status, data = known or await self._ask(site / "robots.txt")
        text = data.decode("utf-8", "replace").lstrip("\ufeff")
        if status >= 500 or status == 429:
            return _Rules("unreachable", detail=f"{site.host}: robots.txt answered with HTTP {status}")
        if known is None:
            self._write(site, status, text)
        return _Rules("allowed", text) if status < 300 else _Rules("none")

    def _path(self, site: URL) -> Path | None:
        return self._folder / f"{hashlib.sha256(str(site).encode()).hexdigest()[:32]}.json" if self._folder else None

    def _read(self, site: URL) -> tuple[int, bytes] | None:
        path = self._path(site)
        try:
            kept = json.loads(path.read_text(encoding="utf-8")) if path else None
            if kept and kept["site"] == str(site) and 0 <= self._clock() - kept["at"] < _KEPT:
                return int(kept["status"]), str(kept["text"]).encode()
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not there, or not ours: ask the site
        return None

    def _write(self, site: URL, status: int, text: str) -> None:
        path = self._path(site)
        if path is None:
            return
        value = {"site": str(site), "at": self._clock(), "status": status, "text": text if status < 300 else ""}
        part = path.with_suffix(f".{id(self):x}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(value), encoding="utf-8")
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)  # a full disk costs a request on the next run, not this one


def refused(verdict: Verdict) -> Failure:
    """Return the failure of an address that robots.txt does not allow."""
    return Failure(code="robots", detail=verdict.detail)
