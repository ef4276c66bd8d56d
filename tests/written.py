"""Small datasets for tests: pictures of any size, and a sample set written in a format the way the engine does it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from PIL import Image

from backend.core.model import Box, Region, Sample, Skipped, Tag
from backend.formats import FORMATS
from backend.formats.base import Classes
from backend.imaging.files import link_or_copy

LABELS = ("개 / dog", "raccoon", "🦝 with spaces", "a:b*c?")
TAGS = ("좋음", "very bad/worse", "100%")


def picture(path: Path, width: int = 64, height: int = 48, orientation: int | None = None) -> Path:
    """Write a plain picture; `orientation` is the EXIF tag."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (width, height), (90, 120, 150))
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    image.save(path, exif=exif) if orientation else image.save(path)
    return path


def sample(
    source: Path, *regions: Region, name: str = "a.png", split: str = "train", tags: tuple[str, ...] = ()
) -> Sample:
    """Return a sample of a picture file, its size read from the file."""
    with Image.open(source) as image:
        width, height = image.size
    return Sample(name, str(source), name, width, height, regions, tuple(map(Tag, tags)), split)


def box(number: int, label: str, x0: float, y0: float, x1: float, y1: float) -> Region:
    """Return a region with a plain box."""
    return Region(f"r{number}", label, Box(x0, y0, x1, y1))


def write(key: str, folder: Path, samples: list[Sample], classes: Classes) -> Counter[str]:
    """Write images and labels of samples as format `key`; return the losses."""
    form = FORMATS[key]
    losses: Counter[str] = Counter()
    for item in samples:
        link_or_copy(item.path, form.image_path(folder, item))
        losses += form.write_labels(folder, item, classes)
    form.finish(folder, samples, classes)
    return losses


def read(key: str, folder: Path) -> dict[str, Sample]:
    """Return the samples of a folder by file name; fail on anything skipped."""
    items = list(FORMATS[key].open(folder).samples)
    skipped = [item for item in items if isinstance(item, Skipped)]
    assert not skipped, skipped
    return {item.name: item for item in items if isinstance(item, Sample)}


def in_split(samples: list[Sample], split: str) -> list[Sample]:
    """Return the samples moved to a split."""
    return [replace(item, split=split) for item in samples]
