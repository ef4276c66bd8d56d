"""Readers that share no code with the writers: strict, of exactly the layout LabelLoom writes.

YOLO by splitting text, VOC by the standard library's XML, COCO by pycocotools, class folders by listing.
"""

import contextlib
import io
import json
import math
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import yaml
from PIL import Image

from backend.core.model import Sample
from backend.formats.verify_expect import BoolImage
from backend.formats.verify_match import Seen

SPLITS = ("train", "val", "test")


class Page(NamedTuple):
    """What was found of one image. files: relative, the image first; size: width, height as the labels tell."""

    split: str | None
    files: tuple[str, ...]
    seen: tuple[Seen, ...] = ()
    size: tuple[int, int] | None = None
    tag: str | None = None
    problems: tuple[str, ...] = ()


class Reader(Protocol):
    """Reads one format's folder. labels: as the folder tells them, None where it does not."""

    labels: tuple[str, ...] | None
    fixed: frozenset[str]  # files that speak of all images

    def page(self, sample: Sample) -> Page:
        """Return what is found of this sample."""
        ...


def list_files(folder: Path) -> set[str]:
    """Return every regular file below a folder, '/' in its path, except what tools leave there (caches, dot files)."""
    out: set[str] = set()
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        prefix = os.path.relpath(base, folder).replace(os.sep, "/")
        kept = (n for n in names if not n.startswith(".") and not n.endswith(".cache") and n != "Thumbs.db")
        files = (name for name in kept if os.path.isfile(f"{base}/{name}"))  # noqa: PTH113 - called for every file
        out.update(name if prefix == "." else f"{prefix}/{name}" for name in files)
    return out


class YoloReader:
    """images/{split}/NAME, labels/{split}/STEM.txt, data.yaml."""

    def __init__(self, folder: Path, files: set[str], numbers: Callable[[int], bool]) -> None:
        self.folder, self.files, self.numbers = folder, files, numbers
        self.fixed = frozenset({"data.yaml"})
        with (folder / "data.yaml").open(encoding="utf-8") as stream:
            names = yaml.safe_load(stream).get("names") or {}
        self.labels: tuple[str, ...] | None = tuple(names[i] for i in range(len(names)))

    def page(self, sample: Sample) -> Page:
        """Return what is found of this sample."""
        split = next((s for s in SPLITS if f"images/{s}/{sample.name}" in self.files), None)
        if split is None:
            return Page(None, ())
        image, label = f"images/{split}/{sample.name}", f"labels/{split}/{sample.name.rsplit('.', 1)[0]}.txt"
        if label not in self.files:
            return Page(split, (image,), problems=(f"label file {label} is missing",))
        seen: list[Seen] = []
        problems: list[str] = []
        with (self.folder / label).open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    seen.append(self._line(line.split(" "), sample))
                except (ValueError, IndexError) as error:
                    problems.append(f"{label} line {number}: {error}")
        return Page(split, (image, label), tuple(seen), problems=tuple(problems))

    def _line(self, words: list[str], sample: Sample) -> Seen:
        class_id, values = int(words[0]), [float(word) for word in words[1:]]
        if not self.numbers(len(values)) or not all(map(math.isfinite, values)):
            msg = f"{len(values)} numbers, or one that is not finite"
            raise ValueError(msg)
        if class_id < 0:
            msg = f"class id {class_id}"
            raise ValueError(msg)
        label = (self.labels or ())[class_id]
        w, h = sample.width, sample.height
        if len(values) == 4:
            cx, cy, bw, bh = values
            box = ((cx - bw / 2) * w, (cy - bh / 2) * h, (cx + bw / 2) * w, (cy + bh / 2) * h)
            return Seen(label, box)
        points = np.array(list(zip(values[::2], values[1::2], strict=True))) * (w, h)
        xs, ys = points[:, 0].tolist(), points[:, 1].tolist()
        return Seen(label, (min(xs), min(ys), max(xs), max(ys)), [points])


class VocReader:
    """JPEGImages/NAME, Annotations/STEM.xml, ImageSets, Segmentation{Class,Object}/STEM.png, classes.txt."""

    def __init__(self, folder: Path, files: set[str]) -> None:
        self.folder, self.files = folder, files
        lists = {f"ImageSets/{kind}/{split}.txt" for kind in ("Main", "Segmentation") for split in SPLITS}
        self.fixed = frozenset({"classes.txt", *lists})
        self.splits: dict[str, str] = {}
        for split in SPLITS:
            if f"ImageSets/Main/{split}.txt" in files:
                text = (folder / "ImageSets" / "Main" / f"{split}.txt").read_text(encoding="utf-8")
                self.splits.update({line: split for line in text.split("\n") if line})
        self.labels: tuple[str, ...] | None = None
        if "classes.txt" in files:
            self.labels = tuple((folder / "classes.txt").read_text(encoding="utf-8").split("\n")[:-1])

    def page(self, sample: Sample) -> Page:
        """Return what is found of this sample."""
        stem = sample.name.rsplit(".", 1)[0]
        image, label = f"JPEGImages/{sample.name}", f"Annotations/{stem}.xml"
        if image not in self.files:
            return Page(None, ())
        if label not in self.files:
            return Page(self.splits.get(stem), (image,), problems=(f"annotation {label} is missing",))
        try:
            root = ET.parse(self.folder / label).getroot()
            size = (int(root.findtext("size/width", "")), int(root.findtext("size/height", "")))
            seen = [_voc_object(entry) for entry in root.iter("object")]
        except (ET.ParseError, ValueError, KeyError) as error:
            return Page(self.splits.get(stem), (image, label), problems=(f"{label}: {error!r}",))
        problems = [] if root.findtext("filename") == sample.name else [f"{label} names another file"]
        masks = tuple(f"Segmentation{kind}/{stem}.png" for kind in ("Object", "Class"))
        if masks[0] in self.files:
            seen = [s._replace(mask=mask) for s, mask in zip(seen, self._masks(masks, seen, problems), strict=True)]
        files = (image, label, *(m for m in masks if m in self.files))
        return Page(self.splits.get(stem), files, tuple(seen), size, problems=tuple(problems))

    def _masks(self, paths: tuple[str, ...], seen: list[Seen], problems: list[str]) -> list[BoolImage | None]:
        with Image.open(self.folder / paths[0]) as objects, Image.open(self.folder / paths[1]) as classes:
            numbers, kinds = np.array(objects), np.array(classes)
        masks: list[BoolImage | None] = [None] * len(seen)
        for number in (n for n in np.unique(numbers).tolist() if n):
            if number > len(seen):
                problems.append(f"{paths[0]} shows object {number} of {len(seen)}")
                continue
            mask = numbers == number
            masks[number - 1] = mask
            label = seen[number - 1].label
            meant = self.labels.index(label) + 1 if self.labels and label in self.labels else None
            if meant is not None and set(np.unique(kinds[mask]).tolist()) != {meant}:
                problems.append(f"{paths[1]} shows another class than {label!r} for object {number}")
        if ((numbers == 0) != (kinds == 0)).any():
            problems.append(f"{paths[0]} and {paths[1]} cover different pixels")
        return masks


