"""Training as a verb: what is learned from, what is kept aside for ever, which model is used, and what is refused."""

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fit_kit import constant_trainer, make_dataset, oracle_trainer

from backend.core.errors import Cancelled, Held, LabelLoomError, UsageError
from backend.core.model import Dataset, Keypoint, Mask, Region, RotatedBox, Sample, Skipped, Stream, Tag
from backend.core.progress import Silent
from backend.detect.base import Example, Predicted, Training
from backend.detect.model_dir import check_files
from backend.flows import fit as flow
from backend.flows import models
from backend.flows.fit import FitOptions, FitReport, fit
from backend.flows.fit_judge import tag_metrics
from backend.flows.fit_source import Source, dataset_source
from backend.formats.recognise import open_dataset
from backend.settings import Settings
from backend.store import models as table
from backend.store.splits import remember_splits
from backend.store.tables import open_database

PROJECT = 7


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "자료 폴더", cache_dir=tmp_path / "cache")


def project(folder: Path, change: Callable[[Sample], Sample] = lambda one: one) -> Source:
    """Return a dataset's folder as if it were a project's annotated tasks: no splits, but remembered ones."""
    opened = open_dataset(folder)

    def samples():
        for one in opened.samples:
            yield one if isinstance(one, Skipped) else change(replace(one, split=None))

    dataset = Dataset("project-7", opened.labels, Stream(samples), opened.tags)
    return Source(f"p{PROJECT}", "Label Studio project 7 (너구리)", dataset, PROJECT, "7@2026-01-01")


def run(source: Source, settings: Settings, trainer=None, progress=None, tell=None, **options) -> FitReport:
    tools = (settings, progress or Silent())
    how = FitOptions(**options)
    return fit(source, how, tools, trainer=trainer or constant_trainer(), tell=tell or (lambda _text: None))


def held(settings: Settings, version: str) -> dict[str, set[str]]:
    """Return which images, by sha256, a version was trained on and judged by."""
    lines = (settings.models_dir / version / "data.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return {part: {row["sha256"] for row in rows if row["part"] == part} for part in ("train", "holdout")}


def test_the_first_model_is_published_whole_entered_and_used(tmp_path, settings):
    lines: list[str] = []
    report = run(project(make_dataset(tmp_path / "p", range(30))), settings, tell=lines.append, who="kim")
    assert (report.version, report.promoted) == ("fewshot-p7-v1", True)
    info = check_files(report.folder)
    assert {"model.onnx", "card.md", "curve.jsonl", "data.jsonl"} <= set(info.files)
    assert not list(settings.models_dir.glob("*.partial")) and not list(settings.models_dir.glob(".*.run.json"))
    engine = open_database(settings.database)
    row = table.current_model(engine, PROJECT)
    assert (row.version, row.folder) == (report.version, report.folder)
    assert table.history(engine, PROJECT)[0].who == "kim"
    images = report.data["images"]
    assert images["train"] + images["holdout"] + images["left_out"] == 30 and 4 <= images["holdout"] <= 8
    assert report.metrics["ap"] is not None and len(report.metrics["ap_ci"]) == 2
    card = (report.folder / "card.md").read_text()
    for word in ("너구리", "Apache 2.0", "## Limits", "95 % intervals", "Fewer than 30 boxes"):
        assert word in card
    assert any("loss" in line for line in lines) and any("AP 0.500, AP50 0.750" in line for line in lines)
    curve = [json.loads(line)["event"] for line in (report.folder / "curve.jsonl").read_text().splitlines()]
    assert curve == ["step", "step", "curve"]


def test_no_image_that_was_kept_aside_is_ever_trained_on(tmp_path, settings):
    labels = ["너구리", "작은 고양이"]
    folder = make_dataset(tmp_path / "p", range(30), labels)
    seen: list[Training] = []
    run(project(folder), settings, constant_trainer(seen=seen))
    first = held(settings, "fewshot-p7-v1")
    assert {label for one in seen[0].holdout for label in one.labels} == {0, 1}  # every label is judged

    make_dataset(folder, range(30, 45), labels)

    def relabel(one: Sample) -> Sample:
        return replace(one, regions=tuple(replace(region, label="작은 고양이") for region in one.regions))

    run(project(folder, relabel), settings)
    for number in range(0, 30, 3):  # and some are gone
        (folder / "images" / f"너구리 {number:03d}.jpg").unlink()
    run(project(folder), settings)
    ever_held, ever_learned = set[str](), set[str]()
    for version in (1, 2, 3):
        parts = held(settings, f"fewshot-p7-v{version}")
        ever_held |= parts["holdout"]
        ever_learned |= parts["train"]
    assert first["holdout"] <= ever_held and not ever_held & ever_learned


def test_what_an_export_put_into_test_is_not_trained_on_nor_what_looks_like_it(tmp_path, settings):
    folder = make_dataset(tmp_path / "p", range(20))
    import cv2

    from backend.imaging.hashes import sha256

    chosen = folder / "images" / "너구리 003.jpg"
    twin = folder / "images" / "너구리 103.jpg"  # the same picture, saved worse, once trained on
    pixels = cv2.imdecode(__import__("numpy").fromfile(chosen, "uint8"), cv2.IMREAD_COLOR)
    twin.write_bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes())
    (folder / "labels" / "너구리 103.txt").write_text((folder / "labels" / "너구리 003.txt").read_text())
    shas = [sha256(one.read_bytes()) for one in (chosen, twin)]
    remember_splits(open_database(settings.database), "7@2026-01-01", {shas[0]: "test", shas[1]: "train"})
    report = run(project(folder), settings)
    parts = held(settings, report.version)
    assert shas[0] in parts["holdout"] and shas[1] not in parts["train"] | parts["holdout"]
    assert report.data["images"]["left_out"] == 1
    assert any("look like images that are kept aside" in one for one in report.to_json()["warnings"])


