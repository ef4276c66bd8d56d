"""What the decoder learns from: folders of photographs and of paintings, opened a few at a time.

Which crops an iteration sees is a function of the seed and its number alone: a training that is resumed goes on with
the very crops that it would have seen. An eighth of the files is kept aside, by name, for looking at the result.
"""

import random
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from backend.core.errors import ImageError, UsageError
from backend.imaging.containers import IMAGE_SUFFIXES
from backend.imaging.decode import Rgb, decode
from backend.style.sizes import longer_at_most

ASIDE = 8  # one file in so many is kept aside
LARGEST = 640  # pixels; the longer side of what is kept in memory
_KEPT = 600  # pictures kept decoded, at most some 500 MB

Tell = Callable[[str], None]


def find(folders: Sequence[Path]) -> list[Path]:
    """Return the picture files below the folders (or the files themselves), sorted by path.

    Raises:
        UsageError: a folder does not exist, or there is no picture.
    """
    found: set[Path] = set()
    for folder in folders:
        if not folder.exists():
            msg = f"there is no folder {folder}"
            raise UsageError(msg, fix="give folders of pictures")
        inside = [folder] if folder.is_file() else folder.rglob("*")
        found.update(path for path in inside if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not found:
        msg = f"no picture in {', '.join(map(str, folders))}"
        raise UsageError(msg, fix="give folders of pictures (jpg, png, webp, ...)")
    return sorted(found)


def split(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return what is learned from and what is kept aside; the latter is never empty, nor is the former."""
    aside = [path for path in paths if zlib.crc32(path.name.encode()) % ASIDE == 0] or list(paths[:1])
    rest = [path for path in paths if path not in set(aside)]
    return rest or list(paths), aside


class Pictures:
    """Pictures by number; one that cannot be read is told once and another takes its place."""

    def __init__(self, paths: Sequence[Path], tell: Tell) -> None:
        self.paths = list(paths)
        self._tell = tell
        self._kept: dict[Path, Rgb] = {}
        self.broken: dict[Path, str] = {}

    def draw(self, dice: random.Random) -> Rgb:
        """Return a picture.

        Raises:
            UsageError: none of them can be read.
        """
        while len(self.broken) < len(self.paths):
            path = self.paths[dice.randrange(len(self.paths))]
            if path not in self.broken and (rgb := self._read(path)) is not None:
                return rgb
        msg = f"none of {len(self.paths)} pictures can be read, such as {self.paths[0]}"
        raise UsageError(msg, fix="give other folders")

    def _read(self, path: Path) -> Rgb | None:
        if path not in self._kept:
            try:
                rgb = longer_at_most(decode(path.read_bytes()).rgb, LARGEST)
            except (ImageError, OSError) as error:
                self.broken[path] = str(error)
                self._tell(f"{path}: {error}")
                return None
            if len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[path] = rgb
        return self._kept[path]


def batch(pictures: Pictures, count: int, size: int, dice: random.Random) -> Tensor:
    """Return square crops at random scales, mirrored half the time: (count, 3, size, size), RGB 0..1."""
    crops = np.stack([_crop(pictures.draw(dice), size, dice) for _ in range(count)])
    return as_tensor(crops)


def as_tensor(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
    """Return (N, 3, H, W), 0..1, of (N, H, W, 3) pictures."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div(255)


def _crop(rgb: Rgb, size: int, dice: random.Random) -> Rgb:
    height, width = rgb.shape[:2]
    shorter = min(height, width)
    side = shorter if shorter <= size else round(dice.uniform(size, shorter))
    top, left = dice.randint(0, height - side), dice.randint(0, width - side)
    crop = rgb[top : top + side, left : left + side]
    if dice.random() < 0.5:
        crop = crop[:, ::-1]
    way = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(crop), (size, size), interpolation=way), np.uint8)
