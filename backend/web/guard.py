"""What every request passes before its route, and what every answer carries."""

import json
import re
import socket
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, request

from backend.settings import Settings
from backend.web.problems import Problem

JSON_LIMIT = 1_000_000  # bytes of a request's body
UPLOAD_LIMIT = 512 * 1024 * 1024
PREDICT_LIMIT = 50_000_000  # Label Studio sends all chosen tasks at once, with their annotations and predictions
PICTURE_LIMIT = 50_000_000
UPLOADS = {
    "/api/v1/datasets": UPLOAD_LIMIT,
    "/api/v1/styles": PICTURE_LIMIT,
    "/api/v1/styles/contents": PICTURE_LIMIT,
}

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(?::\d{1,5})?", re.IGNORECASE)
_HEALTH = frozenset({"/healthz", "/readyz"})  # asked by address, and they tell nothing
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)  # data: for the arrows and ticks in Bootstrap's stylesheet
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """Return the names that requests may be addressed to, in lower case."""
    own = {"localhost", "127.0.0.1", "[::1]", socket.gethostname()}
    named = urlsplit(settings.base_url).netloc.rpartition("@")[2] if settings.base_url else ""
    return frozenset(name.lower() for name in own | set(settings.allowed_hosts) | ({_name(named)} - {""}))


def _name(host: str) -> str:
    match = _HOST.fullmatch(host)
    return match[1].lower() if match else ""


def install(app: Flask, settings: Settings) -> None:
    """Check hosts, sizes and bodies of requests; add the headers."""
    hosts = allowed_hosts(settings)
    tls = (settings.base_url or "").startswith("https:")

    def check() -> None:
        if request.path not in _HEALTH and _name(request.environ.get("HTTP_HOST", "")) not in hosts:
            msg = "this server does not answer to that host name"
            raise Problem(400, msg, fix="add the name to LABELLOOM_ALLOWED_HOSTS, or use localhost")
        if "\x00" in request.path or b"%00" in request.query_string:
            raise Problem(400, "an address cannot hold a zero byte")
        _check_size()

    def finish(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if tls:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if not request.path.startswith("/static/") and "static" not in (request.endpoint or ""):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.before_request(check)
    app.after_request(finish)


def _check_size() -> None:
    upload = UPLOADS.get(request.path) if request.method == "POST" else None
    limit = upload or (PREDICT_LIMIT if request.path == "/ml/predict" else JSON_LIMIT)
    request.max_content_length = limit
    if (request.content_length or 0) > limit:
        raise Problem(413, f"a request here may have at most {limit} bytes, this one has {request.content_length}")


def check_body() -> None:
    """Refuse a JSON body that is not a plain JSON object; after the caller is known, before the route sees it."""
    if not request.path.startswith("/api/") or request.method not in {"POST", "PUT", "PATCH"}:
        return
    if request.path in UPLOADS or request.url_rule is None:
        return
    data = request.get_data(cache=True)
    if request.content_length is None and len(data) >= JSON_LIMIT:  # sent in chunks, and cut off at the limit
        raise Problem(413, f"a request here may have at most {JSON_LIMIT} bytes")
    if not data:
        return  # routes without a body; the others say what is missing
    if not request.is_json:
        raise Problem(415, f"the body is {request.mimetype or 'of no type'}", fix="send Content-Type: application/json")
    if not isinstance(_parse(data), dict):
        raise Problem(422, "the body must be a JSON object", errors=[("", "must be an object")])


def _parse(data: bytes) -> Any:
    def constant(name: str) -> Any:
        msg = f"{name} is not JSON"
        raise ValueError(msg)

    try:
        value = json.loads(data, parse_constant=constant)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair can be neither stored nor answered
    except RecursionError as error:
        raise Problem(400, "the JSON is nested too deep") from error
    except ValueError as error:
        raise Problem(400, f"the body is not JSON: {str(error)[:200]}") from error
    if "\\u0000" in json.dumps(value):
        raise Problem(422, "a text holds a zero byte", errors=[("", "must not hold zero bytes")])
    return value
