"""The gates measure what they say, and the shipped engine passes them where colours alone do not."""

from pathlib import Path

import numpy as np
import pytest

from backend.core.progress import Silent
from backend.flows.style.check import check_engine
from backend.style.base import Json, Rgb, Runtime, StyleCode
from backend.style.compact import SHIPPED, open_engine
from backend.style.gates import edge_correlation, match_colours, psnr, remaining, shift
from backend.style.train.data import find, split
from tests.style_pictures import noise


def test_a_moved_picture_is_found_out() -> None:
    image = noise(256, 256)
    for dx, dy in ((0, 0), (3, 0), (0, 2), (-4, 3)):
        moved = np.roll(image, (dy, dx), axis=(0, 1))
        assert shift(image, moved) == pytest.approx(np.hypot(dx, dy))


def test_the_measures_of_likeness() -> None:
    image, other = noise(128, 128), np.roll(noise(128, 128, 1), 8, axis=(0, 1))  # its blocks end elsewhere
    assert psnr(image, image) == 99
    assert psnr(image, image ^ 1) == pytest.approx(48.13, abs=0.01)
    assert edge_correlation(image, image) == pytest.approx(1)
    assert abs(edge_correlation(image, other)) < 0.2
    flat = np.full_like(image, 7)
    assert edge_correlation(image, flat) == 0
    assert shift(flat, flat) == 0


def test_what_remains_of_a_style_is_one_for_the_content_and_none_for_the_style() -> None:
    a, b = (StyleCode(tuple(np.full(4, v, np.float32) for v in values)) for values in ((1, 2), (5, 3)))
    assert remaining(a, a, b) == 1
    assert remaining(b, a, b) == 0


class Colours:
    """An engine that only matches colours: what the style gate must refuse."""

    name, version = "colours", "0"

    def style(self, rgb: Rgb) -> StyleCode:
        return StyleCode((rgb.astype(np.float32),))

    def content(self, rgb: Rgb) -> Rgb:
        return rgb

    def paint(self, content: Rgb, style: StyleCode, alpha: float, detail: float = 1.0) -> Rgb:
        full = match_colours(content, style.arrays[0].astype(np.uint8))
        return np.rint(content * (1 - alpha) + full * alpha).astype(np.uint8)


class Moving(Colours):
    """An engine whose picture lies two pixels beside its content."""

    name = "moving"

    def paint(self, content: Rgb, style: StyleCode, alpha: float, detail: float = 1.0) -> Rgb:
        return np.roll(content, round(2 * alpha), axis=1)


def held_out(pictures: Path) -> tuple[list[Path], list[Path]]:
    """Return photographs and styles that the shipped engine never learned from."""
    contents, styles = (split(find([pictures / kind]))[1] for kind in ("content", "style"))
    return contents[:18], styles


@pytest.mark.slow
def test_the_shipped_engine_passes_every_gate(data_dir: Path) -> None:
    contents, styles = held_out(data_dir / "pictures")
    done = check_engine(open_engine({}, Runtime()), contents, styles, Silent())
    assert done.pairs == 36
    assert not done.skipped
    failed = [(gate.name, gate.value, gate.bound) for gate in done.gates if not gate.passed]
    assert not failed
    assert done.colours > 0.5


@pytest.mark.slow
def test_colours_alone_and_a_moving_picture_fail(data_dir: Path) -> None:
    contents, styles = held_out(data_dir / "pictures")
    gates = {gate.name: gate for gate in check_engine(Colours(), contents, styles, Silent(), pairs=30).gates}
    assert not gates["style"].passed
    assert gates["exact at 0"].passed
    gates = {gate.name: gate for gate in check_engine(Moving(), contents, styles, Silent(), pairs=4).gates}
    assert not gates["shift"].passed
    assert gates["shift"].value == 2


def test_what_is_shipped_is_small_and_described() -> None:
    import json

    files = {path.name: path.stat().st_size for path in SHIPPED.iterdir()}
    assert {"encoder.onnx", "decoder.onnx", "decoder.safetensors", "card.json"} <= files.keys()
    assert sum(files.values()) <= 2_000_000
    card: Json = json.loads((SHIPPED / "card.json").read_text())
    assert card["version"] == open_engine({}, Runtime()).version
    assert card["gates"]["passed"]
