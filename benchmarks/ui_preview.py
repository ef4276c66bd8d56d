"""How soon does the page show eight variants of a picture of one megapixel?"""

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2

from backend.flows.live_preview import LivePreviews, Wish
from backend.flows.recipes import load_recipe
from backend.settings import Settings
from benchmarks.harness import Ratio, Scale, Section
from benchmarks.photographs import raccoons

VARIANTS, MOST = 8, 0.7  # seconds
RECIPES = ("gentle", "street-default")
SIZE = (1155, 866)  # one megapixel
ROUNDS = 12
BEFORE = """\
Wall time of one preview, what is looked at being kept: {variants} variants of a photograph of {width} x {height}
pixels drawn at full size on two threads, shrunk and made JPEG; the recipes ship with LabelLoom. Photographs are out of
{words}. The first preview, which loads libraries and reads the dataset, took {first:.1f} s. The ratio is over what it
may take at most: {most} ms."""


def run(scale: Scale) -> Section:
    """Time previews of several shuffles; with `scale.images`, fewer of them."""
    rounds = scale.images or ROUNDS
    with TemporaryDirectory() as name:
        folder, words = raccoons(Path(name), 2)
        for path in (folder / "JPEGImages").iterdir():
            cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), SIZE))
        settings = Settings(data_dir=Path(name) / "data", cache_dir=Path(name) / "cache")
        begun = time.perf_counter()
        live = LivePreviews(settings)
        live.draw(Wish(load_recipe(RECIPES[0], settings), folder))
        first = time.perf_counter() - begun
        found = []
        for recipe in RECIPES:
            seconds = _times(live, Wish(load_recipe(recipe, settings), folder, variants=VARIANTS), rounds)
            found.append(Ratio(f"preview by {recipe}", f"{MOST * 1000:.0f} ms", seconds, "median <= 1"))
    most = f"{MOST * 1000:.0f}"
    width, height = SIZE
    before = BEFORE.format(variants=VARIANTS, width=width, height=height, words=words, first=first, most=most)
    told = ", ".join(f"{ratio.what} {median(ratio.pairs) * MOST * 1000:.0f} ms" for ratio in found)
    return Section("Live preview", before, tuple(found), f"Medians: {told}.")


def _times(live: LivePreviews, wish: Wish, rounds: int) -> tuple[float, ...]:
    live.draw(wish)
    seconds = []
    for shuffle in range(1, rounds + 1):
        begun = time.perf_counter()
        live.draw(Wish(wish.recipe, wish.dataset, variants=wish.variants, shuffle=shuffle))
        seconds.append((time.perf_counter() - begun) / MOST)
    return tuple(seconds)
