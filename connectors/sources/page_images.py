"""The images of a web page, read from its HTML: where they are, and what the page says of their licence."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from connectors.sources import srcset
from connectors.sources.base import Json

if TYPE_CHECKING:
    from lxml.html import HtmlElement

LAZY = ("data-original", "data-lazy-src", "data-src", "data-source", "data-lazy", "src")
LAZY_SETS = ("srcset", "data-srcset", "data-lazy-srcset")
_IMAGE_PATH = re.compile(r"\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif|heic)$", re.IGNORECASE)
_BACKGROUND = re.compile(r"background(?:-image)?\s*:[^;]*?url\(\s*(['\"]?)(.*?)\1\s*\)", re.IGNORECASE | re.DOTALL)
_META_IMAGES = {"og:image", "og:image:url", "og:image:secure_url", "twitter:image", "twitter:image:src"}
_CHARSET = re.compile(rb"""charset\s*=\s*["']?\s*([\w-]+)""", re.IGNORECASE)
_KOREAN = {"euc-kr", "ks_c_5601-1987", "ksc5601", "korean"}  # the web means its larger sister


@dataclass(frozen=True, slots=True)
class PageImage:
    """An image of a page. fallbacks: smaller copies, best first. fields: what JSON-LD says of it."""

    url: str
    fallbacks: tuple[str, ...] = ()
    title: str = ""
    width: int | None = None
    height: int | None = None
    fields: Json | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What a page holds. license: address that `rel=license` names. robots: the robots meta elements. tdm: likewise."""

    images: tuple[PageImage, ...]
    title: str
    license: str | None
    robots: str | None
    tdm: str | None


def read(data: bytes, url: str, content_type: str = "") -> Page:
    """Return the images of a page in the order of its HTML, each address once.

    Args:
        data: the HTML. url: where it came from. content_type: the header that came with it.
    """
    from lxml import html

    text = _decoded(data, content_type)
    parser = html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
    body = text.encode(errors="replace")
    root = html.document_fromstring(body if text.strip() else b"<html></html>", parser)
    base = next((node.get("href") for node in root.iter("base") if node.get("href")), "")
    reader = _Reader(root, urljoin(url, base or ""))
    title = next((" ".join("".join(map(str, node.itertext())).split()) for node in root.iter("title")), "")
    return Page(reader.images(), title, reader.license(), _meta(root, {"robots", "labelloom"}), _tdm(root))


class _Reader:
    """Walks one page."""

    def __init__(self, root: "HtmlElement", base: str) -> None:
        self._root = root
        self._base = base
        self._described = {
            found: fields for fields in self._linked_data() if (found := self._web(fields.get("contentUrl")))
        }

    def images(self) -> tuple[PageImage, ...]:
        found: dict[str, PageImage] = {}
        smaller: set[str] = set()
        for image in self._all():
            if image.url in found or image.url in smaller:
                continue
            found[image.url] = replace(image, fields=self._described.get(image.url))
            smaller.update(image.fallbacks)
        return tuple(image for url, image in found.items() if url not in smaller)

    def license(self) -> str | None:
        for node in self._root.iter("link", "a"):
            if "license" in (node.get("rel") or "").lower().split() and node.get("href"):
                return self._web(node.get("href"), images=False)
        return None

    def _all(self) -> Iterator[PageImage]:
        for node in self._root.iter():
            name = node.tag if isinstance(node.tag, str) else ""
            if name in {"meta", "link"}:
                yield from self._plain(_of_head(node))
            elif name == "script" and "ld+json" in (node.get("type") or "").lower():
                for fields in _image_objects(node.text):
                    yield from self._plain(fields.get("contentUrl"), str(fields.get("name") or ""))
            elif name == "a" and _IMAGE_PATH.search(urlsplit(node.get("href") or "").path):
                yield from self._linked(node)
            elif name == "img":
                yield from self._img(node)
            match = _BACKGROUND.search(node.get("style") or "") if name else None
            if match:
                yield from self._plain(match.group(2))

    def _plain(self, address: object, title: str = "") -> Iterator[PageImage]:
        url = self._web(address)
        if url:
            yield PageImage(url, title=title)

    def _linked(self, node: "HtmlElement") -> Iterator[PageImage]:
        """Yield what an image links to: the same picture, larger."""
        url = self._web(node.get("href"))
        inner = [image for each in node.iter("img") for image in self._img(each)]
        if url and len(inner) == 1:
            copies = tuple(each for each in (inner[0].url, *inner[0].fallbacks) if each != url)
            yield PageImage(url, copies, inner[0].title)
        elif url:
            yield PageImage(url, title=" ".join(str(node.text_content()).split())[:300])

    def _img(self, node: "HtmlElement") -> Iterator[PageImage]:
        width, height = _pixels(node.get("width")), _pixels(node.get("height"))
        if width is not None and height is not None and width <= 1 and height <= 1:
            return  # counts visits
        sized = [(address, size) for each in self._of_picture(node) for name in LAZY_SETS for address, size in
                 srcset.parse(each.get(name) or "")]  # fmt: skip
        best = [address for address, _ in sorted(sized, key=lambda pair: -pair[1])]
        urls = [url for address in (*best, *(node.get(name) for name in LAZY)) if (url := self._web(address))]
        urls = list(dict.fromkeys(urls))
        if urls:
            yield PageImage(urls[0], tuple(urls[1:4]), (node.get("alt") or node.get("title") or "").strip())

    @staticmethod
    def _of_picture(node: "HtmlElement") -> list["HtmlElement"]:
        # The parser takes what follows a <source> for its content, so the picture need not be the parent.
        picture = next(node.iterancestors("picture"), None)
        return [node] if picture is None else [node, *picture.iter("source")]

    def _linked_data(self) -> Iterator[Json]:
        for node in self._root.iter("script"):
            if "ld+json" in (node.get("type") or "").lower():
                yield from _image_objects(node.text)

    def _web(self, address: object, *, images: bool = True) -> str | None:
        if not isinstance(address, str) or not address.strip():
            return None
        try:
            url = urljoin(self._base, re.sub(r"[\t\r\n]", "", address.strip()))
            parts = urlsplit(url)
        except ValueError:
            return None
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            return None
        if images and parts.path.lower().endswith((".svg", ".svgz")):
            return None
        safe = "%/:?#[]@!$&'()*+,;=~"  # escapes stay as they are, whatever encoding they are in
        path = quote(parts.path, safe=safe, errors="replace")
        return parts._replace(path=path, query=quote(parts.query, safe=safe, errors="replace"), fragment="").geturl()


def _of_head(node: "HtmlElement") -> str | None:
    if node.tag == "meta":
        name = node.get("property") or node.get("name") or ""
        return node.get("content") if name.lower() in _META_IMAGES else None
    return node.get("href") if "image_src" in (node.get("rel") or "").lower().split() else None


def _image_objects(text: str | None, deep: int = 30) -> Iterator[Json]:
    try:
        found = json.loads(text or "", strict=False)
    except (ValueError, RecursionError):  # broken JSON-LD is common, and no browser minds
        return
    waiting: list[tuple[Any, int]] = [(found, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, list | dict) and depth > deep:
            continue
        if isinstance(value, list):
            waiting.extend((each, depth + 1) for each in reversed(value))
        elif isinstance(value, dict):
            kinds = value.get("@type")
            if "ImageObject" in (kinds if isinstance(kinds, list) else [kinds]):
                yield {**value, "contentUrl": value.get("contentUrl") or value.get("url")}
                continue
            if isinstance(value.get("image"), str):
                yield {"contentUrl": value["image"]}
            waiting.extend((each, depth + 1) for each in reversed(list(value.values())))


def _meta(root: "HtmlElement", names: set[str]) -> str | None:
    found = [
        node.get("content") or "" for node in root.iter("meta") if (node.get("name") or "").strip().lower() in names
    ]
    return "; ".join(filter(None, found)) or None


def _tdm(root: "HtmlElement") -> str | None:
    return _meta(root, {"tdm-reservation"})


def _decoded(data: bytes, content_type: str) -> str:
    named = _CHARSET.search(content_type.encode(errors="replace")) or _CHARSET.search(data[:2048])
    name = named.group(1).decode().lower() if named else ""
    if data.startswith(b"\xef\xbb\xbf"):
        name = "utf-8-sig"
    try:
        return data.decode("cp949" if name in _KOREAN else name or "utf-8", "strict" if not name else "replace")
    except LookupError:
        return data.decode("utf-8", "replace")
    except UnicodeDecodeError:
        return data.decode("cp949", "replace")


def _pixels(value: str | None) -> int | None:
    digits = (value or "").strip().removesuffix("px")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 8 else None