def _voc_object(entry: ET.Element) -> Seen:
    told = {part.tag: part.text or "" for part in entry}
    sides = {part.tag: int(part.text or "") for part in entry.findall("bndbox/*")}
    flags = frozenset(name for name in ("truncated", "difficult") if told[name] == "1")
    box = (sides["xmin"] - 1.0, sides["ymin"] - 1.0, float(sides["xmax"]), float(sides["ymax"]))
    return Seen(told["name"], box, flags=flags)


class CocoReader:
    """images/NAME, annotations/instances_{train,val,test}.json, through pycocotools."""

    def __init__(self, folder: Path, files: set[str]) -> None:
        from pycocotools.coco import COCO

        self.files = files
        self.fixed = frozenset(f"annotations/instances_{split}.json" for split in SPLITS)
        self.sets: dict[str, Any] = {}
        self.places: dict[str, tuple[str, int]] = {}
        self.labels: tuple[str, ...] | None = None
        for split in (s for s in SPLITS if f"annotations/instances_{s}.json" in files):
            with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its timings
                coco = COCO(str(folder / "annotations" / f"instances_{split}.json"))
            self.sets[split] = coco
            self.places.update({image["file_name"]: (split, number) for number, image in coco.imgs.items()})
            names = tuple(coco.cats[k]["name"] for k in sorted(coco.cats))
            in_order = sorted(coco.cats) == list(range(1, len(names) + 1))
            if self.labels is None:
                self.labels = names
            if not in_order or names != self.labels:
                self.labels = ()

    def page(self, sample: Sample) -> Page:
        """Return what is found of this sample."""
        image = f"images/{sample.name}"
        if image not in self.files:
            return Page(None, ())
        if sample.name not in self.places:
            return Page(None, (image,), problems=("it is in no annotation file",))
        split, number = self.places[sample.name]
        coco = self.sets[split]
        entry = coco.imgs[number]
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[number]))
        seen = tuple(self._seen(coco, annotation) for annotation in annotations)
        return Page(split, (image,), seen, (entry["width"], entry["height"]))

    def _seen(self, coco: Any, annotation: dict[str, Any]) -> Seen:
        label = coco.cats[annotation["category_id"]]["name"]
        x, y, w, h = annotation["bbox"]
        flags = frozenset({"iscrowd"}) if annotation["iscrowd"] else frozenset[str]()
        outline = annotation["segmentation"]
        if isinstance(outline, dict):
            return Seen(label, (x, y, x + w, y + h), mask=coco.annToMask(annotation).astype(bool), flags=flags)
        rings = [np.array(ring, dtype=float).reshape(-1, 2) for ring in outline]
        return Seen(label, (x, y, x + w, y + h), rings, flags=flags)


class FolderReader:
    """{split}/{class}/NAME and classes.json."""

    def __init__(self, folder: Path, files: set[str]) -> None:
        self.fixed = frozenset({"classes.json"})
        self.tags: dict[str, str] = {}
        if "classes.json" in files:
            entries = json.loads((folder / "classes.json").read_text(encoding="utf-8"))["classes"]
            self.tags = {entry["folder"]: entry["name"] for entry in entries}
        self.labels: tuple[str, ...] | None = tuple(self.tags.values()) if self.tags else None
        self.places = {path.rpartition("/")[2]: path for path in files}

    def page(self, sample: Sample) -> Page:
        """Return what is found of this sample."""
        path = self.places.get(sample.name)
        if path is None:
            return Page(None, ())
        split, *between, _ = path.split("/")
        tag = self.tags.get(between[0], between[0]) if between else None
        return Page(split, (path,), tag=tag)


READERS: dict[str, Callable[[Path, set[str]], Reader]] = {
    "yolo": lambda folder, files: YoloReader(folder, files, lambda n: n == 4),
    "yolo-obb": lambda folder, files: YoloReader(folder, files, lambda n: n == 8),
    "yolo-seg": lambda folder, files: YoloReader(folder, files, lambda n: n >= 6 and n % 2 == 0),
    "voc": VocReader,
    "coco": CocoReader,
    "folders": FolderReader,
}
