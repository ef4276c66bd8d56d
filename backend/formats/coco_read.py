"""Reading COCO as it is found: any JSON with images and annotations, images wherever its names lead."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from backend.core import rle
from backend.core.errors import shown
from backend.core.geometry import iou, tight_box
from backend.core.model import Attribute, Mask, Origin, Region, Sample, Shape, Skipped
from backend.formats.base import split_of
from backend.formats.coco_files import Document, category_names, entries, image_ids, key
from backend.formats.reading import (
    FARTHEST,
    Corners,
    Header,
    Repairs,
    Size,
    check_size,
    extent_of,
    read_box,
    read_header,
    read_number,
    read_rings,
)
from backend.formats.walk import images_below

Json = dict[str, Any]

_PLACES = ("", "images", "JPEGImages", "data", "train", "val", "test", "valid", "train2017", "val2017", "test2017")


class Places:
    """Finds the image that a `file_name` means among the images of a folder."""

    def __init__(self, folder: Path) -> None:
        self.images = dict.fromkeys(images_below(folder))
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        for image in self.images:
            self._by_name[PurePosixPath(image).name.lower()].append(image)

    def find(self, file_name: str, document: Document) -> str | None:
        """Return the image's relative path: as the name says, beside the JSON, in a usual place, else by name alone."""
        name = file_name.replace("\\", "/").removeprefix("./")
        beside = str(PurePosixPath(document.relative).parent)
        for place in (beside, f"{beside}/images", *_PLACES, *(f"images/{p}" for p in _PLACES)):
            path = str(PurePosixPath(place) / name)
            if path in self.images:
                return path
        named = self._by_name.get(PurePosixPath(name).name.lower(), [])
        if document.split and len(named) > 1:
            named = [p for p in named if any(split_of(part) == document.split for part in PurePosixPath(p).parts[:-1])]
        return named[0] if len(named) == 1 else None


def samples(folder: Path, found: Sequence[Document]) -> Iterator[Sample | Skipped]:
    """Yield the samples of all annotation files in their order, then the images that none of them lists."""
    places = Places(folder)
    read_from: dict[str, str] = {}
    for document in found:
        listed: defaultdict[str, list[Json]] = defaultdict(list)
        shared = {number for number, count in image_ids(document).items() if count > 1}
        for entry in entries(document, "images"):
            name = str(entry.get("file_name") or "")
            image = places.find(name, document) if name else None
            if image is None:
                item = name or f"image {entry.get('id')}"
                yield Skipped(item, f"listed in {document.relative}, but no such image is in the folder")
            elif image in read_from:
                yield Skipped(image, f"listed in {document.relative}, but already read from {read_from[image]}")
            else:
                listed[image].append(entry)
        annotations = _by_image(document)
        for image, listings in listed.items():
            read_from[image] = document.relative
            ids = [key(entry.get("id")) for entry in listings]
            if shared.intersection(ids):
                number = next(i for i in ids if i in shared)
                yield Skipped(image, f"{document.relative} gives its id {shown(number)} to another image too")
                continue
            header = read_header(folder, image)
            if isinstance(header, Skipped):
                yield header
            else:
                yield _Reader(folder, document, header).sample(
                    [(entry, annotations.get(number, [])) for entry, number in zip(listings, ids, strict=True)]
                )
    yield from (
        Skipped(i, "in the folder, but not listed in any annotation file") for i in places.images - read_from.keys()
    )


def _by_image(document: Document) -> Mapping[Any, list[Json]]:
    grouped: defaultdict[Any, list[Json]] = defaultdict(list)
    for annotation in entries(document, "annotations"):
        grouped[key(annotation.get("image_id"))].append(annotation)
    return grouped


