"""Class folders: {split}/{class}/NAME, where the folder an image lies in is its tag; regions have no place here.

An image without a tag lies in {split}/ itself. classes.json pins the order of the tags and tells which folder means
which, because a folder cannot be named like every tag. A plain folder of images is a dataset without labels.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from backend.core.model import Dataset, Origin, Sample, Skipped, Stream, Tag
from backend.formats.base import Classes, Losses, split_folder, split_of
from backend.formats.clean_names import with_clean_names
from backend.formats.holds import NAMES
from backend.formats.reading import read_header
from backend.formats.unread import with_unread
from backend.formats.walk import images_below, read_text, within
from backend.imaging.files import write_atomic

_UNSAFE = re.compile(r'[%/\\:*?"<>|\x00-\x1f\x7f]|^[. ]|[. ]$')
_LONGEST = 120  # bytes; a folder name may have 255

_SNIFFED = 50


def class_folder(tag: str) -> str:
    """Return the folder name of a tag: unsafe characters as %XX, long names cut and told apart by a hash."""
    name = _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), tag) or "%"
    if len(name.encode()) <= _LONGEST:
        return name
    cut = name.encode()[:_LONGEST].decode(errors="ignore")
    return f"{cut}%{hashlib.sha256(tag.encode()).hexdigest()[:8]}"


class Layout(NamedTuple):
    """What lies where. images: relative path -> (split, tag or None); tags in order."""

    images: Mapping[str, tuple[str | None, str | None]]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Folders:
    """The class-folder format; see `base.Format`."""

    key: str = "folders"
    tolerance: float = 0.01

    def recognises(self, folder: Path) -> bool:
        """Tell whether there is any image below `folder`: the format of last resort."""
        return next(images_below(folder), None) is not None

    def open(self, folder: Path) -> Dataset:
        """Return the dataset in `folder`; tags in the order of classes.json, else of their folders' names."""
        layout = read_layout(folder)
        stream = Stream(lambda: _samples(folder, layout))
        dataset = Dataset(folder.resolve().name, (), stream, tags=layout.tags)
        return with_unread(folder, with_clean_names(folder, dataset))

    def image_path(self, folder: Path, sample: Sample) -> Path:
        """Return {split}/{class}/NAME, the class being the first tag."""
        place = folder / split_folder(sample)
        return (place / class_folder(sample.tags[0].label) if sample.tags else place) / sample.name

    def write_labels(self, folder: Path, sample: Sample, classes: Classes) -> Losses:
        """Return what class folders cannot hold; the image's place is its label, so nothing is written."""
        losses = Losses()
        for region in sample.regions:
            losses[f"{NAMES[type(region.shape)]} left out: class folders hold one class per image"] += 1
        if len(sample.tags) > 1:
            losses["further image tag left out: class folders hold one class per image"] += len(sample.tags) - 1
        return losses

    def finish(self, folder: Path, samples: Iterable[Sample], classes: Classes) -> None:
        """Write classes.json: tags in order, each with its folder."""
        document = {"classes": [{"name": tag, "folder": class_folder(tag)} for tag in classes.tags]}
        write_atomic(folder / "classes.json", (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode())


def read_layout(folder: Path) -> Layout:
    """Return the images of a folder with split and tag.

    A folder named like a split, at the top, means it; the folder below, or at the top without splits, is the class.
    """
    pinned = _pinned(folder)
    placed: dict[str, tuple[str | None, str | None]] = {}
    for image in images_below(folder):
        parents = PurePosixPath(image).parts[:-1]
        split = split_of(parts_first) if (parts_first := next(iter(parents), "")) else None
        rest = parents[1:] if split else parents
        placed[image] = (split, _tag(rest, pinned))
    used = sorted({tag for _, tag in placed.values() if tag is not None})
    return Layout(placed, tuple(dict.fromkeys((*pinned.values(), *used))))


def _tag(parents: tuple[str, ...], pinned: Mapping[str, str]) -> str | None:
    """Return the class a path's folders name; 'images' and the like is where images lie, not what they show."""
    if not parents or (len(parents) == 1 and parents[0].lower() in {"images", "jpegimages"}):
        return None
    return pinned.get(parents[0], parents[0])


def _pinned(folder: Path) -> dict[str, str]:
    """Return folder name -> tag as classes.json tells, or nothing."""
    path = folder / "classes.json"
    if not path.is_file() or not within(folder, path):
        return {}
    try:
        entries = json.loads(read_text(path))["classes"]
        return {str(entry["folder"]): str(entry["name"]) for entry in entries}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _samples(folder: Path, layout: Layout) -> Iterator[Sample | Skipped]:
    for image, (split, tag) in layout.images.items():
        header = read_header(folder, image)
        if isinstance(header, Skipped):
            yield header
            continue
        yield Sample(
            id=image,
            path=str((folder / image).absolute()),
            name=PurePosixPath(image).name,
            width=header.probe.width,
            height=header.probe.height,
            tags=(Tag(tag),) if tag is not None else (),
            split=split,
            origin=Origin(uri=image),
        )


FOLDERS = Folders()
