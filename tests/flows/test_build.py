"""The build engine on real files: same bytes however it is run, nothing lost whatever stops it."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.core.errors import Cancelled, LabelLoomError, LeakError, UsageError
from backend.core.progress import Silent
from backend.core.recipe import parse_recipe
from backend.flows.augment import Options, run_build
from backend.flows.builder import render
from backend.flows.builder.model import Report
from backend.formats.recognise import open_dataset
from backend.settings import Settings

RECIPE = {
    "name": "r",
    "variants": 2,
    "split": {"train": 0.8, "val": 0.2, "test": 0, "near_duplicates": "off"},
    "steps": [{"HorizontalFlip": {"p": 0.5}}, {"Affine": {"rotate": [-10, 10], "p": 0.9}}, "RandomBrightnessContrast"],
    "output": {"formats": ["yolo", "voc", "coco"]},
}


def make_yolo(folder: Path, count: int, *, start: int = 0, label: str = "cat") -> Path:
    """Write `count` noisy pictures with one bright box each as a YOLO dataset."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "labels").mkdir(exist_ok=True)
    for number in range(start, start + count):
        rng = np.random.default_rng(number)
        picture = rng.integers(0, 120, (96, 128, 3), dtype=np.uint8)
        x, y = rng.integers(10, 70), rng.integers(10, 50)
        picture[y : y + 30, x : x + 40] = 230
        cv2.imwrite(str(folder / "images" / f"p{number:03d}.jpg"), picture)
        line = f"0 {(x + 20) / 128} {(y + 15) / 96} {40 / 128} {30 / 96}\n"
        (folder / "labels" / f"p{number:03d}.txt").write_text(line)
    (folder / "data.yaml").write_text(f"train: images\nnames: ['{label}']\n", encoding="utf-8")
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


def run(source: Path, out: Path, settings: Settings, progress=None, **options) -> Report:
    recipe = parse_recipe({**RECIPE, **options.pop("recipe", {})})
    dataset = open_dataset(source)
    request = Options(out=out, **options).request(dataset, recipe, f"the dataset {dataset.name}", settings)
    return run_build(request, settings, progress or Silent())