class _Reader:
    """Reads one image's annotations."""

    def __init__(self, folder: Path, document: Document, header: Header) -> None:
        self.folder, self.document, self.header = folder, document, header
        self.names = category_names(document)
        self.repairs = Repairs()

    def sample(self, listings: list[tuple[Json, list[Json]]]) -> Sample | Skipped:
        relative = self.header.relative
        regions: list[Region] = []
        for entry, annotations in listings:
            refused = self._refusal(entry, annotations)
            if refused:
                return Skipped(relative, refused)
            more = [region for a in annotations if (region := self._region(a))]
            regions += [region for region in more if not _known(region, regions)]
        if len(listings) > 1:
            self.repairs.note(f"listed {len(listings)} times in {self.document.relative}: regions were joined")
        return Sample(
            id=relative,
            path=str((self.folder / relative).absolute()),
            name=PurePosixPath(relative).name,
            width=self.header.probe.width,
            height=self.header.probe.height,
            regions=_unique(regions),
            split=self.document.split,
            origin=Origin(uri=relative),
            notes=self.repairs.notes(),
        )

    def _refusal(self, entry: Json, annotations: list[Json]) -> str | None:
        unknown = [a for a in annotations if key(a.get("category_id")) not in self.names]
        if unknown:
            number = shown(unknown[0].get("category_id"))
            return f"category id {number} is not among the categories of {self.document.relative}"
        width, height = read_number(entry.get("width")), read_number(entry.get("height"))
        told = (int(width), int(height)) if 0 < width <= FARTHEST and 0 < height <= FARTHEST else None
        boxes = [_corners(a) for a in annotations if a.get("bbox")]
        return check_size(told, self.header, extent_of(boxes), self.repairs)

    def _region(self, annotation: Json) -> Region | None:
        if annotation.get("keypoints"):
            self.repairs.note("key points are not read, only their boxes and outlines")
        shape = self._outline(annotation.get("segmentation"))
        if shape is None and annotation.get("bbox"):
            shape = read_box(_corners(annotation), self.header.size, self.repairs)
        elif shape is None:
            self.repairs.region("had neither a box nor an outline and was left out")
        if shape is None:
            return None
        score = read_number(annotation.get("score"))
        label = self.names[key(annotation["category_id"])]
        return Region(
            str(annotation.get("id", "")),
            label,
            shape,
            score if 0 <= score <= 1 else None,
            _attributes(annotation),
        )

    def _outline(self, segmentation: Any) -> Shape | None:
        if isinstance(segmentation, dict):
            mask = read_mask(segmentation, self.header.size)
            if isinstance(mask, str):
                self.repairs.region(f"had a mask that {mask}: its box was taken")
                return None
            return mask if any(mask.counts[1::2]) else None
        if not isinstance(segmentation, list) or not segmentation:
            return None
        flat = segmentation if isinstance(segmentation[0], list) else [segmentation]
        rings = [_ring(ring) for ring in flat if isinstance(ring, list) and len(ring) >= 6]
        return read_rings(rings, self.header.size, self.repairs) if rings else None


def _ring(numbers: list[Any]) -> list[tuple[float, float]]:
    values = [read_number(n) for n in numbers]
    return list(zip(values[::2], values[1::2], strict=False))


def read_mask(segmentation: Json, size: Size) -> Mask | str:
    """Return a COCO run-length mask (counts as a list, or packed into a string), or what is wrong with it."""
    counts, told = segmentation.get("counts"), segmentation.get("size")
    if told != [size[1], size[0]]:
        return f"is for an image of size {told}"
    try:
        if isinstance(counts, list):
            return Mask(*size, tuple(map(int, counts)))
        from pycocotools import mask as packed

        return rle.encode(packed.decode({"size": told, "counts": str(counts).encode("ascii")}).astype(bool))
    except (ValueError, TypeError, OverflowError, MemoryError):
        return "does not fill its image"


def _corners(annotation: Json) -> Corners:
    box = annotation["bbox"]
    if not isinstance(box, list) or len(box) != 4:
        return (math.nan,) * 4
    x, y, w, h = map(read_number, box)
    return x, y, x + w, y + h


def _attributes(annotation: Json) -> tuple[tuple[str, Attribute], ...]:
    told = annotation.get("attributes")
    pairs = told.items() if isinstance(told, dict) else ()
    kept = [(str(name), value) for name, value in pairs if value and isinstance(value, str | int | float)]
    kept = [(name, value) for name, value in kept if isinstance(value, str) or math.isfinite(value)]
    return (*kept, ("iscrowd", 1)) if annotation.get("iscrowd") else tuple(kept)


def _known(region: Region, regions: Sequence[Region]) -> bool:
    """Tell whether an earlier listing of the image already has this object."""
    box = tight_box(region.shape)
    others = (tight_box(r.shape) for r in regions if r.label == region.label)
    return box is not None and any(other is not None and iou(box, other) >= 0.5 for other in others)


def _unique(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Return the regions with ids that differ: foreign files repeat or omit them."""
    ids = [region.id for region in regions]
    if len(set(ids)) == len(ids) and "" not in ids:
        return tuple(regions)
    return tuple(Region(str(k), r.label, r.shape, r.score, r.attributes) for k, r in enumerate(regions, start=1))
