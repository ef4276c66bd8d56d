"""Naver's API by both gateways: what is asked, what is understood, and when it stops."""

import logging
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
import stamina

from connectors.sources import naver_api
from connectors.sources.base import Access, Candidate, Query, SourceFault
from connectors.sources.budget import DAILY, KST, Budget
from tests.fakes.api_server import Answer
from tests.fakes.naver_api import HUB, KEY, SEARCH, SECRET, NaverApi, fault, hub_fault

PATHS = {"hub": "/search/v1/image", "legacy": "/v1/search/image"}
NOON = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)  # 12:00 in Korea
MIDNIGHT = datetime(2026, 11, 25, 0, 0, tzinfo=KST)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@pytest.fixture
def naver() -> Iterator[NaverApi]:
    with NaverApi() as fake:
        fake.clock = lambda: NOON
        yield fake


def access(fake: NaverApi, folder: Path, dialect: str = "hub", *, secret: str = SECRET) -> Access:
    return Access(
        folder,
        keys={"naver_client_id": KEY, "naver_client_secret": secret},
        urls={"naver": fake.url + PATHS[dialect]},
        dialects={"naver": dialect},
    )


def search(query: Query | str, access: Access) -> Iterator[Candidate]:
    query = Query(query) if isinstance(query, str) else query
    return naver_api.search(query, access, clock=lambda: NOON)


def failure(query: Query | str, access: Access) -> SourceFault:
    with pytest.raises(SourceFault) as caught:
        list(search(query, access))
    return caught.value


@pytest.mark.parametrize("dialect", PATHS)
def test_a_page_is_asked_for_with_keys_in_headers_and_nowhere_else(naver, tmp_path, dialect):
    first = next(search("골든 리트리버", access(naver, tmp_path, dialect)))
    asked = naver.requests[0]
    assert asked.path == PATHS[dialect]
    assert asked.query == {"query": "골든 리트리버", "display": "100", "start": "1", "sort": "sim"}
    assert SECRET in asked.headers.values() and KEY not in asked.raw and SECRET not in asked.raw
    assert asked.headers["user-agent"].startswith("LabelLoom/")
    assert (first.source, first.query, first.rank) == ("naver", "골든 리트리버", 1)


def test_fields_are_read_as_they_are_meant(naver, tmp_path):
    one, two, three = islice(search("개", access(naver, tmp_path)), 3)
    # CP949 in the path: the very bytes that were answered, not a character decoded or encoded again
    assert one.url == "http://blogfiles.naver.net/MjAy/f-sFZ.PNG.sample_user/%B0%AD%BE%C6%C1%F6_%281%29_1.png"
    assert one.fallbacks == (f"https://search.pstatic.net/common/?src={one.url}&type=b150",)
    assert one.title == '[강아지] 우리집 골든리트리버 "보리" 산책 & 간식'
    assert two.title == "골든's 하루 <2편>"
    assert (three.title, three.width, three.height) == ("", None, None)
    assert (one.width, one.height) == (810, 1080)
    assert three.url.endswith("/a b/%EC%9D%B4%EB%AF%B8%EC%A7%80_3.jpg?x=1&y=2")
    assert one.license.spdx is None and one.license.confidence == "unknown" and one.page_url is None


def test_five_thousand_wanted_ends_at_what_naver_serves_and_says_so(naver, tmp_path, caplog):
    found = list(search(Query("개", wanted=5000), access(naver, tmp_path)))
    assert [one.rank for one in found] == list(range(1, 1100))
    assert len({one.url for one in found}) == 1099
    assert [int(asked.query["start"]) for asked in naver.requests] == [*range(1, 1000, 100), 1000]
    assert "no more than 1,099 results" in caplog.text
    assert naver_api.SOURCE.reach == 1099


@pytest.mark.parametrize(("results", "starts"), [(0, [1]), (1, [1]), (100, [1]), (250, [1, 101, 201])])
def test_the_last_page_is_the_short_one(tmp_path, results, starts):
    with NaverApi(results=results) as fake:
        assert len(list(search("개", access(fake, tmp_path)))) == results
        assert [int(asked.query["start"]) for asked in fake.requests] == starts


def test_no_page_is_asked_for_before_it_is_needed(naver, tmp_path):
    found = search("개", access(naver, tmp_path))
    assert len(list(islice(found, 100))) == 100 and len(naver.requests) == 1
    next(found)
    found.close()
    assert len(naver.requests) == 2


