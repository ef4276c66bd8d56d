"""`style fetch` against a server on loopback: resumed, checked, recorded, and clear about what went wrong."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backend.core.errors import Cancelled, LabelLoomError, UsageError
from backend.core.progress import Silent
from backend.flows.style.fetch import LEDGER, Fetched, Wanted, fetch_weights
from backend.settings import Settings
from connectors import http

BODY = bytes(range(256)) * 4000
SHA = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves one body: with byte ranges, cut off half-way the first time, or changed behind our back."""

    body = BODY
    etag = '"one"'
    asked: list[tuple[str, str | None]]
    cuts = 0

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append((self.path, wanted))
        if self.path == "/gone":
            self.send_error(404)
            return
        start = int(re.findall(r"\d+", wanted)[0]) if wanted and self.headers["If-Range"] == self.etag else 0
        if start >= len(self.body):
            self.send_error(416)
            return
        rest = self.body[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", self.etag)
        self.end_headers()
        if Handler.cuts:
            Handler.cuts -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in (("asked", []), ("cuts", 0), ("body", BODY), ("etag", '"one"')):
        monkeypatch.setattr(Handler, name, value, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/decoder.pth"
        server.shutdown()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", allow_hosts=("127.0.0.1",))


def fetched(url: str, settings: Settings, sha256: str | None = None, *, again: bool = False) -> Fetched:
    (one,) = fetch_weights([Wanted("decoder", url, sha256)], settings, Silent(), again=again)
    return one


def test_a_file_comes_whole_and_its_first_seen_sha256_is_kept(url: str, settings: Settings) -> None:
    one = fetched(url, settings)
    assert one == Fetched(settings.style_weights_dir / "decoder.pth", url, SHA, seen=True, new=True)
    assert one.path.read_bytes() == BODY
    entry = json.loads((one.path.parent / LEDGER).read_text())["decoder.pth"]
    assert entry["sha256"] == SHA and entry["seen"] and entry["bytes"] == len(BODY)
    assert not fetched(url, settings).new and len(Handler.asked) == 1
    assert sorted(path.name for path in one.path.parent.iterdir()) == ["decoder.pth", LEDGER]
    assert not fetched(url, settings, SHA).seen  # who gives the sha256 knows it


def test_a_break_is_gone_on_from_where_it_was(url: str, settings: Settings) -> None:
    Handler.cuts = 2
    assert fetched(url, settings, SHA).path.read_bytes() == BODY
    starts = [int(wanted[6:-1]) for _, wanted in Handler.asked[1:] if wanted]
    assert len(starts) == 2 and starts[0] < starts[1] < len(BODY)


def test_a_fetch_that_was_stopped_is_resumed_by_the_next(url: str, settings: Settings) -> None:
    class Stopping(Silent):
        def update(self, phase: str, done: int, total: int | None = None) -> None:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        fetch_weights([Wanted("decoder", url)], settings, Stopping(), again=False)
    target = settings.style_weights_dir / "decoder.pth"
    assert not target.exists()
    assert fetched(url, settings).sha256 == SHA
    assert Handler.asked[1][1] and target.read_bytes() == BODY


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(url: str, settings: Settings) -> None:
    folder = settings.style_weights_dir
    folder.mkdir(parents=True)
    (folder / "decoder.pth.part").write_bytes(b"of an older one" * 100)
    (folder / "decoder.pth.part.etag").write_text('"zero"')
    assert fetched(url, settings).path.read_bytes() == BODY
    (folder / "decoder.pth.part").write_bytes(BODY + b"longer than it is")
    (folder / "decoder.pth.part.etag").write_text('"one"')
    assert fetched(url, settings, again=True).path.read_bytes() == BODY


def test_another_file_than_the_one_wanted_is_not_kept(url: str, settings: Settings) -> None:
    with pytest.raises(LabelLoomError, match=f"sha256 {SHA}, not {'0' * 64}") as raised:
        fetched(url, settings, "0" * 64)
    assert raised.value.fix and "put it at" in raised.value.fix
    assert list(settings.style_weights_dir.iterdir()) == []


def test_what_was_seen_first_must_come_again(url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched(url, settings)
    monkeypatch.setattr(Handler, "body", BODY[::-1])
    with pytest.raises(LabelLoomError, match="sha256"):
        fetched(url, settings, again=True)
    assert fetched(url, settings).path.read_bytes() == BODY  # the good one is still there
    other = hashlib.sha256(BODY[::-1]).hexdigest()
    assert fetched(url, settings, other, again=True).sha256 == other


def test_a_file_put_there_by_hand_is_left_alone(settings: Settings) -> None:
    settings.style_weights_dir.mkdir(parents=True)
    (settings.style_weights_dir / "decoder.pth").write_bytes(BODY)
    (one,) = fetch_weights([Wanted("decoder")], settings, Silent(), again=False)
    assert not one.new and one.seen and one.sha256 == SHA
    with pytest.raises(UsageError, match="has the sha256"):
        fetch_weights([Wanted("decoder", sha256="0" * 64)], settings, Silent(), again=False)


@pytest.mark.parametrize("word", ["abc", "g" * 64, SHA[:-1]])
def test_a_sha256_that_is_none_is_refused_before_anything_is_asked(word: str, url: str, settings: Settings) -> None:
    with pytest.raises(UsageError, match="is no sha256"):
        fetched(url, settings, word)
    assert Handler.asked == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:1/decoder.pth", "127.0.0.1"),
        ("ftp://127.0.0.1/decoder.pth", "not an http"),
        ("no address", "not an http"),
    ],
)
def test_what_cannot_be_fetched_says_where_the_file_may_be_put(address: str, said: str, settings: Settings) -> None:
    with pytest.raises(LabelLoomError, match=said) as raised:
        fetched(address, settings)
    assert raised.value.fix and str(settings.style_weights_dir / "decoder.pth") in raised.value.fix


def test_no_network_and_a_file_that_is_not_there(url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabelLoomError, match="HTTP 404"):
        fetched(url.replace("decoder.pth", "gone"), settings)

    def nobody(*_: object, **__: object) -> list[object]:
        raise OSError("no name service")

    monkeypatch.setattr(http.socket, "getaddrinfo", nobody)
    with pytest.raises(LabelLoomError, match=r"host github\.com is not known") as raised:
        fetch_weights([Wanted("encoder")], settings, Silent(), again=False)
    assert raised.value.fix and "vgg_normalised.pth" in raised.value.fix


def test_private_hosts_are_asked_only_where_that_is_allowed(url: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")
    with pytest.raises(LabelLoomError, match="private address") as raised:
        fetched(url, settings)
    assert raised.value.fix and "LABELLOOM_ALLOW_HOSTS=127.0.0.1" in raised.value.fix
    assert Handler.asked == []
