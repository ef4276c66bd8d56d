"""The OpenAPI document: what the library derives from the routes, and what it cannot know."""

from typing import Any

from flask_openapi3.openapi import OpenAPI

from backend.web.problems import MIME

Json = dict[str, Any]

_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "sent twice with the same body within 24 hours, the request is done once and answered alike",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


def described(app: OpenAPI) -> Json:
    """Return the document, made once."""
    document: Json = app.api_doc
    if "security" not in document:
        document["security"] = [{"token": []}]
        for item in document["paths"].values():
            for method, operation in item.items():
                _complete(method, operation)
    return document


def _complete(method: str, operation: Json) -> None:
    """Give errors their media type, and POST its header."""
    if method == "post":
        operation.setdefault("parameters", []).append(_KEY)
    for status, answer in operation["responses"].items():
        content = answer.get("content", {})
        if int(status) >= 400 and "application/json" in content:
            content[MIME] = content.pop("application/json")
