"""Openverse: openly licensed images of many collections, with licence and attribution; works without a key."""

import json
import logging
import os
import re
import time
from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import urlsplit

from connectors.sources.api import Api, Call, Reply, is_web, keyword, number, resume_time, status_fault, text_of
from connectors.sources.base import Access, Candidate, Json, Query, Ready, Source, SourceFault
from connectors.sources.licenses import allowed, make_license

NAME = "openverse"
BASE = "https://api.openverse.org"
LONGEST = 200  # characters of a keyword that it looks at
CODES = frozenset({"by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd", "cc0", "pdm", "sampling+", "nc-sampling+"})
ANONYMOUS, REGISTERED = (20, 240), (50, 1000)  # results of one page and of one query
_FIX_429 = (
    "Wait, or register for free at api.openverse.org and set LABELLOOM_OPENVERSE_CLIENT_ID and "
    "LABELLOOM_OPENVERSE_CLIENT_SECRET: registered users may ask more often."
)
_KEYS = ("openverse_client_id", "openverse_client_secret")
_TOO_MANY = re.compile(r"less than or equal to (\d+)")

_log = logging.getLogger(__name__)


def search(query: Query, access: Access) -> Iterator[Candidate]:
    """Yield Openverse's results in its order, page by page, to the depth it serves.

    Args:
        query: a keyword of at most 200 characters; licences are asked for, and looked at again in the answer.
        access: client id and secret, where there are any.

    Raises:
        SourceFault: the keyword is refused, it is asked too often, the keys are wrong, or it is not reached.
    """
    word = keyword(NAME, query.text, LONGEST)
    licenses = sorted(query.licenses & CODES)
    if (query.wanted is not None and query.wanted < 1) or (query.licenses and not licenses):
        return
    params = {"q": word} | ({"license": ",".join(licenses)} if licenses else {})
    with Api(NAME, access) as api:
        for rank, item in enumerate(_items(api, access, params), 1):
            found = _candidate(item, query.text, rank)
            if found is not None and allowed(found.license, query.licenses):
                yield found


def _items(api: Api, access: Access, params: dict[str, str]) -> Iterator[Json]:
    size, depth = REGISTERED if _registered(access) else ANONYMOUS
    page, seen, more = 1, 0, True
    while more and seen < depth:
        body = _page(api, access, params | {"page": str(page), "page_size": str(size)})
        if page == 1 and "smaller" in body:
            size = body["smaller"]
            continue
        results, pages = body.get("results"), body.get("page_count")
        if not isinstance(results, list) or not isinstance(pages, int):
            msg = "openverse's answer has no results or no page_count: the API has changed"
            raise SourceFault(kind="layout_changed", message=msg, fix="Update LabelLoom.")
        yield from (item for item in results[: depth - seen] if isinstance(item, dict))
        seen += len(results)
        # Some servers clamp the size without a word; the next page must be cut the same way.
        size = number(body.get("page_size")) or size
        page, more = page + 1, bool(results) and page < pages
    if more:
        _log.warning("openverse serves no more than %d results to one query: %r ends here", depth, params["q"][:100])


def _page(api: Api, access: Access, params: dict[str, str]) -> Json:
    base = access.urls.get(NAME, BASE).rstrip("/")
    for fresh in (False, True):
        token = _token(api, access, base, fresh=fresh)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return api.ask(Call(f"{base}/v1/images/", params, headers), _judge)
        except _Smaller as fault:
            if int(params["page_size"]) > fault.size >= 1 and params["page"] == "1":
                return {"smaller": fault.size}
            raise
        except _PastTheEnd:
            return {"results": [], "page_count": int(params["page"]) - 1}
        except SourceFault as fault:
            if fault.kind != "auth" or token is None or fresh:  # a kept token may have been withdrawn: once more
                raise
    raise AssertionError  # the second round returns or raises


class _Smaller(SourceFault):
    """A page may hold fewer results than were asked for."""

    size = 0


class _PastTheEnd(SourceFault):
    """There is no such page."""


