"""The images of one web page."""

from collections.abc import Iterator
from dataclasses import replace

from connectors.errors import FetchError
from connectors.sources import page_images
from connectors.sources.base import Access, Candidate, Json, Query, Ready, Source, SourceFault
from connectors.sources.page_images import Page, PageImage
from connectors.sources.stated import license_of

NAME = "webpage"
_LARGEST = 10 * 1024 * 1024  # bytes of HTML


def search(query: Query, access: Access) -> Iterator[Candidate]:
    """Yield the images of the page, in the order of its HTML.

    Raises:
        SourceFault: the page cannot be had, is no page, or its owner keeps programs away.
    """
    from connectors.fetching.options import FetchOptions
    from connectors.fetching.optouts import refusal
    from connectors.fetching.sync import get

    if query.wanted is not None and query.wanted < 1:
        return
    url = query.text.strip()
    if not url.lower().startswith(("http://", "https://")):
        msg = f"{query.text[:200]!r} is not the address of a web page"
        raise SourceFault(kind="bad_request", message=msg, fix="Give an address that begins with https://.")
    options = FetchOptions(
        max_bytes=_LARGEST,
        host_interval=0,
        allow_hosts=access.allow_hosts,
        contact=access.contact,
        robots_dir=access.folder / "robots",
    )
    try:
        answer = get(url, options)
    except FetchError as error:
        raise _fault(error) from error
    kind = answer.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() not in {"", "text/html", "application/xhtml+xml", "text/plain"}:
        msg = f"{url[:200]} is not a web page but {kind[:60]}"
        raise SourceFault(kind="bad_request", message=msg, fix="Put addresses of images into a list: --source urls.")
    page = page_images.read(answer.data, answer.final_url, kind)
    said = replace(answer.opt_out, meta=page.robots, tdm=page.tdm or answer.opt_out.tdm)
    words = refusal(said)
    if words and access.opt_out == "refuse":
        msg = f"{url[:200]}: its owner keeps its images from machine use ({words})"
        raise SourceFault(kind="blocked", message=msg, fix="Ask the owner, or use another page.")
    seen = {"page_robots": page.robots, "page_tdm": said.tdm, "page_x_robots_tag": said.x_robots_tag}
    extra = {name: value for name, value in seen.items() if value is not None}
    for rank, image in enumerate(page.images, start=1):
        yield _candidate(image, page, (query.text, answer.final_url, rank), extra)


def _candidate(image: PageImage, page: Page, where: tuple[str, str, int], extra: Json) -> Candidate:
    query, page_url, rank = where
    fields = image.fields or {}
    maker = fields.get("creator") or fields.get("author")
    maker = maker[0] if isinstance(maker, list) and maker else maker
    named = maker if isinstance(maker, dict) else {"name": maker}
    kept = {name: str(fields[name])[:500] for name in ("copyrightNotice", "acquireLicensePage") if fields.get(name)}
    license_ = fields.get("license")
    return Candidate(
        url=image.url,
        source=NAME,
        query=query,
        rank=rank,
        fallbacks=image.fallbacks,
        page_url=page_url,
        title=image.title or page.title,
        license=license_of(license_ if isinstance(license_, str) else page.license, None, "page"),
        creator=_text(named.get("name")) or _text(fields.get("creditText")),
        creator_url=_text(named.get("url")),
        attribution=_text(fields.get("creditText")),
        extra={**extra, **kept},
    )


def _text(value: object) -> str | None:
    return value.strip()[:500] or None if isinstance(value, str) else None


def _fault(error: FetchError) -> SourceFault:
    from connectors.fetching.reasons import sentence

    if error.fix in {sentence("robots"), sentence("opt-out")} or error.status in {401, 403, 429}:
        return SourceFault("blocked", str(error), fix=error.fix)
    if error.status is not None and error.status < 500:
        return SourceFault("bad_request", str(error), fix=error.fix)
    return SourceFault("network" if error.status is None else "upstream", str(error), fix=error.fix)


def ready(_: Access) -> Ready:
    """Tell that nothing is needed."""
    return Ready(True, "reads one page, where its robots.txt allows it")


SOURCE = Source(
    name=NAME, summary="The images of one web page", takes="address", search=search, ready=ready, licensed=True
)
