"""A recipe's variants of one picture, at once: what was looked at is kept, so that changing a step only draws.

Variants are drawn at full size by the pipeline that a run uses: variant 1 of the first shuffle is the one that a run
would write. Only what is sent is small.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from backend.augment.ops import Rgb
from backend.augment.pipeline import Drawn, GaveUp, Pipeline, prepare_process
from backend.augment.preview import Loaded, damage
from backend.core import rle
from backend.core.codec import canonical
from backend.core.errors import ImageError, LabelLoomError
from backend.core.geometry import Points, outline
from backend.core.ledger import Entry
from backend.core.model import Mask, Region, Sample, Shape
from backend.core.progress import Silent
from backend.core.recipe import Recipe
from backend.flows.chosen import Chosen
from backend.flows.label_studio_connection import connect, translated
from backend.flows.label_studio_source import open_project
from backend.flows.recipes import check_recipe
from backend.flows.style.pinned import pin
from backend.flows.style.step import extra_steps
from backend.formats.recognise import open_dataset
from backend.imaging.decode import decode
from backend.imaging.encode import encode
from backend.imaging.hashes import sha256
from backend.imaging.raster import mask_polygon
from backend.settings import Settings
from backend.style.sizes import longer_at_most

SIDE = 480  # pixels of what is sent, at most
FIRST = 24  # pictures of a source that can be looked at, labelled ones first
FRESH = 120.0  # seconds after which a source is read again: its labels may have changed
SEARCHED = 8  # times as many variants are drawn to find the worst
THREADS = 2
_SOURCES, _PICTURES, _RECIPES = 4, 8, 4  # kept

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wish:
    """What to draw: `variants` of the picture number `image` (from 0, round and round) of a dataset or a project.

    shuffle: 0 for the first variants, 1 for those after them, ...; worst: the most damaged of many instead.
    """

    recipe: Recipe
    dataset: Path | None = None
    project: int | None = None
    image: int = 0
    variants: int = 8
    shuffle: int = 0
    worst: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """A region to draw: rings of (x, y) in pixels of the full-size picture; a keypoint is a ring of one point."""

    label: str
    rings: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """The original (number 0) or a variant; `jpeg` is None where the pipeline gave up, and `reasons` says why."""

    number: int
    jpeg: bytes | None
    width: int
    height: int
    outlines: tuple[Outline, ...]
    ledger: tuple[Entry, ...]
    steps: tuple[str, ...]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Live:
    """The original, its variants, and which picture of how many it is."""

    name: str
    image: int
    images: int
    original: Picture
    variants: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class _Source:
    read: float
    samples: tuple[Sample, ...]


class LivePreviews:
    """Sources, pictures and recipes that were looked at last. One preview is drawn at a time, on two threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = threading.Lock()
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._pictures: OrderedDict[str, Loaded] = OrderedDict()
        self._pipelines: OrderedDict[str, tuple[Pipeline, ...]] = OrderedDict()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="preview")
        prepare_process()

    def draw(self, wish: Wish) -> Live:
        """Return what a recipe makes of one picture.

        Raises:
            RecipeError: the recipe does not suit the picture.
            UsageError: there is no such project.
            LabelLoomError: no picture can be shown, or Label Studio does not answer.
        """
        with self._turn:
            samples = self._samples(wish)
            at = wish.image % len(samples)
            one = self._loaded(samples[at])
            pipelines = self._ready(wish.recipe, one)
            original = pipelines[0].prepare(one.rgb, one.sample.regions)
            found = self._worst(pipelines, one, wish) if wish.worst else self._drawn(pipelines, one, _numbers(wish))
        pictures = tuple(_picture(number, drawn) for number, drawn in found)
        return Live(one.sample.name, at, len(samples), _picture(0, original), pictures)

    def _worst(self, pipelines: Sequence[Pipeline], one: Loaded, wish: Wish) -> list[tuple[int, Drawn | GaveUp]]:
        before = pipelines[0].prepare(one.rgb, one.sample.regions).regions
        numbers = range(1, SEARCHED * wish.variants + 1)
        written = [(number, d) for number, d in self._drawn(pipelines, one, numbers) if isinstance(d, Drawn)]
        return [*sorted(written, key=lambda item: -damage(item[1], before))[: wish.variants]]

    def _drawn(
        self, pipelines: Sequence[Pipeline], one: Loaded, numbers: Sequence[int]
    ) -> list[tuple[int, Drawn | GaveUp]]:
        def some(share: int) -> list[tuple[int, Drawn | GaveUp]]:
            draw = pipelines[share].draw
            return [(n, draw(one.rgb, one.sample.regions, one.sha256, n)) for n in numbers[share :: len(pipelines)]]

        shares = self._pool.map(some, range(len(pipelines)))
        return sorted((item for share in shares for item in share), key=lambda item: item[0])

    def _ready(self, recipe: Recipe, one: Loaded) -> tuple[Pipeline, ...]:
        """Return one pipeline per thread: each keeps state while it draws."""
        size = (one.sample.width, one.sample.height)

        def make() -> tuple[Pipeline, ...]:
            check_recipe(recipe, size)
            pinned = pin(recipe, self._settings)
            return tuple(Pipeline(pinned.recipe, extra_steps(pinned.places)) for _ in range(THREADS))

        key = f"{canonical(recipe.drawing)} {size}"
        found = self._pipelines.get(key) or make()
        return _keep(self._pipelines, key, found, _RECIPES)

    def _samples(self, wish: Wish) -> tuple[Sample, ...]:
        key = f"project {wish.project}" if wish.dataset is None else str(wish.dataset)
        known = self._sources.get(key)
        if known is None or time.monotonic() - known.read > FRESH:
            samples = _read_project(wish.project or 0, self._settings) if wish.dataset is None else _read(wish.dataset)
            known = _Source(time.monotonic(), samples)
        if not known.samples:
            msg = f"{key} has no image that can be shown"
            raise LabelLoomError(msg, fix="look at its images: none of the first can be read")
        return _keep(self._sources, key, known, _SOURCES).samples

    def _loaded(self, sample: Sample) -> Loaded:
        path = Path(sample.path)
        try:
            stat = path.stat()
            key = f"{path} {stat.st_mtime_ns} {stat.st_size}"
            known = self._pictures.get(key)
            if known is None:
                data = path.read_bytes()
                known = Loaded(sample, decode(data).rgb, sha256(data))
        except (ImageError, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            msg = f"{sample.name} cannot be shown: {why}"
            raise LabelLoomError(msg, fix="look at the next picture") from error
        return _keep(self._pictures, key, known._replace(sample=sample), _PICTURES)


def _keep(kept: OrderedDict[str, T], key: str, value: T, most: int) -> T:
    """Keep a value as the newest; the one longest unused makes room."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
    return value


def _numbers(wish: Wish) -> range:
    return range(wish.shuffle * wish.variants + 1, (wish.shuffle + 1) * wish.variants + 1)


def _read(folder: Path) -> tuple[Sample, ...]:
    found = [one for one in islice(open_dataset(folder).samples, 20 * FIRST) if isinstance(one, Sample)]
    return _first(found)


def _read_project(project: int, settings: Settings) -> tuple[Sample, ...]:
    with translated():
        client = connect(settings)
        with closing(client.http):
            ids = client.most_annotated(project, FIRST)
    if not ids:
        return ()
    with open_project(project, settings, Silent(), Chosen(ids=tuple(ids))) as source:
        return _first([one for one in source.dataset.samples if isinstance(one, Sample)])


def _first(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return the first pictures, labelled ones before others."""
    return tuple(sorted(samples, key=lambda one: not (one.regions or one.tags))[:FIRST])


def _picture(number: int, drawn: Drawn | GaveUp) -> Picture:
    if isinstance(drawn, GaveUp):
        return Picture(number, None, 0, 0, (), (), (), drawn.reasons)
    height, width = drawn.rgb.shape[:2]
    jpeg = encode(longer_at_most(drawn.rgb, SIDE), "jpeg", 85)
    outlines = tuple(_outline(region, drawn.rgb) for region in drawn.regions)
    return Picture(number, jpeg, width, height, outlines, drawn.ledger, tuple(s["name"] for s in drawn.steps))


def _outline(region: Region, rgb: Rgb) -> Outline:
    rings = tuple(tuple((round(x, 1), round(y, 1)) for x, y in ring.tolist()) for ring in _rings(region.shape, rgb))
    return Outline(region.label, rings)


def _rings(shape: Shape, rgb: Rgb) -> list[Points]:
    """Return a shape's outline; a mask's is traced at the size that is shown, or it would have thousands of points."""
    if not isinstance(shape, Mask):
        return outline(shape)
    height, width = rgb.shape[:2]
    factor = min(1.0, SIDE / max(height, width))
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    shrunk = cv2.resize(rle.decode(shape).astype(np.uint8), small, interpolation=cv2.INTER_NEAREST)
    return [ring * (width / small[0], height / small[1]) for ring in mask_polygon(shrunk.astype(bool))]
