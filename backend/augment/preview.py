"""What a recipe does, to look at: originals beside their variants, or the most damaged variants first."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from backend.augment.ops import Rgb
from backend.augment.pipeline import Drawn, GaveUp, Pipeline
from backend.augment.render import Row, Tile, Tone
from backend.augment.rules import shorter_side
from backend.core.model import Box, Keypoint, Region, Sample

DRAWS = 200
SHOWN = 12
PER_ROW = 4


class Loaded(NamedTuple):
    """A sample with its pixels, uint8 RGB, and the sha256 of its file."""

    sample: Sample
    rgb: Rgb
    sha256: str


class Damaged(NamedTuple):
    """A variant with how much it hurt its objects, 0: not at all."""

    damage: float
    sample: Sample
    variant: int
    drawn: Drawn


def preview(loaded: Iterable[Loaded], pipeline: Pipeline, variants: int) -> tuple[Row, ...]:
    """Return one row per sample: the original as it would be written, then its first variants."""
    return tuple(_row(one, pipeline, variants) for one in loaded)


def _row(one: Loaded, pipeline: Pipeline, variants: int) -> Row:
    sample, rgb, sha256 = one
    original = pipeline.prepare(rgb, sample.regions)
    tiles = [Tile("original", original.rgb, original.regions, _regions(original), "plain", _size(original))]
    for number in range(1, variants + 1):
        tiles.append(_tile(pipeline.draw(rgb, sample.regions, sha256, number), f"variant {number}"))
    return Row(sample.name, tuple(tiles))


def worst(loaded: Sequence[Loaded], pipeline: Pipeline, *, draws: int = DRAWS, shown: int = SHOWN) -> tuple[Row, ...]:
    """Return the most damaged of some `draws` variants, worst first, `shown` in all.

    Only variants that would be written are shown: what the recipe refuses does no harm.
    """
    found = rank(loaded, pipeline, draws=draws, shown=shown)
    tiles = [
        _tile(d.drawn, f"{place}. {d.sample.name}, variant {d.variant}", f"damage {d.damage:.2f}: ")
        for place, d in enumerate(found, 1)
    ]
    return tuple(
        Row("most damaged first" if start == 0 else "", tuple(tiles[start : start + PER_ROW]))
        for start in range(0, len(tiles), PER_ROW)
    )


def rank(loaded: Sequence[Loaded], pipeline: Pipeline, *, draws: int, shown: int) -> list[Damaged]:
    """Return the `shown` most damaged of `draws` variants, spread evenly over the samples, worst first."""
    heap: list[tuple[float, int, Damaged]] = []
    for number, (one, variant) in enumerate(_spread(loaded, draws)):
        drawn = pipeline.draw(one.rgb, one.sample.regions, one.sha256, variant)
        if isinstance(drawn, GaveUp):
            continue
        before = pipeline.prepare(one.rgb, one.sample.regions).regions
        hurt = damage(drawn, before)
        heapq.heappush(heap, (hurt, -number, Damaged(hurt, one.sample, variant, drawn)))
        if len(heap) > shown:
            heapq.heappop(heap)
    return [item for _, _, item in sorted(heap, key=lambda entry: (-entry[0], -entry[1]))]


def _spread(loaded: Sequence[Loaded], draws: int) -> Iterator[tuple[Loaded, int]]:
    """Yield samples with variant numbers, sample by sample: the pipeline then prepares each only once."""
    for position, one in enumerate(loaded):
        share = draws // len(loaded) + (position < draws % len(loaded))
        for variant in range(1, share + 1):
            yield one, variant


def damage(drawn: Drawn, before: Sequence[Region]) -> float:
    """Return the damage to the worst hurt object: share lost, plus looseness gained, plus half of what it shrank by."""
    sources = {region.id: region for region in before}
    after = {region.id: region for region in drawn.regions}
    worst_of_all = 0.0
    for entry in drawn.ledger:
        source = sources.get(entry.region)
        if source is None or isinstance(source.shape, Keypoint):
            continue
        loose = entry.growth - 1 if isinstance(source.shape, Box) else 0.0
        side = shorter_side(source)
        now = shorter_side(after[entry.region]) if entry.region in after else 0.0
        shrunk = max(1 - now / side, 0.0) if side and entry.region in after else 0.0
        worst_of_all = max(worst_of_all, (1 - entry.visibility) + loose + shrunk / 2)
    return worst_of_all


def _tile(result: Drawn | GaveUp, caption: str, before: str = "") -> Tile:
    if isinstance(result, GaveUp):
        return Tile(f"{caption}: gave up", numbers=result.reasons[0], tone="poor", detail=f"{result.attempts} attempts")
    again = f", attempt {result.attempt + 1}" if result.attempt else ""
    numbers, tone = _numbers(result)
    steps = ", ".join(step["name"] for step in result.steps) or "no step applied"
    return Tile(caption + again, result.rgb, result.regions, before + numbers, tone, steps)


def _numbers(drawn: Drawn) -> tuple[str, Tone]:
    if not drawn.ledger:
        return "no regions", "plain"
    seen = min(entry.visibility for entry in drawn.ledger)
    boxes = {region.id for region in drawn.regions if isinstance(region.shape, Box)}
    # Only a plain box gets loose; around any other shape the box is drawn anew.
    grown = max((entry.growth for entry in drawn.ledger if entry.region in boxes), default=1.0)
    dropped = sum(entry.fate == "dropped" for entry in drawn.ledger)
    text = f"visibility {seen:.2f} · growth {grown:.2f}" + (f" · {dropped} dropped" if dropped else "")
    tone: Tone = "good" if seen > 0.9 and grown < 1.3 else "fair" if seen > 0.5 and grown < 1.8 else "poor"
    return text, tone


def _regions(drawn: Drawn) -> str:
    count = len(drawn.regions)
    return "1 region" if count == 1 else f"{count} regions"


def _size(drawn: Drawn) -> str:
    height, width = drawn.rgb.shape[:2]
    return f"{width} x {height}"
