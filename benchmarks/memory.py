"""Does memory stay flat? Peak PSS of `labelloom augment` on ten times the images."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Ratio, Scale, Section, peak_pss
from benchmarks.photographs import raccoons
from benchmarks.workload import augment_command, write_recipe

FEW, MANY = 1_000, 10_000
SIDE = 96  # pixels: small, so that the many are made in a minute or two
ROUNDS = 2
BEFORE = """\
`labelloom augment --workers 2` on {many:,} images against {few:,}: crops of {side} x {side} pixels of the same
photographs, each with its own brightness and contrast, one box and one variant each, split 80 / 10 / 10 with
near-duplicates, YOLO and VOC. PSS summed over the whole process tree, read every 50 ms, its peak."""


def run(scale: Scale) -> Section:
    """Measure the peak for few and for many images, in turns; `scale.images` is the few, a tenth of the many."""
    few = scale.images or FEW
    many = few * (MANY // FEW)
    with TemporaryDirectory() as name:
        folder = Path(name)
        photographs, _ = raccoons(folder, None if scale.images is None else 4)
        pictures = [cv2.imread(str(path)) for path in sorted((photographs / "JPEGImages").iterdir())]
        recipe = write_recipe(folder / "recipe.json", variants=1, train=0.8)
        data = {count: make_crops(folder / f"crops-{count}", pictures, count) for count in (few, many)}
        peaks = [
            tuple(_peak(data[count], recipe, folder / f"out-{turn}-{count}") for count in (few, many))
            for turn in range(min(scale.pairs, ROUNDS))
        ]
    found = Ratio(
        f"{many:,} images", f"{few:,} images", tuple(large / small for small, large in peaks), "<= 1.1 x the memory"
    )
    mebibytes = "; ".join(f"{small:.0f} and {large:.0f} MiB" for small, large in peaks)
    return Section("Memory", BEFORE.format(many=many, few=few, side=SIDE), (found,), f"Peaks: {mebibytes}.")


def _peak(dataset: Path, recipe: Path, out: Path) -> float:
    return peak_pss(*augment_command(dataset, recipe, out, 2))


def make_crops(folder: Path, pictures: Sequence[NDArray[np.uint8]], count: int) -> Path:
    """Write `count` different small pictures as a YOLO dataset with one box each."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number in range(count):
        rng = np.random.default_rng(number)
        picture = pictures[int(rng.integers(len(pictures)))]
        side = int(rng.integers(SIDE, min(picture.shape[:2]) + 1))
        top, left = (int(rng.integers(0, length - side + 1)) for length in picture.shape[:2])
        crop = cv2.resize(picture[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        crop = cv2.convertScaleAbs(crop, alpha=float(rng.uniform(0.7, 1.2)), beta=float(rng.uniform(0, 40)))
        cv2.imwrite(str(folder / "images" / f"crop-{number:05}.jpg"), crop)
        x, y = rng.uniform(0.3, 0.7, 2)
        (folder / "labels" / f"crop-{number:05}.txt").write_text(f"0 {x:.6f} {y:.6f} 0.4 0.4\n", encoding="utf-8")
    (folder / "data.yaml").write_text("train: images\nnames: [thing]\n", encoding="utf-8")
    return folder
