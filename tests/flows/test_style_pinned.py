"""Styles by content: what happens to pictures, copies and names around a run; and real photographs painted."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import RecipeError, UsageError
from backend.core.progress import Silent
from backend.core.recipe import parse_recipe
from backend.flows.augment import Options, run_build
from backend.flows.rebuild import verify_rebuild
from backend.flows.style.library import cached
from backend.formats.recognise import open_dataset
from backend.imaging.encode import encode
from backend.settings import Settings
from backend.style.compact import Compact
from tests.flows.style_parts import lines, recipe, run, tree, write_styles
from tests.flows.test_build import make_yolo
from tests.style_pictures import noise


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    return write_styles(tmp_path / "화풍 styles")


def test_a_picture_saved_over_later_changes_neither_runs_nor_rebuilds(
    tmp_path: Path, settings: Settings, styles: Path
) -> None:
    source = make_yolo(tmp_path / "in", 3)
    report = run(source, tmp_path / "out", settings, recipe(styles))
    for path in styles.iterdir():
        with path.open("r+b") as file:  # the same file, as most programs save
            file.truncate()
            file.write(encode(noise(32, 32, 99), "png"))
    assert verify_rebuild(report.folder / "manifest.jsonl", None, 1, (settings, Silent())) == []


def test_names_are_kept_for_people(tmp_path: Path, settings: Settings, styles: Path) -> None:
    source = make_yolo(tmp_path / "in", 2)
    report = run(source, tmp_path / "out", settings, recipe(styles, styles=[str(styles), "made/glass"]))
    names = json.loads((report.folder / "dataset.json").read_text(encoding="utf-8"))["styles"]
    assert list(names.values()) == ["0.png", "1.png", "2.png", "made/glass"]
    assert f"- made/glass: {list(names)[3]}" in (report.folder / "README.md").read_text(encoding="utf-8")
    assert all(line["style"]["sha256"] in names for line in lines(report.folder) if line["style"])
    plain = parse_recipe({"name": "plain", "variants": 0, "output": {"formats": ["yolo"]}})
    without = run(source, tmp_path / "out", settings, plain)
    assert "styles" not in json.loads((without.folder / "dataset.json").read_text(encoding="utf-8"))


def test_a_dry_run_paints_too(tmp_path: Path, settings: Settings, styles: Path) -> None:
    request = Options(out=tmp_path / "out", workers=1).request(
        open_dataset(make_yolo(tmp_path / "in", 2)), recipe(styles), "a test", settings
    )
    report = run_build(request, settings, Silent(), dry_run=True)
    assert (report.state, report.images) == ("planned", 6)
    assert report.estimate["bytes"] > 0


def test_a_copy_that_was_damaged_costs_its_variants_and_is_mended_by_the_next_run(
    tmp_path: Path, settings: Settings, styles: Path
) -> None:
    source = open_dataset(make_yolo(tmp_path / "in", 2))
    request = Options(out=tmp_path / "out", workers=1).request(source, recipe(styles), "a test", settings)
    copies = [cached(one.removeprefix("sha256:"), settings) for one in request.recipe.steps[0].params["styles"]]
    copies[0].write_bytes(b"other bytes")
    copies[1].unlink()
    report = run_build(request, settings, Silent())
    assert report.images == 2 + report.variants
    assert report.variants + len(report.gave_up) == 4
    for one in report.gave_up:
        assert one.reason.startswith("the style ") and "its copy in the cache" in one.reason
        assert str(tmp_path) not in one.reason
    with pytest.raises(UsageError, match=r"is not there any more|is damaged in the cache"):
        verify_rebuild(report.folder / "manifest.jsonl", None, 1, (settings, Silent()))
    again = run(tmp_path / "in", tmp_path / "again", settings, recipe(styles))
    assert (again.variants, again.gave_up) == (4, [])


def test_preprocessing_paints_every_image_and_leaves_nothing_to_chance(
    tmp_path: Path, settings: Settings, styles: Path
) -> None:
    def before(**step: Any) -> Any:
        part = [{"HorizontalFlip": {}}, {"Style": {"styles": [str(styles / "0.png")]} | step}]
        return parse_recipe({"name": "all", "variants": 0, "preprocess": part, "output": {"formats": ["yolo"]}})

    report = run(make_yolo(tmp_path / "in", 3), tmp_path / "out", settings, before())
    assert len({str(line["style"]) for line in lines(report.folder)} - {"None"}) == 1
    assert all(line["style"] for line in lines(report.folder))
    for step in ({"alpha": [0.2, 0.4]}, {"styles": [str(styles)]}):  # a folder shows what it holds when it is pinned
        with pytest.raises(RecipeError, match="preprocess 2 Style: draws at random"):
            run(tmp_path / "in", tmp_path / "none", settings, before(**step))


def test_validation_names_what_is_not_there_and_loads_no_engine(tmp_path: Path, settings: Settings) -> None:
    script = tmp_path / "validate.py"
    given = [str(tmp_path / "사라진.jpg"), "made/impasto", "made/none", "sha256:" + "0" * 64, "x" * 5000]
    script.write_text(
        "import sys\n"
        "from backend.core.errors import RecipeError\n"
        "from backend.core.recipe import parse_recipe\n"
        "from backend.flows.recipes import check_with_styles\n"
        "from backend.settings import Settings\n"
        f"recipe = parse_recipe({{'variants': 1, 'steps': [{{'Style': {{'styles': {given!r}}}}}]}})\n"
        "try:\n"
        f"    check_with_styles(recipe, Settings(data_dir={str(tmp_path)!r}, cache_dir={str(tmp_path)!r}))\n"
        "except RecipeError as error:\n"
        "    print(*error.problems, sep='\\n')\n"
        "print([name for name in ('onnxruntime', 'torch') if name in sys.modules])\n",
        encoding="utf-8",
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"}
    answer = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True)
    *problems, loaded = answer.stdout.splitlines()
    assert [one.split(": styles: there is no style ")[0] for one in problems] == ["step 1 Style"] * 4
    assert "사라진.jpg" in problems[0] and "made/none" in problems[1]
    assert loaded == "[]"


def test_another_engine_is_named_by_a_rebuild(
    tmp_path: Path, settings: Settings, styles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = run(make_yolo(tmp_path / "in", 1), tmp_path / "out", settings, recipe(styles))
    init = Compact.__init__

    def other(self: Compact, *given: Any) -> None:
        init(self, *given)
        self.version = "another"

    monkeypatch.setattr(Compact, "__init__", other)
    found = verify_rebuild(report.folder / "manifest.jsonl", None, 1, (settings, Silent()))
    assert any(one.startswith("painted by compact ") and one.endswith("rebuilt with compact another") for one in found)


def test_raccoons_are_painted_where_they_are(tmp_path: Path, settings: Settings, styles: Path, data_dir: Path) -> None:
    """Real photographs: the boxes of variants are the originals', and two workers make what one does."""
    document = recipe(styles, p=0.7)
    small = tmp_path / "raccoons"
    (small / "images").mkdir(parents=True)
    (small / "annotations").mkdir()
    for label in sorted((data_dir / "raccoon").rglob("*.xml"))[:3]:
        (picture,) = (data_dir / "raccoon").rglob(f"{label.stem}.jpg")
        shutil.copy(label, small / "annotations" / label.name)
        shutil.copy(picture, small / "images" / picture.name)
    one = run(small, tmp_path / "one", settings, document)
    two = run(small, tmp_path / "two", settings, document, workers=2)
    assert tree(one.folder) == tree(two.folder)
    found = lines(one.folder)
    boxes = {line["source"]["sha256"]: line["regions"] for line in found if line["variant"] == 0}
    assert len(boxes) == 3
    assert all(line["regions"] == boxes[line["source"]["sha256"]] for line in found)
    assert all(bool(line["style"]) == bool(line["steps"]) for line in found)
    shutil.rmtree(styles)
    assert verify_rebuild(one.folder / "manifest.jsonl", None, 1, (settings, Silent())) == []


@pytest.mark.slow
def test_kill_9_while_it_paints_then_resume(tmp_path: Path, settings: Settings, styles: Path) -> None:
    source, document = make_yolo(tmp_path / "in", 80), recipe(styles)
    file = tmp_path / "r.json"
    file.write_text(document.model_dump_json(), encoding="utf-8")
    places = {"LABELLOOM_DATA_DIR": str(settings.data_dir), "LABELLOOM_CACHE_DIR": str(settings.cache_dir)}
    labelloom = Path(sys.executable).with_name("labelloom")
    command = [labelloom, "augment", source, "--recipe", file, "--out", tmp_path / "out"]
    done = tmp_path / "out" / "painted.partial" / ".work" / "done"
    process = subprocess.Popen([*command, "--workers", "2"], env={**os.environ, **places}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(done.glob("*.jsonl")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (tmp_path / "out" / "painted").exists(), "the kill must land in the middle"
    assert list(done.glob("*.jsonl"))
    again = run(source, tmp_path / "out", settings, document)
    calm = run(source, tmp_path / "calm", settings, document, workers=2)
    assert tree(again.folder) == tree(calm.folder)
