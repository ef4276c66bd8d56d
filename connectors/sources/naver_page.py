"""What Naver's image result page and its paging answers hold, read without a browser and without running anything.

Three generations of the page are known: a data object in a script (since 2023), a call with a list (2019-2021) and
bare tiles (2017-2023). The names that differ between releases are data: `naver_web.json`.
"""

import html as entities
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from connectors.sources import js_object
from connectors.sources.base import Candidate, Json

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_WRAPPED = re.compile(r"^\s*[\w$.]*\s*\((.*)\)\s*;?\s*$", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_KEPT = ("imgId", "source", "writerTitle", "tld", "dateInfo")


class LayoutChanged(ValueError):
    """The page is there, but what it should hold is not where it was."""


@dataclass(frozen=True, slots=True)
class Results:
    """One page of results.

    items: the images, advertisements left out. next_url: as the page writes it; None where nothing follows. counted:
    the page names no next address, and the next page is asked for by its first rank.
    """

    items: tuple[Json, ...]
    next_url: str | None = None
    counted: bool = False


def load_look() -> Json:
    """Return the names that this version of the reader looks for."""
    look: Json = json.loads(Path(__file__).with_name("naver_web.json").read_text(encoding="utf-8"))
    return look


def read_page(source: str, data: Any, look: Json) -> Results:
    """Return what the result page holds; no items where it says itself that nothing was found.

    Args:
        source: the page's HTML. data: its data object, where a browser already had it; else None.
        look: `load_look()`.

    Raises:
        LayoutChanged: neither results nor the sentence that there are none.
    """
    if data is None:
        data = _literal(source, re.escape(look["data_object"]) + r"\s*=\s*", "{")
    if isinstance(data, dict):
        results = _of_object(data)
        if results.items:
            return results
    listed = _literal(source, re.escape(look["list_call"]) + r"\s*\(\s*", "[")
    root = _tree(source)
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    items = items or [tile for names in look["tiles"] for tile in _tiles(root, names)]
    if items:
        return Results(_images(items), counted=True)
    if any(_matches(node, look["no_results"]) for node in root.iter("*")):
        return Results(())
    msg = f"the result page holds neither results nor the sentence that there are none (reader {look['version']})"
    raise LayoutChanged(msg)


def read_more(text: str) -> Results:
    """Return what a paging answer holds: plain JSON, or wrapped in a call and then percent-encoded once.

    Raises:
        LayoutChanged: not JSON, or without the list of results.
    """
    wrapped = _WRAPPED.match(text)
    try:
        data = json.loads(wrapped.group(1) if wrapped else text, strict=False)
    except (ValueError, RecursionError) as error:
        msg = f"the next page of results is not JSON: it begins with {text[:60]!r}"
        raise LayoutChanged(msg) from error
    data = _unquoted(data) if wrapped else data
    if not isinstance(data, dict) or not isinstance(data.get("items"), list):
        msg = "the next page of results has no list of items"
        raise LayoutChanged(msg)
    return Results(_images(data["items"]), _address(data.get("url")), counted=wrapped is not None)


def is_challenge(source: str, look: Json) -> bool:
    """Tell whether a page asks for a proof that a person sits before it; its text is not looked at, only its form."""
    root = _tree(source)
    return any(
        names["holds"] in (node.get(names["attribute"]) or "").lower()
        for names in look["challenges"]
        for node in root.iter(names["tag"])
    )


def original_of(thumbnail: str | None) -> str | None:
    """Return the address a thumbnail was made from: its `src`, decoded once (its own escapes stay as they are)."""
    if not thumbnail:
        return None
    found = parse_qs(urlsplit(thumbnail).query, errors="surrogateescape").get("src", [""])[0]
    return _http(found) if found.isprintable() else None


def candidate(item: Json, query: str, rank: int) -> Candidate | None:
    """Return an item of a page as a candidate, None where it has no address at all. rank: from 1."""
    large, small = _http(item.get("viewerThumb")), _http(item.get("thumb"))
    url = _http(item.get("originalUrl")) or original_of(large) or original_of(small) or large or small
    if url is None:
        return None
    extra = {name: plain(item[name]) for name in _KEPT if isinstance(item.get(name), str) and item[name]}
    return Candidate(
        url=url,
        source="naver-web",
        query=query,
        rank=rank,
        fallbacks=tuple(dict.fromkeys(each for each in (large, small) if each and each != url)),
        page_url=_http(item.get("link")),
        title=plain(item.get("title")),
        width=_pixels(item.get("orgWidth")),
        height=_pixels(item.get("orgHeight")),
        extra=extra,
    )


def plain(text: object) -> str:
    """Return a title without its marks, its entities resolved once."""
    return " ".join(entities.unescape(_TAG.sub("", text)).split()) if isinstance(text, str) else ""


def _of_object(data: Json) -> Results:
    content = data.get("content")
    found = content.get("items") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(found, list):
        return Results(())  # nothing here; the page may say that nothing was found, or be of another kind
    total = content.get("total")
    if "url" not in content and isinstance(total, int) and total > len(found):
        msg = f"the result page holds {len(found)} of {total:,} results and no address of the next ones"
        raise LayoutChanged(msg)
    return Results(_images(found), _address(content.get("url")))


def _images(items: list[Any]) -> tuple[Json, ...]:
    kinds = {item.get("type", "image") for item in items if isinstance(item, dict)}
    images = tuple(item for item in items if isinstance(item, dict) and item.get("type", "image") == "image")
    if items and not images and "shopAd" not in kinds:
        msg = f"none of the {len(items)} results is called an image; they are {sorted(map(str, kinds))}"
        raise LayoutChanged(msg)
    if images and all(candidate(item, "", 1) is None for item in images):
        msg = f"none of the {len(images)} results has an address where it was; they have {sorted(images[0])[:12]}"
        raise LayoutChanged(msg)
    return images


def _literal(source: str, before: str, opening: str) -> Any:
    for match in re.finditer(before + r"(?=" + re.escape(opening) + ")", source):
        try:
            return js_object.parse(source, match.end())
        except ValueError:  # a mention in other code; the real one may follow
            continue
    return None


def _tree(source: str) -> "HtmlElement":
    from lxml import html

    parser = html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
    return html.document_fromstring(b"<html></html>" if not source.strip() else source.encode(errors="replace"), parser)


def _tiles(root: "HtmlElement", names: Json) -> Iterator[Json]:
    for node in root.iter(names["tag"]):
        if not _matches(node, names):
            continue
        address = next(filter(None, (_http(node.get(name)) for name in names["address"])), None)
        yield {
            "thumb": address,
            "title": node.get(names["title"]),
            "orgWidth": node.get(names["width"]),
            "orgHeight": node.get(names["height"]),
        }


def _matches(node: "HtmlElement", names: Json) -> bool:
    return set(names["classes"]) <= set((node.get("class") or "").split())


def _unquoted(value: Any) -> Any:
    if isinstance(value, str):
        return unquote(value)
    if isinstance(value, list):
        return [_unquoted(each) for each in value]
    return {name: _unquoted(each) for name, each in value.items()} if isinstance(value, dict) else value


def _address(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _http(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    value = value.strip()
    if re.match(r"https?%3A", value, re.IGNORECASE):  # 2019-2021: the whole address is encoded
        value = unquote(value)
    value = f"https:{value}" if value.startswith("//") else value
    return value if re.match(r"https?://[^/?#\s]", value, re.IGNORECASE) else None


def _pixels(value: object) -> int | None:
    """Return a size; the site writes 0 where it does not know."""
    text = str(value) if not isinstance(value, bool) else ""
    return int(text) or None if text.isascii() and text.isdigit() and len(text) < 8 else None
