"""Naver's image search API, in both its dialects: NAVER API HUB and the developer centre's older keys.

It serves no page address, no author and no licence, and no more than 1,099 results to one query.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from connectors.sources import budget
from connectors.sources.api import Api, Call, Judge, Reply, is_web, keyword, number, plain, status_fault, text_of
from connectors.sources.base import Access, Candidate, FaultKind, Json, Query, Ready, Source, SourceFault
from connectors.sources.budget import Budget

NAME = "naver"
PAGE = 100  # results of one call
LAST_START = 1000
REACH = LAST_START + PAGE - 1
GET_A_KEY = (
    "Get a key of NAVER API HUB in the console of Naver Cloud (an application that has Search ticked) and "
    "set LABELLOOM_NAVER_CLIENT_ID and LABELLOOM_NAVER_CLIENT_SECRET. Keys that the developer centre gave out before "
    "31 July 2026 work with LABELLOOM_NAVER_DIALECT=legacy until 30 June 2027."
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one of Naver's two gateways is spoken to."""

    url: str
    id_header: str
    secret_header: str


DIALECTS = {
    "hub": Dialect(
        "https://naverapihub.apigw.ntruss.com/search/v1/image", "X-NCP-APIGW-API-KEY-ID", "X-NCP-APIGW-API-KEY"
    ),
    "legacy": Dialect("https://openapi.naver.com/v1/search/image", "X-Naver-Client-Id", "X-Naver-Client-Secret"),
}

_WRONG_KEY = (
    "Check LABELLOOM_NAVER_CLIENT_ID and LABELLOOM_NAVER_CLIENT_SECRET, that Search is ticked for the application, and "
    "that LABELLOOM_NAVER_DIALECT is hub for keys of NAVER API HUB and legacy for keys of the developer centre."
)
_SLOWER: tuple[FaultKind, str] = ("rate_limited", "Wait; the same command goes on where it stopped.")
_SPENT: tuple[FaultKind, str] = ("quota_exhausted", "")
_QUERY: tuple[FaultKind, str] = ("bad_request", "Change the keyword.")
_KEY: tuple[FaultKind, str] = ("auth", _WRONG_KEY)
_ADDRESS: tuple[FaultKind, str] = ("bad_request", "Check the address of naver in LABELLOOM_SOURCE_URLS.")
_LATER: tuple[FaultKind, str] = ("upstream", "Try again later.")

# The same number means different things on the two gateways, so each has a table of its own.
_SEARCH_CODES = {
    **dict.fromkeys(("SE01", "SE02", "SE03", "SE04", "SE06"), _QUERY),
    **dict.fromkeys(("SE05", "051", "072"), _ADDRESS),
    "SE99": _LATER,
    "024": _KEY,
    "028": _KEY,
    "012": _SLOWER,
    "010": _SPENT,
}
_HUB_CODES = {
    "100": _QUERY,
    "200": _KEY,
    "210": _KEY,
    "300": _ADDRESS,
    "400": _SPENT,
    "410": _SLOWER,
    "420": _SLOWER,
    "430": _QUERY,
    "500": _LATER,
    "510": _LATER,
}


def search(query: Query, access: Access, *, clock: Callable[[], datetime] = budget.now) -> Iterator[Candidate]:
    """Yield Naver's results in its order, 100 a call, up to the 1,099th.

    Args:
        query: a keyword. access: the keys. clock: the time, for the day's calls.

    Raises:
        SourceFault: no keys or wrong ones, the day's calls are used up, or Naver is not reached.
    """
    word = keyword(NAME, query.text)
    if query.wanted is not None and query.wanted < 1:
        return
    if query.licenses and "unknown" not in query.licenses:
        msg = "naver: it does not know the licence of an image, so none of its results can pass a licence filter"
        raise SourceFault(kind="bad_request", message=msg, fix="Use openverse or wikimedia, or drop the filter.")
    usable = _keys(access)
    if not usable.ok:
        raise SourceFault(kind="auth", message=f"naver: {usable.detail}", fix=usable.fix)
    spending = Budget(access, access.keys["naver_client_id"], clock=clock)
    with Api(NAME, access, before=spending.take) as api:
        yield from _pages(api, (word, query.text), access, _judge(spending))


