"""Pascal VOC: one XML per image, boxes in 1-based inclusive integers (a convention that lives in these voc files
alone), polygons and masks as indexed PNG, splits as ImageSets/Main/{train,val,test}.txt, label order in classes.txt.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lxml import etree

from backend.core.model import Box, Dataset, Mask, Polygon, Region, Sample, Stream
from backend.formats.base import SPLITS, Classes, Losses, class_id, split_folder, stem
from backend.formats.clean_names import with_clean_names
from backend.formats.holds import count_extras, hold_box, inside_box
from backend.formats.unread import with_unread
from backend.formats.voc_masks import Painted, write_masks
from backend.formats.voc_read import ATTRIBUTES, has_annotations, label_names, read_layout, samples
from backend.imaging.files import write_atomic

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Placed(NamedTuple):
    """A region and its box as VOC writes it: xmin, ymin, xmax, ymax, from 1, all inside."""

    region: Region
    corners: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Voc:
    """The Pascal VOC format; see `base.Format`."""

    key: str = "voc"
    tolerance: float = 0.5

    def recognises(self, folder: Path) -> bool:
        """Tell whether `folder` holds VOC annotations: XML whose root is <annotation>."""
        return has_annotations(folder)

    def open(self, folder: Path) -> Dataset:
        """Return the dataset in `folder`; label order as classes.txt says, then by first appearance."""
        layout = read_layout(folder)
        labels = label_names(folder, layout)
        dataset = Dataset(folder.resolve().name, labels, Stream(lambda: samples(folder, layout)))
        return with_unread(folder, with_clean_names(folder, dataset))

    def image_path(self, folder: Path, sample: Sample) -> Path:
        """Return JPEGImages/NAME."""
        return folder / "JPEGImages" / sample.name

    def write_labels(self, folder: Path, sample: Sample, classes: Classes) -> Losses:
        """Write Annotations/STEM.xml, and the two mask images where a region is a polygon or a mask."""
        losses = Losses()
        placed = list(_place(sample, classes, losses))
        painted = [
            Painted(number, class_id(p.region.label, classes) + 1, p.region.shape)
            for number, p in enumerate(placed, start=1)
            if isinstance(p.region.shape, Polygon | Mask)
        ]
        if painted:
            write_masks(folder, sample, painted, losses)
        count_extras(sample, frozenset(ATTRIBUTES), losses)
        path = folder / "Annotations" / f"{stem(sample.name)}.xml"
        write_atomic(path, annotation_xml(sample, placed, segmented=bool(painted), losses=losses))
        return losses

    def finish(self, folder: Path, samples: Iterable[Sample], classes: Classes) -> None:
        """Write ImageSets and classes.txt in one pass; only the stems are held."""
        stems: dict[str, list[str]] = {split: [] for split in SPLITS}
        masked: dict[str, list[str]] = {split: [] for split in SPLITS}
        for sample in samples:
            stems[split_folder(sample)].append(stem(sample.name))
            if any(isinstance(region.shape, Polygon | Mask) for region in sample.regions):
                masked[split_folder(sample)].append(stem(sample.name))
        _write_list(folder / "classes.txt", classes.labels)
        for split in SPLITS:
            _write_list(folder / "ImageSets" / "Main" / f"{split}.txt", stems[split])
            if any(masked.values()):
                _write_list(folder / "ImageSets" / "Segmentation" / f"{split}.txt", masked[split])
        (folder / "JPEGImages").mkdir(parents=True, exist_ok=True)


def _write_list(path: Path, names: Iterable[str]) -> None:
    write_atomic(path, "".join(f"{name}\n" for name in names).encode())


def _place(sample: Sample, classes: Classes, losses: Losses) -> Iterator[Placed]:
    for region in sample.regions:
        class_id(region.label, classes)
        if isinstance(region.shape, Polygon | Mask):
            box = inside_box(sample, region.shape, losses)
        else:
            box = hold_box(sample, region, losses)
        if box is not None:
            yield Placed(region, to_integers(box, sample.width, sample.height))


def to_integers(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Return a box inside the frame as VOC's xmin, ymin, xmax, ymax: the first and last pixel, counted from 1."""
    xmin, ymin = min(round(box.x0) + 1, width), min(round(box.y0) + 1, height)
    return xmin, ymin, max(xmin, round(box.x1)), max(ymin, round(box.y1))


def annotation_xml(sample: Sample, placed: list[Placed], *, segmented: bool, losses: Losses) -> bytes:
    """Return the XML document of one image."""
    root = etree.Element("annotation")
    _add(root, "folder", "JPEGImages")
    _add(root, "filename", sample.name)
    _add(etree.SubElement(root, "source"), "database", "LabelLoom")
    size = etree.SubElement(root, "size")
    for name, number in (("width", sample.width), ("height", sample.height), ("depth", 3)):
        _add(size, name, str(number))
    _add(root, "segmented", str(int(segmented)))
    for region, corners in placed:
        _add_object(root, region, corners, losses)
    return etree.tostring(root, encoding="utf-8", pretty_print=True)


def _add_object(root: etree._Element, region: Region, corners: tuple[int, int, int, int], losses: Losses) -> None:
    label = _NOT_IN_XML.sub("\ufffd", region.label)
    if label != region.label:
        losses["label with control characters, which XML cannot hold"] += 1
    attributes = dict(region.attributes)
    entry = etree.SubElement(root, "object")
    _add(entry, "name", label)
    _add(entry, "pose", str(attributes.get("pose") or "Unspecified"))
    for name in ("truncated", "difficult", "occluded"):
        if name != "occluded" or name in attributes:
            _add(entry, name, str(int(bool(attributes.get(name)))))
    box = etree.SubElement(entry, "bndbox")
    for name, number in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
        _add(box, name, str(number))


def _add(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, name).text = text


VOC = Voc()
