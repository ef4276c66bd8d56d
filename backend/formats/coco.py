"""COCO: images/NAME and annotations/instances_{train,val,test}.json with boxes, polygons, run-length masks, crowds.

`category_id` is the label's position + 1; image and annotation ids count from 1 in the order of the samples, through
all splits, so that the files may be merged.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from backend.core import rle
from backend.core.geometry import bounds_of, ring_area
from backend.core.model import Box, Dataset, Mask, Region, Sample, Stream
from backend.formats.base import SPLITS, Classes, Losses, class_id, split_folder
from backend.formats.clean_names import with_clean_names
from backend.formats.coco_files import documents, is_coco, label_names
from backend.formats.coco_read import samples
from backend.formats.holds import count_extras, hold_rings, inside_box
from backend.formats.unread import with_unread
from backend.imaging.files import write_atomic

Json = dict[str, Any]
_Licenses = dict[tuple[str, str], int]  # the number of each (name, address)

_IN_MEMORY = 1 << 20
_OWN_FIELDS = ("iscrowd", "control")  # iscrowd has its own place, a Label Studio control's name has none


@dataclass(frozen=True, slots=True)
class Coco:
    """The COCO detection and segmentation format; see `base.Format`."""

    key: str = "coco"
    tolerance: float = 0.01

    def recognises(self, folder: Path) -> bool:
        """Tell whether `folder` holds a COCO annotation file."""
        return is_coco(folder)

    def open(self, folder: Path) -> Dataset:
        """Return the dataset in `folder`; its annotation files are held in memory."""
        found = documents(folder)
        dataset = Dataset(folder.resolve().name, label_names(found), Stream(lambda: samples(folder, found)))
        return with_unread(folder, with_clean_names(folder, dataset))

    def image_path(self, folder: Path, sample: Sample) -> Path:
        """Return images/NAME."""
        return folder / "images" / sample.name

    def write_labels(self, folder: Path, sample: Sample, classes: Classes) -> Losses:
        """Return what COCO cannot hold of a sample; its annotations are written by `finish`."""
        losses = Losses()
        for region in sample.regions:
            class_id(region.label, classes)
            region_entry(sample, region, losses)
        attributes = (name for region in sample.regions for name, _ in region.attributes)
        count_extras(sample, frozenset({"score", *attributes}), losses)
        return losses

    def finish(self, folder: Path, samples: Iterable[Sample], classes: Classes) -> None:
        """Write annotations/instances_{train,val,test}.json in one pass; nothing is held but a small buffer."""
        with ExitStack() as stack:
            parts = {split: _Part(stack) for split in SPLITS}
            licenses: _Licenses = {}
            image_id = annotation_id = 0
            for image_id, sample in enumerate(samples, start=1):
                part = parts[split_folder(sample)]
                part.images.add(_image(image_id, sample, licenses))
                for region in sample.regions:
                    entry = region_entry(sample, region, Losses())
                    if entry is None:
                        continue
                    annotation_id += 1
                    category = class_id(region.label, classes) + 1
                    part.annotations.add({"id": annotation_id, "image_id": image_id, "category_id": category, **entry})
            for split, part in parts.items():
                write_atomic(folder / "annotations" / f"instances_{split}.json", _document(part, classes, licenses))
        (folder / "images").mkdir(parents=True, exist_ok=True)


class _Entries:
    """A growing JSON list on disk."""

    def __init__(self, stack: ExitStack) -> None:
        self._file: IO[bytes] = stack.enter_context(SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115 - by the stack
        self._separator = b""

    def add(self, entry: Json) -> None:
        self._file.write(self._separator + _json(entry))
        self._separator = b",\n"

    def chunks(self) -> Iterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(_IN_MEMORY):
            yield chunk


class _Part:
    """The images and annotations of one split."""

    def __init__(self, stack: ExitStack) -> None:
        self.images, self.annotations = _Entries(stack), _Entries(stack)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _document(part: _Part, classes: Classes, licenses: _Licenses) -> Iterator[bytes]:
    listed = [{"id": number, "name": name, "url": url} for (name, url), number in licenses.items()]
    yield b'{"info":{"description":"Written by LabelLoom"},"licenses":' + _json(listed) + b',\n"images":['
    yield from part.images.chunks()
    yield b'],\n"annotations":['
    yield from part.annotations.chunks()
    categories = [{"id": i, "name": label, "supercategory": ""} for i, label in enumerate(classes.labels, start=1)]
    yield b'],\n"categories":' + _json(categories) + b"}\n"


def _image(number: int, sample: Sample, licenses: _Licenses) -> Json:
    """Return an image's entry; licenses: the numbers of those known so far, which grow."""
    entry: Json = {"id": number, "file_name": sample.name, "width": sample.width, "height": sample.height}
    terms = sample.origin.credit.license if sample.origin.credit else None
    if terms and terms.known:
        entry["license"] = licenses.setdefault((terms.name, terms.url or ""), len(licenses) + 1)
    return entry


def region_entry(sample: Sample, region: Region, losses: Losses) -> Json | None:
    """Return bbox, area, segmentation, iscrowd and what else is known of a region, or None where it is left out."""
    shaped = _shape_entry(sample, region, losses)
    if shaped is None:
        return None
    entry: Json = {**shaped, "iscrowd": int(bool(region.attribute("iscrowd")))}
    attributes = {name: value for name, value in region.attributes if name not in _OWN_FIELDS}
    if attributes:
        entry["attributes"] = attributes
    if region.score is not None:
        entry["score"] = region.score
    return entry


def _shape_entry(sample: Sample, region: Region, losses: Losses) -> Json | None:
    shape = region.shape
    if isinstance(shape, Box | Mask):
        box = inside_box(sample, shape, losses)
        if box is None:
            return None
        if isinstance(shape, Box):
            return {"bbox": _bbox(box), "area": _r(box.area), "segmentation": []}
        counts = {"size": [shape.height, shape.width], "counts": list(shape.counts)}
        return {"bbox": _bbox(box), "area": rle.area(shape), "segmentation": counts}
    rings = hold_rings(sample, region, losses)
    bounds = bounds_of(rings)
    if bounds is None:
        return None
    segmentation = [[_r(value) for value in ring.ravel().tolist()] for ring in rings]
    return {"bbox": _bbox(bounds), "area": _r(sum(map(ring_area, rings))), "segmentation": segmentation}


def _bbox(box: Box) -> list[float]:
    return [_r(box.x0), _r(box.y0), _r(box.x1 - box.x0), _r(box.y1 - box.y0)]


def _r(value: float) -> float:
    return round(value, 4)


COCO = Coco()
