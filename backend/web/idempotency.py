"""`Idempotency-Key`: the same POST sent twice is done once, and answered twice with the same words."""

import re
from datetime import timedelta
from hashlib import sha256

from flask import Flask, Response, g, request

from backend.store.access import Kept, claim_key, keep_answer, release_key
from backend.web.guard import UPLOADS
from backend.web.problems import Problem
from backend.web.services import services

KEEP = timedelta(hours=24)

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_SUCCESS = range(200, 300)


def install(app: Flask) -> None:
    """Honour the header on every POST of the API. Only successes are kept: what failed may be tried again."""
    app.before_request(_claim)
    app.after_request(_keep)


def _claim() -> Response | None:
    given = request.headers.get("Idempotency-Key")
    if given is None or request.method != "POST" or not request.path.startswith("/api/") or "caller" not in g:
        return None
    if not _KEY.fullmatch(given):
        raise Problem(400, "Idempotency-Key must be 1 to 255 visible ASCII characters")
    key = sha256(f"{g.caller.key}\n{given}".encode()).hexdigest()
    asked = _fingerprint()
    kept = claim_key(services().engine, key, asked, KEEP)
    if kept is None:
        g.idempotency = key
        return None
    return _repeat(kept, asked)


def _fingerprint() -> str:
    """Return what makes a request the same: an upload is told by its name and length, not read twice."""
    body = str(request.content_length).encode() if request.path in UPLOADS else request.get_data(cache=True)
    return sha256(f"{request.path}?".encode() + request.query_string + b"\n" + body).hexdigest()


def _repeat(kept: Kept, asked: str) -> Response:
    if kept.request != asked:
        raise Problem(422, "this Idempotency-Key was used for another request", fix="make a new key for each request")
    if kept.status is None:
        raise Problem(409, "the first request with this key is still being answered", headers={"Retry-After": "1"})
    answer = Response(kept.body, kept.status, mimetype="application/json")
    answer.headers["Idempotent-Replay"] = "true"
    if kept.location:
        answer.headers["Location"] = kept.location
    return answer


def _keep(response: Response) -> Response:
    key = g.pop("idempotency", None)
    if key is None:
        return response
    if response.status_code in _SUCCESS and not response.is_streamed:
        location = response.headers.get("Location")
        keep_answer(services().engine, key, response.status_code, location, response.get_data(as_text=True))
    else:
        release_key(services().engine, key)
    return response
