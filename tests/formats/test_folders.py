"""Class folders: tags as folders, any tag, splits, and plain folders of images."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import TAGS, picture, read, sample, write

from backend.core.model import Sample
from backend.formats.base import Classes
from backend.formats.folders import FOLDERS, class_folder


def found(folder: Path) -> list[tuple[str, str | None, list[str]]]:
    return [(s.id, s.split, [t.label for t in s.tags]) for s in FOLDERS.open(folder).samples if isinstance(s, Sample)]


def test_a_plain_folder_has_no_labels(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "images/c.png"):
        picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    picture(tmp_path / ".hidden.png")
    assert found(tmp_path) == [("a.png", None, []), ("b.JPG", None, []), ("images/c.png", None, [])]
    assert (FOLDERS.open(tmp_path).labels, FOLDERS.open(tmp_path).tags) == ((), ())


def test_folders_are_classes_below_splits(tmp_path: Path) -> None:
    for name in ("train/cat/a.png", "train/개/b.png", "valid/cat/c.png", "test/d.png"):
        picture(tmp_path / name)
    assert found(tmp_path) == [
        ("test/d.png", "test", []),
        ("train/cat/a.png", "train", ["cat"]),
        ("train/개/b.png", "train", ["개"]),
        ("valid/cat/c.png", "val", ["cat"]),
    ]
    assert FOLDERS.open(tmp_path).tags == ("cat", "개")


def test_a_foreign_folder_name_is_taken_as_it_is(tmp_path: Path) -> None:
    picture(tmp_path / "100%25 x" / "a.png")
    assert FOLDERS.open(tmp_path).tags == ("100%25 x",)


def test_tags_come_back_in_their_order(tmp_path: Path) -> None:
    tags = ("z/y", "a", "..", "", "train", "x" * 300, *TAGS)
    source = picture(tmp_path / "a.png")
    samples = [sample(source, name=f"{k}.png", tags=(tag,)) for k, tag in enumerate(tags)]
    write("folders", tmp_path / "out", samples, Classes((), tags))
    assert FOLDERS.open(tmp_path / "out").tags == tags
    assert {s.name: s.tags[0].label for s in read("folders", tmp_path / "out").values()} == {
        f"{k}.png": tag for k, tag in enumerate(tags)
    }


def test_a_second_tag_is_counted(tmp_path: Path) -> None:
    meant = sample(picture(tmp_path / "a.png"), tags=("x", "y", "z"))
    assert FOLDERS.write_labels(tmp_path, meant, Classes((), ("x", "y", "z"))) == {
        "further image tag left out: class folders hold one class per image": 2
    }


@given(st.sets(st.text(max_size=40), min_size=2, max_size=5))
def test_folder_names_are_safe_and_tell_tags_apart(tags: set[str]) -> None:
    encodable = [tag.encode(errors="replace").decode() for tag in tags]
    names = {class_folder(tag) for tag in encodable}
    assert len(names) == len(set(encodable))
    for name in names:
        assert name not in {"", ".", ".."} and len(name.encode()) <= 255
        assert not set(name) & set('/\\:*?"<>|\0\n')


@pytest.mark.parametrize("tag", [".", "..", "a/../../b", "/etc", "C:\\x"])
def test_a_tag_cannot_lead_outside(tag: str, tmp_path: Path) -> None:
    meant = sample(picture(tmp_path / "a.png"), tags=(tag,))
    path = FOLDERS.image_path(tmp_path / "out", meant)
    assert path.resolve().parent.parent == (tmp_path / "out" / "train").resolve()
