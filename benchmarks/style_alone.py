"""What processes of their own do for benchmarks/style.py, without torch: paint many pictures, or a large one.

`python -m benchmarks.style_alone HEIGHT WIDTH` paints one picture of that size, for its memory to be watched.
"""

import sys
from functools import cache

import numpy as np

from backend.style.base import Engine, Rgb, Runtime
from backend.style.compact import open_engine


@cache
def engine() -> Engine:
    """Return `compact`, loaded once a process."""
    return open_engine({}, Runtime())


def work(pictures: tuple[Rgb, Rgb]) -> None:
    """Paint a content in a style."""
    content, style = pictures
    engine().paint(engine().content(content), engine().style(style), 1.0)


def large(height: int, width: int) -> None:
    """Paint a large picture."""
    tile = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    picture = np.tile(tile, (-(-height // 64), -(-width // 64), 1))[:height, :width].copy()
    engine().paint(engine().content(picture), engine().style(tile), 0.5)


if __name__ == "__main__":
    large(int(sys.argv[1]), int(sys.argv[2]))
