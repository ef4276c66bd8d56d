"""A list of addresses in a file."""

import itertools
from collections import deque
from pathlib import Path

import pytest

from connectors.sources import urls
from connectors.sources.base import Access, Candidate, Query, SourceFault

ACCESS = Access(folder=Path("/nowhere"))


def read(path: Path, data: bytes | str) -> list[Candidate]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(urls.search(Query(str(path)), ACCESS))


def test_text_with_bom_crlf_comments_blank_lines_and_duplicates(tmp_path: Path) -> None:
    found = read(
        tmp_path / "목록 🐶.txt",
        b"\xef\xbb\xbf# my list\r\n\r\nhttps://a.example/1.jpg\r\n  # more\r\nhttps://a.example/%B0%AD.jpg\r\n"
        b"https://a.example/1.jpg\r\nfile:///etc/passwd\r\nnonsense",
    )
    assert [each.url for each in found[:3]] == [
        "https://a.example/1.jpg",
        "https://a.example/%B0%AD.jpg",
        "https://a.example/1.jpg",
    ]
    assert [each.extra["line"] for each in found] == [3, 5, 6, 7, 8]
    assert [each.rank for each in found] == [1, 2, 3, 4, 5]
    assert found[3].url.startswith("line 7: ")  # a list never opens a file of this machine
    assert "nonsense" in found[4].url


def test_csv_columns_are_understood_and_the_users_own_are_kept(tmp_path: Path) -> None:
    found = read(
        tmp_path / "list.csv",
        "label,URL,licence,credit,page_url,sha256,weight,title\n"
        '고양이,https://a.example/1.jpg,CC BY 4.0,"Kim, Mina",https://a.example/p,ABCD,3,"two\nlines"\n'
        "# a note\n"
        "개,https://a.example/2.jpg,https://creativecommons.org/publicdomain/zero/1.0/\n"
        "개,ftp://a.example/3.jpg\n"
        "개,https://a.example/4.jpg,by,x,,,,,,too many\n",
    )
    first, second, third, fourth = found
    assert (first.label, first.creator, first.page_url) == ("고양이", "Kim, Mina", "https://a.example/p")
    assert (first.license.spdx, first.license.raw, first.license.confidence) == ("CC-BY-4.0", "CC BY 4.0", "file")
    assert first.extra == {"weight": "3", "sha256": "abcd", "line": 3}
    assert second.license.spdx == "CC0-1.0"
    assert "line 6" in third.url
    assert "line 7" in fourth.url
    assert found[1].creator is None


def test_tsv_jsonl_headerless_csv_and_korean_spreadsheets(tmp_path: Path) -> None:
    assert read(tmp_path / "a.tsv", "url\tlabel\nhttps://a.example/1.jpg\t곰\n")[0].label == "곰"
    assert read(tmp_path / "b.csv", "https://a.example/1.jpg,x\n")[0].extra == {"column 2": "x", "line": 1}
    korean = read(tmp_path / "c.csv", "url,라벨\nhttps://a.example/1.jpg,고양이\n".encode("cp949"))
    assert korean[0].label == "고양이"
    wide = read(tmp_path / "d.csv", "url,label\nhttps://a.example/1.jpg,새\n".encode("utf-16"))
    assert (wide[0].url, wide[0].label) == ("https://a.example/1.jpg", "새")
    lines = read(
        tmp_path / "e.jsonl",
        '{"url": "https://a.example/1.jpg", "license": "CC0", "n": 7}\n{"url": \n"https://a.example/2.jpg"\n[1]\n{}\n',
    )
    assert lines[0].extra == {"n": 7, "line": 1}
    assert lines[2].url == "https://a.example/2.jpg"
    assert [each.url[:7] for each in (lines[1], lines[3], lines[4])] == ["line 2:", "line 4:", "line 5:"]


def test_what_is_no_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="no column is called url; the columns are name, size"):
        read(tmp_path / "a.csv", "name,size\nx,1\n")
    with pytest.raises(SourceFault, match="is not a file"):
        list(urls.search(Query(str(tmp_path / "없음.txt")), ACCESS))
    assert read(tmp_path / "empty.txt", "\n# nothing\n") == []
    path = tmp_path / "one.txt"
    path.write_text("https://a.example/1.jpg")
    assert list(urls.search(Query(str(path), 0), ACCESS)) == []


def test_a_long_list_is_read_as_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("".join(f"https://a.example/{n}.jpg\n" for n in range(100_000)))
    walk = urls.search(Query(str(path)), ACCESS)
    assert [each.rank for each in itertools.islice(walk, 3)] == [1, 2, 3]
    with path.open("a") as stream:
        stream.write("https://a.example/late.jpg\n")  # seen only by who had not read it all
    (last,) = deque(walk, maxlen=1)
    assert last.url.endswith("late.jpg")
