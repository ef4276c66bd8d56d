"""The pages: projects, one export, models, datasets, jobs; and logging in. Most is in `static/`, by the API."""

import secrets
from hmac import compare_digest
from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, render_template, request

from backend.core.recipe import FORMATS
from backend.detect import DETECTORS
from backend.flows.access import close_session, open_session
from backend.flows.job_kinds import KINDS
from backend.web.problems import Problem
from backend.web.security import COOKIE, own_auth, own_page, set_cookie
from backend.web.services import services

routes = Blueprint("pages", __name__)

_LOGIN, _NEXT = "loom_login", "loom_next"  # the next page waits in a cookie: the link may open in another tab
_LICENSES = (
    ("cc0", "CC0: no conditions"),
    ("pdm", "public domain"),
    ("by", "CC BY: name the author"),
    ("by-sa", "CC BY-SA: and share alike"),
    ("by-nd", "CC BY-ND: unchanged"),
    ("by-nc", "CC BY-NC: not commercial"),
    ("by-nc-sa", "CC BY-NC-SA"),
    ("by-nc-nd", "CC BY-NC-ND"),
)
_WRONG = (
    "This code is wrong, was used already, or is older than 15 minutes. "
    "Please ask for a new one: `labelloom login` prints it."
)


@routes.app_context_processor
def _who() -> dict[str, Any]:
    """Give every page the name and the CSRF token of who looks at it."""
    found = g.get("caller")
    return {"who": found.who if found else None, "csrf": found.csrf if found else None}


@routes.get("/")
def projects() -> str:
    """Show Label Studio's projects."""
    return render_template("projects.html")


@routes.get("/export")
def export() -> str:
    """Show the form of one export; ?project= and ?tasks= fill it in."""
    return render_template("export.html", formats=FORMATS)


@routes.get("/collect")
def collect() -> str:
    """Show the form that collects images; ?project= fills it in."""
    return render_template("collect.html", licenses=_LICENSES)


@routes.get("/collections")
def collections() -> str:
    """Show what was collected."""
    return render_template("collections.html")


@routes.get("/collections/<string:name>")
def collection(name: str) -> str:
    """Show one collection's images, to accept and reject them."""
    return render_template("collection.html", name=name[:200])


@routes.get("/models")
def models() -> str:
    """Show a project's models; ?project= chooses it."""
    return render_template("models.html", detectors=DETECTORS.values())


@routes.get("/datasets")
def datasets() -> str:
    """Show the datasets."""
    return render_template("datasets.html")


@routes.get("/jobs")
def jobs() -> str:
    """Show the jobs."""
    return render_template("jobs.html")


@routes.get("/rules")
def rules() -> str:
    """Show the rules; ?project= shows those of one project."""
    kinds = [name for name, kind in KINDS.items() if "project" in kind.params.model_fields]
    return render_template("rules.html", kinds=kinds, formats=FORMATS)


@routes.get("/login")
@own_auth
def login() -> Response:
    """Show the page that takes the code from behind the link's # and sends it on; ?next= is where to go then."""
    answer = _login_page("")
    asked = own_page(request.args.get("next", ""))
    if asked:
        set_cookie(answer, _NEXT, asked, strict=True)
    return answer


def _login_page(error: str) -> Response:
    token = secrets.token_urlsafe(32)
    answer = make_response(render_template("login.html", token=token, error=error), 403 if error else 200)
    set_cookie(answer, _LOGIN, token, strict=True)
    return answer


@routes.post("/login")
@own_auth
def log_in() -> Any:
    """Trade a login link's code for a session."""
    expected, given = request.cookies.get(_LOGIN, ""), request.form.get("csrf_token", "")
    if not expected or not compare_digest(expected.encode(), given.encode()):
        return _login_page("This page was open for too long, or cookies are off. Please open the link again.")
    secret = open_session(services().engine, request.form.get("code", "").strip())
    if secret is None:
        return _login_page(_WRONG)
    answer = redirect(own_page(request.cookies.get(_NEXT, "")) or "/", 303)
    set_cookie(answer, COOKIE, secret)  # type: ignore[arg-type]  # Flask's responses are werkzeug's
    answer.delete_cookie(_LOGIN)
    answer.delete_cookie(_NEXT)
    return answer


@routes.post("/logout")
def log_out() -> Any:
    """End the session."""
    if g.caller.csrf is None:
        raise Problem(400, "only browser sessions can be ended; tokens are revoked")
    close_session(services().engine, request.cookies.get(COOKIE, ""))
    answer = redirect("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer
