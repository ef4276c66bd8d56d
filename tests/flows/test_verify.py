"""`verify` on whole folders: with a manifest, and of foreign origin."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from written import LABELS, TAGS, box, picture, sample, write

from backend.commands.verified import certificate_lines
from backend.core.codec import region_to_json
from backend.core.errors import UsageError
from backend.core.model import Sample
from backend.core.progress import Silent
from backend.flows.verify import verify_dataset
from backend.formats import FORMATS
from backend.formats.base import Classes
from backend.imaging.files import write_atomic

FORMAT_KEYS = ("yolo", "voc", "coco", "folders")


def line_of(item: Sample) -> dict[str, Any]:
    return {
        "file": item.name,
        "sha256": hashlib.sha256(Path(item.path).read_bytes()).hexdigest(),
        "width": item.width,
        "height": item.height,
        "split": item.split,
        "regions": [region_to_json(region) for region in item.regions],
        "tags": [{"label": tag.label, "control": "quality"} for tag in item.tags],
    }


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    source = picture(tmp_path / "source.png")
    samples = [
        sample(source, box(1, LABELS[1], 1.25, 2, 20.5, 30), name="a_v00.png", tags=(TAGS[0],)),
        sample(source, name="b_v00.png", split="val"),
    ]
    folder = tmp_path / "set"
    for key in FORMAT_KEYS:
        write(key, folder / key, samples, Classes(LABELS, TAGS))
    manifest = "".join(json.dumps(line_of(item)) + "\n" for item in samples)
    write_atomic(folder / "manifest.jsonl", manifest.encode())
    description = {"name": "set", "labels": LABELS, "tags": TAGS, "formats": FORMAT_KEYS}
    write_atomic(folder / "dataset.json", json.dumps(description).encode())
    return folder


def test_every_format_is_certified(dataset: Path) -> None:
    certificate = verify_dataset(dataset, Silent())
    assert certificate["ok"] and certificate["images"] == 2
    assert [(p["format"], p["images"], p["regions"], p["ok"]) for p in certificate["formats"]] == [
        ("yolo", 2, 1, True),
        ("voc", 2, 1, True),
        ("coco", 2, 1, True),
        ("folders", 2, 0, True),
    ]
    assert certificate["formats"][1]["max_error_px"] == pytest.approx(0.5)
    assert certificate["differing"] == certificate["missing"] == certificate["extra"] == []
    assert json.loads(json.dumps(certificate)) == certificate


def test_changed_bytes_are_named_per_format(dataset: Path) -> None:
    path = FORMATS["voc"].image_path(dataset / "voc", sample(dataset.parent / "source.png", name="a_v00.png"))
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data + b"\0")
    certificate = verify_dataset(dataset, Silent())
    assert not certificate["ok"] and certificate["differing"] == ["voc/JPEGImages/a_v00.png"]
    assert verify_dataset(dataset, Silent(), images=False)["ok"]


def test_missing_and_extra_files_are_named(dataset: Path) -> None:
    (dataset / "coco/images/b_v00.png").unlink()
    (dataset / "yolo/labels/train/c.txt").write_text("")
    certificate = verify_dataset(dataset, Silent())
    assert not certificate["ok"]
    assert certificate["missing"] == ["coco/images/b_v00.png"]
    assert certificate["extra"] == ["yolo/labels/train/c.txt"]


def test_a_missing_format_is_named(dataset: Path) -> None:
    (dataset / "dataset.json").write_text(
        json.dumps({"name": "set", "labels": LABELS, "tags": TAGS, "formats": ["yolo-obb"]})
    )
    certificate = verify_dataset(dataset, Silent())
    assert not certificate["ok"] and "cannot be read back" in certificate["formats"][0]["problems"][0]


@pytest.mark.parametrize("formats", [["none"], [], "yolo"])
def test_a_description_that_names_no_known_format_is_refused(formats: object, dataset: Path) -> None:
    (dataset / "dataset.json").write_text(json.dumps({"name": "set", "labels": LABELS, "formats": formats}))
    with pytest.raises(UsageError, match=r"dataset\.json"):
        verify_dataset(dataset, Silent())


def test_a_foreign_dataset_says_what_was_checked(dataset: Path, tmp_path: Path) -> None:
    certificate = verify_dataset(dataset / "voc", Silent())
    assert certificate["ok"] and certificate["images"] == 2
    assert certificate["checked"] == "no manifest: two readers that share no code read the labels, and were compared"
    picture(tmp_path / "flat/a.png")
    (tmp_path / "flat/a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (tmp_path / "flat/classes.txt").write_text("x\n")
    certificate = verify_dataset(tmp_path / "flat", Silent())
    assert certificate["ok"] and certificate["checked"].startswith("read once: its layout is not the one")


def test_a_foreign_fault_is_no_pass(dataset: Path) -> None:
    path = dataset / "voc/Annotations/a_v00.xml"
    path.write_text(path.read_text().replace("<xmin>2<", "<xmin>0<"))
    certificate = verify_dataset(dataset / "voc", Silent())
    assert not certificate["ok"]
    assert certificate["repaired"] == [
        {"item": "JPEGImages/a_v00.png", "note": "1 x a region reached beyond the frame and was clipped"}
    ]
    (dataset / "voc/JPEGImages/a_v00.png").write_bytes(b"")
    certificate = verify_dataset(dataset / "voc", Silent())
    assert not certificate["ok"] and certificate["skipped"][0]["item"] == "JPEGImages/a_v00.png"


def test_progress_is_told(dataset: Path) -> None:
    class Log:
        def __init__(self) -> None:
            self.told: list[tuple[str, int, int | None]] = []

        def update(self, phase: str, done: int, total: int | None = None) -> None:
            self.told.append((phase, done, total))

    log = Log()
    verify_dataset(dataset, log)
    assert log.told[-1] == ("verifying", 2, 2)


def test_a_pipe_in_the_place_of_an_image_differs(dataset: Path) -> None:
    path = dataset / "voc/JPEGImages/a_v00.png"
    path.unlink()
    os.mkfifo(path)
    assert verify_dataset(dataset, Silent())["differing"] == ["voc/JPEGImages/a_v00.png"]


def test_half_a_dataset_says_which_half_is_missing(dataset: Path) -> None:
    (dataset / "dataset.json").unlink()
    with pytest.raises(UsageError, match=r"manifest.jsonl is here, but dataset.json is missing"):
        verify_dataset(dataset, Silent())


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"file": "../a_v00.png"}, "file '../a_v00.png' is no plain file name"),
        ({"file": ".."}, "file '..' is no plain file name"),
        ({"split": "all"}, "split 'all' is none of train, val, test"),
        ({"regions": None}, "not a manifest line"),
    ],
)
def test_a_manifest_line_that_cannot_be_is_told_in_words(change: dict[str, Any], cause: str, dataset: Path) -> None:
    path = dataset / "manifest.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(json.dumps({**json.loads(first), **change}) + f"\n{second}\n")
    with pytest.raises(UsageError, match=r"manifest\.jsonl line 1") as error:
        verify_dataset(dataset, Silent())
    assert cause in str(error.value) and "ValueError" not in str(error.value)


def test_a_ledger_that_cannot_be_true_is_a_problem(dataset: Path) -> None:
    path = dataset / "manifest.jsonl"
    first, second = path.read_text().splitlines()
    good = {"region": "1", "label": "x", "fate": "kept", "visibility": 1.0, "growth": 1.0, "reason": None, "step": None}
    for ledger, wrong in (
        ([good], []),
        ([{**good, "visibility": 1.5}], ["visibility 1.5 is no number from 0 to 1"]),
        ([{**good, "visibility": None, "fate": "eaten"}], ["fate 'eaten'", "visibility None"]),
        ([{**good, "reason": ["frame"], "growth": -1}], ["reason ['frame']", "growth -1"]),
        ("x", ["the ledger is no list"]),
    ):
        path.write_text(json.dumps({**json.loads(first), "ledger": ledger}) + f"\n{second}\n")
        certificate = verify_dataset(dataset, Silent())
        assert len(certificate["problems"]) == len(wrong) and certificate["ok"] is not bool(wrong)
        for part, problem in zip(wrong, certificate["problems"], strict=True):
            assert problem.startswith("a_v00.png: ") and part in problem


def test_people_see_which_files_differ_are_missing_and_extra(dataset: Path) -> None:
    (dataset / "voc/JPEGImages/a_v00.png").unlink()
    for number in range(30):
        (dataset / f"yolo/images/train/extra{number:02}.png").write_bytes(b"x")
    lines = list(certificate_lines(verify_dataset(dataset, Silent())))
    assert "missing: voc/JPEGImages/a_v00.png" in lines and "extra: yolo/images/train/extra00.png" in lines
    assert any(re.match(r"extra: 3\d in all, of which 20 are shown", line) for line in lines) and len(lines) < 90
