"""One line of JSON per request: no query strings, no bodies, no headers, so no secrets."""

import logging
import re
import secrets
import sys
import time
from typing import Any

import structlog
from flask import Flask, Response, g, request

from backend.web.metrics import Metrics

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log: Any = structlog.wrap_logger(
    logging.getLogger("labelloom.web"),
    processors=[
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)


def to_stderr() -> None:
    """Send the service's log to the error output, where nothing else takes it."""
    logger = logging.getLogger("labelloom")
    if not logger.handlers and not logging.getLogger().handlers:
        logger.addHandler(logging.StreamHandler(sys.stderr))
    logger.setLevel(logging.INFO)


def install(app: Flask, metrics: Metrics) -> None:
    """Give every request an id and a line in the log."""

    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _SANE.fullmatch(given) else secrets.token_hex(8)
        g.began = time.perf_counter()

    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("began", time.perf_counter())
        route = str(request.url_rule) if request.url_rule else "(none)"
        caller = g.get("caller")
        metrics.count(request.method, route, response.status_code, seconds)
        response.headers["X-Request-Id"] = g.get("request_id", "")
        if route not in {"/healthz", "/readyz"}:
            _log.info(
                "request",
                request_id=g.get("request_id"),
                method=request.method,
                route=route,
                path=request.path[:500],
                status=response.status_code,
                ms=round(seconds * 1000, 1),
                who=caller.who if caller else None,
            )
        return response

    app.before_request(begin)
    app.after_request(end)
