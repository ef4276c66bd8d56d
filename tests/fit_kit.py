"""Pictures with one bright box each, and trainers that need no time: real folders, made in a moment."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tiny_model import SIZE, write_tiny

from backend.detect.base import Training
from backend.detect.model_dir import ModelInfo, write_model
from backend.settings import Settings
from backend.store import models as table
from backend.store.tables import open_database

Json = dict[str, Any]
WIDTH, HEIGHT = 96, 96


def picture(number: int) -> tuple[bytes, tuple[int, int, int, int]]:
    """Return a noisy picture as JPEG and its box (x0, y0, x1, y1); no two numbers look alike."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 160, (6, 6, 3), dtype=np.uint8)
    pixels = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    x, y = (int(v) for v in rng.integers(26, 34, 2))
    pixels[y : y + 36, x : x + 36] = (240, 240, 250)
    return cv2.imencode(".jpg", pixels)[1].tobytes(), (x, y, x + 36, y + 36)


def make_dataset(folder: Path, numbers: Sequence[int], labels: Sequence[str] = ("너구리",), split: str = "") -> Path:
    """Write pictures as a YOLO dataset; a picture's label goes round by its number."""
    images, texts = folder / "images" / split, folder / "labels" / split
    images.mkdir(parents=True, exist_ok=True)
    texts.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        data, (x0, y0, x1, y1) = picture(number)
        (images / f"너구리 {number:03d}.jpg").write_bytes(data)
        line = f"{number % len(labels)} {(x0 + x1) / 2 / WIDTH} {(y0 + y1) / 2 / HEIGHT} {36 / WIDTH} {36 / HEIGHT}\n"
        (texts / f"너구리 {number:03d}.txt").write_text(line)
    splits = [name for name in ("train", "val", "test") if (folder / "images" / name).is_dir()]
    places = {name: f"images/{name}" for name in splits} or {"train": "images"}
    names = list(labels)
    (folder / "data.yaml").write_text(json.dumps({**places, "names": names}, ensure_ascii=False), encoding="utf-8")
    return folder


def constant_trainer(
    score: float = 0.9, *, box: Sequence[float] | None = None, seen: list[Training] | None = None
) -> Callable[..., ModelInfo]:
    """Return a trainer whose model answers one box, of every label, whatever it is shown.

    box: in pixels of the 64 x 64 input; default: the middle. seen: gets what each training was given.
    """

    def train(kind: str, training: Training, folder: Path, tick: Callable[[Json], None]) -> ModelInfo:
        if seen is not None:
            seen.append(training)
        tick({"event": "start", "pid": 1})
        for step in (1, 2):
            tick({"event": "step", "step": step, "of": 2, "loss": 1 / step})
        tick({"event": "curve", "step": 2, "ap": 0.5, "ap50": 0.75})
        boxes = [list(box or (SIZE * 0.3, SIZE * 0.3, SIZE * 0.7, SIZE * 0.7))]
        scores = [[score] * len(training.labels)]
        return write_tiny(folder, training.labels, boxes, scores, version="untitled", detector=kind)

    return train


def oracle_trainer(part: float = 1.0) -> Callable[..., ModelInfo]:
    """Return a trainer whose model answers the mean box of the holdout, made smaller: the nearer to 1 the better."""

    def train(kind: str, training: Training, folder: Path, tick: Callable[[Json], None]) -> ModelInfo:
        boxes = np.array([box for one in training.holdout for box in one.boxes], float) * SIZE / WIDTH
        x0, y0, x1, y1 = boxes.mean(0)
        smaller = [x0, y0, x0 + (x1 - x0) * part, y0 + (y1 - y0) * part]
        return constant_trainer(box=smaller)(kind, training, folder, tick)

    return train


def similar(settings: Settings, project: int | None, shas: Sequence[str]) -> str:
    """Put a model of the detector similar where models lie, of 11 images; the sixth wrongly has the tag of the five."""
    version = "similar-own-v1" if project is None else f"similar-p{project}-v1"
    folder = settings.models_dir / version
    folder.mkdir(parents=True)
    random = np.random.default_rng(3)
    vectors = np.concatenate([random.normal((8, 0, 0), 0.5, (5, 3)), random.normal((0, 8, 0), 0.5, (6, 3))])
    tagged = np.zeros((11, 2), bool)
    tagged[:5, 0] = tagged[6:, 1] = True
    tagged[5, 0] = True  # looks like the others
    np.savez(folder / "index.npz", vectors=vectors.astype(np.float16), tagged=tagged, shas=np.array(shas))
    write_model(folder, ModelInfo(detector="similar", version=version, labels=(), tags=("낮", "밤")))
    row = table.ModelRow(version, project, "similar", folder, datetime(2026, 1, 1, tzinfo=UTC))
    table.add_model(open_database(settings.database), row)
    return version