def _pages(api: Api, words: tuple[str, str], access: Access, judge: Judge) -> Iterator[Candidate]:
    word, asked = words
    dialect = DIALECTS[access.dialects.get(NAME, "hub")]
    headers = {
        dialect.id_header: access.keys["naver_client_id"],
        dialect.secret_header: access.keys["naver_client_secret"],
    }
    done = 0  # positions already yielded
    while done < REACH:
        start = min(done + 1, LAST_START)
        params = {"query": word, "display": str(PAGE), "start": str(start), "sort": "sim"}
        reply = api.ask(Call(access.urls.get(NAME, dialect.url), params, headers), judge)
        items, total = reply.get("items"), reply.get("total")
        if not isinstance(items, list) or not isinstance(total, int):
            msg = "naver's answer has no items or no total: the API has changed"
            raise SourceFault(kind="layout_changed", message=msg, fix="Update LabelLoom.")
        for rank, item in enumerate(items, start):
            if rank > done and isinstance(item, dict):
                yield from _candidate(item, rank, asked)
        if len(items) < PAGE or start + PAGE > total:  # the last page is short; `total` alone may say millions
            return
        done = start + PAGE - 1
    _log.warning("naver serves no more than %s results to one query: %r ends here", f"{REACH:,}", word[:100])


def _candidate(item: Json, rank: int, asked: str) -> Iterator[Candidate]:
    link, thumbnail = text_of(item.get("link")), text_of(item.get("thumbnail"))
    if not link and not thumbnail:
        _log.warning("naver: result %d has no address and is passed over", rank)
        return
    yield Candidate(
        url=link or thumbnail,  # as it is: paths may be CP949, and decoding one would break it
        source=NAME,
        query=asked,
        rank=rank,
        fallbacks=(thumbnail,) if link and is_web(thumbnail) else (),
        title=plain(text_of(item.get("title"))),
        width=number(item.get("sizewidth")),
        height=number(item.get("sizeheight")),
    )


def _judge(spending: Budget) -> Judge:
    def judge(reply: Reply) -> SourceFault | None:
        told = _told(reply)
        if told is None:
            return status_fault(NAME, reply, "")
        code, said, codes = told
        msg = f"naver answered HTTP {reply.status}, code {code}: {said[:300]}"
        if code not in codes:
            return status_fault(NAME, reply, f"code {code}: {said}") or SourceFault("upstream", msg)
        kind, fix = codes[code]
        if kind == "quota_exhausted":
            spending.spend()
            return spending.fault(f"naver answered code {code}: {said[:200]}")
        return SourceFault(kind, msg, fix=fix)

    return judge


def _told(reply: Reply) -> tuple[str, str, dict[str, tuple[FaultKind, str]]] | None:
    """Return an error's code, its words and the table to look it up in; either gateway may answer in either shape."""
    body = reply.json() or {}
    inner = body.get("error")
    if isinstance(inner, dict):
        said = " ".join(text for text in (text_of(inner.get("message")), text_of(inner.get("details"))) if text)
        return str(inner.get("errorCode")), said, _HUB_CODES
    if "errorCode" in body:
        return str(body["errorCode"]), text_of(body.get("errorMessage")), _SEARCH_CODES
    return None


def ready(access: Access) -> Ready:
    """Tell whether there are keys, and how many calls are left today."""
    keys = _keys(access)
    if not keys.ok:
        return keys
    spending = Budget(access, access.keys["naver_client_id"])
    if spending.spent():
        fault = spending.fault(f"{spending.used():,} counted here")
        return Ready(False, str(fault).removeprefix("naver: "), fault.fix)
    return Ready(True, f"{keys.detail}; {spending.used():,} of {budget.DAILY:,} calls used today")


def _keys(access: Access) -> Ready:
    missing = [name for name in ("naver_client_id", "naver_client_secret") if not access.keys.get(name)]
    if missing:
        names = " and ".join(f"LABELLOOM_{name.upper()}" for name in missing)
        return Ready(False, f"no key: {names} {'is' if len(missing) == 1 else 'are'} not set", GET_A_KEY)
    dialect = access.dialects.get(NAME, "hub")
    if dialect not in DIALECTS:
        return Ready(False, f"dialect {dialect!r} is not known", "Set LABELLOOM_NAVER_DIALECT to hub or legacy.")
    return Ready(True, f"keys for {dialect}")


SOURCE = Source(
    name=NAME,
    summary="Naver image search by its API; needs a key; knows no licences",
    takes="keyword",
    search=search,
    ready=ready,
    reach=REACH,
)
