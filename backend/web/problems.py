"""Errors as RFC 9457 problem documents below /api, as a small page elsewhere."""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, g, render_template, request
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import HTTPException

from backend.core.errors import LabelLoomError, RecipeError, UsageError
from backend.jobs.queue import Busy

Json = dict[str, Any]
log = logging.getLogger("labelloom.web")

MIME = "application/problem+json"


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="a path such as params.recipe.steps.0; empty for the whole body")
    message: str


class ProblemDocument(BaseModel):
    """An error, by RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    fix: str | None = None
    errors: list[FieldError] = []
    job: str | None = Field(None, description="409: the job that does the same already")


class Problem(Exception):
    """An answer that is an error. more: further members of the document; headers: of the answer."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        fix: str | None = None,
        errors: Sequence[tuple[str, str]] = (),
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.fix = status, detail, fix
        self.errors, self.more, self.headers = tuple(errors), dict(more or {}), dict(headers or {})

    def response(self) -> Response:
        """Return the document."""
        document: Json = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": request.path,
            "request_id": g.get("request_id", ""),
        }
        if self.fix:
            document["fix"] = self.fix
        if self.errors:
            document["errors"] = [{"field": field, "message": message} for field, message in self.errors]
        text = json.dumps(document | self.more, ensure_ascii=False)
        safe = text.encode("utf-8", "replace")  # a path may hold what is no text
        return Response(safe, self.status, self.headers, mimetype=MIME)


def wants_json() -> bool:
    """Return whether this request is a program's."""
    return (
        request.path.startswith(("/api/", "/metrics", "/healthz", "/readyz", "/hooks/", "/ml/"))
        or request.path == "/api"
    )


def invalid(error: ValidationError, *, under: str = "") -> Problem:
    """Return the answer to a body, query or path that does not fit its schema."""
    errors = []
    for item in error.errors(include_url=False, include_context=False, include_input=False)[:50]:
        place = ".".join(map(str, item["loc"]))
        errors.append((".".join(part for part in (under, place) if part), str(item["msg"])))
    named = f"{errors[0][0]}: {errors[0][1]}" if errors[0][0] else errors[0][1]
    return Problem(422, named, errors=errors)


def invalid_response(error: ValidationError) -> Response:
    """Return the answer to a request that the route's models refuse (a callback of the OpenAPI library)."""
    return _answer(invalid(error))


def of_error(error: LabelLoomError) -> Problem:
    """Return the answer that one of our errors stands for."""
    if isinstance(error, Busy):
        return Problem(409, str(error), fix=error.fix, more={"job": error.holder})
    if isinstance(error, RecipeError):
        return Problem(
            422, "the recipe is invalid", fix=error.fix, errors=[("recipe", text) for text in error.problems]
        )
    return Problem(422 if isinstance(error, UsageError) else 409, str(error), fix=error.fix)


def install(app: Flask) -> None:
    """Answer every error of an app."""
    app.register_error_handler(Problem, _answer)
    app.register_error_handler(LabelLoomError, lambda error: _answer(of_error(error)))
    app.register_error_handler(HTTPException, _http)
    for kind in (sa.exc.OperationalError, sa.exc.InterfaceError):
        app.register_error_handler(kind, _away)
    app.register_error_handler(Exception, _unexpected)


def _answer(problem: Problem) -> Response:
    if wants_json():
        return problem.response()
    page = render_template("error.html", problem=problem, title=HTTPStatus(problem.status).phrase)
    return Response(page, problem.status, problem.headers)


def _http(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:  # a redirect, or an answer of its own
        return error.get_response()  # type: ignore[return-value]  # Flask's responses are werkzeug's
    headers = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}
    return _answer(Problem(error.code, error.description or "", headers=headers))


def _away(error: sa.exc.SQLAlchemyError) -> Response:
    log.warning("database: %s", type(error).__name__)
    return _answer(Problem(503, "the database does not answer", fix="try again soon", headers={"Retry-After": "5"}))


def _unexpected(error: Exception) -> Response:
    log.exception("request %s failed", g.get("request_id", ""), exc_info=error)
    fix = f"the server's log holds the details under {g.get('request_id', '')}; please report it"
    return _answer(Problem(500, "something went wrong here", fix=fix))
