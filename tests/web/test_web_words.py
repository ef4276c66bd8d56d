"""The pages' languages: asked for, kept, and complete."""

import re
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
    assert first.json["Projects"] == "프로젝트" and first.json["one region"] == "영역 {n}개"
    again = anyone.get("/messages/ko.json", headers=korean | {"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert anyone.get("/messages/xx.json").status_code == 404


def test_steps_and_parameters_have_names_that_people_read(client: Any) -> None:
    for language, flip, limit in (("en", "Horizontal flip", "blur limit"), ("ko", "좌우 뒤집기", "흐림 한계")):
        found = client.get("/api/v1/catalog", headers={"Accept-Language": language}).json["transforms"]
        by_name = {one["name"]: one for one in found}
        assert by_name["HorizontalFlip"]["title"] == flip
        assert [one["title"] for one in by_name["Blur"]["parameters"] if one["name"] == "blur_limit"] == [limit]
        if language == "ko":
            korean = re.compile("[가-힣]")
            words = [one[key] for one in found for key in ("title", "group_title", "summary")]
            words += [parameter["title"] for one in found for parameter in one["parameters"]]
            assert [word for word in words if not korean.search(word)] == []


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
        for domain in ("messages", "steps"):
            source = read_po(BytesIO((folder / f"{domain}.po").read_bytes()), locale=language)
            compiled = read_mo(BytesIO((folder / f"{domain}.mo").read_bytes()))
            assert _texts(compiled) == _texts(source), f"`make words` was not run after a change of {domain}.po"


def _texts(catalogue: Any) -> dict[Any, Any]:
    def plain(value: Any) -> Any:  # compiled ones are read with bytes for contexts, and lists for plural forms
        return value.decode() if isinstance(value, bytes) else tuple(value) if isinstance(value, list) else value

    return {(plain(one.context), plain(one.id)): plain(one.string) for one in catalogue if one.id}
