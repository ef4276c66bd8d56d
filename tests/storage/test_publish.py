"""Datasets pushed and pulled: whole or not at all, whatever stops it and however often it is tried."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from emulator import KEY, SECRET
from typer.testing import CliRunner

from backend.cli import app
from backend.core.errors import Cancelled, LabelLoomError, UsageError, VerifyError
from backend.core.progress import Silent
from backend.core.recipe import parse_recipe
from backend.flows.augment import Options, run_build
from backend.flows.builder.model import Report
from backend.flows.publish import MARK, Moved, pull_dataset, push_dataset
from backend.formats.recognise import open_dataset
from backend.settings import Settings
from connectors.storage import Storage

RECIPE = {
    "name": "made",
    "variants": 1,
    "split": {"train": 0.7, "val": 0.3, "test": 0, "near_duplicates": "off"},
    "steps": [{"HorizontalFlip": {"p": 0.5}}, "RandomBrightnessContrast"],
    "output": {"formats": ["yolo", "voc"]},
}


def photographs(folder: Path, count: int) -> Path:
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 120, (48, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / "images" / f"사진{number}.png"), noise)
        (folder / "labels" / f"사진{number}.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    (folder / "data.yaml").write_text("train: images\nnames: ['cat']\n")
    return folder


def build(folder: Path, out: Path, settings: Settings, **recipe: Any) -> Report:
    opened = open_dataset(folder)
    options = Options(out=out, workers=1)
    request = options.request(opened, parse_recipe({**RECIPE, **recipe}), "the dataset p", settings)
    return run_build(request, settings, Silent())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("made")
    settings = Settings(data_dir=home / "data", cache_dir=home / "cache", storage=None, datasets_storage=None)
    return build(photographs(home / "p", 6), home / "out", settings).folder


@pytest.fixture(params=["folder", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "shared") if request.param == "folder" else request.getfixturevalue("bucket") + "/datasets"


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class Stop:
    """Stops at the nth report, as Ctrl-C does."""

    def __init__(self, after: int) -> None:
        self.after = after

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        if phase in {"sending files", "fetching files"} and done >= self.after:
            raise Cancelled("stopped")


def test_there_and_back_is_the_same_bytes(made: Path, url: str, tmp_path: Path) -> None:
    moved = push_dataset(made, url, Silent())
    assert moved.moved == moved.files == len(contents(made))
    assert push_dataset(made, url, Silent()).moved == 0
    back = pull_dataset("made", url, tmp_path / "back", Silent())
    assert back.certificate["ok"]
    assert contents(tmp_path / "back" / "made") == contents(made)
    assert back.moved < moved.files  # formats share their images again
    line = json.loads((made / "manifest.jsonl").read_text().splitlines()[0])
    first, second = (next((tmp_path / "back" / "made" / key).rglob(line["file"])) for key in ("yolo", "voc"))
    assert first.samefile(second)
    again = pull_dataset("made", url, tmp_path / "back", Silent())
    assert (again.moved, again.certificate) == (0, {})
    assert [path.name for path in (tmp_path / "back").iterdir()] == ["made"]


def test_half_a_push_is_never_taken_for_a_dataset_and_the_next_sends_the_rest(
    made: Path, url: str, tmp_path: Path
) -> None:
    with pytest.raises(Cancelled):
        push_dataset(made, url, Stop(3))
    place = Storage(f"{url}/made")
    sent = place.sizes()
    assert "dataset.json" not in sent and "manifest.jsonl" not in sent and len(sent) >= 4
    with pytest.raises(UsageError, match="not whole"):
        pull_dataset("made", url, tmp_path / "back", Silent())
    moved = push_dataset(made, url, Silent())
    assert moved.moved == moved.files - (len(sent) - 1)  # the mark is no file of it
    assert place.size(MARK) is None
    assert set(place.sizes()) == set(contents(made))


def test_half_a_pull_goes_on(made: Path, url: str, tmp_path: Path) -> None:
    push_dataset(made, url, Silent())
    with pytest.raises(Cancelled):
        pull_dataset("made", url, tmp_path, Stop(3))
    assert not (tmp_path / "made").exists()
    whole = pull_dataset("made", url, tmp_path / "other", Silent()).moved
    assert 0 < pull_dataset("made", url, tmp_path, Silent()).moved < whole
    assert contents(tmp_path / "made") == contents(made)


@pytest.mark.parametrize("kind", ["image", "label"])
def test_damage_on_the_way_is_found_and_fetched_again(made: Path, tmp_path: Path, kind: str) -> None:
    url = str(tmp_path / "shared")
    push_dataset(made, url, Silent())
    pattern = "yolo/images/train/*" if kind == "image" else "yolo/labels/train/*.txt"
    victim = next((tmp_path / "shared" / "made").glob(pattern))
    right = victim.read_bytes()
    victim.write_bytes(bytes([right[0] ^ 1]) + right[1:])  # of the same size
    with pytest.raises(VerifyError, match=victim.stem if kind == "image" else "yolo|cat|class|label"):
        pull_dataset("made", url, tmp_path / "back", Silent())
    assert not (tmp_path / "back" / "made").exists()
    victim.write_bytes(right)
    pull_dataset("made", url, tmp_path / "back", Silent())
    assert contents(tmp_path / "back" / "made") == contents(made)


def test_a_damaged_dataset_is_not_sent(made: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(made, tmp_path / "made")
    next((copy / "voc" / "Annotations").glob("*.xml")).unlink()
    with pytest.raises(VerifyError, match="not sent"):
        push_dataset(copy, str(tmp_path / "shared"), Silent())
    assert not (tmp_path / "shared").exists()


def test_another_dataset_of_that_name_is_only_replaced_when_asked(made: Path, url: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")
    other = build(photographs(tmp_path / "p", 4), tmp_path / "out", settings).folder
    push_dataset(made, url, Silent())
    with pytest.raises(UsageError, match="another dataset"):
        push_dataset(other, url, Silent())
    pull_dataset("made", url, tmp_path / "back", Silent())
    with pytest.raises(Cancelled):
        push_dataset(other, url, Stop(2), overwrite=True)
    with pytest.raises(UsageError, match="unfinished push of another"):
        push_dataset(made, url, Silent())
    push_dataset(other, url, Silent())
    assert set(Storage(f"{url}/made").sizes()) == set(contents(other))
    with pytest.raises(UsageError, match="something else"):
        pull_dataset("made", url, tmp_path / "back", Silent())
    pull_dataset("made", url, tmp_path / "back", Silent(), overwrite=True)
    assert contents(tmp_path / "back" / "made") == contents(other)


def test_names_that_lead_elsewhere_are_refused(made: Path, bucket: str, tmp_path: Path) -> None:
    for name in ("../made", "a/b", "..", ".hidden", ""):
        with pytest.raises(UsageError, match="not the name"):
            pull_dataset(name, bucket, tmp_path, Silent())
    with pytest.raises(UsageError, match="no dataset at"):
        pull_dataset("nothing", bucket, tmp_path, Silent())
    push_dataset(made, bucket, Silent())
    Storage(bucket).write("made/yolo/../../../evil", b"evil")
    with pytest.raises(VerifyError, match="leads out"):
        pull_dataset("made", bucket, tmp_path / "back", Silent())
    assert not list(tmp_path.rglob("evil"))


@pytest.fixture
def automatic(tmp_path: Path) -> Iterator[Settings]:
    folders = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
    yield Settings(datasets_storage=str(tmp_path / "all"), **folders)


def test_every_finished_dataset_is_pushed_and_a_failure_costs_nothing(tmp_path: Path, automatic: Settings) -> None:
    source = photographs(tmp_path / "p", 3)
    (tmp_path / "all").write_text("a file where a folder should be")
    report = build(source, tmp_path / "out", automatic)
    assert (report.state, report.exit_code) == ("built", 3)
    assert report.folder.exists() and "not pushed" in report.warnings[-1]
    (tmp_path / "all").unlink()
    again = build(source, tmp_path / "out", automatic)
    assert (again.state, again.exit_code, again.warnings) == ("unchanged", 0, [])
    assert contents(tmp_path / "all" / "made") == contents(report.folder)
    assert build(source, tmp_path / "out", automatic).exit_code == 0


def test_a_protocol_nobody_speaks_is_a_warning_after_a_build(tmp_path: Path, automatic: Settings) -> None:
    settings = automatic.model_copy(update={"datasets_storage": "nothing://x"})
    report = build(photographs(tmp_path / "p", 3), tmp_path / "out", settings)
    assert report.exit_code == 3 and "no protocol" in report.unsent
    with pytest.raises(LabelLoomError, match="no protocol"):
        push_dataset(report.folder, "nothing://x", Silent())


def test_what_a_push_did_is_plain(made: Path, tmp_path: Path) -> None:
    moved = push_dataset(made, str(tmp_path / "s"), Silent())
    size = sum(len(data) for data in contents(made).values())
    assert moved == Moved(str(tmp_path / "s" / "made"), moved.files, size, moved.files, moved.certificate)


def test_the_commands(made: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELLOOM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LABELLOOM_DATASETS_STORAGE", bucket)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    def labelloom(*arguments: str, code: int = 0) -> dict[str, Any]:
        result = CliRunner().invoke(app, ["datasets", *arguments, "--json"])
        assert result.exit_code == code, result.output
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    sent = labelloom("push", str(made))
    assert (sent["out"], sent["counts"]["sent"]) == (f"{bucket}/made", sent["counts"]["files"])
    fetched = labelloom("pull", "made")
    assert fetched["certificate"]["ok"] and fetched["out"] == str(tmp_path / "data" / "datasets" / "made")
    assert [row["name"] for row in labelloom("list")["datasets"]] == ["made"]
    assert labelloom("pull", "made")["counts"]["fetched"] == 0
    assert labelloom("diff", "made", str(made))["equal"]
    checks = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)["checks"]
    assert [check["ok"] for check in checks if check["name"] == "datasets storage"] == [True]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    gone = labelloom("pull", "made", "--out", str(tmp_path), code=1)
    assert "cannot be reached" in gone["error"] and "AWS_ENDPOINT_URL" in gone["fix"]
    logs = "".join(path.read_text() for path in (tmp_path / "data" / "logs").iterdir())
    assert "cannot be reached" in logs and SECRET not in logs + str(gone) and KEY not in logs + str(gone)
