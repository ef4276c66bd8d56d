"""Pictures painted in styles: whatever they are, nothing lost, nothing moved, and the same each time."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.core.errors import Cancelled, RecipeError, UsageError
from backend.core.progress import Silent
from backend.flows.augment import Options
from backend.flows.job_base import Tools
from backend.flows.job_kinds import KINDS
from backend.flows.style.sheets import matrix, sweep
from backend.flows.style.stylize import Look, stylize
from backend.imaging.decode import decode
from backend.imaging.encode import encode
from backend.settings import Settings

PNG = {"format": "png", "quality": 95}
ODD = ("gray8.png", "gray16.png", "cmyk.jpg", "rgba.png", "one_pixel.png", "thin_1x500.png", "palette.gif")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


def pictures(folder: Path, count: int, side: int = 24) -> Path:
    folder.mkdir(parents=True)
    dice = np.random.default_rng(count)
    for number in range(count):
        rgb = dice.integers(0, 256, (side, side + number % 3, 3)).astype(np.uint8)
        (folder / f"사진 {number}.png").write_bytes(encode(rgb, "png"))
    return folder


def painted(contents: list[Path], look: Look, out: Path, settings: Settings, progress: Any = None) -> Any:
    options = Options(out, "painted", workers=1)
    return stylize(contents, look, options, PNG, (settings, progress or Silent()))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.suffix in {".png", ".jsonl"}}


def test_odd_pictures_are_painted_in_their_size_and_broken_ones_are_told(settings, data_dir, tmp_path):
    edge = data_dir / "edge"
    contents = [edge / name for name in (*ODD, "exif_orientation_6.jpg", "bad_truncated.jpg")]
    report = painted(contents, Look(("made/impasto",), alpha=1.0), tmp_path / "out", settings)
    assert report.exit_code == 3 and ["truncated" in one.reason for one in report.skipped] == [True]
    found = lines(report.folder)
    assert len(found) == len(ODD) + 1
    for line in found:
        assert (line["style"]["alpha"], line["style"]["engine"]) == (1.0, "compact")
    files = {path.stem: path for path in report.folder.rglob("*.png")}
    for name in (*ODD, "exif_orientation_6.jpg"):
        (mine,) = [path for stem, path in files.items() if stem.startswith(Path(name).stem)]
        before = decode((edge / name).read_bytes()).rgb
        assert decode(mine.read_bytes()).rgb.shape == before.shape, name


@pytest.mark.parametrize("style", ["one_pixel.png", "thin_1x500.png", "gray16.png", "cmyk.jpg", "flat"])
def test_odd_styles_paint_without_making_noise_of_nothing(settings, data_dir, tmp_path, style):
    path = data_dir / "edge" / style
    if style == "flat":
        path = tmp_path / "flat.png"
        path.write_bytes(encode(np.full((40, 40, 3), 90, np.uint8), "png"))
    report = painted([pictures(tmp_path / "in", 1)], Look((str(path),), alpha=1.0), tmp_path / "out", settings)
    (made,) = report.folder.rglob("*.png")
    assert decode(made.read_bytes()).rgb.shape == (24, 24, 3) and report.exit_code == 0


def test_alpha_nought_gives_the_content_back(settings, tmp_path):
    source = pictures(tmp_path / "in", 1)
    report = painted([source], Look(("made/neon",), alpha=0.0), tmp_path / "out", settings)
    (made,), (given,) = report.folder.rglob("*.png"), source.iterdir()
    assert np.array_equal(decode(made.read_bytes()).rgb, decode(given.read_bytes()).rgb)


@pytest.mark.parametrize("field", [{"alpha": 1.2}, {"alpha": -0.1}, {"alpha": (0.8, 0.2)}, {"detail": 2.0}])
def test_numbers_out_of_range_are_refused_before_anything_is_written(settings, tmp_path, field):
    with pytest.raises(RecipeError):
        painted([pictures(tmp_path / "in", 1)], Look(("made/ink",), **field), tmp_path / "out", settings)
    assert not (tmp_path / "out/painted").exists()


def test_no_styles_unknown_ones_and_no_contents_are_refused(settings, tmp_path):
    source = pictures(tmp_path / "in", 1)
    with pytest.raises((UsageError, RecipeError), match="style"):
        painted([source], Look(()), tmp_path / "out", settings)
    with pytest.raises(UsageError, match="there is no style 'monet'"):
        painted([source], Look(("monet",)), tmp_path / "out", settings)
    with pytest.raises(UsageError, match="there is no content"):
        painted([tmp_path / "nowhere"], Look(("made/ink",)), tmp_path / "out", settings)


class Stops(Silent):
    """Cancels the work at its first finished items."""

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        if done and phase != "reading":
            raise Cancelled(phase)


def test_cancelled_and_gone_on_with_it_is_the_same_even_if_the_style_was_deleted(settings, tmp_path):
    source, style = pictures(tmp_path / "in", 80), tmp_path / "style.png"
    style.write_bytes(encode(np.random.default_rng(3).integers(0, 256, (64, 64, 3)).astype(np.uint8), "png"))
    look = Look((str(style), "made/ink"), alpha=(0.2, 0.9), seed=4)
    whole = painted([source], look, tmp_path / "whole", settings)
    with pytest.raises(Cancelled):
        painted([source], look, tmp_path / "out", settings, Stops())
    again = painted([source], look, tmp_path / "out", settings)
    assert tree(again.folder) == tree(whole.folder) and len(lines(again.folder)) == 80
    assert len({line["style"]["sha256"] for line in lines(again.folder)}) == 2
    assert len({line["style"]["alpha"] for line in lines(again.folder)}) > 60
    before = tree(again.folder)
    assert painted([source], look, tmp_path / "out", settings).state == "unchanged"
    assert tree(again.folder) == before
    style.unlink()
    with pytest.raises(UsageError, match="there is no style"):
        painted([source], replace(look, seed=5), tmp_path / "other", settings)


def test_files_of_one_name_from_several_folders_do_not_collide(settings, tmp_path):
    folders = [pictures(tmp_path / name, 2, side) for name, side in (("a", 20), ("b", 21))]
    report = painted(folders, Look(("made/ink",)), tmp_path / "out", settings)
    assert len({line["file"] for line in lines(report.folder)}) == 4


def test_sheets_show_strengths_and_styles(settings, tmp_path):
    source, tools = pictures(tmp_path / "in", 2), (settings, Silent())
    assert sweep(next(source.iterdir()), Look(("made/ink",)), tmp_path / "sweep.png", tools) == []
    assert matrix([source], Look(("made/ink", "made/wash")), tmp_path / "matrix.jpg", tools) == []
    wide, tall = (decode((tmp_path / name).read_bytes()).rgb.shape for name in ("sweep.png", "matrix.jpg"))
    assert wide[1] > wide[0] and min(*wide[:2], *tall[:2]) > 200
    with pytest.raises(UsageError, match="cannot write"):
        sweep(source, Look(("made/ink",)), tmp_path / "sweep.txt", tools)


@pytest.mark.parametrize("kind", ["sweep", "matrix"])
def test_the_sheet_job_draws(settings, kind):
    pictures(settings.datasets_dir / "plain", 2)
    job = KINDS["style-sheet"]
    params = job.parse({"dataset": "plain", "styles": ["made/ink"], "kind": kind})
    result = job.run(params, Tools(settings, Silent(), "j1", lambda: None))  # type: ignore[arg-type, return-value]
    assert result["sheet"] == "j1.jpg" and (settings.sheets_dir / "j1.jpg").is_file()
