"""`Style` in recipes: nothing moves, styles are pinned by content, and a run can be told and made again."""

import hashlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.core.errors import RecipeError, UsageError
from backend.core.progress import Silent
from backend.core.recipe import parse_recipe
from backend.flows.augment import Options
from backend.flows.preview import PreviewSize, preview_sheet
from backend.flows.rebuild import verify_rebuild
from backend.flows.recipes import check_recipe
from backend.flows.style.pinned import check_served
from backend.flows.style.step import extra_steps
from backend.flows.style.stylize import Look, stylize
from backend.formats.recognise import open_dataset
from backend.imaging.encode import encode
from backend.settings import Settings
from tests.flows.style_parts import lines, recipe, run, tree, write_styles
from tests.flows.test_build import make_yolo
from tests.style_pictures import noise


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    return write_styles(tmp_path / "화풍 styles")


def test_it_moves_nothing_and_says_what_it_did(tmp_path: Path, settings: Settings, styles: Path) -> None:
    report = run(make_yolo(tmp_path / "in", 4), tmp_path / "out", settings, recipe(styles))
    known = {hashlib.sha256(path.read_bytes()).hexdigest() for path in styles.iterdir()}
    for line in lines(report.folder):
        shapes = [region["shape"] for region in line["regions"]]
        assert shapes == [region["shape"] for region in line["source"]["regions"]]
        if line["variant"]:
            assert line["style"]["sha256"] in known
            assert 0.4 <= line["style"]["alpha"] <= 0.9
            assert line["style"]["engine"] == "compact"
            assert line["steps"][0]["params"]["detail"] == 1
        else:
            assert line["style"] is None
    assert report.certificate["ok"]
    document = json.loads((report.folder / "dataset.json").read_text(encoding="utf-8"))
    assert str(styles) not in json.dumps(document)
    assert len(document["recipe"]["steps"][0]["Style"]["styles"]) == 3


def test_it_is_the_same_however_it_is_run_and_wherever_the_styles_lie(
    tmp_path: Path, settings: Settings, styles: Path
) -> None:
    source = make_yolo(tmp_path / "in", 10)
    one = run(source, tmp_path / "one", settings, recipe(styles))
    moved = tmp_path / "elsewhere"
    shutil.move(styles, moved)
    two = run(source, tmp_path / "two", settings, recipe(moved), workers=2)
    assert tree(one.folder) == tree(two.folder)
    shutil.rmtree(moved)
    assert verify_rebuild(one.folder / "manifest.jsonl", None, 1, (settings, Silent())) == []


def test_a_style_that_is_gone_stops_it_before_anything_is_written(
    tmp_path: Path, settings: Settings, styles: Path
) -> None:
    source = make_yolo(tmp_path / "in", 3)
    sheet = tmp_path / "sheet.png"
    preview_sheet(open_dataset(source), recipe(styles), sheet, PreviewSize(1, 1), (settings, Silent()))
    assert sheet.stat().st_size > 1000
    shutil.rmtree(styles)
    with pytest.raises(UsageError, match="there is no style"):
        run(source, tmp_path / "out", settings, recipe(styles))
    assert not (tmp_path / "out").exists()


def test_a_broken_style_is_left_out_and_told(tmp_path: Path, settings: Settings, styles: Path) -> None:
    (styles / "broken.jpg").write_bytes(b"\xff\xd8\xff cut short")
    report = run(make_yolo(tmp_path / "in", 2), tmp_path / "out", settings, recipe(styles))
    assert any("broken.jpg was left out" in warning for warning in report.warnings)
    for path in styles.glob("*.png"):
        path.unlink()
    with pytest.raises(UsageError, match="no style can be used"):
        run(make_yolo(tmp_path / "more", 2), tmp_path / "none", settings, recipe(styles))