def test_none_wanted_asks_nothing(naver, tmp_path):
    assert list(search(Query("개", wanted=0), access(naver, tmp_path))) == []
    assert naver.requests == []


@pytest.mark.parametrize("word", ["고양이", "🐈 고양이", 'say "cat" & dog\'s #1 100%', "가" * 300, "cat\n dog"])
def test_keywords_of_every_kind_arrive_whole(naver, tmp_path, word):
    assert next(search(Query(word, wanted=1), access(naver, tmp_path))).query == word
    assert naver.requests[0].query["query"] == " ".join(word.split())


def test_korean_from_a_mac_is_asked_for_as_everybody_writes_it(naver, tmp_path):
    next(search("고양이", access(naver, tmp_path)))  # conjoining letters
    assert naver.requests[0].query["query"] == "고양이"


@pytest.mark.parametrize("word", ["", "  \n", "\0", "\ud800"])
def test_a_keyword_that_is_none_is_refused_without_asking(naver, tmp_path, word):
    assert failure(word, access(naver, tmp_path)).kind == "bad_request"
    assert naver.requests == []


def test_a_licence_filter_is_refused_without_asking(naver, tmp_path):
    refused = failure(Query("개", licenses=frozenset({"by"})), access(naver, tmp_path))
    assert refused.kind == "bad_request" and "licence" in str(refused) and "openverse" in str(refused.fix)
    assert naver.requests == []


def test_without_keys_it_says_how_to_get_one(tmp_path):
    missing = failure("개", Access(tmp_path))
    assert missing.kind == "auth" and "LABELLOOM_NAVER_CLIENT_ID" in str(missing)
    assert "NAVER API HUB" in str(missing.fix)
    assert not naver_api.ready(Access(tmp_path)).ok


@pytest.mark.parametrize("dialect", PATHS)
def test_wrong_keys_stop_at_once_and_are_never_shown(naver, tmp_path, dialect, caplog):
    caplog.set_level(logging.DEBUG)
    wrong = failure("개", access(naver, tmp_path, dialect, secret="wrong-secret-5566"))
    assert wrong.kind == "auth" and len(naver.requests) == 1 and "LABELLOOM_NAVER_DIALECT" in str(wrong.fix)
    shown = f"{wrong} {wrong.fix} {caplog.text} {wrong.__cause__}"
    assert "wrong-secret-5566" not in shown and KEY not in shown


def test_a_secret_that_is_repeated_by_the_other_side_is_not_passed_on(naver, tmp_path):
    naver.script = [Answer(401, {"errorMessage": f"bad {SECRET} of {KEY}", "errorCode": "024"})]
    wrong = failure("개", access(naver, tmp_path, "legacy"))
    assert "***" in str(wrong) and SECRET not in str(wrong) and KEY not in str(wrong)


LEGACY_KINDS = {"024": "auth", "012": "rate_limited", "010": "quota_exhausted", "SE99": "upstream"}
HUB_KINDS = {"200": "auth", "210": "auth", "400": "quota_exhausted", "410": "rate_limited", "420": "rate_limited"}
HUB_KINDS |= {"500": "upstream", "510": "upstream"}
REPEATED = {"rate_limited", "upstream"}
FAULTS = [(fault(code), LEGACY_KINDS.get(code, "bad_request")) for code in SEARCH]
FAULTS += [(hub_fault(code), HUB_KINDS.get(code, "bad_request")) for code in HUB]
FAULTS += [
    (Answer(403, {"errorMessage": "Scope Status Invalid", "errorCode": "024"}), "auth"),
    (Answer(200, b"<html>sign in to this wifi</html>"), "upstream"),
    (Answer(200, {"items": "none"}), "layout_changed"),
    (Answer(302, b"", {"Location": "http://127.0.0.1:9/"}), "upstream"),
    (Answer(200, b"[" * 100_000), "upstream"),
    (Answer(418, b"short and stout"), "bad_request"),
]


@pytest.mark.parametrize(("answer", "kind"), FAULTS)
def test_every_fault_is_understood_and_repeated_only_where_that_helps(naver, tmp_path, answer, kind):
    naver.script = [answer] * 10
    met = failure("개", access(naver, tmp_path))
    assert met.kind == kind and str(met).startswith("naver") and met.fix
    assert len(naver.requests) == (4 if kind in REPEATED else 1)


