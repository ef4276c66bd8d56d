"""Where an image is fetched from, and who gets our token, against stand-ins for Label Studio and a storage."""

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.errors import FetchError, Unauthorized, Unreachable
from connectors.label_studio import LabelStudio
from connectors.label_studio_images import Images

TOKEN = "t" * 40


class StandIn(BaseHTTPRequestHandler):
    """Label Studio under the prefix /ls, and a storage on the same machine under its other name."""

    seen: list[tuple[str, str | None]]
    failures = 0

    def do_GET(self) -> None:
        StandIn.seen.append((self.path, self.headers.get("Authorization")))
        url = urlsplit(self.path)
        match url.path:
            case "/ls/data/upload/1/a.jpg" | "/ls/data/local-files/":
                self._send(200, b"own")
            case "/ls/tasks/7/presign/":
                asked = base64.b64decode(parse_qs(url.query)["fileuri"][0]).decode()
                if asked == "gs://bucket/streamed.jpg":
                    self._send(200, b"streamed")
                else:
                    port = self.server.server_address[1]
                    self._send(303, b"", f"http://127.0.0.1:{port}/bucket/key.jpg?signature=1")
            case "/bucket/key.jpg":
                self._send(200, b"signed")
            case "/ls/data/upload/1/flaky.jpg":
                StandIn.failures += 1
                self._send(*((502, b"") if StandIn.failures < 3 else (200, b"at last")))
            case "/ls/data/upload/1/login.jpg":
                self._send(302, b"", "/ls/user/login/?next=/x")
            case "/ls/data/upload/1/shut.jpg":
                self._send(401, b"{}")
            case _:
                self._send(404, b"{}")

    def _send(self, status: int, body: bytes, location: str | None = None) -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def ls() -> Iterator[LabelStudio]:
    StandIn.seen, StandIn.failures = [], 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield LabelStudio(f"http://localhost:{server.server_port}/ls/", TOKEN)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "url",
    [
        "/data/upload/1/a.jpg",
        "/ls/data/upload/1/a.jpg",
        "upload/1/a.jpg",
        "/data/local-files/?d=x/a%20b.jpg",
        "{url}/data/upload/1/a.jpg",
    ],
)
def test_what_label_studio_serves_is_asked_of_it_with_the_token(ls: LabelStudio, url: str) -> None:
    assert Images(ls).fetch(url.format(url=ls.url), 7) == b"own"
    assert [header for _, header in StandIn.seen] == [f"Token {TOKEN}"]


def test_cloud_addresses_go_through_the_resolver_and_the_storage_gets_no_token(ls: LabelStudio) -> None:
    assert Images(ls).fetch("s3://bucket/key.jpg", 7) == b"signed"
    assert StandIn.seen[-1] == ("/bucket/key.jpg?signature=1", None)
    assert StandIn.seen[0][1] == f"Token {TOKEN}"
    assert Images(ls).fetch("gs://bucket/streamed.jpg", 7) == b"streamed"


def test_another_host_gets_no_token_and_must_be_public(ls: LabelStudio) -> None:
    other = f"http://127.0.0.1:{ls.base.port}/bucket/key.jpg"  # the same machine, but not Label Studio's address
    with pytest.raises(FetchError, match="private address"):
        Images(ls).fetch(other, 7)
    assert StandIn.seen == []
    assert Images(ls, allow_hosts=["127.0.0.1"]).fetch(other, 7) == b"signed"
    assert StandIn.seen == [("/bucket/key.jpg", None)]


def test_failures_of_one_image_and_of_label_studio_are_told_apart(ls: LabelStudio) -> None:
    images = Images(ls)
    assert images.fetch("/data/upload/1/flaky.jpg", 7) == b"at last"
    with pytest.raises(FetchError, match="404"):
        images.fetch("/data/upload/1/none.jpg", 7)
    with pytest.raises(FetchError, match="login"):
        images.fetch("/data/upload/1/login.jpg", 7)
    with pytest.raises(Unauthorized):
        images.fetch("/data/upload/1/shut.jpg", 7)
    with pytest.raises(Unreachable):
        Images(LabelStudio("http://localhost:9", TOKEN)).fetch("/data/upload/1/a.jpg", 7)


@pytest.mark.parametrize(
    ("url", "result"),
    [("data:image/png;base64,aGk=", b"hi"), ("data:,a%20b", b"a b"), ("data:image/png;base64,???", None)],
)
def test_images_inside_the_task(ls: LabelStudio, url: str, result: bytes | None) -> None:
    if result is None:
        with pytest.raises(FetchError, match="base64"):
            Images(ls).fetch(url, 7)
    else:
        assert Images(ls).fetch(url, 7) == result
