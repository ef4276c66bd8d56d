"""Naver's image search site on loopback: three generations of the page, its paging, its thumbnails, its blog hosts.

One server plays every host and tells them apart by the Host header; a browser gets there by `--host-resolver-rules`.
Everything asked for is kept in `requests`.
"""

import contextlib
import functools
import http.server
import io
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

PLACEHOLDER = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
ROBOTS = "User-agent: *\nDisallow: /\n\n# Bots are not welcome for AI training.\nUser-agent: GPTBot\nDisallow: /\n"
CP949_NAME = "%B0%AD%BE%C6%C1%F6_%281%29.jpg"  # 강아지_(1).jpg as old Naver hosts write it

_RENDERER = """
(function () {
  var grid = document.querySelector('._fe_image_tab_grid'), next = imageSearchTabData.content.url, busy = false;
  var seen = new IntersectionObserver(function (entries) {
    entries.forEach(function (e) {
      if (e.isIntersecting) { e.target.src = e.target.later; seen.unobserve(e.target); }
    });
  });
  function tile(item) {
    if (item.type !== 'image') return;
    var box = document.createElement('div'), img = document.createElement('img');
    box.className = 'tile_item _fe_image_tab_content_tile'; box.dataset.type = 'image';
    img.className = '_fe_image_tab_content_thumbnail_image'; img.src = '%(placeholder)s';
    img.alt = (item.title || '').replace(/<[^>]+>/g, ''); img.later = item.thumb;
    img.dataset.imageViewerImgId = item.imgId; box.appendChild(img); grid.appendChild(box); seen.observe(img);
  }
  imageSearchTabData.content.items.forEach(tile);
  window.addEventListener('scroll', function () {
    if (busy || !next || innerHeight + scrollY < document.body.scrollHeight - 600) return;
    busy = true;
    fetch(next).then(function (r) { return r.json(); }).then(function (more) {
      more.items.forEach(tile); next = more.url; busy = false;
    });
  });
})();
""" % {"placeholder": PLACEHOLDER}  # noqa: UP031


@dataclass
class Site:
    """What the site does; tests change it while it runs.

    layout: 2026, 2021, 2021-list or 2019. total: results there are. claims: how many it says there are. form: of the
    paging answer: json, jsonp (json_type=6 with a callback) or wrapped (without). trouble: captcha, 403, 429, 500,
    sign-in, changed, off-site, or an address to be led to; from result `trouble_at` on (1: at once). originals: where
    the images are said to be; None is the real host names.
    """

    layout: str = "2026"
    total: int = 120
    claims: int = 1543287
    form: str = "json"
    trouble: str | None = None
    trouble_at: int = 1
    originals: str | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)

    def of(self, host: str, path: str = "") -> list[dict[str, Any]]:
        """Return what was asked of a host."""
        return [each for each in self.requests if each["host"] == host and each["path"].startswith(path)]

    def in_trouble(self, start: int) -> str | None:
        return self.trouble if self.trouble and start >= self.trouble_at else None

    def original(self, rank: int) -> str:
        kind = rank % 4
        hosts = ("blogfiles.naver.net", "i.example.org", "postfiles.pstatic.net", "img.page-only.example")
        base = f"http://{hosts[kind]}" if self.originals is None else f"{self.originals}/{hosts[kind]}"
        return f"{base}/{rank}/{CP949_NAME}" if kind == 0 else f"{base}/{rank}/사진 {rank}.jpg?x=1&y={rank}"

    def item(self, rank: int) -> dict[str, Any]:
        naver = rank % 4 in {0, 2}
        source = quote(self.original(rank), safe="")
        thumb = f"https://search.pstatic.net/{'common' if naver else 'sunny'}/?src={source}&type="
        return {
            "type": "image",
            "rank": rank,
            "imgId": f"image_sas:blog_{rank:032x}",
            "title": f"강아지 <mark>골든</mark> &amp; {rank} ]\"}}[\\' 산책",
            "link": f"https://blog.naver.com/sample/{rank}",
            "source": "블로그" if naver else "웹사이트",
            "writerTitle": "보리네 일상",
            "tld": "blog.naver.com",
            "dateInfo": "2024.02.07.",
            "thumb": thumb + "a340",
            "viewerThumb": thumb + "sc960_832",
            "originalUrl": self.original(rank),
            "orgWidth": 0 if rank % 7 == 0 else 810,
            "orgHeight": 0 if rank % 7 == 0 else 1080,
        }

    def items(self, start: int, count: int) -> list[dict[str, Any]]:
        found = [self.item(rank) for rank in range(start, min(start + count, self.total + 1))]
        ad = {
            "type": "shopAd",
            "rank": 0,
            "title": "사료 특가",
            "link": "https://ader.naver.com/v1/x",
            "thumb": "https://x",
        }
        return [*found[:3], ad, *found[3:]] if found else []

    def more_url(self, start: int, query: str, host: str) -> str:
        if start > self.total:
            return ""
        asked = (
            f"/p/c/image/46/search.naver?ac=0&api_type=pc_tab_more&aq=0&display=50&logStart={start}&mode=column"
            f"&nso=so%3Ar%2Cp%3Aall&query={quote(query, safe='')}&section=image&ssc=tab.image.all"
            f"&start={start}&where=image"
        )
        return host + asked