def test_a_new_model_is_used_only_if_it_is_better_on_the_same_images(tmp_path, settings):
    source = project(make_dataset(tmp_path / "p", range(30)))
    engine = open_database(settings.database)
    good = run(source, settings, oracle_trainer(0.8))
    same = run(source, settings, oracle_trainer(0.8))
    worse = run(source, settings, oracle_trainer(0.3))
    assert not same.promoted and not worse.promoted and "against" in worse.note
    assert table.current_model(engine, PROJECT).version == good.version
    better = run(source, settings, oracle_trainer(1.0))
    assert better.promoted and better.metrics["ap"] > good.metrics["ap"]
    assert table.get_model(engine, worse.version).note == worse.note
    assert check_files(better.folder).parent == good.version
    back = models.rollback(engine, PROJECT, who="kim")
    assert back.version == good.version == table.current_model(engine, PROJECT).version
    with pytest.raises(LabelLoomError, match="no earlier model"):
        models.rollback(engine, PROJECT, who="kim")


def test_labels_that_were_added_removed_or_renamed(tmp_path, settings):
    both = make_dataset(tmp_path / "both", range(40), ["a", "b"])
    run(project(both), settings, oracle_trainer(1.0))

    def only_a(one: Sample) -> Sample:
        return replace(one, regions=tuple(r for r in one.regions if r.label == "a"))

    source = project(both, only_a)
    fewer = replace(source, dataset=replace(source.dataset, labels=("a",)))
    removed = run(fewer, settings, oracle_trainer(0.5))
    assert not removed.promoted and "over the 1 common labels; gone: b" in removed.note
    added = replace(project(both), dataset=replace(project(both).dataset, labels=("a", "b", "새 것")))
    grown = run(added, settings, oracle_trainer(1.0))  # as good on a and b, and the old one can never find the third
    assert grown.promoted and "new: 새 것" in grown.note
    assert any("새 것" in one for one in grown.to_json()["warnings"])
    renamed = project(
        both, lambda one: replace(one, regions=tuple(replace(r, label=f"{r.label}!") for r in one.regions))
    )
    new = run(replace(renamed, dataset=replace(renamed.dataset, labels=("a!", "b!"))), settings, oracle_trainer(0.2))
    assert new.promoted and "no label in common" in new.note


