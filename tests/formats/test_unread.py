"""What is never read in a dataset's folder: links that lead out of it, pipes, hidden images; each is named."""

import json
import os
from pathlib import Path

import pytest
from written import picture

from backend.core.model import Dataset, Sample, Skipped
from backend.formats import FORMATS
from backend.formats.recognise import open_dataset


def split(dataset: Dataset) -> tuple[list[str], dict[str, str]]:
    items = list(dataset.samples)
    read = [item.id for item in items if isinstance(item, Sample)]
    return read, {item.item: item.reason for item in items if isinstance(item, Skipped)}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    picture(tmp_path / "outside/secret.png")
    (tmp_path / "outside/secret.txt").write_text("0 .5 .5 .2 .2\n")
    return tmp_path / "outside"


@pytest.fixture
def folder(tmp_path: Path, outside: Path) -> Path:
    """Images of every kind that is not read, beside one that is and a link that stays inside."""
    root = tmp_path / "set"
    picture(root / "images/a.png")
    picture(root / "images/.hidden.png")
    (root / "images/same.png").symlink_to("a.png")
    (root / "images/s.png").symlink_to(outside / "secret.png")
    (root / "images/val").symlink_to(outside)
    (root / "images/loop.png").symlink_to("loop.png")
    os.mkfifo(root / "images/pipe.png")
    return root


UNREAD = {
    "images/s.png": "is a link that leads out of the dataset, and was not followed",
    "images/val": "is a link that leads out of the dataset, and was not followed",
    "images/loop.png": "is a link that leads nowhere",
    "images/pipe.png": "is neither a file nor a folder",
}


def label(folder: Path, key: str) -> None:
    if key == "yolo":
        (folder / "data.yaml").write_text("names: [x]")
    if key == "voc":
        (folder / "a.xml").write_text("<annotation><filename>a.png</filename></annotation>")
    if key == "coco":
        entries = [
            {"id": k, "file_name": name, "width": 64, "height": 48} for k, name in enumerate(("a.png", "same.png"))
        ]
        (folder / "labels.json").write_text(json.dumps({"images": entries, "annotations": [], "categories": []}))


@pytest.mark.parametrize("key", ["yolo", "voc", "coco", "folders"])
def test_links_that_lead_out_pipes_and_loops_are_skipped_with_a_reason(key: str, folder: Path) -> None:
    label(folder, key)
    dataset = FORMATS[key].open(folder)
    read, skipped = split(dataset)
    assert read == ["images/a.png", "images/same.png"] and skipped == UNREAD
    assert dataset.notes[-1] == "1 hidden images were left out (the first: images/.hidden.png)"


@pytest.mark.parametrize("linked", ["labels", "labels/b.txt"])
def test_an_image_whose_labels_lie_outside_is_no_background(linked: str, tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "set"
    picture(root / "images/b.png")
    (root / "data.yaml").write_text("names: [x]")
    (root / linked).parent.mkdir(exist_ok=True)
    (root / linked).symlink_to(outside if linked == "labels" else outside / "secret.txt")
    read, skipped = split(open_dataset(root))
    assert not read and f"its labels may lie in {linked}" in skipped["images/b.png"]


def test_descriptions_outside_are_not_read(tmp_path: Path, outside: Path) -> None:
    (outside / "classes.txt").write_text("secret\n")
    root = tmp_path / "set"
    picture(root / "images/a.png")
    (root / "classes.txt").symlink_to(outside / "classes.txt")
    (root / "labels").mkdir()
    (root / "labels/a.txt").write_text("0 .5 .5 .2 .2\n")
    os.mkfifo(root / "train.txt")
    assert open_dataset(root).labels == ("0",)
