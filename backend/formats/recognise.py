"""Which format a folder holds, wherever in it the format lies."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from backend.core.errors import UsageError
from backend.core.model import Dataset, Sample, Skipped, Stream
from backend.formats import FORMATS
from backend.formats.base import Format
from backend.formats.manifest import MANIFEST, entries, is_dataset, read_description
from backend.formats.walk import is_junk, within

RICHEST = ("coco", "yolo-seg", "yolo-obb", "voc", "yolo", "folders")  # by the shapes they hold

_LOOKED_FOR = (
    "data.yaml or labels/*.txt (YOLO), XML with <annotation> (Pascal VOC), JSON with images and annotations (COCO), "
    "images in folders (class folders)"
)
_DEEPEST = 3


class Found(NamedTuple):
    """A format and the folder it lies in."""

    format: Format
    folder: Path


def recognise(path: Path) -> Found:
    """Return the format of a dataset: a folder, one that contains it, a LabelLoom dataset, or a data.yaml.

    Raises:
        UsageError: nothing there, or nothing that is known; the message names what was looked for.
    """
    if path.is_file() and path.suffix.lower() in {".yaml", ".yml"}:
        path = path.parent
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "does not exist"
        msg = f"{path}: {what}"
        raise UsageError(msg, fix="give the folder of a dataset")
    if is_dataset(path):
        return _richest(path)
    found = list(_with_labels(path, _DEEPEST))
    if len(found) > 1:
        names = ", ".join(f"{place.relative_to(path)} ({form.key})" for form, place in found[:10])
        msg = f"{path}: holds {len(found)} datasets: {names}"
        raise UsageError(msg, fix="name one of them")
    if found:
        return found[0]
    if FORMATS["folders"].recognises(path):
        return Found(FORMATS["folders"], path)
    msg = f"{path}: no dataset found; looked for {_LOOKED_FOR}"
    raise UsageError(msg, fix="give the folder that holds the images and their labels")


def open_dataset(path: Path) -> Dataset:
    """Return the dataset at `path`, whatever its format.

    A LabelLoom dataset is read from its manifest, which holds more than any one format. A sample's `fields` then tell
    its lineage and variant.

    Raises:
        UsageError: as `recognise`.
    """
    if path.is_dir() and is_dataset(path):
        description = read_description(path)
        classes = description.classes
        return Dataset(description.name, classes.labels, Stream(lambda: _from_manifest(path)), tags=classes.tags)
    found = recognise(path)
    return found.format.open(found.folder)


def _from_manifest(path: Path) -> Iterator[Sample | Skipped]:
    folders = [(FORMATS[key], path / key) for key in read_description(path).formats if key in FORMATS]
    for sample, line in entries(path / MANIFEST):
        places = (form.image_path(folder, sample).absolute() for form, folder in folders)
        image = next((place for place in places if place.is_file()), None)
        if image is None:
            yield Skipped(sample.name, "named in the manifest, but its image is in none of the formats' folders")
            continue
        fields = tuple((name, str(line[name])) for name in ("lineage", "variant") if name in line)
        yield replace(sample, path=str(image), fields=fields)


def _richest(path: Path) -> Found:
    description = read_description(path)
    order = RICHEST if description.classes.labels else ("folders", *RICHEST)
    for key in order:
        if key in description.formats and (path / key).is_dir():
            return Found(FORMATS[key], path / key)
    msg = f"{path}: none of the folders it names is there: {', '.join(description.formats)}"
    raise UsageError(msg, fix="build the dataset again")


def _with_labels(path: Path, depth: int) -> Iterator[Found]:
    """Yield the labelled format that lies in `path`, else those in its folders."""
    here = next(
        (Found(form, path) for key, form in FORMATS.items() if key != "folders" and form.recognises(path)), None
    )
    if here:
        yield here
    elif depth:
        for place in sorted(path.glob("*/")):
            if not is_junk(place.name) and within(path, place):
                yield from _with_labels(place, depth - 1)
