"""What every dataset format is, and the few words they share: splits, class ids, reasons for losses."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

from backend.core.errors import LabelLoomError
from backend.core.model import Dataset, Sample

SPLITS = ("train", "val", "test")
Losses = Counter[str]  # how many regions (or tags) lost something in writing, by reason

_SPLIT_WORD = re.compile(r"(train|val|valid|validation|test)(ing)?[_-]?(\d{4})?", re.IGNORECASE)


class Classes(NamedTuple):
    """The ordered names that pin class ids: `labels` of regions, `tags` of whole images."""

    labels: tuple[str, ...]
    tags: tuple[str, ...] = ()


class Format(Protocol):
    """One dataset format. `folder` is the format's own folder, for instance `<dataset>/yolo`.

    key: its name on the command line. tolerance: largest error of a coordinate read back, in pixels.
    """

    @property
    def key(self) -> str:
        """The name of the format on the command line and of its folder."""
        ...

    @property
    def tolerance(self) -> float:
        """Largest error of a coordinate that was written and read back, in pixels."""
        ...

    def recognises(self, folder: Path) -> bool:
        """Tell whether `folder` holds this format; a cheap look, nothing is read in full."""
        ...

    def open(self, folder: Path) -> Dataset:
        """Return the dataset in `folder`: streaming, forgiving, each repair named in `Sample.notes` or `Skipped`."""
        ...

    def image_path(self, folder: Path, sample: Sample) -> Path:
        """Return where this sample's image lies: `Sample.name` is its file name, `Sample.split` its split."""
        ...

    def write_labels(self, folder: Path, sample: Sample, classes: Classes) -> Losses:
        """Write one sample's label files, each atomically; return what the format could not hold, by reason.

        Raises:
            LabelLoomError: a label is not among `classes`.
            OSError: full disk, read-only folder and the like.
        """
        ...

    def finish(self, folder: Path, samples: Iterable[Sample], classes: Classes) -> None:
        """Write the files that speak of all samples (class names, split lists); `samples` is streamed."""
        ...


def split_of(word: str) -> str | None:
    """Return train, val or test where a file or folder name means a split ('valid', 'Train2017'), else None."""
    match = _SPLIT_WORD.fullmatch(word)
    return None if match is None else next(split for split in SPLITS if match[1].lower().startswith(split))


def split_folder(sample: Sample) -> str:
    """Return the split a sample is written to; one without a split is training data."""
    return sample.split or "train"


@lru_cache(maxsize=8)
def _positions(labels: tuple[str, ...]) -> dict[str, int]:
    return {label: position for position, label in enumerate(labels)}


def class_id(label: str, classes: Classes) -> int:
    """Return a label's class id: its position from 0.

    Raises:
        LabelLoomError: the label is not in the list.
    """
    try:
        return _positions(classes.labels)[label]
    except KeyError as error:
        msg = f"label {label!r} is not among the dataset's labels: {', '.join(classes.labels) or 'there are none'}"
        raise LabelLoomError(msg, fix="add it to the label list before writing") from error


def stem(name: str) -> str:
    """Return a file name without its last suffix; 'a.b.jpg' gives 'a.b'."""
    return name.rpartition(".")[0] or name
