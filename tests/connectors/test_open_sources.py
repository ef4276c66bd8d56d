"""Openverse and Wikimedia Commons: licences and authors, filters before anything is fetched, and politeness."""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
import stamina

from connectors.sources import openverse, wikimedia
from connectors.sources.base import Access, Query, SourceFault
from connectors.sources.licenses import short_of
from tests.fakes.api_server import Answer
from tests.fakes.openverse import CLIENT, SECRET, TOKEN, Openverse
from tests.fakes.wikimedia import WIDTHS, Wikimedia, failed


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@pytest.fixture
def verse() -> Iterator[Openverse]:
    with Openverse() as fake:
        yield fake


@pytest.fixture
def commons() -> Iterator[Wikimedia]:
    with Wikimedia() as fake:
        yield fake


def open_access(fake: Openverse, folder: Path, *, registered: bool = False, secret: str = SECRET) -> Access:
    keys = {"openverse_client_id": CLIENT, "openverse_client_secret": secret} if registered else {}
    return Access(folder, keys=keys, urls={"openverse": fake.url})


def commons_access(fake: Wikimedia, folder: Path, contact: str | None = "me@example.org") -> Access:
    return Access(folder, urls={"wikimedia": f"{fake.url}/w/api.php"}, contact=contact)


def pages(fake: Openverse) -> list[tuple[int, int]]:
    return [(int(a.query["page"]), int(a.query["page_size"])) for a in fake.requests if a.path == "/v1/images/"]


def test_openverse_tells_licence_creator_and_attribution(verse, tmp_path):
    by, by_sa, zero = islice(openverse.search(Query("고양이 🐈"), open_access(verse, tmp_path)), 3)
    assert (by.license.raw, by.license.spdx, by.license.confidence) == ("by", "CC-BY-4.0", "api")
    assert by.license.url == "https://creativecommons.org/licenses/by/4.0/"
    assert (by_sa.license.spdx, zero.license.spdx) == ("CC-BY-SA-2.0", "CC0-1.0")
    assert by.creator == "Jane Sample" and by.attribution.startswith('"골든 Retriever 0" by Jane Sample')
    assert (by.width, by_sa.width, by.page_url) == (None, 1024, "https://www.flickr.com/photos/1/0")
    assert by.fallbacks and by.extra["provider"] == "flickr" and by.rank == 1
    assert verse.requests[0].query == {"q": "고양이 🐈", "page": "1", "page_size": "20"}


def test_openverse_serves_240_to_strangers_in_pages_of_20(verse, tmp_path, caplog):
    found = list(openverse.search(Query("cat", wanted=5000), open_access(verse, tmp_path)))
    assert [one.rank for one in found] == list(range(1, 241)) and len({one.url for one in found}) == 240
    assert pages(verse) == [(page, 20) for page in range(1, 13)]


def test_openverse_serves_more_to_who_is_registered_with_one_token_for_many_searches(verse, tmp_path):
    allowed = open_access(verse, tmp_path, registered=True)
    assert len(list(openverse.search(Query("cat"), allowed))) == 600
    assert pages(verse) == [(page, 50) for page in range(1, 13)]
    next(openverse.search(Query("dog"), allowed))
    assert [asked.path for asked in verse.requests].count("/v1/auth_tokens/token/") == 1
    assert verse.requests[-1].headers["authorization"] == f"Bearer {TOKEN}"
    assert all(SECRET not in asked.raw for asked in verse.requests)
    (note,) = tmp_path.glob("openverse-*.json")
    assert stat.S_IMODE(note.stat().st_mode) == 0o600 and SECRET not in note.read_text()


def test_a_withdrawn_token_is_renewed_once(verse, tmp_path):
    allowed = open_access(verse, tmp_path, registered=True)
    next(openverse.search(Query("cat"), allowed))
    verse.token = "another-token"
    assert next(openverse.search(Query("cat"), allowed)).rank == 1
    assert [asked.path for asked in verse.requests].count("/v1/auth_tokens/token/") == 2


def test_wrong_openverse_keys_are_named_but_not_shown(verse, tmp_path):
    with pytest.raises(SourceFault) as caught:
        next(openverse.search(Query("cat"), open_access(verse, tmp_path, registered=True, secret="nope-123456")))
    assert caught.value.kind == "auth" and "LABELLOOM_OPENVERSE_CLIENT_ID" in str(caught.value.fix)
    assert "nope-123456" not in f"{caught.value}{caught.value.__cause__}" and len(verse.requests) == 1


