"""The pages' languages: asked for, kept, and complete."""

from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

import backend.web
from backend.web.words import LANGUAGES

CATALOGUES = Path(backend.web.__file__).parent / "translations"


def test_the_browser_asks_and_a_cookie_keeps(anyone: Any) -> None:
    assert '<html lang="en">' in anyone.get("/login").text
    assert '<html lang="ko">' in anyone.get("/login", headers={"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.5"}).text
    answer = anyone.post("/language", data={"language": "ko", "page": "/login?next=%2Fjobs"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=%2Fjobs")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert '<html lang="ko">' in anyone.get("/login").text
    assert anyone.post("/language", data={"language": "xx"}).status_code == 422
    elsewhere = anyone.post("/language", data={"language": "en", "page": "//evil.example"})
    assert elsewhere.headers["Location"] == "/"


def test_scripts_get_their_words(anyone: Any) -> None:
    assert anyone.get("/messages/en.json").json == {}
    korean = {"Accept-Language": "ko"}
    first = anyone.get("/messages/ko.json", headers=korean)
    assert first.json["Projects"] == "프로젝트"
    again = anyone.get("/messages/ko.json", headers=korean | {"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert anyone.get("/messages/xx.json").status_code == 404


def test_catalogues_are_complete_and_compiled() -> None:
    """`make words` collects and compiles; nobody may forget it, nor leave a text untranslated."""
    wanted = {message.id for message in read_po(BytesIO((CATALOGUES / "messages.pot").read_bytes())) if message.id}
    for language in set(LANGUAGES) - {"en"}:
        folder = CATALOGUES / language / "LC_MESSAGES"
        written = read_po(BytesIO((folder / "messages.po").read_bytes()), locale=language)
        texts = {message.id: message.string for message in written if message.id}
        assert set(texts) == wanted
        missing = [text for text, found in texts.items() if not (found if isinstance(found, str) else all(found))]
        assert not missing, missing
        compiled = read_mo(BytesIO((folder / "messages.mo").read_bytes()))
        assert {message.id: message.string for message in compiled if message.id} == texts
