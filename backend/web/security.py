"""Who sends a request: an API token, or a browser session with its CSRF token."""

import re
from collections.abc import Callable
from hmac import compare_digest
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, current_app, g, redirect, request

from backend.flows.access import SESSION_LIFE, Caller, caller_of_session, caller_of_token
from backend.web.problems import Problem, wants_json
from backend.web.services import answered, services

COOKIE = "loom_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_OWN_PAGE = re.compile(r"/(?!/)[^\\\x00-\x20\x7f]{0,1999}")  # browsers take a backslash for a slash, and drop tabs

F = TypeVar("F", bound=Callable[..., Any])


def own_auth(view: F) -> F:
    """Mark a route that is open, or that checks for itself who asks."""
    view.own_auth = True  # type: ignore[attr-defined]
    return view


def caller() -> Caller:
    """Return who sends the current request."""
    found: Caller = g.caller
    return found


def install(app: Flask) -> None:
    """Let only callers in."""
    app.before_request(_admit)


def _admit() -> Any:
    if _is_open():
        return None
    with answered():
        found = _identify()
    if found is None:
        if wants_json():
            raise Problem(
                401,
                "no valid token and no session",
                fix="send Authorization: Bearer loom_...; `labelloom tokens make NAME` makes one",
                headers={"WWW-Authenticate": 'Bearer realm="LabelLoom"'},
            )
        return redirect(_login_address(), 303)
    g.caller = found
    if found.csrf is not None and request.method not in SAFE:
        check_csrf(found.csrf)
    return None


def own_page(address: str) -> str | None:
    """Return an address if it leads to a page of this server and nowhere else: a path with one leading slash."""
    return address if _OWN_PAGE.fullmatch(address) else None


def _login_address() -> str:
    asked = own_page(request.full_path.removesuffix("?")) if request.method in SAFE else None
    return "/login" if asked in {None, "/"} else f"/login?{urlencode({'next': asked})}"


def _is_open() -> bool:
    endpoint = request.endpoint or ""
    if endpoint in {"static", "bootstrap.static"}:
        return True
    return getattr(current_app.view_functions.get(endpoint), "own_auth", False)


def _identify() -> Caller | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return caller_of_token(services().engine, token.strip())
    secret = request.cookies.get(COOKIE, "")
    return caller_of_session(services().engine, secret) if 20 <= len(secret) <= 100 else None


def check_csrf(expected: str) -> None:
    """Refuse a change that another site may have made the browser send.

    Raises:
        Problem: 403.
    """
    given = request.headers.get("X-CSRF-Token", "")
    if not given and request.mimetype == "application/x-www-form-urlencoded":
        given = request.form.get("csrf_token", "")
    if not compare_digest(given.encode(), expected.encode()) or not _same_site():
        raise Problem(403, "the CSRF token is missing or wrong", fix="load the page again")


def _same_site() -> bool:
    """Return whether the browser says that our own page sent this; other programs send neither header."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("Origin", "null")  # forms of pages with our referrer policy send null
    own = {request.host, urlsplit(services().settings.base_url or "").netloc}
    return origin == "null" or urlsplit(origin).netloc in own


def set_cookie(response: Response, name: str, value: str, *, strict: bool = False) -> None:
    """Set a cookie that scripts cannot read and other sites cannot send with changes."""
    secure = (services().settings.base_url or "").startswith("https:")
    age = int(SESSION_LIFE.total_seconds())
    response.set_cookie(
        name, value, max_age=age, httponly=True, secure=secure, samesite="Strict" if strict else "Lax", path="/"
    )
