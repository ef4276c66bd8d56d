"""Views of the training images with their lower features, computed once and kept.

The lower stages are never trained, so a view's map of stride 8 stays what it is: 128 kB as half floats. Images are read
one at a time and given up when their views are made; what is held is bounded by the recipe's number of views, however
many images there are. Where those do not fit, `rounds` divides them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend.core.errors import ImageError
from backend.detect.base import Example, Report, Rgb, Runtime
from backend.detect.fewshot.backbone import Lite0
from backend.detect.fewshot.export import Frozen, export
from backend.detect.fewshot.net import SIZE
from backend.detect.fewshot.recipe import BATCH, Recipe
from backend.detect.fewshot.views import View, shrink, view
from backend.detect.onnx_model import open_session
from backend.imaging.decode import decode

Floats = NDArray[np.float32]
Features = Callable[[Floats], list[Floats]]  # images (N, 3, 320, 320) -> maps (N, C, H, W)

FEWEST, MOST = 3, 20  # views of an image in one round


@dataclass(frozen=True, slots=True)
class Cache:
    """The frozen stages' maps of all views (V, C, H, W) as half floats, and what is on each: `boxes` and `labels`."""

    maps: list[Tensor]
    targets: list[dict[str, Tensor]]

    def batch(self, places: list[int]) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
        """Return some views' maps as floats, and what is on them."""
        maps = [one[places].float().contiguous(memory_format=torch.channels_last) for one in self.maps]
        return maps, [self.targets[place] for place in places]


def rounds(count: int, views: int) -> int:
    """Return in how many parts the images are gone through, each of them at least FEWEST times."""
    return max(1, -(-count * FEWEST // views))


def fill(lower: Features, examples: Sequence[Example], recipe: Recipe, seeds: tuple[int, int], report: Report) -> Cache:
    """Return the views of one round. seeds: (the training's, the round's), which decide all that is drawn."""
    number = seeds[1] % rounds(len(examples), recipe.views)
    mine = [example for place, example in enumerate(examples) if place % rounds(len(examples), recipe.views) == number]
    each = max(FEWEST, min(MOST, recipe.views // len(mine)))
    of = each * len(mine)
    maps: list[Tensor] = []
    targets: list[dict[str, Tensor]] = []
    batch: list[View] = []
    for one in _views(mine, each, recipe, seeds, report):
        batch.append(one)
        if len(batch) == BATCH:
            _append(lower, batch, Cache(maps, targets), of)
            report({"event": "phase", "phase": "caching", "done": len(targets), "of": of})
    _append(lower, batch, Cache(maps, targets), of)
    return Cache([one[: len(targets)] for one in maps], targets)


def features(trunk: Lite0, threads: int, *, whole: bool) -> Features:
    """Return what computes maps: ONNX Runtime, which takes a fraction of the time that torch does.

    whole: all stages are frozen, not the lower ones alone.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "frozen.onnx"
        names = ("low", "middle", "top") if whole else ("low",)
        export(Frozen(trunk, whole=whole), path, names)
        session = open_session(path, Runtime(threads=threads, device="cpu"))

    def run(images: Floats) -> list[Floats]:
        found: list[Floats] = session.run(names, {"images": images})
        return found

    return run


def normalised(rgb: Rgb) -> Floats:
    """Return (N, 3, H, W) floats as the backbone wants them, from (N, H, W, 3) uint8 RGB."""
    return np.ascontiguousarray(rgb.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(127.5) - np.float32(1)


def opened(example: Example) -> View:
    """Return an example's image, shrunk, and its boxes.

    Raises:
        ImageError: it cannot be read, or is not the image that was labelled.
    """
    try:
        rgb = decode(Path(example.path).read_bytes()).rgb
    except OSError as error:
        msg = f"cannot be read: {error.strerror or error}"
        raise ImageError(msg) from error
    if (example.width, example.height) != (rgb.shape[1], rgb.shape[0]):
        msg = f"is {rgb.shape[1]} x {rgb.shape[0]} pixels, was {example.width} x {example.height} when it was labelled"
        raise ImageError(msg)
    boxes = np.array(example.boxes, np.float32).reshape(-1, 4)
    small, moved = shrink(rgb, boxes)
    return View(small, moved.astype(np.float32), np.array(example.labels, np.int64))


def _views(
    examples: Sequence[Example], each: int, recipe: Recipe, seeds: tuple[int, int], report: Report
) -> Iterator[View]:
    for place, example in enumerate(examples):
        try:
            image = opened(example)
        except ImageError as error:
            report({"event": "note", "text": f"{Path(example.path).name} is left out: {error}"})
            continue
        random = np.random.default_rng((*seeds, place))
        for _ in range(each):
            yield view(image, SIZE, recipe.look, random)


def _append(lower: Features, batch: list[View], cache: Cache, of: int) -> None:
    """Put a batch's maps and targets behind those that are there, at most `of`, and empty it."""
    if not batch:
        return
    begin = len(cache.targets)
    for number, found in enumerate(lower(normalised(np.stack([one.rgb for one in batch])))):
        if number == len(cache.maps):  # with the first batch: now the shapes are known
            cache.maps.append(torch.empty((of, *found.shape[1:]), dtype=torch.float16))
        cache.maps[number][begin : begin + len(batch)] = torch.from_numpy(found)
    for one in batch:
        cache.targets.append({"boxes": torch.from_numpy(one.boxes), "labels": torch.from_numpy(one.labels)})
    batch.clear()
