"""Credits lists: nothing in them runs, nothing unknown looks free, and they are whole or absent."""

import csv
from html.parser import HTMLParser
from pathlib import Path

import pytest
from collection_kit import BY_NC_ND, EVIL, UNKNOWN, collection, photo

from backend.core.credit import Credit, Terms
from backend.core.errors import LabelLoomError, UsageError
from backend.flows.collect.attribution import Owed, owed_of_collection, sentence, write_credits


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def pictures(folder: Path) -> list[Owed]:
    more = [{}, {"license": UNKNOWN, "title": "=1+1"}, {"license": BY_NC_ND, "creator": {"name": "@kim", "url": None}}]
    made = collection(folder, [(photo(n), fields) for n, fields in enumerate(more)], ("고양이",))
    return list(owed_of_collection(made))


def test_a_table_for_spreadsheets(tmp_path: Path) -> None:
    out = tmp_path / "크레딧 🐈.csv"
    tally = write_credits(pictures(tmp_path / "c"), out, "고양이")
    assert (tally.listed, tally.unknown, tally.noncommercial, tally.no_derivatives) == (3, 1, 1, 1)
    assert [line.split(" image")[0] for line in tally.warnings()] == ["1", "1", "1"]
    first, second, third = rows(out)
    assert first["license"] == "CC-BY-SA-4.0"
    assert first["creator"] == "김철수"
    assert first["title"] == EVIL
    assert first["changes"] == "GPS position removed"
    assert (second["license"], second["license_confidence"]) == ("unknown", "unknown")
    assert second["title"] == "'=1+1"
    assert third["creator"] == "'@kim"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "\t=", "\r="])
def test_no_cell_is_a_formula(start: str, tmp_path: Path) -> None:
    hostile = Credit(**dict.fromkeys(("title", "creator", "attribution", "query", "page_url"), start + "HYPERLINK(1)"))
    write_credits([Owed(start + "a.jpg", hostile)], tmp_path / "c.csv", "x")
    (row,) = rows(tmp_path / "c.csv")
    assert not [value for value in row.values() if value.startswith(start)]


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        assert not [name for name, _ in attrs if name.startswith("on")]


def test_a_page_that_runs_and_loads_nothing(tmp_path: Path) -> None:
    out = tmp_path / "credits.html"
    evil = Credit(url="javascript:alert(1)", page_url="JavaScript:alert(1)", creator='"><script>', creator_url="data:x")
    owed = [*pictures(tmp_path / "c"), Owed("</td><script>alert(1)</script>.jpg", evil, 3)]
    write_credits(owed, out, "<script>고양이</script>")
    text = out.read_text(encoding="utf-8")
    page = Page(text)
    assert not {"script", "img", "link", "iframe"} & {*page.tags}
    assert all(link.startswith("https://") for link in page.links)
    assert page.links.count("https://me.example") == 2
    assert text.count('class="unknown"') == 2
    assert "2 images with an unknown licence, which is not a free one" in text
    assert "3 images made of it" in text


def test_images_nobody_credits_are_counted(tmp_path: Path) -> None:
    tally = write_credits([Owed("a.jpg", None, 5)], tmp_path / "c.csv", "x")
    assert (tally.listed, tally.uncredited) == (0, 5)
    assert "5 images of which nothing says where they come from" in tally.warnings()[0]


def test_the_sources_own_words_come_first() -> None:
    assert sentence(Credit(attribution="as they want it", title="t")) == "as they want it"
    assert sentence(Credit(title="t", creator="김", license=Terms(spdx="CC0-1.0"))) == '"t" by 김, CC0-1.0'
    assert sentence(Credit()) == "Image, licence unknown"


def test_a_list_is_whole_or_absent(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.csv or \.html"):
        write_credits([], tmp_path / "credits.pdf", "x")
    out = tmp_path / "c.csv"
    write_credits([Owed("old.jpg", Credit())], out, "x")

    def breaks():
        yield Owed("new.jpg", Credit())
        msg = "Label Studio is gone"
        raise LabelLoomError(msg)

    with pytest.raises(LabelLoomError, match="gone"):
        write_credits(breaks(), out, "x")
    assert [row["file"] for row in rows(out)] == ["old.jpg"]
    (tmp_path / "file").touch()
    with pytest.raises(LabelLoomError, match="cannot be written"):
        write_credits([], tmp_path / "file" / "c.csv", "x")
