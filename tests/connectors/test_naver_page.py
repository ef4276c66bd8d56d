"""Naver's result page and paging answers, read without a browser."""

import json
from urllib.parse import quote

import pytest

from connectors.sources import js_object, naver_page
from connectors.sources.naver_page import LayoutChanged
from tests.fakes.naver_site import CP949_NAME, Site, more, page

LOOK = naver_page.load_look()


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ('{a:1,"b":"x]}\\"[{ y",}', {"a": 1, "b": 'x]}"[{ y'}),
        ("{'it': 'it\\'s \"q\"', k:'', n:-1e5}", {"it": 'it\'s "q"', "k": "", "n": -1e5}),
        ("[{a:undefined},/* }] */ true, // ]\n null]", [{"a": None}, True, None]),
        ('{u:"http://x/{y}?a:b,c:1", h:"\\x3Cb\\u{1F436}\\ud55c"}', {"u": "http://x/{y}?a:b,c:1", "h": "<b🐶한"}),
        ("{s:'\\\\\"'}", {"s": '\\"'}),
    ],
)
def test_a_literal_is_read_without_being_run(literal: str, value: object) -> None:
    assert js_object.parse(f"var x = {literal}; more({{}})", 8) == value


@pytest.mark.parametrize("code", ["{a:alert(1)}", "{a:b}", "{a:[1,2}", "{a:'x}", "x", "[" * 200_000])
def test_code_and_broken_literals_are_refused(code: str) -> None:
    with pytest.raises(ValueError):
        js_object.parse(code)


@pytest.mark.parametrize("layout", ["2026", "2021", "2021-list", "2019"])
def test_each_generation_of_the_page_gives_the_same_addresses(layout: str) -> None:
    site = Site(layout=layout, total=60)
    results = naver_page.read_page(page(site, "골든"), None, LOOK)
    found = [naver_page.candidate(item, "골든", n) for n, item in enumerate(results.items, 1)]
    assert [each.url for each in found if each] == [site.original(rank) for rank in range(1, 51)]
    assert results.counted == (layout != "2026")
    assert all(each and each.fallbacks[0].startswith("https://search.pstatic.net/") for each in found)


def test_an_item_becomes_a_candidate() -> None:
    site = Site()
    item = site.item(4)
    found = naver_page.candidate(item, "골든", 1)
    assert found is not None
    assert found.url == f"http://blogfiles.naver.net/4/{CP949_NAME}"
    assert found.fallbacks == (item["viewerThumb"], item["thumb"])
    assert found.page_url == "https://blog.naver.com/sample/4"
    assert found.title == "강아지 골든 & 4 ]\"}[\\' 산책"
    assert (found.width, found.height, found.license.confidence) == (810, 1080, "unknown")
    sizeless = naver_page.candidate(site.item(7), "골든", 1)
    assert sizeless is not None
    assert sizeless.width is None


def test_a_thumbnail_is_decoded_once() -> None:
    inner = f"http://blogfiles.naver.net/x/{CP949_NAME}?a=1&y=2"
    thumb = f"https://search.pstatic.net/common/?src={quote(inner, safe='')}&type=a340"
    assert naver_page.original_of(thumb) == inner
    assert naver_page.original_of("https://search.pstatic.net/common/?type=a340") is None


@pytest.mark.parametrize(("form", "callback"), [("json", None), ("jsonp", "getPhoto"), ("wrapped", None)])
def test_paging_answers_of_every_form_are_read(form: str, callback: str | None) -> None:
    site = Site(form=form, total=73)
    results = naver_page.read_more(more(site, 51, "골든", callback))
    assert [item["originalUrl"] for item in results.items] == [site.original(rank) for rank in range(51, 74)]
    assert results.items[0]["title"] == site.item(51)["title"]
    assert results.next_url is None


def test_no_results_and_a_changed_layout_differ() -> None:
    assert naver_page.read_page(page(Site(total=0), "zxq"), None, LOOK).items == ()
    with pytest.raises(LayoutChanged, match="neither results nor"):
        naver_page.read_page("<html><body>captcha 골든</body></html>", None, LOOK)
    assert not naver_page.is_challenge("<html><body>captcha</body></html>", LOOK)  # a keyword, not a form
    assert naver_page.is_challenge('<form action="/x/captcha">', LOOK)


def _without(name: str) -> str:
    items = [{key: value for key, value in Site().item(rank).items() if key != name} for rank in (51, 52)]
    return json.dumps({"items": items})


@pytest.mark.parametrize(
    "text",
    [
        "<html>",
        '{"results": []}',
        "[]",
        '{"items": [{"type": "picture"}]}',
        '{"items": [{"type": "image", "imageUri": "https://x/y.jpg"}]}',
    ],
)
def test_a_paging_answer_that_changed_is_told(text: str) -> None:
    with pytest.raises(LayoutChanged):
        naver_page.read_more(text)


def test_a_missing_original_comes_from_the_thumbnail() -> None:
    results = naver_page.read_more(_without("originalUrl"))
    found = naver_page.candidate(results.items[0], "골든", 1)
    assert found is not None
    assert found.url == Site().original(51)


def test_a_first_page_that_hides_the_next_is_a_changed_layout() -> None:
    data = {"content": {"total": 9000, "items": [Site().item(1)]}}
    with pytest.raises(LayoutChanged, match="no address of the next"):
        naver_page.read_page("", data, LOOK)
