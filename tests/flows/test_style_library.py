"""What a style's name means, and what the library takes."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from backend.core.errors import UsageError
from backend.core.model import Skipped
from backend.flows.style.library import add_bytes, add_style, find_styles, own_styles, remove_style
from backend.flows.style.pinned import check_library
from backend.imaging.encode import encode
from backend.settings import Settings


def picture(value: int, height: int = 20, width: int = 30) -> bytes:
    return encode(np.full((height, width, 3), value, np.uint8), "png")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


def test_a_style_is_a_file_a_folder_a_name_or_a_sha(settings, tmp_path):
    folder = tmp_path / "그림" / "속"
    folder.mkdir(parents=True)
    for value in (1, 2):
        (folder / f"유화 {value}.png").write_bytes(picture(value))
    (folder / "again.png").write_bytes(picture(1))
    added = add_style(folder / "유화 1.png", "mine", settings)
    assert [one.name for one in find_styles(["mine"], settings)] == ["mine"]
    assert [one.sha256 for one in find_styles([f"sha256:{added.sha256}"], settings)] == [added.sha256]
    assert len(find_styles([str(tmp_path / "그림")], settings)) == 2, "each content once"
    assert len(find_styles([str(folder / "유화 2.png"), "mine", "made/sepia"], settings)) == 3
    assert len(find_styles(["made"], settings)) == 12
    assert find_styles(["made/ink"], settings) == find_styles(["made/ink"], settings)


def test_what_cannot_be_read_is_told_and_nothing_left_is_an_error(settings, data_dir, tmp_path):
    skipped: list[Skipped] = []
    found = find_styles([str(data_dir / "edge")], settings, skipped)
    bad = {path.name for path in (data_dir / "edge").glob("bad_*")}
    assert {Path(one.item).name for one in skipped} == bad and all(one.reason for one in skipped)
    assert {"cmyk.jpg", "gray16.png", "rgba.png", "one_pixel.png", "thin_1x500.png"} <= {one.name for one in found}
    with pytest.raises(UsageError, match="truncated"):
        find_styles([str(data_dir / "edge/bad_truncated.jpg")], settings)
    (tmp_path / "empty").mkdir()
    for specs in ([], [str(tmp_path / "empty")], ["monet"], ["made/nothing"], ["sha256:" + "0" * 64], ["sha256:../x"]):
        with pytest.raises(UsageError, match="style"):
            find_styles(specs, settings)


@pytest.mark.parametrize(
    "name", ["", ".hidden", "a/b", "..", "a\\b", "made", "sha256:x", "x" * 101, "가" * 81, "a\x00"]
)
def test_unusable_names_are_refused(settings, name):
    with pytest.raises(UsageError, match="cannot be a style's name"):
        add_bytes(picture(1), name, settings)
    assert not list(own_styles(settings))


def test_adding_again_changes_nothing_and_another_picture_is_refused(settings):
    first = add_bytes(picture(1), unicodedata.normalize("NFD", "수련"), settings)
    assert first.name == "수련" and add_bytes(picture(1), "수련", settings) == first
    with pytest.raises(UsageError, match="already"):
        add_bytes(picture(2), "수련", settings)
    assert remove_style("수련", settings) == first.path and not first.path.exists()
    for name in ("수련", "made/ink", "../labelloom"):
        with pytest.raises(UsageError):
            remove_style(name, settings)


def test_from_outside_only_names_of_the_library_are_taken(settings, tmp_path, monkeypatch):
    (tmp_path / "secret.png").write_bytes(picture(1))
    add_bytes(picture(2), "mine", settings)
    monkeypatch.chdir(tmp_path)
    check_library(["mine", "made", "made/ink", "sha256:" + "0" * 64], settings)
    for spec in ("secret.png", "~/x.png", str(tmp_path / "secret.png"), "styles/mine.png", ".", "made/../x"):
        with pytest.raises(UsageError, match="no style of the library"):
            check_library([spec], settings)


def test_many_styles_with_few_contents_are_few(settings, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}.png").write_bytes(picture(number % 250, 1, 1 + number // 250))
    for number in range(1_700):
        (folder / f"copy {number}.png").hardlink_to(folder / "7.png")
    found = find_styles([str(folder)], settings)
    assert len(found) == 300
