"""What may be asked at all: addresses as text, addresses as connected to, and small parsers."""

import asyncio
from datetime import UTC, datetime

import pytest

from connectors.fetching import REASONS, FetchOptions, Lost, Request, sentence
from connectors.fetching.fetch import Fetcher
from connectors.fetching.guard import is_public
from connectors.fetching.patience import retry_after


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.88.99.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:192.168.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)  # fmt: skip
def test_private_addresses_are_known_in_every_wrapping(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "223.130.200.104", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_pass(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1/", "private-address"),
        ("http://localhost/", "private-address"),
        ("http://0x7f000001/", "private-address"),
        ("http://[::ffff:127.0.0.1]/", "private-address"),
        ("http://[::1]/", "private-address"),
        ("http://0.0.0.0/", "private-address"),
        ("http://localhost./", "private-address"),
        ("http://127.1/", "bad-url"),
        ("http://2130706433/", "bad-url"),
        ("http://017700000001/", "bad-url"),
        ("http://example.com:22/", "bad-url"),
        ("http://user:secret@example.com/", "bad-url"),
        ("http://exa\nmple.com/", "bad-url"),
        ("ftp://example.com/a.jpg", "bad-url"),
        ("file:///etc/passwd", "bad-url"),
        ("data:image/png;base64,AAAA", "bad-url"),
        ("http://[::1", "bad-url"),
        ("http://example.com:99999/", "bad-url"),
        ("", "bad-url"),
        ("고양이", "bad-url"),
        ("http://고양이.invalid/사진.jpg", "dns"),
    ],
)
def test_addresses_that_lead_nowhere_good(url: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # a proxy would connect for us: it is not used

    async def once() -> object:
        async with Fetcher(FetchOptions(host_interval=0, deadline=5, retries=0), len) as fetcher:
            return await fetcher.fetch(Request(url))

    found = asyncio.run(once())
    assert isinstance(found, Lost) and found.code == code
    assert "secret" not in found.detail


def test_waiting_is_asked_for_in_seconds_or_by_date() -> None:
    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert retry_after("120", now) == 120
    assert retry_after("Mon, 23 Nov 2026 12:01:00 GMT", now) == 60
    assert retry_after("Mon, 23 Nov 2026 11:00:00 GMT", now) == 0
    assert retry_after("soon", now) is None and retry_after(None, now) is None


def test_every_reason_is_a_sentence() -> None:
    assert sentence("http-404") == "The host answered with HTTP status 404."
    assert all(text.endswith(".") and sentence(code) == text for code, text in REASONS.items())
    with pytest.raises(KeyError):
        sentence("http-teapot")