def test_all_shapes_become_boxes_and_what_has_none_is_counted(tmp_path, settings):
    seen: list[Training] = []

    def shapes(one: Sample) -> Sample:
        mask = Mask(one.width, one.height, (0, one.height, one.width * one.height - one.height))
        extra = (
            Region("r", "너구리", RotatedBox(40, 40, 20, 10, 90)),
            Region("m", "너구리", mask),
            Region("k", "너구리", Keypoint(3, 3)),
            Region("x", "없는 것", RotatedBox(40, 40, 20, 10, 0)),
        )
        return replace(one, regions=extra)

    report = run(project(make_dataset(tmp_path / "p", range(8)), shapes), settings, constant_trainer(seen=seen))
    boxes = seen[0].train[0].boxes
    assert [tuple(round(v) for v in box) for box in boxes] == [(35, 30, 45, 50), (0, 0, 1, 96)]
    warnings = " ".join(report.to_json()["warnings"])
    assert "'없는 것' is no label" in warnings and "key points" in warnings and "one label only" in warnings


def test_what_cannot_be_learned_from_is_refused_with_what_is_missing(tmp_path, settings):
    few = project(make_dataset(tmp_path / "few", range(9)))
    with pytest.raises(LabelLoomError, match="of the 10 that are needed are missing") as error:
        run(few, settings)
    assert "label some more" in error.value.fix
    nothing = replace(few, dataset=replace(few.dataset, samples=()))
    with pytest.raises(LabelLoomError, match="no labelled image"):
        run(nothing, settings)
    with pytest.raises(UsageError, match="no labels"):
        run(replace(few, dataset=replace(few.dataset, labels=())), settings)
    with pytest.raises(UsageError, match="does not learn"):
        run(few, settings, detector="proxy")
    with pytest.raises(UsageError, match="no tags for whole images"):
        run(few, settings, detector="similar")
    with pytest.raises(UsageError, match="detector 'yolo' does not exist"):
        run(few, settings, detector="yolo")
    make_dataset(tmp_path / "few", range(9, 12))
    assert run(project(tmp_path / "few"), settings).promoted  # a refusal has settled nothing


def test_a_bad_image_is_left_out_with_its_reason(tmp_path, settings):
    folder = make_dataset(tmp_path / "p", range(20))
    (folder / "images" / "너구리 004.jpg").write_bytes(b"no picture")
    report = run(project(folder), settings)
    assert len(report.skipped) == 1 and "004" in report.skipped[0][0] and report.skipped[0][1]


def test_a_training_that_fails_is_cancelled_or_meets_a_full_disk_leaves_the_old_model_in_use(
    tmp_path, settings, monkeypatch
):
    source = project(make_dataset(tmp_path / "p", range(30)))
    engine = open_database(settings.database)
    good = run(source, settings, oracle_trainer(0.5))

    def fails(*_arguments):
        msg = "the loss is not a number"
        raise LabelLoomError(msg, fix="lower the rate")

    with pytest.raises(LabelLoomError, match="not a number"):
        run(source, settings, fails)

    class Stop:
        def update(self, phase, done, total=None):
            if phase == "training":
                raise Cancelled(phase)

    with pytest.raises(Cancelled):
        run(source, settings, progress=Stop())

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(flow, "write_atomic", full)
        with pytest.raises(LabelLoomError, match="No space left on device") as error:
            run(source, settings, oracle_trainer(1.0))
    assert "the model before it stays in use" in error.value.fix
    assert table.current_model(engine, PROJECT).version == good.version
    assert [row.version for row in table.list_models(engine)] == [good.version]
    assert run(source, settings, oracle_trainer(1.0)).version == "fewshot-p7-v2"


