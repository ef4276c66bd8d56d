"""Wikimedia Commons: freely usable media with licence and author; works without a key, but wants to know who asks."""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace

from connectors.sources.api import Api, Call, Reply, is_web, keyword, number, plain, resume_time, status_fault, text_of
from connectors.sources.base import Access, Candidate, Json, License, Query, Ready, Source, SourceFault
from connectors.sources.licenses import allowed, make_license, spdx_of

NAME = "wikimedia"
URL = "https://commons.wikimedia.org/w/api.php"
PAGE = 50
REACH = 10_000
_WIDE, _SMALL = 1280, 500  # pixels; of thumbnails, Wikimedia serves certain widths only, these two among them
_ASKED = {
    "action": "query",
    "format": "json",
    "formatversion": "2",
    "generator": "search",
    "gsrnamespace": "6",
    "gsrlimit": str(PAGE),
    "prop": "imageinfo",
    "iiprop": "url|size|mime|sha1|user|extmetadata",
    "iiurlwidth": str(_WIDE),
    "maxlag": "5",
}
_CONTACT = "Set LABELLOOM_CONTACT to an e-mail address or web page, so that Wikimedia can tell who asks."
_HREF = re.compile(r"""<a\s[^>]*?href\s*=\s*["']([^"']+)["']""", re.IGNORECASE)

_log = logging.getLogger(__name__)


def search(query: Query, access: Access) -> Iterator[Candidate]:
    """Yield the pictures that Commons finds, in its order, 50 a call.

    Args:
        query: a keyword. access: the contact that Wikimedia asks for.

    Raises:
        SourceFault: the keyword is refused, we are blocked or too fast, or it is not reached.
    """
    word = keyword(NAME, query.text)
    if query.wanted is not None and query.wanted < 1:
        return
    with Api(NAME, access) as api:
        for rank, page in enumerate(_found(api, access.urls.get(NAME, URL), word), 1):
            candidate = _candidate(page, query.text, rank)
            if candidate is not None and allowed(candidate.license, query.licenses):
                yield candidate
            if rank >= REACH:
                _log.warning("wikimedia serves no more than %d results to one query: %r ends here", REACH, word[:100])
                return


def _found(api: Api, url: str, word: str) -> Iterator[Json]:
    asked = _ASKED | {"gsrsearch": f"filetype:bitmap {word}"}
    goes_on: dict[str, str] = {}
    batch: dict[object, Json] = {}
    while True:
        body = api.ask(Call(url, asked | goes_on, {}), _judge)
        for page in _pages(body):
            # A long answer comes in parts: the same pages again, each time with more of them filled in.
            batch[page.get("pageid")] = batch.get(page.get("pageid"), {}) | page
        following = body.get("continue")
        if body.get("batchcomplete") or not isinstance(following, dict):
            yield from sorted(batch.values(), key=lambda page: number(page.get("index")) or 0)
            batch = {}
        if not isinstance(following, dict):
            return
        again = {str(name): str(value) for name, value in following.items()}
        if again == goes_on:
            msg = "wikimedia goes on with the page that was just read"
            raise SourceFault(kind="layout_changed", message=msg, fix="Update LabelLoom.")
        goes_on = again


def _pages(body: Json) -> list[Json]:
    query = body.get("query", {})
    pages = query.get("pages", []) if isinstance(query, dict) else None
    if not isinstance(pages, list):
        msg = "wikimedia's answer has no list of pages: the API has changed"
        raise SourceFault(kind="layout_changed", message=msg, fix="Update LabelLoom.")
    return [page for page in pages if isinstance(page, dict)]


def _judge(reply: Reply) -> SourceFault | None:
    error = (reply.json() or {}).get("error")
    if not isinstance(error, dict):
        fault = status_fault(NAME, reply, "")
        if fault is not None and fault.kind == "blocked":
            return SourceFault("blocked", str(fault), fix=_CONTACT, resume_at=fault.resume_at)
        return fault
    code = text_of(error.get("code"))  # errors come with HTTP 200
    msg = f"wikimedia answered {code}: {text_of(error.get('info'))[:300]}"
    if code in {"maxlag", "ratelimited", "readonly"}:
        fix = "Wait; the same command goes on where it stopped."
        return SourceFault("rate_limited", msg, fix=fix, resume_at=resume_time(reply.headers))
    if code.startswith("internal_api_error") or code == "cirrussearch-backend-error" or reply.status >= 500:
        return SourceFault("upstream", msg, fix="Try again later.")
    if code in {"blocked", "autoblocked", "globalblocking-blockedtext-range"}:
        return SourceFault("blocked", msg, fix=_CONTACT)
    return SourceFault("bad_request", msg, fix="Change or shorten the keyword.")