def _judge(reply: Reply) -> SourceFault | None:
    if reply.status < 300:
        return None
    detail = (reply.json() or {}).get("detail", reply.json() or "")
    said = detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)
    found = _TOO_MANY.search(said)
    if reply.status in {400, 401} and found:
        smaller = _Smaller("bad_request", f"{NAME}: {said}")
        smaller.size = int(found[1])
        return smaller
    if reply.status == 404 and "Invalid page" in said:
        return _PastTheEnd("bad_request", f"{NAME}: {said}")
    if reply.status == 429:
        msg = f"openverse answered HTTP 429: {said[:300]}"
        return SourceFault("rate_limited", msg, fix=_FIX_429, resume_at=resume_time(reply.headers))
    return status_fault(NAME, reply, said)


def _registered(access: Access) -> bool:
    return all(access.keys.get(name) for name in _KEYS)


def _token(api: Api, access: Access, base: str, *, fresh: bool) -> str | None:
    """Return a bearer token, kept until shortly before it expires; None for who is not registered."""
    if not _registered(access):
        return None
    client, secret = (access.keys[name] for name in _KEYS)
    path = access.folder / f"openverse-{sha256(f'{base} {client} {secret}'.encode()).hexdigest()[:16]}.json"
    if not fresh:
        try:
            note = json.loads(path.read_text(encoding="utf-8"))
            if note["until"] > time.time():
                return str(note["token"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none kept, or a damaged one: a new one is asked for
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    body = api.ask(Call(f"{base}/v1/auth_tokens/token/", {}, {}, form), _token_judge)
    token, lasts = text_of(body.get("access_token")), number(body.get("expires_in")) or 0
    if not token:
        msg = "openverse gave no token"
        raise SourceFault(kind="layout_changed", message=msg, fix="Update LabelLoom.")
    access.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps({"token": token, "until": time.time() + lasts - 60}), encoding="utf-8")
    temporary.replace(path)
    return token


def _token_judge(reply: Reply) -> SourceFault | None:
    if reply.status in {400, 401, 403}:
        msg = f"openverse refuses the client id and secret (HTTP {reply.status})"
        fix = "Check LABELLOOM_OPENVERSE_CLIENT_ID and LABELLOOM_OPENVERSE_CLIENT_SECRET, or unset both."
        return SourceFault("auth", msg, fix=fix)
    return _judge(reply)


def _candidate(item: Json, asked: str, rank: int) -> Candidate | None:
    url, thumbnail = text_of(item.get("url")), text_of(item.get("thumbnail"))
    if not url:
        _log.warning("openverse: result %d has no address and is passed over", rank)
        return None
    kept = ("id", "provider", "source", "detail_url", "mature")
    return Candidate(
        url=url,
        source=NAME,
        query=asked,
        rank=rank,
        fallbacks=(thumbnail,) if is_web(thumbnail) else (),
        page_url=text_of(item.get("foreign_landing_url")) or None,
        title=text_of(item.get("title")),
        width=number(item.get("width")),
        height=number(item.get("height")),
        license=make_license(
            text_of(item.get("license")) or None,
            text_of(item.get("license_version")) or None,
            text_of(item.get("license_url")) or None,
            "api",
        ),
        creator=text_of(item.get("creator")) or None,
        creator_url=text_of(item.get("creator_url")) or None,
        attribution=text_of(item.get("attribution")) or None,
        extra={name: item[name] for name in kept if item.get(name) is not None},
    )


def ready(access: Access) -> Ready:
    """Tell whether it is asked anonymously or as a registered client."""
    if any(access.keys.get(name) for name in _KEYS) and not _registered(access):
        fix = "Set both LABELLOOM_OPENVERSE_CLIENT_ID and LABELLOOM_OPENVERSE_CLIENT_SECRET, or neither."
        return Ready(False, "only one of client id and secret is set", fix)
    who = "as a registered client" if _registered(access) else "without a key (a small number of requests a day)"
    where = f" at {urlsplit(access.urls[NAME]).hostname}" if NAME in access.urls else ""
    return Ready(True, f"asked {who}{where}")


SOURCE = Source(
    name=NAME,
    summary="Openly licensed images of many collections, with licence and attribution; no key needed",
    takes="keyword",
    search=search,
    ready=ready,
    reach=ANONYMOUS[1],
    licensed=True,
)
