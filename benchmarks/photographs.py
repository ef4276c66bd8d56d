"""What the benchmarks work on: the test photographs where they are, made pictures where they are not."""

import os
import re
import shutil
from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np
from numpy.typing import NDArray

MADE = 150
_OBJECT = (
    "<object><name>{label}</name><bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin>"
    "<xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
)


def raccoons(folder: Path, count: int | None) -> tuple[Path, str]:
    """Return a VOC dataset of `count` photographs (None: all) below `folder`, and what it is, in words."""
    known = os.environ.get("LABELLOOM_TEST_DATA")
    target = folder / "photographs"
    if known and (Path(known) / "raccoon" / "JPEGImages").is_dir():
        images = _copy(Path(known) / "raccoon", target, count)
        return target, f"the {images} raccoon photographs of the test data (most some 500 x 375 pixels)"
    images = _make(target, count or MADE)
    return target, f"{images} made pictures of 500 x 375 pixels (LABELLOOM_TEST_DATA names no photographs)"


def _copy(source: Path, target: Path, count: int | None) -> int:
    paths = sorted((source / "JPEGImages").iterdir())[:count]
    for path in paths:
        label = source / "Annotations" / f"{path.stem}.xml"
        for origin, kind in ((path, "JPEGImages"), (label, "Annotations")):
            (target / kind).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, target / kind / origin.name)
    return len(paths)


def multiply(dataset: Path, copies: int) -> None:
    """Add `copies` more of each picture of a VOC dataset, saved anew at other qualities, so that no two are equal."""
    for path in sorted((dataset / "JPEGImages").iterdir()):
        picture, label = cv2.imread(str(path)), (dataset / "Annotations" / f"{path.stem}.xml").read_text("utf-8")
        for number in range(1, copies + 1):
            name = f"{path.stem}-again-{number}"
            cv2.imwrite(str(dataset / "JPEGImages" / f"{name}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 95 - number])
            text = re.sub("<filename>.*?</filename>", f"<filename>{name}.jpg</filename>", label)
            (dataset / "Annotations" / f"{name}.xml").write_text(text, encoding="utf-8")


def _make(target: Path, count: int) -> int:
    for kind in ("JPEGImages", "Annotations"):
        (target / kind).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture, box = scene(number, 500, 375)
        cv2.imwrite(str(target / "JPEGImages" / f"made-{number}.jpg"), picture)
        write_voc(target / "Annotations" / f"made-{number}.xml", (500, 375), "thing", box)
    return count


def scene(seed: int, width: int, height: int) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]]:
    """Return a picture like a photograph in its frequencies, with one bright object, and the object's box.

    The box is xmin, ymin, xmax, ymax in VOC's integers.
    """
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for cells in (4, 16, 64):
        coarse = rng.uniform(0, 1, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * 160 / cells**0.5
    x, y = int(rng.integers(1, width // 2)), int(rng.integers(1, height // 2))
    picture[y : y + height // 3, x : x + width // 3] += 70
    return picture.clip(0, 255).astype(np.uint8), (x + 1, y + 1, x + width // 3, y + height // 3)


def write_voc(path: Path, size_wh: tuple[int, int], label: str, box: tuple[int, int, int, int]) -> None:
    """Write the annotation of a picture with one object."""
    size = f"<size><width>{size_wh[0]}</width><height>{size_wh[1]}</height><depth>3</depth></size>"
    name = escape(f"{path.stem}.jpg")
    body = f"<filename>{name}</filename>{size}{_OBJECT.format(label=escape(label), box=box)}"
    path.write_text(f"<annotation>{body}</annotation>", encoding="utf-8")