def test_objects_can_be_kept(settings: Settings, styles: Path, tmp_path: Path) -> None:
    """With `alpha_objects: 0` the pixels well inside a box stay as they are, those outside do not."""
    source = make_yolo(tmp_path / "in", 3)
    document = recipe(styles, alpha=0.9, alpha_objects=0, feather=2)
    lossless = parse_recipe(
        document.model_dump(mode="json") | {"output": {"formats": ["yolo"], "image": {"format": "png"}}}
    )
    report = run(source, tmp_path / "out", settings, lossless)
    looked = 0
    for line in lines(report.folder):
        if line["variant"]:
            (place,) = report.folder.rglob(f"images/**/{line['file']}")
            painted, plain = cv2.imread(str(place)), cv2.imread(str(source / "images" / f"{line['file'][:4]}.jpg"))
            x0, y0, x1, y1 = (round(v) for v in line["regions"][0]["shape"]["xyxy"])
            inside = (slice(y0 + 6, y1 - 6), slice(x0 + 6, x1 - 6))
            assert np.abs(painted[inside].astype(int) - plain[inside]).max() <= 2
            assert np.abs(painted[:8].astype(int) - plain[:8]).mean() > 3
            looked += 1
    assert looked


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ({"styles": []}, "styles: give a list"),
        ({"styles": "monet.jpg"}, "styles: give a list"),
        ({"alpha": 1.5}, "alpha: give a number from 0 to 1"),
        ({"alpha": [0.9, 0.1]}, "alpha: give a number"),
        ({"alpha": float("nan")}, "alpha: give a number"),
        ({"alpha": None}, "alpha: give a number"),
        ({"engine": "van-gogh"}, "engine: there is no 'van-gogh'"),
        ({"engine": ["compact"]}, "engine: there is no"),
        ({"p": "often"}, "p: must be a number from 0 to 1"),
        ({"stlyes": ["x"]}, "did you mean 'styles'"),
        ({"detail": True}, "detail: give a number"),
        ({"keep_color": "yes"}, "keep_color: give true or false"),
        ({"feather": -1}, "feather: give a number of pixels"),
        ({"p": 2}, "p:"),
    ],
)
def test_what_is_wrong_is_named_by_step_and_parameter(styles: Path, step: dict, problem: str) -> None:
    with pytest.raises(RecipeError) as caught:
        check_recipe(recipe(styles, **step))
    assert any(one.startswith("step 1 Style: ") and problem in one for one in caught.value.problems)


def test_missing_weights_are_told_before_the_run(tmp_path: Path, settings: Settings, styles: Path) -> None:
    with pytest.raises(UsageError, match=r"vgg_normalised\.pth"):
        run(make_yolo(tmp_path / "in", 2), tmp_path / "out", settings, recipe(styles, engine="vgg"))
    assert not (tmp_path / "out").exists()


def test_over_http_only_the_library_is_named(settings: Settings, styles: Path) -> None:
    fine = recipe(styles, styles=["made/ink", "sha256:" + "0" * 64])
    assert check_served(fine, settings) is fine
    for spec in (str(styles), "/etc/passwd", "../data", "labelloom.db"):
        with pytest.raises(UsageError, match="no style of the library"):
            check_served(recipe(styles, styles=[spec]), settings)


def test_plain_pictures_become_a_plain_set_and_bad_ones_are_told(
    tmp_path: Path, settings: Settings, styles: Path
) -> None:
    """One folder with files and folders of every kind: grey, tiny, thin, broken."""
    folder = tmp_path / "사진"
    folder.mkdir()
    for name, size in (("one", (1, 1)), ("thin", (1, 200)), ("plain", (50, 60))):
        (folder / f"{name}.png").write_bytes(encode(noise(*size), "png"))
    cv2.imwrite(str(folder / "grey.png"), noise(40, 40)[..., 0])
    (folder / "broken.jpg").write_bytes(b"no picture")
    look = Look((str(styles), "made/ink"), alpha=(0.5, 1.0), variants=2, seed=5)
    options, image = Options(out=tmp_path / "out", workers=1), {"format": "png"}
    report = stylize([folder], look, options, image, (settings, Silent()))
    assert (report.images, report.variants) == (8, 8)
    assert [Path(one.item).name for one in report.skipped] == ["broken.jpg"]
    made = tree(report.folder)
    assert stylize([folder], look, options, image, (settings, Silent())).state == "unchanged"
    assert tree(report.folder) == made
    with pytest.raises(UsageError, match="there is no content"):
        stylize([tmp_path / "nowhere"], look, options, image, (settings, Silent()))


def test_files_and_folders_are_gathered_once_each(tmp_path: Path, settings: Settings, styles: Path) -> None:
    picture = next(styles.iterdir())
    report = stylize(
        [picture, styles], Look(("made/ink",)), Options(out=tmp_path / "out", workers=1), {}, (settings, Silent())
    )
    assert report.images == 3


def test_the_table_of_steps_is_one(settings: Settings) -> None:
    from backend.flows.steps import describe_steps, offered_steps

    assert set(extra_steps()) == {"Style"}
    assert "Style" in {step.name for step in offered_steps()}
    text, entries = describe_steps("Style")
    assert entries[0]["name"] == "Style"
    assert any("alpha" in line for line in text)
    assert "  styles: a list of texts (required)" in [line.split(" (default")[0] for line in text]
