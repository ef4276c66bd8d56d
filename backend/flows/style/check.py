"""The gates of an engine, on pictures it never learned from: photographs and styles, paired by a seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backend.core.errors import ImageError, UsageError
from backend.core.model import Skipped
from backend.core.progress import Progress
from backend.imaging.decode import decode
from backend.style.base import Engine, Rgb

SIDE = 256  # pixels, at which the gates' thresholds hold
PAIRS = 36
_LEAST = 30  # pairs; fewer say little


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of it. colours: R that matching colours alone leaves on the same pairs; an engine must be below."""

    engine: str
    version: str
    pairs: int
    gates: tuple[Any, ...]
    distances: tuple[float, ...]
    colours: float
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every gate holds."""
        return all(gate.passed for gate in self.gates)

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` and model cards show it."""
        return {
            "engine": self.engine,
            "version": self.version,
            "passed": self.passed,
            "pairs": self.pairs,
            "gates": [{**asdict(g), "value": round(g.value, 4), "passed": g.passed} for g in self.gates],
            "distances": [round(value, 4) for value in self.distances],
            "colours_alone": round(self.colours, 4),
        }


def check_engine(
    engine: Engine, contents: Sequence[Path], styles: Sequence[Path], progress: Progress, *, pairs: int = PAIRS
) -> Checked:
    """Measure an engine.

    Raises:
        UsageError: no content or no style can be read.
    """
    from backend.style.base import Runtime
    from backend.style.compact import open_engine
    from backend.style.gates import ALPHAS, Pair, edge_correlation, judge, match_colours, psnr, remaining, shift

    ruler = open_engine({}, Runtime())  # its encoder is what styles are compared by
    found: list[Pair] = []
    colours: list[float] = []
    skipped: list[Skipped] = []
    total = min(pairs, 2 * len(contents) * len(styles))
    for content, style in _pairs(contents, styles, total, skipped):
        progress.update("painting", len(found), total)
        looked, code = engine.content(content), engine.style(style)
        painted = {alpha: engine.paint(looked, code, alpha) for alpha in ALPHAS}
        of_content, of_style = ruler.style(content), ruler.style(style)
        left = tuple(remaining(ruler.style(painted[alpha]), of_content, of_style) for alpha in ALPHAS)
        half, full = (edge_correlation(content, painted[alpha]) for alpha in (0.5, 1.0))
        found.append(Pair(psnr(painted[0.0], content), left, half, full, shift(content, painted[1.0])))
        colours.append(remaining(ruler.style(match_colours(content, style)), of_content, of_style))
    if not found:
        msg = f"no pair of a photograph and a style can be read: {skipped[0].reason if skipped else 'none was given'}"
        raise UsageError(msg, fix="give folders of pictures with --content and --style")
    progress.update("painting", len(found), len(found))
    return Checked(
        engine.name,
        engine.version,
        len(found),
        judge(found),
        tuple(sum(values) / len(found) for values in zip(*(pair.distances for pair in found), strict=True)),
        sum(colours) / len(colours),
        tuple(skipped),
        (f"only {len(found)} pairs: give more pictures for an answer worth trusting",) if len(found) < _LEAST else (),
    )


def _pairs(
    contents: Sequence[Path], styles: Sequence[Path], count: int, skipped: list[Skipped]
) -> Iterator[tuple[Rgb, Rgb]]:
    """Yield pictures of one size; contents take turns, styles are drawn."""
    dice = random.Random(0)
    bad: set[Path] = set()
    for number in range(count):
        content, style = contents[number % len(contents)], dice.choice(styles)
        pair = [one for path in (content, style) if (one := _read(path, bad, skipped)) is not None]
        if len(pair) == 2:
            yield pair[0], pair[1]


def _read(path: Path, bad: set[Path], skipped: list[Skipped]) -> Rgb | None:
    from backend.style.sizes import square

    if path in bad:
        return None
    try:
        return square(decode(path.read_bytes()).rgb, SIDE)
    except (ImageError, OSError) as error:
        bad.add(path)
        skipped.append(Skipped(str(path), str(error)))
        return None