def _candidate(page: Json, asked: str, rank: int) -> Candidate | None:
    info = next(iter(page.get("imageinfo") or ()), None)
    url = text_of(info.get("url")) if isinstance(info, dict) else ""
    if not isinstance(info, dict) or not url:
        _log.warning("wikimedia: %s has no picture and is passed over", text_of(page.get("title"))[:100] or rank)
        return None
    about = _about(info)
    title = _title(about.get("ObjectName", ""), text_of(page.get("title")))
    license_ = _license(about)
    creator = plain(about.get("Artist", "")) or None
    link = _HREF.search(about.get("Artist", ""))
    creator_url = _web(link[1]) if link else None
    parts = [part for part in (f'"{title}"', creator and f"by {creator}", license_.raw and f"({license_.raw})") if part]
    return Candidate(
        url=url,
        source=NAME,
        query=asked,
        rank=rank,
        fallbacks=_thumbnails(info),
        page_url=_web(text_of(info.get("descriptionurl"))),
        title=title,
        width=number(info.get("width")),
        height=number(info.get("height")),
        license=license_,
        creator=creator,
        creator_url=creator_url,
        attribution=plain(about.get("Attribution", "")) or f"{' '.join(parts)}, Wikimedia Commons",
        extra=_extra(page, info, about),
    )


def _about(info: Json) -> dict[str, str]:
    fields = info.get("extmetadata")
    if not isinstance(fields, dict):
        return {}
    return {name: str(field["value"]) for name, field in fields.items() if isinstance(field, dict) and "value" in field}


def _license(about: dict[str, str]) -> License:
    shown, code = plain(about.get("LicenseShortName", "")), about.get("License", "")
    found = make_license(shown or code or None, None, _web(about.get("LicenseUrl", "")), "api")
    if found.spdx is None and (spdx := spdx_of(code)):  # the template's code, where the shown name is not known
        return replace(found, spdx=spdx)
    return found


def _title(name: str, page: str) -> str:
    return plain(name) or page.removeprefix("File:").rsplit(".", 1)[0]


def _web(url: str) -> str | None:
    url = f"https:{url}" if url.startswith("//") else url
    return url if is_web(url) else None


def _thumbnails(info: Json) -> tuple[str, ...]:
    """Return smaller copies of widths that Wikimedia serves, the largest first."""
    thumb, width = text_of(info.get("thumburl")), number(info.get("width")) or 0
    if not is_web(thumb) or thumb == text_of(info.get("url")):
        return ()
    small = thumb.replace(f"/{_WIDE}px-", f"/{_SMALL}px-", 1)
    return (thumb, small) if small != thumb and width > _SMALL else (thumb,)


def _extra(page: Json, info: Json, about: dict[str, str]) -> Json:
    """Return what a user of the picture may have to know: whose rights beside copyright it touches, above all."""
    extra: Json = {"pageid": page.get("pageid"), "sha1": info.get("sha1"), "mime": info.get("mime")}
    restrictions = [part.strip() for part in about.get("Restrictions", "").split("|") if part.strip()]
    if restrictions:
        extra["restrictions"] = restrictions
    if about.get("AttributionRequired"):
        extra["attribution_required"] = about["AttributionRequired"].casefold() == "true"
    if credit := plain(about.get("Credit", "")):
        extra["credit"] = credit
    return {name: value for name, value in extra.items() if value is not None}


def ready(access: Access) -> Ready:
    """Tell whether Wikimedia gets to know whom to write to."""
    if access.contact:
        return Ready(True, f"no key needed; asked as {access.contact}")
    return Ready(True, f"no key needed, but Wikimedia may refuse who names no contact. {_CONTACT}")


SOURCE = Source(
    name=NAME,
    summary="Wikimedia Commons, with licence and author; no key needed",
    takes="keyword",
    search=search,
    ready=ready,
    reach=REACH,
    licensed=True,
)