@pytest.mark.parametrize("clamps", [False, True])
def test_a_server_with_smaller_pages_loses_and_repeats_nothing(tmp_path, clamps):
    with Openverse(results=35, largest=10, clamps=clamps) as fake:
        found = list(openverse.search(Query("cat"), open_access(fake, tmp_path)))
        assert len({one.url for one in found}) == len(found) == 35
        assert pages(fake)[1:] == ([(2, 10), (3, 10), (4, 10)] if clamps else [(1, 10), (2, 10), (3, 10), (4, 10)])


def test_openverse_is_asked_for_the_licences_that_are_wanted(verse, tmp_path):
    wanted = frozenset({"by", "cc0", "gfdl-1.2-only"})
    found = list(openverse.search(Query("cat", licenses=wanted), open_access(verse, tmp_path)))
    assert found and {short_of(one.license.spdx) for one in found} == {"by", "cc0"}
    assert verse.requests[0].query["license"] == "by,cc0"


def test_a_licence_that_openverse_does_not_know_asks_nothing(verse, tmp_path):
    only = Query("cat", licenses=frozenset({"gfdl-1.2-only"}))
    assert list(openverse.search(only, open_access(verse, tmp_path))) == [] and verse.requests == []


def test_a_server_that_ignores_the_filter_is_looked_through(tmp_path):
    class Deaf(Openverse):
        def answer(self, asked):
            return super().answer(
                type(asked)(
                    **{
                        **{f: getattr(asked, f) for f in asked.__slots__},
                        "query": {name: value for name, value in asked.query.items() if name != "license"},
                    }
                )
            )

    with Deaf(results=40) as fake:
        found = list(openverse.search(Query("cat", licenses=frozenset({"pdm"})), open_access(fake, tmp_path)))
        assert {one.license.spdx for one in found} == {"CC-PDM-1.0"} and len(found) == 8


def test_openverse_that_wants_an_hour_gets_it(verse, tmp_path):
    verse.script = [Answer(429, {"detail": "Request was throttled."}, {"Retry-After": "3412"})]
    with pytest.raises(SourceFault) as caught:
        next(openverse.search(Query("cat"), open_access(verse, tmp_path)))
    assert caught.value.kind == "rate_limited" and "register" in str(caught.value.fix)
    assert caught.value.resume_at - datetime.now(UTC) > timedelta(minutes=55) and len(verse.requests) == 1


def test_openverse_that_wants_a_moment_is_asked_again(verse, tmp_path):
    verse.script = [Answer(429, {"detail": "Request was throttled."}, {"Retry-After": "2"}), Answer(503, b"")]
    assert next(openverse.search(Query("cat"), open_access(verse, tmp_path))).rank == 1
    assert len(verse.requests) == 3


@pytest.mark.parametrize("search", [openverse.search, wikimedia.search])
def test_no_keyword_or_none_wanted_asks_nothing(verse, commons, tmp_path, search):
    allowed = Access(tmp_path, urls={"openverse": verse.url, "wikimedia": f"{commons.url}/w/api.php"})
    with pytest.raises(SourceFault, match="keyword is empty"):
        next(search(Query(" \t"), allowed))
    assert list(search(Query("cat", wanted=0), allowed)) == []
    assert verse.requests == commons.requests == []


def test_three_hundred_characters_are_too_many_for_both_and_they_say_so(verse, commons, tmp_path):
    with pytest.raises(SourceFault, match="300 characters") as caught:
        next(openverse.search(Query("가" * 300), open_access(verse, tmp_path)))
    assert caught.value.kind == "bad_request" and "200" in str(caught.value.fix) and verse.requests == []
    with pytest.raises(SourceFault, match="longer than the maximum") as caught:
        next(wikimedia.search(Query("가" * 301), commons_access(commons, tmp_path)))
    assert caught.value.kind == "bad_request" and len(commons.requests) == 1


@pytest.mark.parametrize("fake", [Openverse, Wikimedia])
def test_no_result_is_no_fault(tmp_path, fake):
    with fake(results=0) as empty:
        urls = {"openverse": empty.url, "wikimedia": f"{empty.url}/w/api.php"}
        allowed = Access(tmp_path, urls=urls, contact="me@example.org")
        search = openverse.search if fake is Openverse else wikimedia.search
        assert list(search(Query("없는 것"), allowed)) == [] and len(empty.requests) == 1


