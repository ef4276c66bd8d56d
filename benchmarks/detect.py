"""How well does the default detector learn, in how much processor time, and how fast does it predict?

`python -m benchmarks.detect CONFIG SEED` prints one training's figures alone.
"""

import json
import os
import random
import resource
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

from backend.detect.base import Example, Predicted, Runtime, Training
from backend.detect.metrics import evaluate
from backend.detect.onnx_model import open_model
from backend.detect.training import run_training
from backend.imaging.decode import decode
from backend.imaging.hashes import perceptual
from benchmarks.harness import Ratio, Scale, Section

NEAR = 8  # bits of the pHash: an image that near to one of the holdout is not trained on
HELD = {"bccd": 50, "raccoon": 40}
BEFORE = """\
`fewshot` trained with its default recipe, as `labelloom fit` does it, one thread, on the CPU. Holdout: the first 50
blood images, and the first 40 raccoons, of the ids sorted and then shuffled with `random.Random(0)`; of the others
those within pHash distance {near} of a holdout image are left out, and the first N train. AP is the mean over IoU .50
to .95, by pycocotools, on the whole holdout through ONNX Runtime. CPU seconds are those of the training process, from
its start to its end: imports, ImageNet weights, views, steps, looks at the holdout, export and quantising. Mean of
{seeds} seed(s), and in brackets the lowest and the highest. The random backbone has the same budget, and nothing else
is changed.

A prediction is timed from pixels to regions (letterbox, ONNX Runtime on one thread, overlaps cleared), fp32 and int8 in
turns, image by image; processor time, median. The pairs of the ratio are the trainings."""


@dataclass(frozen=True, slots=True)
class Config:
    """One line of the table. options: of the detector; target: what the figures must reach, in words."""

    words: str
    data: str
    count: int
    target: str
    fast: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


CONFIGS = {
    "blood-149": Config("blood cells, N = 149", "bccd", 149, "AP >= .45, AP50 >= .80, <= 300 s"),
    "blood-50": Config("blood cells, N = 50", "bccd", 50, "AP >= .42, <= 200 s"),
    "raccoon-100": Config("raccoon, N = 100", "raccoon", 100, "AP >= .50"),
    "fast": Config("blood cells, N = 149, fast", "bccd", 149, "within .07 AP, <= 120 s", fast=True),
    "random": Config(
        "blood cells, N = 149, random backbone", "bccd", 149, "AP >= .15 below", options={"backbone": "random"}
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """What one training gave. cpu: seconds; fp32, int8: milliseconds an image."""

    ap: float
    ap50: float
    cpu: float
    int8_ap: float
    fp32: float
    int8: float


def run(scale: Scale) -> Section:
    """Train each configuration with several seeds; how many images there are is part of what is measured."""
    if not os.environ.get("LABELLOOM_TEST_DATA"):
        msg = "LABELLOOM_TEST_DATA names no folder with bccd/ and raccoon/"
        raise RuntimeError(msg)
    rows: dict[str, list[Row]] = {}
    for name, config in CONFIGS.items():
        rows[name] = []
        for seed in range(scale.pairs):
            rows[name].append(measured(config, seed))
            print(name, seed, rows[name][-1], flush=True)
    return section(rows)


def section(rows: Mapping[str, Sequence[Row]]) -> Section:
    """Return the figures of trainings, by the name of their configuration, as the document shows them."""
    usual = [row for name, found in rows.items() if name != "random" for row in found]
    speed = Ratio("int8, images a second", "fp32", tuple(row.fp32 / row.int8 for row in usual), ">= 1.6")
    seeds = max(map(len, rows.values()))
    return Section("The default detector", BEFORE.format(near=NEAR, seeds=seeds), (speed,), _tables(rows, usual))


def _tables(rows: Mapping[str, Sequence[Row]], usual: Sequence[Row]) -> str:
    lines = ["| | AP | AP50 | CPU s | target |", "|---|---|---|---|---|"]
    for name, found in rows.items():
        cells = [_spread([row.ap for row in found], 3), _spread([row.ap50 for row in found], 3)]
        cells.append(_spread([row.cpu for row in found], 0))
        lines.append(f"| {CONFIGS[name].words} | {' | '.join(cells)} | {CONFIGS[name].target} |")
    change = [row.int8_ap - row.ap for row in usual]
    lines += [
        "",
        f"An image takes {median(row.fp32 for row in usual):.1f} ms in fp32 (target <= 40) and "
        f"{median(row.int8 for row in usual):.1f} ms in int8 (<= 25). int8 changes AP by {mean(change):+.3f} on "
        f"average (target within .02), from {min(change):+.3f} to {max(change):+.3f}.",
    ]
    return "\n".join(lines)


def _spread(values: Sequence[float], digits: int) -> str:
    return f"{mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def measured(config: Config, seed: int) -> Row:
    """Train once and judge."""
    holdout, rest, labels = split(config.data)
    training = Training(
        tuple(labels), tuple(rest[: config.count]), tuple(holdout), seed, config.fast, options=config.options
    )
    with TemporaryDirectory() as name:
        folder = Path(name) / "model"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        info = run_training("fewshot", training, folder, lambda event: None)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        models = [open_model(folder, info, Runtime("cpu", 1, int8)) for int8 in (False, True)]
        found: tuple[list[Predicted], list[Predicted]] = ([], [])
        times: tuple[list[float], list[float]] = ([], [])
        for one in holdout:
            rgb = decode(Path(one.path).read_bytes()).rgb
            for model, kept, taken in zip(models, found, times, strict=True):
                start = time.thread_time()
                kept += model.predict([rgb])
                taken.append((time.thread_time() - start) * 1000)
    whole, small = (evaluate(kept, holdout, labels, resamples=0) for kept in found)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Row(whole["ap"], whole["ap50"], cpu, small["ap"], median(times[0]), median(times[1]))


def split(data: str) -> tuple[list[Example], list[Example], list[str]]:
    """Return the holdout, the rest that is like none of it, and the labels, of a set of the test data."""
    folder = Path(os.environ["LABELLOOM_TEST_DATA"]) / data
    labels: list[str] = []
    examples = {path.stem: _read(folder, path, labels) for path in sorted((folder / "Annotations").glob("*.xml"))}
    ids = sorted(examples)
    random.Random(0).shuffle(ids)
    looks = {name: perceptual(decode(Path(examples[name].path).read_bytes()).rgb).phash for name in ids}
    held, others = ids[: HELD[data]], ids[HELD[data] :]
    apart = [name for name in others if min((looks[name] ^ looks[one]).bit_count() for one in held) > NEAR]
    return [examples[name] for name in held], [examples[name] for name in apart], labels


def _read(folder: Path, path: Path, labels: list[str]) -> Example:
    image = folder / "JPEGImages" / f"{path.stem}.jpg"
    rgb = decode(image.read_bytes()).rgb
    boxes, numbers = [], []
    for thing in ET.parse(path).getroot().iter("object"):
        x0, y0, x1, y1 = (float(thing.findtext(f"bndbox/{side}", "0")) for side in ("xmin", "ymin", "xmax", "ymax"))
        label = thing.findtext("name", "")
        if label not in labels:
            labels.append(label)
        if x1 > x0 and y1 > y0:
            boxes.append((x0, y0, x1, y1))
            numbers.append(labels.index(label))
    return Example(str(image), "", rgb.shape[1], rgb.shape[0], tuple(boxes), tuple(numbers))


if __name__ == "__main__":
    print(json.dumps(asdict(measured(CONFIGS[sys.argv[1]], int(sys.argv[2])))))