def test_a_run_goes_on_with_what_it_began_with_and_a_repeat_of_a_finished_one_does_nothing(tmp_path, settings):
    folder = make_dataset(tmp_path / "p", range(20))
    seen: list[Training] = []

    def dies(_kind, training, place, _tick):
        (place / "checkpoint").write_text("half")
        seen.append(training)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(project(folder), settings, dies, run="job1")
    make_dataset(folder, range(20, 30))  # annotators go on meanwhile

    def goes_on(kind, training, place, tick):
        assert (place / "checkpoint").read_text() == "half"
        seen.append(training)
        (place / "checkpoint").unlink()
        return oracle_trainer()(kind, training, place, tick)

    report = run(project(folder), settings, goes_on, run="job1")
    assert seen[0] == seen[1]

    def never(*_arguments):
        raise AssertionError

    again = run(project(folder), settings, never, run="job1")
    assert (again.version, again.promoted) == (report.version, True)
    assert len(table.history(open_database(settings.database), PROJECT)) == 1

    with pytest.raises(KeyboardInterrupt):
        run(project(folder), settings, dies, run="job2")

    def afresh(kind, training, place, tick):
        assert not (place / "checkpoint").exists()  # it learns from other images
        return oracle_trainer()(kind, training, place, tick)

    make_dataset(folder, range(30, 33))
    assert run(project(folder), settings, afresh, run="job3").version == "fewshot-p7-v2"


def test_a_run_that_dies_while_it_is_judged_does_not_train_again(tmp_path, settings):
    source = project(make_dataset(tmp_path / "p", range(20)))

    class Dies:
        def update(self, phase, done, total=None):
            if phase == "judging":
                raise KeyboardInterrupt

    def never(*_arguments):
        raise AssertionError

    with pytest.raises(KeyboardInterrupt):
        run(source, settings, progress=Dies(), run="job1")
    assert run(source, settings, never, run="job1").promoted
    with pytest.raises(KeyboardInterrupt):
        run(source, settings, progress=Dies(), seed=1)
    (settings.models_dir / "fewshot-p7-v2.partial" / "model.onnx").write_bytes(b"half")
    seen: list[Training] = []
    run(source, settings, constant_trainer(seen=seen), seed=1)
    assert len(seen) == 1


def test_the_number_of_a_removed_version_is_not_given_again(tmp_path, settings):
    source = project(make_dataset(tmp_path / "p", range(20)))
    engine = open_database(settings.database)
    run(source, settings)
    second = run(source, settings)
    assert models.remove(engine, settings, second.version)  # tasks in Label Studio may still hold its boxes
    assert run(source, settings).version == "fewshot-p7-v3"


def test_the_same_is_not_trained_twice_at_once(tmp_path, settings):
    source = project(make_dataset(tmp_path / "p", range(20)))

    def meets_another(*_arguments):
        with pytest.raises(Held, match="being trained by another"):
            run(source, settings)
        msg = "enough"
        raise LabelLoomError(msg)

    with pytest.raises(LabelLoomError, match="enough"):
        run(source, settings, meets_another)


def test_a_dataset_keeps_its_own_splits_and_its_model_goes_where_it_is_asked_to(tmp_path, settings):
    folder = make_dataset(tmp_path / "너구리 모음", range(12), split="train")
    make_dataset(folder, range(12, 17), split="val")
    seen: list[Training] = []
    out = tmp_path / "모델 하나"
    report = run(dataset_source(folder), settings, constant_trainer(seen=seen), out=out)
    assert (len(seen[0].train), len(seen[0].holdout)) == (12, 5)
    assert report.folder == out and check_files(out).version == report.version and not report.promoted
    with pytest.raises(UsageError, match="exists already"):
        run(dataset_source(folder), settings, out=out)
    assert table.get_model(open_database(settings.database), report.version).project is None


def test_a_model_of_tags_is_judged_by_how_many_images_get_the_right_one():
    def found(*tags):
        return Predicted(tags=tuple((Tag(label), score) for label, score in tags))

    truth = [Example("", "", 9, 9, tags=tags) for tags in (("고양이",), ("곰",), ("곰", "고양이"), ("곰",))]
    given = [found(("곰", 0.2), ("고양이", 0.8)), found(("고양이", 0.6)), found(("곰", 0.9)), found()]
    figures = tag_metrics(given, truth)
    assert (figures["ap"], figures["accuracy"], figures["answered"]) == (0.5, 2 / 3, 0.75)
    assert tag_metrics([], [])["ap"] is None
