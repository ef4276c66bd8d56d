"""Fetching from a host with every trouble there is: what comes, what is lost and why, and how politely it was asked."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import pytest
from fakes.image_host import ImageHost, Reply, moved, zipped
from yarl import URL

from connectors.errors import FetchError
from connectors.fetching import BadContent, FetchOptions, Got, Lost, Request, client, sentence
from connectors.fetching.failure import Failure
from connectors.fetching.fetch import Fetcher
from connectors.fetching.sync import get

OPEN = FetchOptions(allow_hosts=frozenset({"127.0.0.1"}), host_interval=0, per_host=32, deadline=5)
PICTURE = Reply(b"a picture" * 100)


@pytest.fixture
def host() -> Iterator[ImageHost]:
    with ImageHost({"/a.jpg": PICTURE}) as server:
        yield server


def check(data: bytes) -> int:
    if data.startswith(b"<"):
        raise BadContent("not-an-image", "it begins with <")
    if data == b"choke":
        raise ZeroDivisionError
    return len(data)


def fetch(*requests: Request, options: FetchOptions = OPEN) -> list[Got[int] | Lost]:
    async def all_of_them() -> list[Got[int] | Lost]:
        async with Fetcher(options, check) as fetcher:
            return await asyncio.gather(*map(fetcher.fetch, requests))

    return asyncio.run(all_of_them())


def one(url: str, options: FetchOptions = OPEN) -> Got[int] | Lost:
    return fetch(Request(url), options=options)[0]


def code(found: Got[int] | Lost) -> str:
    assert isinstance(found, Lost), found
    assert found.detail and sentence(found.code)
    return found.code


def test_an_image_comes_with_where_it_came_from(host: ImageHost) -> None:
    headers = (("Content-Type", "text/plain"), ("ETag", '"1"'), ("Last-Modified", "yesterday"), ("Set-Cookie", "a=1"))
    host.replies["/b.jpg"] = Reply(b"picture", headers=headers)
    host.replies["/moved.jpg"] = moved("/b.jpg")
    found = one(host.url("/moved.jpg"), replace(OPEN, contact="me@example.com"))
    assert isinstance(found, Got)
    assert (found.value, found.final_url, found.redirects) == (7, host.url("/b.jpg"), (host.url("/b.jpg"),))
    assert found.headers == {"content-type": "text/plain", "etag": '"1"', "last-modified": "yesterday"}
    assert found.opt_out.robots == "none" and not found.thumbnail and found.fetched_at.tzinfo is UTC
    sent = host.asked[-1].headers
    assert sent["user-agent"] == "LabelLoom/0.1 (+me@example.com)"
    assert sent["accept-encoding"] == "identity"
    assert not {"referer", "cookie", "authorization"} & set(sent)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(b"", 404), "http-404"),
        (Reply(b"", 410), "http-410"),
        (Reply(b"x" * 2000, trouble="cut"), "cut"),
        (Reply(b"x" * 70_000), "too-large"),
        (Reply(b"x" * 70_000, trouble="chunked"), "too-large"),
        (Reply(trouble="endless"), "too-large"),
        (zipped(10_000_000), "too-large"),
        (Reply(b"x", headers=(("Content-Encoding", "br"),)), "encoding"),
        (Reply(b"x", headers=(("Content-Encoding", "gzip"),)), "encoding"),
        (Reply(b"<html>"), "not-an-image"),
        (Reply(b"choke"), "unreadable"),
    ],
)
def test_what_is_lost_has_a_reason(host: ImageHost, reply: Reply, reason: str) -> None:
    host.replies["/bad.jpg"] = reply
    bad, good = fetch(
        Request(host.url("/bad.jpg")), Request(host.url("/a.jpg")), options=replace(OPEN, retries=0, max_bytes=65_536)
    )
    assert code(bad) == reason
    assert isinstance(good, Got)


def test_the_deadline_is_for_the_whole_and_a_trickle_is_given_up_before(host: ImageHost) -> None:
    host.replies |= {"/drip.jpg": Reply(b"x" * 40_000, trouble="drip"), "/stall.jpg": Reply(b"x", trouble="stall")}
    found = fetch(
        Request(host.url("/drip.jpg")),
        Request(host.url("/stall.jpg")),
        options=replace(OPEN, deadline=0.7, robots=False),
    )
    assert [code(each) for each in found] == ["timeout", "timeout"]
    assert host.counts == {"/drip.jpg": 1, "/stall.jpg": 1}  # time that is over is not tried again


def test_a_body_that_unpacks_to_little_comes(host: ImageHost) -> None:
    host.replies["/z.jpg"] = zipped(5000)
    assert one(host.url("/z.jpg")).value == 5000  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://localhost:{port}/a.jpg", "bad-url"),  # another name of the same machine: its port is not allowed
        ("http://localhost/latest/meta-data", "private-address"),
        ("http://169.254.169.254/latest/meta-data", "private-address"),
        ("http://[::ffff:10.0.0.1]/", "private-address"),
        ("file:///etc/passwd", "bad-url"),
        ("/loop.jpg", "redirects"),
    ],
)
def test_each_redirect_is_checked_again(host: ImageHost, target: str, reason: str) -> None:
    port = host.url("").rpartition(":")[2]
    host.replies["/loop.jpg"] = moved(target.format(port=port))
    assert code(one(host.url("/loop.jpg"), replace(OPEN, deadline=2))) == reason
    assert host.counts["/loop.jpg"] == (6 if reason == "redirects" else 1)


def test_five_redirects_are_followed(host: ImageHost) -> None:
    host.replies |= {f"/{n}": moved(f"/{n - 1}") for n in range(1, 5)} | {"/0": moved("/a.jpg")}
    found = one(host.url("/4"))
    assert isinstance(found, Got) and len(found.redirects) == 5


@pytest.mark.parametrize("date", [False, True])
def test_a_host_that_asks_to_wait_is_waited_for(host: ImageHost, date: bool) -> None:
    wait = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True) if date else "1"
    host.replies["/busy.jpg"] = [Reply(b"", 429, (("Retry-After", wait),)), PICTURE]
    assert isinstance(one(host.url("/busy.jpg"), replace(OPEN, robots=False)), Got)
    first, second = (asked.at for asked in host.asked)
    assert second - first > 0.5


def test_a_server_that_recovers_is_asked_again(host: ImageHost) -> None:
    host.replies["/down.jpg"] = [Reply(b"", 503), PICTURE]
    host.replies["/cut.jpg"] = [Reply(b"x" * 999, trouble="cut"), PICTURE]
    found = fetch(Request(host.url("/down.jpg")), Request(host.url("/cut.jpg")))
    assert all(isinstance(each, Got) for each in found)


def test_a_host_that_asks_for_an_hour_is_left_alone(host: ImageHost) -> None:
    host.replies["/busy.jpg"] = Reply(b"", 429, (("Retry-After", "3600"),))
    found = fetch(*(Request(host.url(path)) for path in ("/busy.jpg", "/a.jpg")), options=replace(OPEN, per_host=1))
    assert [code(each) for each in found] == ["http-429", "host-refuses"]


def test_a_host_that_keeps_refusing_is_left_alone(host: ImageHost) -> None:
    host.replies |= {f"/{n}.jpg": Reply(b"", 403) for n in range(9)}
    found = fetch(
        *(Request(host.url(f"/{n}.jpg")) for n in range(9)), options=replace(OPEN, per_host=1, refusals=3, robots=False)
    )
    assert [code(each) for each in found] == ["http-403"] * 3 + ["host-refuses"] * 6
    assert len(host.asked) == 3


def test_no_referer_first_then_the_page_then_the_thumbnail(host: ImageHost) -> None:
    page = host.url("/고양이?a=1#top")
    host.replies |= {
        "/open.jpg": Reply(b"1", referers=lambda referer: not referer),
        "/page.jpg": Reply(b"2", referers=lambda referer: referer.endswith("?a=1")),
        "/never.jpg": Reply(b"3", referers=lambda _: False),
        "/small.jpg": Reply(b"four"),
    }
    found = fetch(
        *(Request(host.url(f"/{name}.jpg"), page, (host.url("/small.jpg"),)) for name in ("open", "page", "never"))
    )
    assert [(each.value, each.thumbnail) for each in found if isinstance(each, Got)] == [(1, 0), (1, 0), (4, 1)]
    assert {path: host.counts[path] for path in ("/open.jpg", "/page.jpg", "/never.jpg", "/small.jpg")} == {
        "/open.jpg": 1,
        "/page.jpg": 2,
        "/never.jpg": 2,
        "/small.jpg": 1,
    }


def test_bytes_of_an_address_stay_as_they_are_and_the_rest_is_encoded(host: ImageHost) -> None:
    host.replies |= {"/%B0%AD%BE%C6/a%20b.jpg?q=%EA%B0%80": PICTURE, "/%EA%B3%A0%F0%9F%90%B1%20.jpg": PICTURE}
    found = fetch(Request(host.url("/%B0%AD%BE%C6/a b.jpg?q=가")), Request(host.url("/고🐱 .jpg")))
    assert all(isinstance(each, Got) for each in found)


def test_one_host_has_its_connections_and_its_distance(host: ImageHost) -> None:
    host.latency = 0.2
    host.replies |= {f"/{n}.jpg": PICTURE for n in range(6)}
    options = replace(OPEN, per_host=2, host_interval=0.05)
    assert all(isinstance(f, Got) for f in fetch(*(Request(host.url(f"/{n}.jpg")) for n in range(6)), options=options))
    assert host.most_at_once == 2
    times = [asked.at for asked in host.asked]
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.03
    assert host.counts["/robots.txt"] == 1


def test_robots_txt_is_obeyed_asked_once_and_kept_for_a_day(host: ImageHost, tmp_path: Path) -> None:
    text = "User-agent: *\nDisallow: /\nUser-agent: LabelLoom\nDisallow: /private\nCrawl-delay: 0.3\n"
    host.replies |= {"/robots.txt": Reply(text.encode()), "/private/a.jpg": PICTURE, "/b.jpg": PICTURE}
    options = replace(OPEN, robots_dir=tmp_path / "robots", per_host=1)
    requests = [
        Request(host.url(path), fallbacks=(host.url("/b.jpg"),)) for path in ("/private/a.jpg", "/a.jpg", "/b.jpg")
    ]
    private, a, _ = fetch(*requests, options=options)
    assert code(private) == "robots" and private.opt_out and private.opt_out.robots == "refused"  # no fallback either
    assert isinstance(a, Got) and a.opt_out.robots == "allowed"
    times = [asked.at for asked in host.asked if asked.path != "/robots.txt"]
    assert len(times) == 2 and times[1] - times[0] > 0.25
    fetch(*requests[:1], options=options)
    assert host.counts["/robots.txt"] == 1 and host.counts["/private/a.jpg"] == 0
    ignored = one(host.url("/private/a.jpg"), replace(options, robots=False))
    assert isinstance(ignored, Got) and ignored.opt_out.robots == "ignored"


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (Reply(b"", 500), "unreachable"),
        (Reply(b"", 429), "unreachable"),
        (Reply(b"", 403), "none"),
        (moved("/robots.txt"), "none"),
        (Reply(b"#" * 600_000 + b"\nUser-agent: *\nDisallow: /"), "allowed"),
    ],
)
def test_a_robots_txt_that_does_not_come(host: ImageHost, reply: Reply, state: str) -> None:
    host.replies["/robots.txt"] = reply
    found = one(host.url("/a.jpg"))
    assert found.opt_out and found.opt_out.robots == state
    assert isinstance(found, Lost) == (state == "unreachable")


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ((("X-Robots-Tag", "noai, noimageai"),), True),
        ((("X-Robots-Tag", "nofollow"), ("X-Robots-Tag", "NoIndex")), True),
        ((("X-Robots-Tag", "labelloom: noimageindex"),), True),
        ((("X-Robots-Tag", "unavailable_after: 25 Jun 2030 15:00:00 GMT, none"),), True),
        ((("X-Robots-Tag", "otherbot: noai, noindex"),), False),
        ((("X-Robots-Tag", "otherbot: nofollow"), ("X-Robots-Tag", "noai")), True),
        ((("X-Robots-Tag", "max-image-preview: none"),), False),
        ((("tdm-reservation", "1"),), True),
        ((("tdm-reservation", "0"),), False),
    ],
)
def test_an_owners_reservation_holds_unless_only_recorded(
    host: ImageHost, headers: tuple[tuple[str, str], ...], refused: bool
) -> None:
    host.replies["/mine.jpg"] = Reply(b"picture", headers=headers)
    found = one(host.url("/mine.jpg"))
    assert isinstance(found, Lost) == refused
    assert found.opt_out and (found.opt_out.x_robots_tag or found.opt_out.tdm)
    recorded = one(host.url("/mine.jpg"), replace(OPEN, opt_out="record"))
    assert isinstance(recorded, Got) and recorded.opt_out == found.opt_out


def test_a_page_comes_in_one_call(host: ImageHost) -> None:
    host.replies["/page"] = Reply(
        "<p>고양이".encode(), headers=(("Content-Type", "text/html"), ("X-Robots-Tag", "noai"))
    )
    answer = get(host.url("/page"), OPEN)
    assert (answer.data.decode(), answer.status, answer.headers["content-type"]) == ("<p>고양이", 200, "text/html")
    assert answer.opt_out.x_robots_tag == "noai" and answer.final_url == host.url("/page")
    with pytest.raises(FetchError, match="404") as caught:
        get(host.url("/absent"), OPEN)
    assert caught.value.status == 404 and caught.value.fix


def test_a_public_name_that_leads_home_is_refused_when_it_is_connected(
    host: ImageHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(host.url("/").split(":")[2].rstrip("/"))
    looked_up: list[str] = []

    def rebound(name: str, *_: object, **__: object) -> list[object]:
        looked_up.append(name)  # whoever checks first and connects later gets two different answers
        address = "127.0.0.1" if len(looked_up) % 2 else "8.8.8.8"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    found = one(f"http://images.example:{port}/a.jpg", FetchOptions(ports=frozenset({port}), robots=False, retries=0))
    assert code(found) == "private-address"
    assert looked_up == ["images.example"] and not host.asked


def test_what_began_encrypted_does_not_go_on_in_the_clear() -> None:
    bounds = frozenset({80, 443}), frozenset[str]()
    with pytest.raises(Failure) as caught:
        client._next(URL("https://a.example/x.jpg"), "http://a.example/x.jpg", bounds)
    assert caught.value.code == "redirects"
    assert client._next(URL("http://a.example/x.jpg"), "https://a.example/x.jpg", bounds).scheme == "https"


def test_a_host_that_drips_is_given_up_before_its_time_is_over(host: ImageHost) -> None:
    host.replies["/drip.jpg"] = Reply(b"x" * 600, trouble="drip", seconds=60)
    assert code(one(host.url("/drip.jpg"), replace(OPEN, deadline=60))) == "too-slow"
