"""The manifest of a dataset, read back: one JSON line per image says what each format was meant to hold."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from backend.core.codec import origin_from_json, region_from_json
from backend.core.errors import UsageError, shown
from backend.core.model import Sample, Tag
from backend.formats.base import SPLITS, Classes

MANIFEST, DESCRIPTION = "manifest.jsonl", "dataset.json"

Json = dict[str, Any]


def line_to_sample(line: Json) -> Sample:
    """Return the sample of a manifest line: its written regions and tags; its path is unknown and left empty.

    Raises:
        KeyError, TypeError, ValueError: the line lacks a field, or holds a shape, name or split that cannot be.
    """
    if PurePath(line["file"]).name != line["file"] or line["file"] in {"", ".."} or set("\\\0") & set(line["file"]):
        msg = f"file {shown(line['file'])} is no plain file name"
        raise ValueError(msg)
    if line["split"] not in SPLITS:
        msg = f"split {shown(line['split'])} is none of {', '.join(SPLITS)}"
        raise ValueError(msg)
    return Sample(
        id=line["file"],
        path="",
        name=line["file"],
        width=line["width"],
        height=line["height"],
        regions=tuple(map(region_from_json, line["regions"])),
        tags=tuple(_tag(tag) for tag in line.get("tags") or ()),
        split=line["split"],
        origin=origin_from_json(line.get("source") or {}),
    )


def _tag(value: str | Json) -> Tag:
    return Tag(value) if isinstance(value, str) else Tag(value["label"], value.get("control"))


def lines(manifest: Path) -> Iterator[Json]:
    """Yield the lines of a manifest, one at a time.

    Raises:
        UsageError: there is no manifest, or a line of it is not JSON.
    """
    try:
        with manifest.open(encoding="utf-8") as stream:
            for number, text in enumerate(stream, start=1):
                try:
                    yield json.loads(text)
                except ValueError as error:
                    msg = f"{manifest} line {number}: not JSON: {error}"
                    raise UsageError(msg, fix="restore the manifest, or build the dataset again") from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{manifest}: cannot be read: {error}"
        raise UsageError(msg, fix="give the folder that holds manifest.jsonl and dataset.json") from error


@dataclass(frozen=True, slots=True)
class Samples:
    """What was meant: samples that may be iterated any number of times, one in memory at a time."""

    factory: Callable[[], Iterator[Sample]]

    def __iter__(self) -> Iterator[Sample]:
        return self.factory()


def samples(manifest: Path) -> Samples:
    """Return the samples of a manifest, in its order; may be iterated again, one line in memory at a time.

    Raises:
        UsageError: while iterating: a line is broken.
    """
    return Samples(lambda: (sample for sample, _ in entries(manifest)))


def entries(manifest: Path) -> Iterator[tuple[Sample, Json]]:
    """Yield each line of a manifest as a sample and as it stands there.

    Raises:
        UsageError: a line is broken; the message names it.
    """
    for number, line in enumerate(lines(manifest), start=1):
        try:
            yield line_to_sample(line), line
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            cause = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            msg = f"{manifest} line {number}: not a manifest line: {cause}"
            raise UsageError(msg, fix="restore the manifest, or build the dataset again") from error


@dataclass(frozen=True, slots=True)
class Description:
    """What dataset.json says that readers need: the class order and which formats were written."""

    name: str
    classes: Classes
    formats: tuple[str, ...]


def is_dataset(folder: Path) -> bool:
    """Tell whether `folder` is a dataset LabelLoom made: manifest.jsonl and dataset.json lie in it."""
    return (folder / MANIFEST).is_file() and (folder / DESCRIPTION).is_file()


def read_description(folder: Path) -> Description:
    """Return what dataset.json says.

    Raises:
        UsageError: it is missing or not what LabelLoom writes.
    """
    path = folder / DESCRIPTION
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        classes = Classes(tuple(document["labels"]), tuple(document.get("tags") or ()))
        return Description(str(document["name"]), classes, tuple(document["formats"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path}: cannot be read as a dataset's description: {error!r}"
        raise UsageError(msg, fix="give the folder that holds manifest.jsonl and dataset.json") from error