def tree(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_one_and_two_workers_write_the_same_bytes(tmp_path, settings):
    source = make_yolo(tmp_path / "src", 40)
    one = run(source, tmp_path / "one", settings, workers=1)
    two = run(source, tmp_path / "two", settings, workers=2)
    assert tree(one.folder) == tree(two.folder)
    assert one.images == 40 + one.variants and one.variants == 2 * (one.splits["train"] // 3)
    assert one.certificate["ok"]


def test_adding_an_image_changes_no_other_variant(tmp_path, settings):
    whole = {"split": None}
    before = tree(run(make_yolo(tmp_path / "a", 10), tmp_path / "o1", settings, recipe=whole).folder / "yolo/images")
    after = tree(run(make_yolo(tmp_path / "b", 11), tmp_path / "o2", settings, recipe=whole).folder / "yolo/images")
    assert before.items() < after.items()


def test_changing_name_variants_or_output_changes_no_pixel(tmp_path, settings):
    source = make_yolo(tmp_path / "src", 4)
    plain = {"split": None}
    first = tree(run(source, tmp_path / "o", settings, recipe=plain).folder / "yolo/images")
    other = {**plain, "name": "other", "variants": 3, "labels": {"dog": ["cat"]}, "output": {"formats": ["yolo"]}}
    second = tree(run(source, tmp_path / "o", settings, recipe=other).folder / "yolo/images")
    assert first.items() < second.items()


def test_the_ledger_adds_up(tmp_path, settings):
    source = make_yolo(tmp_path / "src", 12)
    report = run(
        source, tmp_path / "o", settings, recipe={"split": None, "steps": [{"RandomCrop": {"height": 60, "width": 80}}]}
    )
    ledger = report.ledger
    assert ledger.kept + ledger.clipped + ledger.dropped == ledger.regions == report.variants  # one region per source
    assert ledger.clipped > 0
    assert report.variants + len(report.gave_up) == 24


def test_running_again_is_a_no_op_and_another_recipe_is_refused(tmp_path, settings):
    source = make_yolo(tmp_path / "src", 4)
    first = run(source, tmp_path / "o", settings)
    stamp = (first.folder / "manifest.jsonl").stat().st_mtime_ns
    again = run(source, tmp_path / "o", settings)
    assert again.state == "unchanged" and again.images == first.images
    assert (first.folder / "manifest.jsonl").stat().st_mtime_ns == stamp
    with pytest.raises(LabelLoomError, match="other images, labels or another recipe"):
        run(source, tmp_path / "o", settings, recipe={"variants": 1})
    replaced = run(source, tmp_path / "o", settings, recipe={"variants": 1}, overwrite=True)
    assert replaced.state == "built" and replaced.images < first.images
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["r"]


class StopAfter:
    """Progress that cancels once a phase got so far."""

    def __init__(self, phase: str, done: int) -> None:
        self.phase, self.done = phase, done

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        if phase == self.phase and done >= self.done:
            raise Cancelled("stop")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("phase", ["reading", "checking images", "augmenting"])
def test_a_cancelled_build_resumes_to_the_same_tree(tmp_path, settings, phase, workers):
    source = make_yolo(tmp_path / "src", 40)
    expected = tree(run(source, tmp_path / "calm", settings, workers=workers).folder)
    with pytest.raises(Cancelled):
        run(source, tmp_path / "o", settings, progress=StopAfter(phase, 16), workers=workers)
    assert not (tmp_path / "o" / "r").exists()
    assert tree(run(source, tmp_path / "o", settings, workers=workers).folder) == expected


@pytest.mark.slow
def test_kill_9_in_the_middle_then_resume(tmp_path, settings):
    source = make_yolo(tmp_path / "src", 80)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(json.dumps({**RECIPE, "variants": 4}))
    environment = {**os.environ, "LABELLOOM_DATA_DIR": str(settings.data_dir)}
    labelloom = Path(sys.executable).with_name("labelloom")
    command = [labelloom, "augment", source, "--recipe", recipe, "--out", tmp_path / "o", "--workers", "2", "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    done = tmp_path / "o" / "r.partial" / ".work" / "done"
    deadline = time.monotonic() + 60
    while not list(done.glob("*.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 1 <= len(list(done.glob("*.jsonl"))) < 5, "the kill must land in the middle"
    assert workers and wait_gone(workers), "workers must not outlive the killed process"
    assert not (tmp_path / "o" / "r").exists()

    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["state"] == "built"
    calm = run(source, tmp_path / "calm", settings, recipe={"variants": 4}, workers=1)
    assert tree(tmp_path / "o" / "r") == tree(calm.folder)
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["r"]


def children(pid: int) -> list[int]:
    """Return all descendants of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            child = int(path.parent.name)
            found += [child, *children(child)]
    return found


def wait_gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if not any(running(pid) for pid in pids):
            return True
        time.sleep(0.2)
    return False


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_full_disk_stops_resumably(tmp_path, settings, monkeypatch):
    source = make_yolo(tmp_path / "src", 40)
    expected = tree(run(source, tmp_path / "calm", settings, workers=1).folder)
    real, written = render.write_atomic, []

    def full(path, data, **options):
        if len(written) >= 30:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        written.append(path)
        real(path, data, **options)

    monkeypatch.setattr(render, "write_atomic", full)
    with pytest.raises(LabelLoomError, match="No space left on device") as caught:
        run(source, tmp_path / "o", settings, workers=1)
    assert caught.value.fix and "resume" in caught.value.fix
    monkeypatch.undo()
    assert tree(run(source, tmp_path / "o", settings, workers=1).folder) == expected


def test_an_unwritable_folder_is_refused_before_anything_happens(tmp_path, settings):
    source = make_yolo(tmp_path / "src", 2)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UsageError, match="cannot write into"):
        run(source, tmp_path / "file" / "deeper", settings)
    with pytest.raises(UsageError, match="cannot write into"):
        run(source, Path("/proc/labelloom"), settings)


def test_a_folder_that_is_not_ours_is_never_touched(tmp_path, settings):
    source = make_yolo(tmp_path / "src", 2)
    mine = tmp_path / "o" / "r"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match="not a dataset made by LabelLoom"):
        run(source, tmp_path / "o", settings, overwrite=True)
    assert (mine / "thesis.txt").read_text() == "precious"


def test_bad_images_are_skipped_with_reasons_and_the_rest_is_right(tmp_path, settings, data_dir):
    report = run(data_dir / "edge", tmp_path / "o", settings, recipe={"variants": 1, "split": None}, workers=2)
    reasons = {Path(s.item).name: s.reason for s in report.skipped}
    assert set(reasons) == {
        "bad_bomb_50000x50000.png", "bad_corrupt_middle.jpg", "bad_empty.jpg", "bad_header_only.png",
        "bad_html.jpg", "bad_svg.jpg", "bad_text.png", "bad_truncated.jpg",
    }  # fmt: skip
    assert "before decoding" in reasons["bad_bomb_50000x50000.png"]
    assert report.exit_code == 3 and report.certificate["ok"]
    listed = [json.loads(line) for line in (report.folder / "skipped.jsonl").read_text().splitlines()]
    assert len(listed) == len(report.skipped) + len(report.gave_up)


def test_unchanged_originals_are_the_same_bytes(tmp_path, settings):
    source = make_yolo(tmp_path / "src", 3)
    report = run(source, tmp_path / "o", settings, recipe={"split": None})
    for number in range(3):
        original = (source / "images" / f"p{number:03d}.jpg").read_bytes()
        for folder in ("yolo/images/train", "voc/JPEGImages", "coco/images"):
            copy = next((report.folder / folder).rglob(f"p{number:03d}_v00.jpg"))
            assert copy.read_bytes() == original


def test_nothing_in_a_dataset_names_this_machine(tmp_path, settings):
    report = run(make_yolo(tmp_path / "src", 3), tmp_path / "o", settings)
    for path in report.folder.rglob("*"):
        if path.suffix in {".json", ".jsonl", ".md", ".yaml", ".txt", ".xml"}:
            assert str(tmp_path) not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("label", ["고양이", "red fox", "a/b", "🦊", "x" * 200])
def test_label_names_of_any_kind(tmp_path, settings, label):
    report = run(make_yolo(tmp_path / "src", 3, label=label), tmp_path / "o", settings)
    assert report.certificate["ok"] and report.labels[label] == report.images


def test_one_image_and_no_image(tmp_path, settings):
    one = run(make_yolo(tmp_path / "one", 1), tmp_path / "o", settings)
    assert one.splits["train"] == 3 and any("empty" in warning for warning in one.warnings)
    empty = make_yolo(tmp_path / "none", 0)
    with pytest.raises(LabelLoomError, match="no usable image"):
        run(empty, tmp_path / "o2", settings)


def test_dry_run_writes_nothing(tmp_path, settings):
    source = make_yolo(tmp_path / "src", 20)
    recipe = parse_recipe(RECIPE)
    options = Options(out=tmp_path / "o", dry_run=True)
    report = run_build(
        options.request(open_dataset(source), recipe, "test", settings), settings, Silent(), dry_run=True
    )
    real = run(source, tmp_path / "o", settings)
    assert report.images == real.images and report.splits == real.splits
    assert report.counts()["variants"] == real.counts()["variants"] > 0
    assert 0.3 < report.estimate["bytes"] / sum(size(real.folder / f) for f in ("yolo", "voc", "coco")) < 3


def size(folder: Path) -> int:
    return sum({p.stat().st_ino: p.stat().st_size for p in folder.rglob("*") if p.is_file()}.values())


def test_unknown_format_is_named(tmp_path, settings):
    with pytest.raises(UsageError, match="unknown format yolov9"):
        run(make_yolo(tmp_path / "src", 1), tmp_path / "o", settings, formats=("yolov9",))


def test_500_frames_of_one_scene_with_5_video_keys_give_5_groups(tmp_path, settings):
    folder = tmp_path / "frames"
    folder.mkdir()
    rng = np.random.default_rng(1)
    scene = cv2.GaussianBlur(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), (9, 9), 3)
    for number in range(500):
        frame = np.clip(scene.astype(int) + rng.integers(-3, 4, scene.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"video{number // 100} frame {number % 100:03d}.jpg"), frame)
    split = {"train": 0.6, "val": 0.2, "test": 0.2}
    plain = {"variants": 0, "output": {"formats": ["yolo"]}}
    alone = run(folder, tmp_path / "o", settings, recipe={**plain, "split": split}, name="alone", workers=1)
    assert alone.splits == {"train": 500} and any("group_by" in w for w in alone.warnings)
    keyed = {**plain, "split": {**split, "group_by": r"name:^(video\d)"}}
    report = run(folder, tmp_path / "o", settings, recipe=keyed, name="keyed", workers=1)
    lines = [json.loads(line) for line in (report.folder / "manifest.jsonl").read_text().splitlines()]
    assert len({line["lineage"] for line in lines}) == 5
    assert report.splits["val"] >= 100 and report.splits["test"] >= 100
    by_video = {(line["file"].split("_")[0], line["split"]) for line in lines}
    assert len(by_video) == 5
    with pytest.raises(UsageError, match="no image has 'camera'"):
        run(folder, tmp_path / "o", settings, recipe={**plain, "split": {"group_by": "camera"}}, name="x", workers=1)


def test_a_leak_aborts_and_names_the_images(tmp_path, settings):
    source = make_yolo(tmp_path / "src", 8)
    for split, numbers in (("train", range(6)), ("val", [6, 7, 0])):
        for part, suffix in (("images", "jpg"), ("labels", "txt")):
            target = tmp_path / "leaky" / part / split
            target.mkdir(parents=True, exist_ok=True)
            for number in numbers:
                data = (source / part / f"p{number:03d}.{suffix}").read_bytes()
                (target / f"{split}{number}.{suffix}").write_bytes(data)
    (tmp_path / "leaky" / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cat]\n")
    with pytest.raises(LeakError, match=r"train0.*val0|val0.*train0"):
        run(tmp_path / "leaky", tmp_path / "o", settings, workers=1)
    moved = run(
        tmp_path / "leaky", tmp_path / "o", settings, recipe={"split": {"on_leak": "move"}}, workers=1, name="m"
    )
    assert moved.splits["val"] == 2
    report = run(
        tmp_path / "leaky", tmp_path / "o", settings, recipe={"split": {"on_leak": "report"}}, workers=1, name="l"
    )
    assert any("leaky" in warning for warning in report.warnings)


def test_a_refused_plan_leaves_nothing_in_the_way_of_the_next_try(tmp_path, settings):
    source = make_yolo(tmp_path / "src", 4)
    with pytest.raises(UsageError, match="group_by"):
        run(source, tmp_path / "o", settings, recipe={"split": {"group_by": "camera"}}, workers=1)
    assert not list((tmp_path / "o").iterdir())
    assert run(source, tmp_path / "o", settings, workers=1).state == "built"


def test_losses_tell_variants_apart(tmp_path: Path, settings: Settings) -> None:
    source = make_yolo(tmp_path / "in", 3)
    for label in (source / "labels").iterdir():  # a segment, which plain YOLO cannot hold
        label.write_text("0 0.2 0.2 0.6 0.2 0.5 0.7\n")
    recipe = {"steps": ["HorizontalFlip"], "split": {"train": 1, "val": 0, "test": 0}, "output": {"formats": ["yolo"]}}
    report = run(source, tmp_path / "out", settings, workers=1, recipe=recipe)
    reason = "polygon written as its bounding box"
    assert (report.losses["yolo"][reason], report.losses_of_variants["yolo"][reason]) == (9, 6)
    assert f"- yolo: 9 regions (6 of them in variants): {reason}" in (report.folder / "README.md").read_text()


def test_labels_that_the_data_has_not_are_warned_of(tmp_path, settings):
    source = make_yolo(tmp_path / "in", 3, label="raccoon")
    recipe = {"variants": {"default": 0, "racoon": 2}, "labels": {"bird": ["raven"], "_drop": ["racoon"]}}
    report = run(source, tmp_path / "o", settings, recipe=recipe, workers=1)
    assert report.warnings[:3] == [
        "labels: the data has no label 'raven'",
        "labels: the data has no label 'racoon'; did you mean 'raccoon'?",
        "variants: the data has no label 'racoon'; did you mean 'raccoon'?",
    ]


def test_an_expression_without_end_is_stopped(tmp_path, settings):
    source = make_yolo(tmp_path / "in", 2)
    (source / "images/p000.jpg").rename(source / f"images/{'a' * 60}.jpg")
    with pytest.raises(UsageError, match=r"group_by: .* takes more than 1 s"):
        run(source, tmp_path / "o", settings, recipe={"split": {"group_by": "name:(a|aa)+$"}}, workers=1)


def test_class_folders_alone_cannot_hold_regions(tmp_path, settings):
    source = make_yolo(tmp_path / "in", 2)
    with pytest.raises(UsageError, match="every label would be lost"):
        run(source, tmp_path / "o", settings, formats=("folders",), workers=1)
    report = run(source, tmp_path / "o", settings, formats=("yolo", "folders"), workers=1)
    assert report.losses["folders"].total() == sum(report.labels.values()) > 0


@pytest.mark.parametrize("name", ["../evil", "a/b", "a\\b", "..", "", "x" * 101])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, settings, name):
    with pytest.raises(UsageError, match="cannot be a dataset's name"):
        run(make_yolo(tmp_path / "in", 1), tmp_path / "o", settings, name=name)
