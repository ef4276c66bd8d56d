"""Finding the dataset in what a user points at."""

import json
from pathlib import Path

import pytest
from written import box, picture, sample, write

from backend.core.codec import region_to_json
from backend.core.errors import UsageError
from backend.core.model import Sample, Skipped
from backend.formats.base import Classes, split_of
from backend.formats.recognise import open_dataset, recognise
from backend.formats.walk import decode_text, inside, walk

CLASSES = Classes(("x", "y"))


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    write("yolo", tmp_path / "in/ner/set", [sample(picture(tmp_path / "a.png"), box(1, "y", 1, 2, 3, 4))], CLASSES)
    return tmp_path / "in/ner/set"


def test_a_folder_around_a_dataset_and_its_description_lead_to_it(yolo: Path) -> None:
    for path in (yolo, yolo.parent, yolo.parent.parent, yolo / "data.yaml"):
        found = recognise(path)
        assert (found.format.key, found.folder) == ("yolo", yolo)
        assert open_dataset(path).labels == ("x", "y")


def test_several_datasets_are_listed(yolo: Path, tmp_path: Path) -> None:
    write("voc", tmp_path / "in/other", [sample(picture(tmp_path / "a.png"))], CLASSES)
    with pytest.raises(UsageError, match=r"holds 2 datasets: ner/set \(yolo\), other \(voc\)") as error:
        recognise(tmp_path / "in")
    assert error.value.fix == "name one of them"


def test_nothing_found_names_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match=r"data.yaml or labels/\*.txt \(YOLO\), XML with <annotation>.*JSON.*images"):
        recognise(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        recognise(tmp_path / "gone")
    with pytest.raises(UsageError, match="is a file, not a folder"):
        recognise(tmp_path / "notes.txt")


def made(folder: Path, formats: tuple[str, ...], classes: Classes, meant: Sample) -> None:
    """Write a dataset as the engine does, as far as readers see it."""
    for key in formats:
        write(key, folder / key, [meant], classes)
    line = {
        "file": meant.name,
        "width": meant.width,
        "height": meant.height,
        "split": meant.split,
        "lineage": "3fa94c01b2d7",
        "variant": 2,
        "source": {"uri": "x/a.png", "project": 3, "name": "a.png"},
        "regions": [region_to_json(r) for r in meant.regions],
        "tags": [{"label": t.label, "control": None} for t in meant.tags],
    }
    (folder / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    description = {"name": "n", "labels": classes.labels, "tags": classes.tags, "formats": formats}
    (folder / "dataset.json").write_text(json.dumps(description))


@pytest.mark.parametrize(
    ("formats", "classes", "richest"),
    [
        (("yolo", "voc"), CLASSES, "voc"),
        (("yolo", "voc", "coco"), CLASSES, "coco"),
        (("yolo", "folders"), Classes((), ("t",)), "folders"),
    ],
)
def test_a_dataset_of_ours_gives_its_richest_format(
    formats: tuple[str, ...], classes: Classes, richest: str, tmp_path: Path
) -> None:
    made(tmp_path / "d", formats, classes, sample(picture(tmp_path / "a.png")))
    found = recognise(tmp_path / "d")
    assert (found.format.key, found.folder) == (richest, tmp_path / "d" / richest)


def test_a_dataset_of_ours_is_read_from_its_manifest(tmp_path: Path) -> None:
    meant = sample(picture(tmp_path / "a.png"), box(1, "y", 1, 2, 3, 4), tags=("t",), split="val")
    made(tmp_path / "d", ("yolo", "voc"), Classes(("x", "y"), ("t",)), meant)
    dataset = open_dataset(tmp_path / "d")
    assert (dataset.labels, dataset.tags) == (("x", "y"), ("t",))
    (got,) = dataset.samples
    assert isinstance(got, Sample)
    assert (got.regions, got.tags, got.split) == (meant.regions, meant.tags, "val")
    assert dict(got.fields) == {"lineage": "3fa94c01b2d7", "variant": "2"} and got.origin.project == 3
    assert Path(got.path) == tmp_path / "d/yolo/images/val/a.png"
    for key in ("yolo/images/val", "voc/JPEGImages"):
        (tmp_path / "d" / key / "a.png").unlink()
    (gone,) = dataset.samples
    assert isinstance(gone, Skipped) and "named in the manifest" in gone.reason


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"file": "a.png"}',
        '{"file": "a", "width": 0, "height": 1, "split": "train", "regions": []}',
        '{"file": "../a", "width": 1, "height": 1, "split": "train", "regions": []}',
        '{"file": "a", "width": 1, "height": 1, "split": "../x", "regions": []}',
    ],
)
def test_a_broken_manifest_names_its_line(text: str, tmp_path: Path) -> None:
    made(tmp_path / "d", ("yolo",), CLASSES, sample(picture(tmp_path / "a.png")))
    (tmp_path / "d/manifest.jsonl").write_text(text + "\n")
    with pytest.raises(UsageError, match=r"manifest.jsonl line 1"):
        list(open_dataset(tmp_path / "d").samples)


@pytest.mark.parametrize(
    ("word", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("train2017", "train"),
        ("valid", "val"),
        ("VALIDATION", "val"),
        ("testing", "test"),
        ("trainer", None),
        ("latest", None),
    ],
)
def test_words_for_splits(word: str, split: str | None) -> None:
    assert split_of(word) == split


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_text_in_any_encoding(encoding: str) -> None:
    assert decode_text("너구리\r\n".encode(encoding)) == "너구리\r\n"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "..\\x", "C:/../../x"])
def test_paths_that_lead_outside(path: str, tmp_path: Path) -> None:
    found = inside(tmp_path, path)
    assert found is None or found.is_relative_to(tmp_path)
    assert inside(tmp_path, "a/../b.png") == tmp_path / "b.png"


def test_a_walk_is_sorted_and_ends(tmp_path: Path) -> None:
    for name in ("b/2.txt", "a/1.txt", "c.txt", ".git/x", "__MACOSX/y"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "a/again").symlink_to(tmp_path)
    assert list(walk(tmp_path)) == ["c.txt", "a/1.txt", "b/2.txt"]
