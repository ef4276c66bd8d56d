"""Training: what it reads, that it goes on as if it had never stopped, and what it writes. The judge's weights are
drawn at random here: what is learned from them is nothing, how is everything."""

import json
from pathlib import Path

import numpy as np
import pytest

from backend.core.errors import Cancelled, UsageError
from backend.core.progress import Silent
from backend.flows.style.train import Ask, train_style
from backend.imaging.encode import encode
from backend.settings import Settings
from backend.style.base import Runtime
from backend.style.compact import open_engine
from tests.style_pictures import noise

CONFIG = {"iterations": 60, "size": 64, "batch": 2, "seed": 3}


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    for kind, first in (("사진 photos", 0), ("paintings", 50)):
        (folder / kind).mkdir()
        for number in range(9):
            (folder / kind / f"{number}.jpg").write_bytes(encode(noise(90, 100, first + number)))
    (folder / "paintings" / "broken.jpg").write_bytes(b"\xff\xd8 cut short")
    (folder / "judge.weights").write_bytes(bytes(20) + judge_numbers().tobytes())
    return folder


def judge_numbers() -> np.ndarray:
    """Return a judge's numbers in the order of its file: per convolution shift, gain, mean, variance, weights."""
    dice, parts, into = np.random.default_rng(0), [], 3
    for out in (16, 32, 64, 128, 256):
        norm = np.repeat([0.0, 1.0, 0.0, 1.0], out)
        parts += [norm, dice.normal(0, (2 / (9 * into)) ** 0.5, out * into * 9)]
        into = out
    return np.concatenate(parts).astype("<f4")


def ask(material: Path, out: Path, **changes: object) -> Ask:
    given = {"config": CONFIG, "judge": material / "judge.weights", "device": "cpu"} | changes
    return Ask((material / "사진 photos",), (material / "paintings",), out, **given)  # type: ignore[arg-type]


class StopAt(Silent):
    """Progress that stops a training after some iterations."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        if phase == "training" and done >= self.iteration:
            raise Cancelled("stopped")


def test_a_training_that_was_stopped_ends_as_one_that_was_not(material: Path, tmp_path: Path) -> None:
    settings, told = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache"), list[str]()
    whole = train_style(ask(material, tmp_path / "whole"), (settings, Silent()), tell=told.append)
    with pytest.raises(Cancelled):
        train_style(ask(material, tmp_path / "parts"), (settings, StopAt(23)))
    assert not (tmp_path / "parts" / "card.json").exists()
    parts = train_style(ask(material, tmp_path / "parts"), (settings, Silent()))
    for name in ("encoder.onnx", "decoder.onnx", "decoder.safetensors", "card.json", "curve.jsonl"):
        assert (whole.folder / name).read_bytes() == (parts.folder / name).read_bytes(), name
    for name in ("curve.png", "sheet.jpg"):
        assert (whole.folder / name).stat().st_size > 1000
    assert [Path(one.item).name for one in whole.skipped] == ["broken.jpg"]
    assert any("broken.jpg" in line for line in told)
    assert str(material) not in json.dumps(whole.card)
    engine = open_engine({"folder": str(whole.folder)}, Runtime())
    assert engine.version == whole.card["version"]
    image = noise(33, 47)
    assert engine.paint(engine.content(image), engine.style(noise(20, 20, 9)), 1.0).shape == image.shape


def test_another_training_in_the_same_folder_is_refused(material: Path, tmp_path: Path) -> None:
    tools = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache"), Silent()
    with pytest.raises(Cancelled):
        train_style(ask(material, tmp_path / "out"), (tools[0], StopAt(2)))
    with pytest.raises(UsageError, match="another seed"):
        train_style(ask(material, tmp_path / "out", config={**CONFIG, "seed": 4}), tools)
    (tmp_path / "out" / "checkpoint.pt").write_bytes(b"PK\x03\x04 no checkpoint")
    with pytest.raises(UsageError, match=r"checkpoint\.pt is no checkpoint"):
        train_style(ask(material, tmp_path / "out"), tools)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {**CONFIG, "size": 100}}, "size is 100"),
        ({"config": {**CONFIG, "batch": 1}}, "batch is 1"),
        ({"config": {**CONFIG, "iterations": 0}}, "iterations is 0"),
        ({"config": {**CONFIG, "style": -1.0}}, "loss weight"),
        ({"contents": (Path("nowhere"),)}, "no folder nowhere"),
    ],
)
def test_what_cannot_be_trained_is_named(material: Path, tmp_path: Path, changes: dict, message: str) -> None:
    tools = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache"), Silent()
    given = {"contents": (material / "paintings",), "styles": (material / "paintings",), "out": tmp_path / "out"}
    given |= {"config": CONFIG, "judge": material / "judge.weights"}
    with pytest.raises(UsageError, match=message):
        train_style(Ask(**given | changes), tools)
    assert not (tmp_path / "out" / "config.json").exists()


def test_a_judge_that_is_none_and_an_empty_folder_are_refused(material: Path, tmp_path: Path) -> None:
    tools = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache"), Silent()
    wrong = tmp_path / "wrong.weights"
    wrong.write_bytes(bytes(500))
    with pytest.raises(UsageError, match="no weights of YOLOv3-tiny"):
        train_style(ask(material, tmp_path / "out", judge=wrong), tools)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no picture in"):
        train_style(Ask((tmp_path / "empty",), (material,), tmp_path / "o", CONFIG, wrong), tools)
