"""Naver's image result page, read slowly through a browser; only for who has acknowledged what that means."""

import importlib.util
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from connectors.sources import naver_browser, naver_page
from connectors.sources.base import Access, Candidate, Json, Query, Ready, Source, SourceFault
from connectors.sources.naver_page import LayoutChanged, Results

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

NAME = "naver-web"
PAUSE = 3.0  # seconds between the end of one page and the start of the next
REACH = 1000  # results of one keyword; the site itself often ends at about 500

TERMS = (
    "Naver offers its result page to people, not to programs: its robots.txt asks every program to stay away, and says "
    "that reading it to train AI is forbidden. LabelLoom reads it openly (it does not pretend to be a person), slowly, "
    "and stops as soon as the site objects. Whether you may do this, and what you may do with the images, is "
    "between you, Naver and the owners of the images, whose licence is unknown; you take that on yourself. The source "
    "`naver` asks Naver's own interface instead."
)
_USE_API = "Use the source naver, which asks Naver's own interface (labelloom doctor --sources says how to get a key)."


@dataclass(frozen=True, slots=True)
class _Pace:
    pause: float
    sleep: Callable[[float], None]


def search(
    query: Query, access: Access, *, pause: float = PAUSE, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Candidate]:
    """Yield what the result page shows, in its order, 50 at a time.

    Args:
        query: a keyword. access: what may be used. pause: seconds between two pages. sleep: how to wait.

    Raises:
        SourceFault: not acknowledged or blocked, the layout has changed, or the site is not reached.
    """
    from connectors.http import resolve

    keyword = " ".join(query.text.split())
    if not keyword:
        raise SourceFault(kind="bad_request", message="the keyword is empty", fix="Give a keyword.")
    if query.wanted is not None and query.wanted < 1:
        return
    usable = ready(access)
    if not usable.ok:
        raise SourceFault(kind="blocked", message=f"{NAME}: {usable.detail}", fix=usable.fix)
    look = naver_page.load_look()
    stand_in = access.urls.get(NAME)
    rules = naver_browser.resolver_rules(look["hosts"], stand_in, resolve)
    with naver_browser.chromium(rules) as driver:
        rank = 0
        for results in _pages(driver, keyword, (look, "http" if stand_in else "https"), _Pace(pause, sleep)):
            for item in results.items:
                found = naver_page.candidate(item, query.text, rank + 1)
                if found is None:  # a tile without any address; a page of nothing else is a changed layout
                    continue
                rank += 1
                yield found
                if rank >= REACH:
                    return


def ready(access: Access) -> Ready:
    """Tell whether the terms are acknowledged, and whether Selenium, Chromium and its driver are installed."""
    if NAME not in access.accepted:
        return Ready(
            False,
            f"off until you acknowledge what it means. {TERMS}",
            f"To go on all the same: labelloom collect --accept-terms {NAME}. {_USE_API}",
        )
    if importlib.util.find_spec("selenium") is None:
        return Ready(False, "Selenium is not installed", "Install it: pip install 'labelloom[browser]'")
    browser, driver = naver_browser.programs()
    missing = [name for name, path in (("chromium", browser), ("chromium-driver", driver)) if path is None]
    if missing:
        names = " and ".join(missing)
        return Ready(False, f"{names} not installed", f"Install it, on Debian: apt-get install {' '.join(missing)}")
    return Ready(True, f"acknowledged; {browser} with {driver}, a page every {PAUSE:g} s")


def _pages(driver: "Chrome", keyword: str, where: tuple[Json, str], pace: _Pace) -> Iterator[Results]:
    look, scheme = where
    text = quote(keyword.encode(errors="replace"), safe="")
    first = f"{scheme}://{look['page'].format(query=text)}"
    results = _first(driver, first, look)
    seen, asked = 0, {first}
    while results.items:
        yield results
        seen += len(results.items)
        if results.counted:
            url = f"{scheme}://{look['more'].format(query=text, start=seen + 1)}"
        elif results.next_url is not None:
            url = _next(first, results.next_url, look)
        else:
            return
        if url in asked:
            raise _changed(why="the next page of results is one that was read already")
        asked.add(url)
        pace.sleep(pace.pause)
        results = _more(driver, url)


def _first(driver: "Chrome", url: str, look: Json) -> Results:
    page = naver_browser.visit(driver, url, look["data_object"])
    host = urlsplit(page.url).hostname or ""
    if host in look["sign_in_hosts"]:
        raise _blocked(why="it wants a sign-in")
    if host not in look["hosts"]:
        raise _blocked(why=f"it leads to {host}")
    _check(page.status)
    try:
        return naver_page.read_page(page.html, None if page.data is None else json.loads(page.data), look)
    except LayoutChanged as error:
        if naver_page.is_challenge(page.html, look):
            raise _blocked(why="it wants a proof that a person is there") from error
        raise _changed(str(error)) from error


def _more(driver: "Chrome", url: str) -> Results:
    answer = naver_browser.ask(driver, url)
    if answer.moved:
        raise _blocked(why="it leads somewhere else instead of showing more")
    _check(answer.status)
    try:
        return naver_page.read_more(answer.text)
    except LayoutChanged as error:
        raise _changed(str(error)) from error


def _next(page: str, found: str, look: Json) -> str:
    url = urljoin(page, found)
    if urlsplit(url).hostname not in look["hosts"]:
        raise _changed(why=f"the next page of results is at {urlsplit(url).hostname}")
    return urlsplit(url)._replace(scheme=urlsplit(page).scheme).geturl()


def _check(status: int) -> None:
    if status in {401, 403, 429}:
        raise _blocked(why=f"it answered with HTTP status {status}")
    if status >= 500:
        raise SourceFault(kind="upstream", message=f"Naver answered with HTTP status {status}", fix="Try again later.")
    if status >= 400:
        raise _changed(why=f"Naver answered with HTTP status {status}")


def _blocked(why: str) -> SourceFault:
    msg = f"Naver does not let its result page be read: {why}. LabelLoom stops here and does not get round it."
    return SourceFault("blocked", msg, fix=_USE_API)


def _changed(why: str) -> SourceFault:
    return SourceFault("layout_changed", f"Naver's result page is not as LabelLoom knows it: {why}.", fix=_USE_API)


SOURCE = Source(
    name=NAME,
    summary="Naver's image result page, through a browser; off until acknowledged",
    takes="keyword",
    search=search,
    ready=ready,
    reach=REACH,
)
