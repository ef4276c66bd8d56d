"""The images of a web page."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from connectors.sources import page_images, srcset, webpage
from connectors.sources.base import Access, Candidate, Query, SourceFault

BY = "https://creativecommons.org/licenses/by/4.0/"
LINKED = {
    "@graph": [
        {
            "@type": ["ImageObject"],
            "contentUrl": "https://cdn.example/ld.jpg",
            "license": BY,
            "creditText": "Jane Sample",
            "creator": {"@type": "Person", "name": "Jane", "url": "https://jane.example/"},
            "copyrightNotice": "Jane 2026",
        },
        {"@type": "Recipe", "image": "cake.jpg"},
    ]
}
PAGE = f"""<!doctype html><html><head><meta charset="utf-8"><title>골든 🐶</title><base href="/blog/2026/">
<meta property="og:image" content="//cdn.example/og.jpg"><meta name="twitter:image" content="tw.png">
<link rel="image_src" href="src.jpg"><script type="application/ld+json">{json.dumps(LINKED)}</script>
<script type="application/ld+json">{{broken</script></head><body>
<img src="a.jpg" alt=" 강아지 "><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" data-src="lazy.webp">
<picture><source srcset="p-480.avif 480w, p-960.avif 960w"><img src="p-480.jpg"
srcset="p-480.jpg 480w, p-1920.jpg 1920w"></picture><img srcset="x.png 1x, x,2.png 2x">
<noscript><img src="ns.jpg"></noscript>
<div style="color:red;background-image:url('bg.png')"></div><a href="full/a-full.jpg"><img src="a-t.jpg"></a>
<a href="문서 1.PNG">large</a><img src="/pixel.gif" width="1" height="1"><img src="icon.svg"><img src="a.jpg">
<img src="javascript:x()"><img src="file:///etc/passwd"><img src="http://[bad"><img src="%B0%AD.jpg"></body></html>"""
FOUND = [
    "http://cdn.example/og.jpg",
    "/blog/2026/tw.png",
    "/blog/2026/src.jpg",
    "https://cdn.example/ld.jpg",
    "/blog/2026/cake.jpg",
    "/blog/2026/a.jpg",
    "/blog/2026/lazy.webp",
    "/blog/2026/p-1920.jpg",
    "/blog/2026/x,2.png",
    "/blog/2026/ns.jpg",
    "/blog/2026/bg.png",
    "/blog/2026/full/a-full.jpg",
    "/blog/2026/%EB%AC%B8%EC%84%9C%201.PNG",
    "/blog/2026/%B0%AD.jpg",
]


class Site:
    """A site with one page; tests choose what it answers."""

    def __init__(self) -> None:
        self.page: tuple[int, dict[str, str], bytes] = (200, {"Content-Type": "text/html"}, PAGE.encode())
        self.robots = "User-agent: *\nAllow: /\n"
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                robots = (200, {"Content-Type": "text/plain"}, outer.robots.encode())
                status, headers, data = robots if self.path == "/robots.txt" else outer.page
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def read(self, folder: Path, **access: Any) -> list[Candidate]:
        allowed = Access(folder=folder, **{"allow_hosts": frozenset({"127.0.0.1"}), **access})
        return list(webpage.search(Query(f"{self.url}/글/1"), allowed))


@pytest.fixture
def site() -> Iterator[Site]:
    running = Site()
    threading.Thread(target=running.server.serve_forever, args=(0.05,), daemon=True).start()
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_every_way_to_show_an_image_is_found_once(site: Site, tmp_path: Path) -> None:
    found = site.read(tmp_path)
    assert [each.url.removeprefix(site.url) for each in found] == FOUND
    by_name = {each.url.rpartition("/")[2]: each for each in found}
    assert by_name["a-full.jpg"].fallbacks == (f"{site.url}/blog/2026/a-t.jpg",)
    assert by_name["p-1920.jpg"].fallbacks[0].endswith("p-960.avif")
    assert by_name["a.jpg"].title == "강아지"
    assert by_name["og.jpg"].title == "골든 🐶"
    described = by_name["ld.jpg"]
    assert (described.license.spdx, described.license.confidence) == ("CC-BY-4.0", "page")
    assert (described.creator, described.creator_url, described.attribution) == (
        "Jane",
        "https://jane.example/",
        "Jane Sample",
    )
    assert by_name["a.jpg"].license.confidence == "unknown"
    assert {each.page_url for each in found} == {f"{site.url}/%EA%B8%80/1"}
    assert site.asked == ["/robots.txt", "/%EA%B8%80/1"]


@pytest.mark.parametrize(
    ("headers", "element"),
    [
        ({}, '<meta name="robots" content="index, NoAI">'),
        ({}, '<meta name="ROBOTS" content="noindex">'),
        ({}, '<meta name="tdm-reservation" content="1">'),
        ({"X-Robots-Tag": "noimageai"}, ""),
        ({"tdm-reservation": "1"}, ""),
    ],
)
def test_an_owners_no_is_heeded_or_recorded(site: Site, tmp_path: Path, headers: dict[str, str], element: str) -> None:
    body = f'<html><head>{element}</head><body><img src="a.jpg"></body></html>'
    site.page = (200, {"Content-Type": "text/html", **headers}, body.encode())
    with pytest.raises(SourceFault) as caught:
        site.read(tmp_path)
    assert caught.value.kind == "blocked"
    (recorded,) = site.read(tmp_path, opt_out="record")
    assert any(name.startswith("page_") for name in recorded.extra)


def test_pages_that_cannot_be_read(site: Site, tmp_path: Path) -> None:
    site.page = (404, {}, b"")
    with pytest.raises(SourceFault) as caught:
        site.read(tmp_path)
    assert caught.value.kind == "bad_request"
    site.page = (200, {"Content-Type": "image/jpeg"}, b"\xff\xd8")
    with pytest.raises(SourceFault, match="is not a web page"):
        site.read(tmp_path)
    site.page = (200, {}, b"")
    assert site.read(tmp_path) == []
    with pytest.raises(SourceFault):  # private addresses are not for pages either
        site.read(tmp_path, allow_hosts=frozenset())
    site.robots = "User-agent: *\nDisallow: /\n"
    with pytest.raises(SourceFault) as caught:
        site.read(tmp_path / "other")
    assert caught.value.kind == "blocked"
    with pytest.raises(SourceFault, match="is not the address of a web page"):
        next(webpage.search(Query("골든"), Access(folder=tmp_path)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.jpg", [("a.jpg", 1)]),
        ("x.png 1x, x,2.png 2x", [("x.png", 1), ("x,2.png", 2)]),
        ("a.jpg, b,c.jpg 200w,d.jpg 1.5x", [("a.jpg", 1), ("b,c.jpg", 200), ("d.jpg", 1.5)]),
        (" ,a.jpg 2x 3x, e.jpg f(1,2), g.jpg 100w 50h,, ", [("g.jpg", 100)]),
        ("data:image/gif;base64,AAAA 1x, b.jpg 2x", [("data:image/gif;base64,AAAA", 1), ("b.jpg", 2)]),
        ("", []),
    ],
)
def test_srcset_by_the_standards_rules(text: str, found: list[tuple[str, float]]) -> None:
    assert srcset.parse(text) == found


def test_korean_pages_of_old_encodings() -> None:
    body = '<html><head><title>똠방각하</title></head><body><img src="a.jpg"></body></html>'.encode("cp949")
    for kind in ("text/html; charset=EUC-KR", "text/html"):
        assert page_images.read(body, "http://a.example/", kind).title == "똠방각하"


def test_a_page_wide_licence_holds_for_its_images() -> None:
    page = page_images.read(f'<a rel="license" href="{BY}">x</a><img src="a.jpg">'.encode(), "http://a.example/")
    assert page.license == BY


def test_deep_pages_do_not_end_the_run() -> None:
    deep = b"<div>" * 5000 + b'<img src="a.jpg">'
    page_images.read(deep, "http://a.example/")
    nested = json.dumps({"@type": "ImageObject", "contentUrl": "https://a.example/1.jpg"})
    for _ in range(200):
        nested = f'{{"x": {nested}}}'
    page_images.read(f'<script type="application/ld+json">{nested}</script>'.encode(), "http://a.example/")
