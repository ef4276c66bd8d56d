"""A small dataset folder as the build writes it: enough for write-back, without running the augmentation."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from backend.core.codec import region_to_json
from backend.core.model import Box, Region
from backend.core.recipe import Recipe


def line(file: str, sha: str, size: tuple[int, int], **more: Any) -> dict[str, Any]:
    """Return a manifest line with one box; keywords replace its fields."""
    region = region_to_json(Region("r1", "raccoon", Box(10, 10, 50, 40), attributes=(("control", "label"),)))
    entry = {"region": "r1", "label": "raccoon", "fate": "kept", "visibility": 1.0, "growth": 1.0, "reason": None}
    return {
        "file": file, "sha256": sha, "width": size[0], "height": size[1], "split": "train", "lineage": sha[:12],
        "variant": 1, "seed": 1, "attempt": 0, "source": {"uri": "x", "task": 5, "annotator": None}, "steps": [],
        "style": None, "tags": [], "regions": [region], "ledger": [entry], **more,
    }  # fmt: skip


def write_dataset(folder: Path, lines: list[dict[str, Any]], name: str = "street") -> Path:
    """Write manifest.jsonl and dataset.json beside images that lie in yolo/images/<split>/ already."""
    recipe = Recipe(name=name).model_dump(mode="json")
    description = {"name": name, "labels": ["raccoon"], "tags": [], "formats": ["yolo"], "recipe": recipe,
                   "counts": {"images": len(lines)}}  # fmt: skip
    (folder / "manifest.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    (folder / "dataset.json").write_text(json.dumps(description))
    return folder


def noise_dataset(folder: Path, count: int, size: tuple[int, int] = (64, 48)) -> Path:
    """Make a dataset of `count` different small pictures."""
    images = folder / "yolo" / "images" / "train"
    images.mkdir(parents=True)
    random = np.random.default_rng(7)
    lines = []
    for number in range(count):
        path = images / f"그림 {number}_v01.jpg"
        pixels = random.integers(0, 255, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize(size).save(path, quality=90)
        sha = hashlib.sha256(path.read_bytes()).hexdigest()
        seen = round(1 - number / count, 4)
        entry = {"region": "r1", "label": "raccoon", "fate": "clipped", "visibility": seen, "growth": 1.2,
                 "reason": "frame"}  # fmt: skip
        lines.append(line(path.name, sha, size, ledger=[entry], attempt=number % 3))
    return write_dataset(folder, lines)


def copy_dataset(source: Path, target: Path) -> Path:
    """Copy a dataset folder."""
    shutil.copytree(source, target)
    return target