def test_commons_tells_licence_creator_and_restrictions_as_plain_text(commons, tmp_path):
    first, second, third, fourth, fifth = islice(
        wikimedia.search(Query("고양이"), commons_access(commons, tmp_path)), 5
    )
    assert (first.license.raw, first.license.spdx) == ("CC BY-SA 4.0", "CC-BY-SA-4.0")
    assert [one.license.spdx for one in (second, third, fourth, fifth)] == [
        "CC-BY-SA-3.0-DE",
        "CC0-1.0",
        "LicenseRef-PublicDomain",
        None,
    ]
    assert fifth.license.raw == "Custom terms"
    assert (first.creator, first.creator_url) == ("Kim & Söhne", "https://commons.wikimedia.org/wiki/User:S")
    assert first.title == "고양이 0" and first.page_url.endswith("/wiki/File:고양이_0.jpg")
    assert first.attribution == '"고양이 0" by Kim & Söhne (CC BY-SA 4.0), Wikimedia Commons'
    assert first.extra["restrictions"] == ["personality", "trademarked"] and first.extra["credit"] == "Own work"
    assert "restrictions" not in second.extra


def test_commons_falls_back_to_widths_it_serves(commons, tmp_path):
    found = list(islice(wikimedia.search(Query("cat"), commons_access(commons, tmp_path)), 4))
    widths = [int(url.rsplit("/", 1)[1].partition("px-")[0]) for one in found for url in one.fallbacks]
    assert widths[:2] == [1280, 500] and set(widths) <= WIDTHS
    assert found[3].fallbacks == ()  # smaller than any of them: Commons names the original itself


@pytest.mark.parametrize("in_parts", [False, True])
def test_commons_goes_on_as_it_is_told_and_keeps_its_order(tmp_path, in_parts):
    with Wikimedia(results=120, in_parts=in_parts) as fake:
        found = list(wikimedia.search(Query("cat"), commons_access(fake, tmp_path)))
        assert [one.title for one in found] == [f"고양이 {n}" for n in range(120)]
        assert [one.rank for one in found] == list(range(1, 121))
        assert len(fake.requests) == (6 if in_parts else 3)
        assert fake.requests[-1].query["continue"] == "gsroffset||"


def test_commons_gets_a_contact_and_says_when_it_wants_one(commons, tmp_path):
    with pytest.raises(SourceFault) as caught:
        next(wikimedia.search(Query("cat"), commons_access(commons, tmp_path, contact=None)))
    assert (
        caught.value.kind == "blocked" and "LABELLOOM_CONTACT" in str(caught.value.fix) and len(commons.requests) == 1
    )
    next(wikimedia.search(Query("cat"), commons_access(commons, tmp_path)))
    assert "me@example.org" in commons.requests[-1].headers["user-agent"]


def test_commons_filters_licences_before_anything_is_fetched(commons, tmp_path):
    wanted = Query("cat", licenses=frozenset({"cc0", "pdm"}))
    found = list(wikimedia.search(wanted, commons_access(commons, tmp_path)))
    assert len(found) == 48 and {one.license.spdx for one in found} == {"CC0-1.0", "LicenseRef-PublicDomain"}
    assert found[0].rank == 3  # the place in Commons' answer, not among what is left


@pytest.mark.parametrize(
    ("answer", "kind", "asked"),
    [
        (failed("maxlag", "Waiting for 10.64.32.21: 5.6 seconds lagged.", {"Retry-After": "5"}), "rate_limited", 4),
        (failed("ratelimited", "You've exceeded your rate limit."), "rate_limited", 4),
        (failed("readonly", "The wiki is currently in read-only mode."), "rate_limited", 4),
        (failed("internal_api_error_DBQueryError", "[abc] Caught exception"), "upstream", 4),
        (failed("badvalue", "Unrecognized value"), "bad_request", 1),
        (failed("blocked", "You have been blocked from editing."), "blocked", 1),
        (Answer(429, b"You are making too many requests", {"Retry-After": "1"}), "rate_limited", 4),
        (Answer(429, b"", {"Retry-After": "Wed, 01 Jan 2098 00:00:00 GMT"}), "rate_limited", 1),
        (Answer(200, {"query": {"pages": {"1": {}}}}), "layout_changed", 1),
        (Answer(200, b"not JSON"), "upstream", 4),
    ],
)
def test_commons_faults_come_with_200_and_are_understood(commons, tmp_path, answer, kind, asked):
    commons.script = [answer] * 5
    with pytest.raises(SourceFault) as caught:
        list(wikimedia.search(Query("cat"), commons_access(commons, tmp_path)))
    assert caught.value.kind == kind and caught.value.fix and len(commons.requests) == asked


def test_a_lagging_commons_is_waited_for(commons, tmp_path):
    commons.script = [failed("maxlag", "lagged", {"Retry-After": "5"})]
    assert next(wikimedia.search(Query("cat"), commons_access(commons, tmp_path))).rank == 1
