"""The language of the pages: who asks for which, and the catalogue that their scripts read."""

from typing import Any

from flask import Blueprint, Flask, jsonify, redirect, request
from flask_babel import Babel, get_translations
from flask_babel import get_locale as current

from backend.web.problems import Problem
from backend.web.security import own_auth, own_page, set_cookie

LANGUAGES = {"en": "English", "ko": "한국어"}

_COOKIE = "loom_language"

routes = Blueprint("words", __name__)


def install(app: Flask) -> None:
    """Give templates `_` and `ngettext`, and the languages there are."""
    Babel(app, locale_selector=asked)
    app.register_blueprint(routes)
    app.context_processor(lambda: {"language": str(current() or "en"), "languages": LANGUAGES})


def asked() -> str:
    """Return the language of the current request: chosen on a page before, else the browser's, else English."""
    chosen = request.cookies.get(_COOKIE, "")
    return chosen if chosen in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or "en"


@routes.post("/language")
@own_auth
def choose() -> Any:
    """Keep a language in a cookie and go back to the page; nothing else is changed, so anyone may ask."""
    language = request.form.get("language", "")
    if language not in LANGUAGES:
        raise Problem(422, "no such language", fix=f"choose from {', '.join(LANGUAGES)}")
    answer = redirect(own_page(request.form.get("page", "")) or "/", 303)
    set_cookie(answer, _COOKIE, language)  # type: ignore[arg-type]  # Flask's responses are werkzeug's
    return answer


@routes.get("/messages/<string:language>.json")
@own_auth
def messages(language: str) -> Any:
    """Return a language's words by the English ones, for scripts; by the singular where there are plural forms."""
    if language not in LANGUAGES:
        raise Problem(404, "no such language")
    found = getattr(get_translations(), "_catalog", {}) if asked() == language else {}
    texts = {key: value for key, value in found.items() if isinstance(key, str) and key and isinstance(value, str)}
    plurals = {key[0]: value for key, value in found.items() if isinstance(key, tuple) and key[1] == 0}
    answer = jsonify(texts | plurals)
    answer.cache_control.no_cache = True
    answer.add_etag()
    return answer.make_conditional(request)
