"""The client of somebody else's ML backend, against servers that answer well and badly."""

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from connectors.errors import Refused, ServerFailed, Unauthorized, Unreachable
from connectors.label_studio_server import free_port
from connectors.ml_backend import MLBackend, Timeouts

TASKS = [{"id": 1, "data": {"image": "곰.jpg"}}, {"id": 2, "data": {"image": "b.jpg"}}]
FOUND = {"result": [{"from_name": "상자", "value": {}}], "score": "0.5", "model_version": "v1"}

Answer = tuple[int, bytes, dict[str, str]]
Serve = Callable[[Callable[[str, Any], Any]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that answers what a function returns for a path and a body: JSON, or (status, bytes, headers)."""
    servers = []

    def start(answer: Callable[[str, Any], Any]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                given = answer(self.path, {"body": body, "authorization": self.headers.get("Authorization")})
                full = given if isinstance(given, tuple) else (200, json.dumps(given).encode(), {})
                self.send_response(full[0])
                for name, value in {**full[2], "Content-Length": str(len(full[1]))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(full[1])

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/ml/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_it_is_asked_as_label_studio_asks(serve: Serve) -> None:
    seen: dict[str, Any] = {}

    def answer(path: str, request: Any) -> Any:
        seen[path] = request
        return {"model_version": 7} if path.endswith("setup") else {"results": [FOUND, [FOUND, {}]], "status": "UP"}

    backend = MLBackend(serve(answer), ("관리자", "비밀"), hostname="http://ls", token="t")
    assert backend.health()["status"] == "UP"
    assert backend.setup("3.1700000000", "<View/>") == "7"
    first, second = backend.predict("3.1700000000", "<View/>", TASKS)
    assert first == second == {**FOUND, "score": 0.5}
    assert seen["/ml/health"]["authorization"] == "Basic " + b64encode("관리자:비밀".encode()).decode()
    assert seen["/ml/setup"]["body"] == {
        "project": "3.1700000000",
        "schema": "<View/>",
        "hostname": "http://ls",
        "access_token": "t",
        "extra_params": None,
    }
    assert seen["/ml/predict"]["body"] == {
        "tasks": TASKS,
        "project": "3.1700000000",
        "label_config": "<View/>",
        "params": {"login": None, "password": None, "context": None},
    }


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ({"results": [FOUND]}, Refused, "answered 2 tasks with 1 results"),
        ({"results": "none"}, Refused, "no list of results"),
        ({"results": [FOUND, {"result": "x"}]}, Refused, "for a prediction"),
        ({"results": [FOUND, {"result": [1]}]}, Refused, "for a prediction"),
        ({"results": [FOUND, {"result": [], "score": "sure"}]}, Refused, "'sure', which is no number"),
        ([], Refused, "no JSON object"),
        ((200, "<html>로그인".encode(), {}), Refused, "no JSON object"),
        ((404, b"nothing here", {}), Refused, "answered 404: nothing here"),
        ((401, b"", {}), Unauthorized, "answered 401"),
        ((500, b"Traceback ... CUDA out of memory", {}), ServerFailed, "CUDA out of memory"),
        ((302, b"", {"Location": "http://169.254.169.254/"}), Refused, "answered 302"),
    ],
)
def test_answers_that_are_none_are_named(answer: Any, error: type[Exception], said: str, serve: Serve) -> None:
    url = serve(lambda _path, _request: answer)
    with pytest.raises(error, match=said) as caught:
        MLBackend(url).predict("3.0", "<View/>", TASKS)
    assert url.rstrip("/") in str(caught.value)


def test_nobody_there_is_tried_again_and_then_told() -> None:
    with pytest.raises(Unreachable, match="no ML backend answers at http://127"):
        MLBackend(f"http://127.0.0.1:{free_port(9700)}").health()


def test_one_that_takes_too_long_is_not_waited_for(serve: Serve) -> None:
    release = threading.Event()
    url = serve(lambda _path, _request: release.wait(5) and {})
    with pytest.raises(Unreachable, match="took too long"):
        MLBackend(url, timeouts=Timeouts(health=0.1)).health()
    release.set()


@pytest.mark.parametrize("url", ["", "곰", "file:///etc/passwd", "ftp://host/", "http://", "x" * 9000])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="no address of an ML backend"):
        MLBackend(url)
