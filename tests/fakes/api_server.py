"""What the pretended APIs share: a real HTTP server on loopback that keeps every request it got."""

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived. headers: names in lower case. raw: the address as it was written."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str]
    raw: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer; a body that is not bytes is sent as JSON."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiServer(ABC):
    """A server for the time of a `with`. requests: all that came. script: answers that are given first, in order."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.script: list[Answer] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fake._serve(self)

            def do_POST(self) -> None:
                fake._serve(self)

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @abstractmethod
    def answer(self, asked: Asked) -> Answer:
        """Answer a request."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("content-length", 0))).decode()
        asked = Asked(
            handler.command,
            parts.path,
            _first(parts.query),
            {name.lower(): value for name, value in handler.headers.items()},
            _first(body),
            handler.path,
        )
        self.requests.append(asked)
        answer = self.script.pop(0) if self.script else self.answer(asked)
        data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body, ensure_ascii=False).encode()
        handler.send_response(answer.status)
        for name, value in ({"Content-Type": "application/json; charset=UTF-8"} | dict(answer.headers)).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


def _first(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True, errors="strict").items()}
