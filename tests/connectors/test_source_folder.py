"""Images in a folder: order, names of every kind, links, notes beside them, and what they say themselves."""

import json
import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from connectors.sources import folder
from connectors.sources.base import Access, Candidate, Query, SourceFault

ACCESS = Access(folder=Path("/nowhere"))


def image(path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path, **options)  # type: ignore[arg-type]
    return path


def read(root: Path) -> list[Candidate]:
    return list(folder.search(Query(str(root)), ACCESS))


def test_images_come_in_natural_order_and_their_addresses_lead_back(tmp_path: Path) -> None:
    names = ["a2.jpg", "a10.jpg", "sub 1/b%20#?.png", "고양이.webp", "🐶.jpg"]
    for name in names:
        image(tmp_path / name)
    (tmp_path / "notes.xml").write_text("<x/>")
    (tmp_path / ".hidden.jpg").write_bytes(b"x")
    image(tmp_path / "a10.jpg").rename(tmp_path / "a10")  # no suffix: its first bytes tell
    found = read(tmp_path)
    assert [each.extra["path"] for each in found] == ["a2.jpg", "a10", "sub 1/b%20#?.png", "고양이.webp", "🐶.jpg"]
    for each in found:
        assert each.url.startswith("file:///")
        assert each.url.isascii()
        assert folder.path_of(each.url).is_file()


def test_names_from_a_mac_and_names_that_are_no_text(tmp_path: Path) -> None:
    decomposed = image(tmp_path / unicodedata.normalize("NFD", "강아지.jpg"))
    (tmp_path / unicodedata.normalize("NFC", "강아지.txt")).write_text("마당의 강아지", encoding="utf-8")
    odd = os.fsencode(tmp_path) + b"/\xb0\xad.jpg"
    Path(os.fsdecode(odd)).write_bytes(decomposed.read_bytes())
    by_title = {each.title: each for each in read(tmp_path)}
    found = by_title["마당의 강아지"]
    assert folder.path_of(found.url) == decomposed
    assert found.extra["path"] == unicodedata.normalize("NFC", "강아지.jpg")
    others = [each for each in read(tmp_path) if each.url.endswith("/%B0%AD.jpg")]
    assert len(others) == 1
    assert os.fsencode(folder.path_of(others[0].url)) == odd
    json.dumps(others[0].extra, ensure_ascii=False).encode()


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside = image(tmp_path / "outside" / "x.jpg")
    root = tmp_path / "root"
    image(root / "in.jpg")
    (root / "out.jpg").symlink_to(outside)
    (root / "out").symlink_to(outside.parent)
    (root / "round").symlink_to(root)
    (root / "same.jpg").symlink_to(root / "in.jpg")
    found = read(root)
    assert [each.extra["path"] for each in found if each.url.startswith("file:")] == ["in.jpg", "same.jpg"]
    assert sorted(each.url for each in found if not each.url.startswith("file:")) == [
        "a link that leads out of the folder: out",
        "a link that leads out of the folder: out.jpg",
    ]


def test_notes_beside_an_image(tmp_path: Path) -> None:
    image(tmp_path / "1.jpg")
    note = {"license": "CC BY-SA 4.0", "author": "김민아", "source_url": "https://a.example/p", "label": "곰", "n": [1]}
    (tmp_path / "1.json").write_text(json.dumps(note), encoding="utf-8-sig")
    image(tmp_path / "2.jpg")
    (tmp_path / "2.jpg.json").write_text("{broken")
    first, second = read(tmp_path)
    assert (first.license.spdx, first.creator, first.label) == ("CC-BY-SA-4.0", "김민아", "곰")
    assert (first.page_url, first.extra["n"]) == ("https://a.example/p", [1])
    assert "not JSON" in second.extra["sidecar"]
    assert second.license.confidence == "unknown"


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    b' xmpRights:WebStatement="https://creativecommons.org/licenses/by/4.0/"><dc:rights><rdf:Alt>'
    b'<rdf:li xml:lang="x-default">(c) Jane &amp; Kim</rdf:li></rdf:Alt></dc:rights>'
    b"<dc:creator><rdf:Seq><rdf:li>Jane</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def test_what_the_file_says_itself(tmp_path: Path) -> None:
    image(tmp_path / "1.jpg", xmp=XMP)
    evil = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + XMP.replace(b"Jane &amp; Kim", b"&e;")
    image(tmp_path / "2.jpg", xmp=evil)
    (tmp_path / "3.jpg").write_bytes(b"\xff\xd8\xff broken")
    first, second, third = read(tmp_path)
    assert (first.license.raw, first.license.spdx, first.creator) == ("(c) Jane & Kim", "CC-BY-4.0", "Jane")
    assert first.license.confidence == "file"
    assert "root:" not in str(second)
    assert (third.license.raw, third.creator) == (None, None)


@pytest.mark.parametrize("text", ["", " ", "/does/not/exist"])
def test_what_is_no_folder_is_refused(text: str) -> None:
    with pytest.raises(SourceFault, match="is not a folder"):
        list(folder.search(Query(text), ACCESS))
