"""Fetching from the public web: private hosts, redirects to them, large and slow answers, and flaky servers."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from connectors.errors import FetchError
from connectors.http import PublicFetcher


class Handler(BaseHTTPRequestHandler):
    """A server with a path for each kind of trouble."""

    hosts: list[str]
    failures = 0

    def do_GET(self) -> None:
        self.hosts.append(self.headers["Host"])
        match self.path:
            case "/image":
                self._send(200, b"bytes")
            case "/flaky" if Handler.failures < 2:
                Handler.failures += 1
                self._send(503, b"")
            case "/flaky":
                self._send(200, b"at last")
            case "/big":
                self._send(200, b"x" * 5000, declared=False)
            case "/slow":
                self.send_response(200)
                self.end_headers()
                for _ in range(50):
                    self.wfile.write(b"x" * 70000)
                    time.sleep(0.1)
            case "/loop":
                self._send(302, b"", location="/loop")
            case "/away":
                self._send(302, b"", location="/image")
            case "/inside":
                self._send(302, b"", location="http://127.0.0.1:1/secret")
            case _:
                self._send(404, b"")

    def _send(self, status: int, body: bytes, *, declared: bool = True, location: str | None = None) -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        if declared:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    Handler.hosts, Handler.failures = [], 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients hang up on purpose
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_private_host_is_refused_unless_allowed(site: str) -> None:
    with pytest.raises(FetchError, match=r"private address 127\.0\.0\.1") as caught:
        PublicFetcher().fetch(f"{site}/image")
    assert caught.value.fix is not None
    assert "LABELLOOM_ALLOW_HOSTS=127.0.0.1" in caught.value.fix
    assert PublicFetcher(allow_hosts=["127.0.0.1"]).fetch(f"{site}/image") == b"bytes"
    assert PublicFetcher().fetch(f"{site}/image", trusted=True) == b"bytes"


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "0.0.0.0", "::1", "fd00::1", "::ffff:10.0.0.1"],
)
def test_every_kind_of_private_address_is_refused(address: str) -> None:
    fetcher = PublicFetcher(resolver=lambda host, port: ["8.8.8.8", address])
    with pytest.raises(FetchError, match="private address"):
        fetcher.fetch("http://looks-public.example/x.jpg")


def test_the_checked_address_is_the_one_connected_to(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers differently the second time gains nothing: it is asked once."""
    port = int(site.rpartition(":")[2])
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    monkeypatch.setattr("ipaddress.IPv4Address.is_global", property(lambda self: True))
    body = PublicFetcher(resolver=resolver).fetch(f"http://no-such-host.example:{port}/image")
    assert (body, asked) == (b"bytes", ["no-such-host.example"])
    assert Handler.hosts == [f"no-such-host.example:{port}"]


def test_redirects_are_followed_and_checked(site: str) -> None:
    fetcher = PublicFetcher(allow_hosts=["127.0.0.1"])
    assert fetcher.fetch(f"{site}/away") == b"bytes"
    with pytest.raises(FetchError, match="redirects"):
        fetcher.fetch(f"{site}/loop")
    with pytest.raises(FetchError, match="private address"):
        PublicFetcher().fetch(f"{site}/inside", trusted=True)


def test_limits_of_size_and_time(site: str) -> None:
    with pytest.raises(FetchError, match="limit of 1,000 bytes"):
        PublicFetcher(allow_hosts=["127.0.0.1"], limit=1000).fetch(f"{site}/big")
    begin = time.monotonic()
    with pytest.raises(FetchError, match="too slowly"):
        PublicFetcher(allow_hosts=["127.0.0.1"], deadline=0.5).fetch(f"{site}/slow")
    assert time.monotonic() - begin < 3


def test_a_flaky_server_is_tried_again_and_a_missing_file_is_not(site: str) -> None:
    fetcher = PublicFetcher(allow_hosts=["127.0.0.1"])
    assert fetcher.fetch(f"{site}/flaky") == b"at last"
    Handler.hosts.clear()
    with pytest.raises(FetchError, match="HTTP 404"):
        fetcher.fetch(f"{site}/none")
    assert len(Handler.hosts) == 1


@pytest.mark.parametrize("url", ["ftp://x/y", "file:///etc/passwd", "http://", "http://[::1", "//x/y", "javascript:1"])
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(FetchError, match="is not an"):
        PublicFetcher().fetch(url)