@pytest.mark.parametrize("answer", [fault("012"), hub_fault("410"), hub_fault("420"), fault("SE99"), hub_fault("500")])
def test_what_passes_is_waited_for_in_the_middle_too(naver, tmp_path, answer):
    found = search("개", access(naver, tmp_path))
    assert len(list(islice(found, 100))) == 100
    naver.script = [answer, answer]
    assert next(found).rank == 101 and len(naver.requests) == 4


@pytest.mark.parametrize("dialect", PATHS)
def test_too_many_calls_a_second_are_not_the_days_last(naver, tmp_path, dialect):
    naver.per_second = 1
    seconds = iter(range(100))
    naver.clock = lambda: NOON.replace(second=next(seconds) // 2)
    assert len(list(islice(search("개", access(naver, tmp_path, dialect)), 300))) == 300
    assert len(naver.requests) > 3


@pytest.mark.parametrize("dialect", PATHS)
def test_a_spent_day_stops_until_midnight_in_korea_and_is_remembered(naver, tmp_path, dialect):
    naver.per_day = 1
    allowed, found = access(naver, tmp_path, dialect), []
    with pytest.raises(SourceFault) as caught:
        found.extend(search("개", allowed))
    assert caught.value.kind == "quota_exhausted" and caught.value.resume_at == MIDNIGHT
    assert "2026-11-25 00:00 KST" in str(caught.value.fix)
    assert len(naver.requests) == 2
    assert failure("새", allowed).resume_at == MIDNIGHT and len(naver.requests) == 2  # not even asked
    naver.clock = lambda: MIDNIGHT
    tomorrow = naver_api.search(Query("새"), allowed, clock=lambda: MIDNIGHT)
    assert next(tomorrow).rank == 1


def test_the_days_calls_are_counted_across_runs_and_repeats(naver, tmp_path):
    allowed = access(naver, tmp_path)
    naver.script = [fault("SE99")]
    list(islice(search("개", allowed), 150))
    assert Budget(allowed, KEY, clock=lambda: NOON).used() == len(naver.requests) == 3
    spending = Budget(allowed, KEY, clock=lambda: NOON)
    note = next(tmp_path.glob("naver-*.json"))
    note.write_text(note.read_text().replace('"used": 3', f'"used": {DAILY - 1}'))
    spending.take()
    with pytest.raises(SourceFault, match="25,000 of 25,000") as caught:
        spending.take()
    assert caught.value.resume_at == MIDNIGHT
    assert KEY not in note.name and KEY not in note.read_text()


def test_a_damaged_note_counts_from_zero(tmp_path):
    spending = Budget(Access(tmp_path), KEY, clock=lambda: NOON)
    spending.take()
    next(tmp_path.glob("naver-*.json")).write_text("{")
    assert spending.used() == 0 and not spending.spent()


def test_keys_are_not_sent_in_the_clear(tmp_path):
    keys = {"naver_client_id": KEY, "naver_client_secret": SECRET}
    refused = failure("개", Access(tmp_path, keys=keys, urls={"naver": "http://gateway.example/search"}))
    assert refused.kind == "bad_request" and "https" in str(refused.fix)
    assert not list(tmp_path.glob("naver-*.json"))  # no call was counted: none was made


def test_nobody_there_is_a_matter_of_the_network(tmp_path):
    with NaverApi() as gone:
        allowed = access(gone, tmp_path)
    assert failure("개", allowed).kind == "network"


def test_results_without_any_address_are_passed_over_with_a_word(naver, tmp_path, caplog):
    items = [{"title": "x", "link": "", "thumbnail": ""}, {"link": "https://e.org/1.jpg", "sizewidth": "abc"}, None]
    naver.script = [Answer(200, {"total": 3, "start": 1, "display": 3, "items": items})]
    found = list(search("개", access(naver, tmp_path)))
    assert [(one.rank, one.url, one.width) for one in found] == [(2, "https://e.org/1.jpg", None)]
    assert "result 1 has no address" in caplog.text


def test_an_endless_answer_is_cut(naver, tmp_path):
    naver.script = [Answer(200, b" " * (9 << 20))] * 4
    assert "more than" in str(failure("개", access(naver, tmp_path)))


def test_notes_are_private(naver, tmp_path):
    folder = tmp_path / "notes"
    next(search("개", access(naver, folder)))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
