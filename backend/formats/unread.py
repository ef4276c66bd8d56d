"""What lies in a dataset's folder and is never read: links that lead out of it, pipes, devices, hidden images."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from backend.core.model import Dataset, Sample, Skipped, Stream
from backend.formats.walk import HIDDEN, entries, is_image

_LABEL_FOLDERS = {"labels", "label", "annotations", "annotation", "xml", "xmls"}
_LABEL_FILES = {".txt", ".xml"}


class _Unread(NamedTuple):
    skipped: tuple[Skipped, ...]
    hidden: tuple[str, ...]


def with_unread(folder: Path, dataset: Dataset) -> Dataset:
    """Return a folder's dataset with what is never read in it: skipped at the end, hidden images as one note.

    An image without regions whose labels may be among them is skipped too: as background it would be a false negative.
    """
    skipped, hidden = _look(folder)
    notes = dataset.notes
    if hidden:
        notes = (*notes, f"{len(hidden)} hidden images were left out (the first: {hidden[0]})")
    if not skipped:
        return replace(dataset, notes=notes)
    lost = [item for item in skipped if PurePosixPath(item.item).suffix.lower() in _LABEL_FILES or _labels(item.item)]

    def stream() -> Iterator[Sample | Skipped]:
        for item in dataset.samples:
            behind = _behind(item, lost) if lost and isinstance(item, Sample) and not item.regions else None
            uri = item.origin.uri or item.name if isinstance(item, Sample) else ""
            yield Skipped(uri, f"its labels may lie in {behind.item}, which {behind.reason}") if behind else item
        yield from skipped

    return replace(dataset, samples=Stream(stream), notes=notes)


def _look(folder: Path) -> _Unread:
    found = [(path, reason) for path, reason in entries(folder) if reason]
    hidden = tuple(path for path, reason in found if reason == HIDDEN)
    return _Unread(
        tuple(Skipped(path, reason) for path, reason in found if reason != HIDDEN and _matters(path)), hidden
    )


def _matters(path: str) -> bool:
    """Tell whether a name is an image's, a label file's or a folder's."""
    return is_image(path) or PurePosixPath(path).suffix.lower() in {"", *_LABEL_FILES}


def _labels(path: str) -> bool:
    return PurePosixPath(path).name.lower() in _LABEL_FOLDERS


def _behind(sample: Sample, lost: list[Skipped]) -> Skipped | None:
    stem = PurePosixPath(sample.name).stem
    return next((item for item in lost if _labels(item.item) or PurePosixPath(item.item).stem == stem), None)