def page(site: Site, query: str) -> str:
    """The result page."""
    if site.total == 0:
        return f'<html><body><div id="main_pack"><div class="not_found02"><p>\'{query}\'</p></div></div></body></html>'
    if site.layout == "2026":
        return _page_2026(site, query)
    if site.layout == "2021-list":
        coded = [{"originalUrl": quote(i["originalUrl"], safe=""), **_old(i)} for i in site.items(1, 50) if "tld" in i]
        call = f"var controller={{start:function(){{}}}};controller.start({json.dumps(coded)}, 1);"
        return f"<html><body><script>{call}</script></body></html>"
    tile = _TILE_2021 if site.layout == "2021" else _TILE_2019
    tiles = [
        tile.format(title=f"골든 {i['rank']}", thumb=i["thumb"].replace("&", "&amp;"), placeholder=PLACEHOLDER)
        for i in site.items(1, 50)
        if i["type"] == "image"
    ]
    grid = f'<div class="photo_grid _box">{"".join(tiles)}</div>'
    return f'<html><head><meta charset="utf-8"></head><body>{grid}</body></html>'


def _old(item: dict[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in ("title", "link", "thumb", "orgWidth", "orgHeight")}


_TILE_2021 = (
    '<div class="tile_item _item"><div class="thumb"><a class="link_thumb _imageBox" href="#">'
    '<img class="_image _listImage" alt="{title}" src="{placeholder}" data-lazy-src="{thumb}"></a></div></div>'
)
_TILE_2019 = (
    '<div class="img_area _item"><a class="thumb _thumb" href="#"><img class="_img" alt="{title}" src="{thumb}" '
    'data-source="{thumb}" data-width="1024" data-height="768"></a></div>'
)


def _page_2026(site: Site, query: str) -> str:
    items = ",\n".join(
        json.dumps(item, ensure_ascii=False).replace('"type":', "type:", 1) for item in site.items(1, 50)
    )
    content = f'{{total:{site.claims},display:50,url:"{site.more_url(51, query, "")}",items:[{items}]}}'
    return (
        f'<!doctype html><html lang="ko"><head><meta charset="utf-8"><title>{query} : 네이버 이미지검색</title>'
        '<script src="https://ssl.pstatic.net/sstatic/search.js"></script></head><body><div id="main_pack">'
        '<section class="sc_new sp_nimage _fe_image_tab_content_root"><div class="image_tile _fe_image_tab_grid"></div>'
        '</section></div><script nonce="x">'
        f"var imageSearchTabData = {{shopAd:{{items:null}},content:{content}}};</script>"
        f"<script>{_RENDERER}</script></body></html>"
    )


def more(site: Site, start: int, query: str, callback: str | None) -> str:
    """A paging answer."""
    items = site.items(start, 50)
    if site.in_trouble(start) == "changed":
        return json.dumps({"resultCount": len(items), "results": items})
    if site.form == "json":
        url = site.more_url(start + 50, query, "https://s.search.naver.com")
        return json.dumps(
            {"itemCount": len(items), "total": site.claims, "url": url, "items": items}, ensure_ascii=False
        )
    coded = [{k: quote(v, safe="") if isinstance(v, str) else v for k, v in item.items()} for item in items]
    return f"{callback or ''}({json.dumps({'itemCount': len(items), 'items': coded})})"


@functools.cache
def photo(rank: int) -> bytes:
    """A small photograph-like JPEG; each rank has another."""
    import numpy as np
    from PIL import Image

    coarse = np.random.default_rng(rank).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    into = io.BytesIO()
    Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(into, "JPEG", quality=90)
    return into.getvalue()


class NaverSite:
    """The running site."""

    def __init__(self, **settings: Any) -> None:
        self.site = Site(**settings)
        handler = type("Handler", (_Handler,), {"site": self.site})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "NaverSite":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        host, path = (self.headers.get("Host") or "").partition(":")[0], parts.path
        if host in {"127.0.0.1", "localhost"} and path.count("/") > 1:  # images by address: /<host>/<path>
            host, _, path = path[1:].partition("/")
            path = f"/{path}"
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.site.requests.append(
            {"host": host, "path": path, "query": asked, "headers": dict(self.headers), "at": time.monotonic()}
        )
        if path == "/robots.txt":
            self._send(ROBOTS if host.endswith("naver.com") else "User-agent: *\nAllow: /\n", "text/plain")
        elif host == "search.naver.com" and path == "/search.naver":
            self._page(asked)
        elif host in {"search.naver.com", "s.search.naver.com"} and path.startswith("/p/"):
            self._more(asked)
        elif path == "/favicon.ico":
            self._send("", status=404)
        else:
            self._image(host, path, asked)

    def _page(self, asked: dict[str, str]) -> None:
        if not self._troubled(1):
            self._send(page(self.site, asked.get("query", "")))

    def _more(self, asked: dict[str, str]) -> None:
        start = int(asked.get("start", "1"))
        if self._troubled(start) and self.site.in_trouble(start) != "changed":
            return
        text = more(self.site, start, asked.get("query", ""), asked.get("_callback"))
        self._send(text, "application/json; charset=utf-8")

    def _troubled(self, start: int) -> bool:
        trouble = self.site.in_trouble(start)
        if trouble is None or (trouble == "changed" and start > 1):
            return trouble is not None
        if trouble.isdigit():
            self._send("<html><body>no</body></html>", status=int(trouble))
        elif trouble == "captcha":
            self._send('<html><body><form action="/captcha/check"><img id="captchaimg"></form></body></html>')
        elif trouble == "changed":
            self._send('<html><body><div id="app" data-state="eyJ4IjoxfQ=="></div></body></html>')
        else:
            places = {"sign-in": "http://nid.naver.com/nidlogin.login", "off-site": "http://elsewhere.example/"}
            self._send("", status=302, Location=places.get(trouble, trouble))
        return True

    def _image(self, host: str, path: str, asked: dict[str, str]) -> None:
        referer = self.headers.get("Referer") or ""
        naver = urlsplit(referer).hostname or ""
        refused = {
            "blogfiles.naver.net": bool(referer) and not naver.endswith("naver.com"),
            "postfiles.pstatic.net": bool(referer) and not naver.endswith("naver.com"),
            "img.page-only.example": not referer.startswith("https://blog.naver.com/"),
        }
        if refused.get(host):
            self._send("forbidden", "text/plain", 403)
        elif host == "search.pstatic.net" and "src" not in asked:
            self._send("bad request", "text/plain", 400)
        else:
            source = urlsplit(asked["src"]).path if host == "search.pstatic.net" else path
            digits = [part for part in source.split("/") if part.isdigit()]
            self._bytes(photo(int(digits[-1]) if digits else 0), "image/jpeg")

    def _send(self, text: str, kind: str = "text/html; charset=utf-8", status: int = 200, **headers: str) -> None:
        self._bytes(text.encode(), kind, status, **headers)

    def _bytes(self, data: bytes, kind: str, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        origin = self.headers.get("Origin") or ""
        if (urlsplit(origin).hostname or "") == "search.naver.com":
            self.send_header("Access-Control-Allow-Origin", origin)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the browser was closed
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
