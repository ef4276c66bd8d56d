"""Naver's result page through the real Selenium and Chromium, against a site on loopback."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from connectors.sources import naver_web
from connectors.sources.base import Access, Candidate, Query, SourceFault
from connectors.sources.naver_browser import resolver_rules
from tests.fakes.naver_site import NaverSite

browser = pytest.mark.browser
SENTENCE = "골든 \"리트리버\" 🐶 '사진'"


@pytest.fixture
def site() -> Iterator[NaverSite]:
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("no chromium or chromedriver (apt-get install chromium chromium-driver)")
    with NaverSite() as running:
        yield running


def access(site: NaverSite | None, accepted: bool = True) -> Access:
    urls = {"naver-web": site.url} if site else {}
    return Access(folder=Path("/nowhere"), urls=urls, accepted=frozenset({"naver-web"} if accepted else ()))


def until_fault(site: NaverSite, wanted: int | None = None) -> tuple[list[Candidate], SourceFault | None]:
    found: list[Candidate] = []
    try:
        found.extend(naver_web.search(Query(SENTENCE, wanted), access(site), pause=0))
    except SourceFault as fault:
        return found, fault
    return found, None


def profiles() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("labelloom-browser-*"))


@browser
def test_all_results_come_in_order_openly_and_slowly(
    site: NaverSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    manager = tmp_path / "selenium-manager"
    manager.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\nexit 1\n")
    manager.chmod(0o755)
    monkeypatch.setenv("SE_MANAGER_PATH", str(manager))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    before, pauses = profiles(), []
    found = list(naver_web.search(Query(SENTENCE, 5000), access(site), pause=2.5, sleep=pauses.append))
    assert [each.url for each in found] == [site.site.original(rank) for rank in range(1, 121)]
    assert [each.rank for each in found] == list(range(1, 121))
    asked = [each for each in site.site.requests if each["path"] != "/favicon.ico"]
    assert [(each["host"], each["query"].get("start")) for each in asked] == [
        ("search.naver.com", None),
        ("search.naver.com", "51"),
        ("s.search.naver.com", "101"),
    ]
    assert {each["query"]["query"] for each in asked} == {SENTENCE}
    assert all("HeadlessChrome" in each["headers"]["User-Agent"] for each in asked)
    assert pauses == [2.5, 2.5]
    assert not (tmp_path / "asked").exists()  # nothing looked for a driver to download
    assert profiles() == before


@browser
def test_older_pages_go_on_by_rank(site: NaverSite) -> None:
    site.site.layout, site.site.form, site.site.total = "2021", "wrapped", 70
    found, fault = until_fault(site)
    assert fault is None
    assert [each.url for each in found] == [site.site.original(rank) for rank in range(1, 71)]


@browser
@pytest.mark.parametrize(
    ("trouble", "at", "kind", "kept"),
    [
        ("captcha", 1, "blocked", 0),
        ("429", 1, "blocked", 0),
        ("sign-in", 1, "blocked", 0),
        ("403", 51, "blocked", 50),
        ("changed", 51, "layout_changed", 50),
    ],
)
def test_trouble_stops_the_search_and_what_came_is_kept(
    site: NaverSite, trouble: str, at: int, kind: str, kept: int
) -> None:
    site.site.trouble, site.site.trouble_at = trouble, at
    found: list[Candidate] = []
    with pytest.raises(SourceFault) as caught:
        for each in naver_web.search(Query(SENTENCE), access(site), pause=0):
            found.append(each)
    assert (caught.value.kind, len(found)) == (kind, kept)
    assert caught.value.fix
    assert not site.site.of("nid.naver.com")
    assert len(site.site.of("s.search.naver.com")) <= 1


@browser
def test_no_result_is_no_fault_and_closing_early_ends_the_browser(site: NaverSite) -> None:
    before = profiles()
    site.site.total = 0
    assert until_fault(site) == ([], None)
    site.site.total = 120
    walk = naver_web.search(Query(SENTENCE), access(site), pause=0)
    assert next(walk).rank == 1
    assert profiles() != before
    walk.close()  # type: ignore[attr-defined]
    assert profiles() == before
    assert len([each for each in site.site.requests if each["path"].startswith("/p/")]) == 0


@browser
def test_the_page_cannot_lead_the_browser_into_the_private_network(site: NaverSite) -> None:
    reached: list[str] = []

    class Secret(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reached.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Secret)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        site.site.trouble = f"http://127.0.0.1:{server.server_port}/secret"
        _, fault = until_fault(site)
        assert fault is not None
        assert fault.kind == "blocked"
    finally:
        server.shutdown()
        server.server_close()
    assert reached == []


def test_it_is_off_until_acknowledged() -> None:
    told = naver_web.ready(access(None, accepted=False))
    assert not told.ok
    assert "robots.txt" in told.detail
    assert "--accept-terms naver-web" in (told.fix or "")
    with pytest.raises(SourceFault) as caught:
        next(naver_web.search(Query("골든"), access(None, accepted=False)))
    assert caught.value.kind == "blocked"


def test_nothing_is_asked_where_nothing_is_wanted_and_an_empty_keyword_is_refused() -> None:
    assert list(naver_web.search(Query("골든", 0), access(None))) == []
    with pytest.raises(SourceFault, match="empty") as caught:
        next(naver_web.search(Query(" \n"), access(None)))
    assert caught.value.kind == "bad_request"


def test_the_rules_pin_checked_addresses() -> None:
    def public(host: str, port: int) -> list[str]:
        return ["2606:4700::1111", "1.1.1.1"]

    assert resolver_rules(["search.naver.com"], None, public) == (
        "MAP search.naver.com:443 1.1.1.1:443,MAP * ~NOTFOUND"
    )
    with pytest.raises(SourceFault, match=r"private address 10\.0\.0\.1"):
        resolver_rules(["search.naver.com"], None, lambda host, port: ["1.1.1.1", "10.0.0.1"])


@browser
def test_a_keyword_of_300_characters_is_asked_as_it_is(site: NaverSite) -> None:
    site.site.total = 3
    keyword = "가" * 300
    assert len(list(naver_web.search(Query(keyword), access(site), pause=0))) == 3
    assert site.site.of("search.naver.com", "/search.naver")[0]["query"]["query"] == keyword
