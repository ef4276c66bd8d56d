"""Reading VOC folders as they are found: XML anywhere, images beside or elsewhere, wrong <folder> and <filename>."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from lxml import etree

from backend.core.model import Attribute, Box, Origin, Region, Sample, Skipped
from backend.formats.base import SPLITS, split_of, stem
from backend.formats.reading import (
    Corners,
    Header,
    Repairs,
    Size,
    check_size,
    extent_of,
    read_box,
    read_header,
    read_number,
)
from backend.formats.voc_masks import CLASS_FOLDER, OBJECT_FOLDER, masks_by_object, read_index
from backend.formats.walk import decode_text, is_image, read_names, read_text, walk, walk_near, within

ATTRIBUTES = ("truncated", "difficult", "occluded", "pose")
NAME_LISTS = ("classes.txt", "labels.txt")

_NEUTRAL = {"jpegimages", "images", "image", "imgs", "annotations", "annotation", "xml", "xmls", "labels"}
_ANNOTATED = {"annotations", "annotation"}
_MASKS = {CLASS_FOLDER.lower(), OBJECT_FOLDER.lower()}
_SNIFFED, _HEAD = 100_000, 2000
_SANE = 10**9  # no image has a side of that many pixels


class Layout(NamedTuple):
    """What a VOC folder holds. pairs: image -> its XML or None; masks: stem -> object image; all relative."""

    pairs: Mapping[str, str | None]
    orphans: tuple[str, ...]
    splits: Mapping[str, str]
    masks: Mapping[str, str]


class Entry(NamedTuple):
    """One <object>: its name, its box (None without <bndbox>), the attributes that are set."""

    name: str
    corners: Corners | None
    attributes: tuple[tuple[str, Attribute], ...]


@dataclass(frozen=True, slots=True)
class Annotation:
    """One XML as its text says. Boxes are 0-based half-open pixels, unchecked; size is width, height."""

    filename: str
    size: Size | None
    objects: tuple[Entry, ...]


def parse_annotation(data: bytes) -> Annotation:
    """Return what a VOC XML says; entities and network addresses in it are not followed.

    Raises:
        ValueError: not XML, or not an <annotation>.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(data.strip(), parser)
    except etree.XMLSyntaxError as error:
        try:
            root = etree.fromstring(_declared_utf8(data), parser)
        except etree.XMLSyntaxError:
            msg = f"not well-formed XML: {error.msg}"
            raise ValueError(msg) from error
    if root.tag != "annotation":
        msg = f"its root is <{root.tag}>, not <annotation>"
        raise ValueError(msg)
    width, height = (read_number(root.findtext(f"size/{side}")) for side in ("width", "height"))
    told = (int(width), int(height)) if 0 < width < _SANE and 0 < height < _SANE else None
    filename = (root.findtext("filename") or "").strip().replace("\\", "/").rpartition("/")[2]
    return Annotation(filename, told, tuple(map(_object, root.findall("object"))))


def _declared_utf8(data: bytes) -> bytes:
    """Return the document as UTF-8 without its declaration, for files whose encoding is not what they declare."""
    text = decode_text(data).strip()
    return (text.partition("?>")[2] if text.startswith("<?xml") else text).encode()


def _object(entry: etree._Element) -> Entry:
    box = entry.find("bndbox")
    corners = None
    if box is not None:
        x0, y0, x1, y1 = (read_number(box.findtext(name)) for name in ("xmin", "ymin", "xmax", "ymax"))
        corners = (x0 - 1, y0 - 1, x1, y1)  # first and last pixel from 1 -> half-open from 0
    texts = ((name, (entry.findtext(name) or "").strip()) for name in ATTRIBUTES)
    attributes = tuple((name, text if name == "pose" else 1) for name, text in texts if _says(name, text))
    return Entry((entry.findtext("name") or "").strip(), corners, attributes)


def _says(name: str, text: str) -> bool:
    return text not in {"", "Unspecified"} if name == "pose" else text.lower() in {"1", "true", "yes"}


def has_annotations(folder: Path) -> bool:
    """Tell whether a folder holds XML whose root is <annotation>, or any in a folder of annotations; a cheap look."""
    near = walk_near(folder, lambda name: name.lower() in _NEUTRAL or split_of(name) is not None)
    found = (path for path in islice(near, _SNIFFED) if path.lower().endswith(".xml"))
    return any(_ANNOTATED & _folders(path) or b"<annotation" in _head(folder / path) for path in islice(found, 5))


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_HEAD)


def read_layout(folder: Path) -> Layout:
    """Return what a VOC folder holds: file names and split lists; XML is opened only where its name leads nowhere."""
    files = list(walk(folder))
    images = [path for path in files if is_image(path) and not _MASKS & _folders(path)]
    annotations: dict[str, list[str]] = {}
    for path in files:
        if path.lower().endswith(".xml"):
            annotations.setdefault(PurePosixPath(path).stem.lower(), []).append(path)
    stems: dict[str, int] = {}
    for image in images:
        key = PurePosixPath(image).stem.lower()
        stems[key] = stems.get(key, 0) + 1
    pairs = {image: _match(image, annotations, stems) for image in images}
    orphans = _pair_by_filename(folder, pairs, [path for paths in annotations.values() for path in paths])
    masks = {PurePosixPath(p).stem: p for p in files if OBJECT_FOLDER.lower() in _folders(p) and is_image(p)}
    return Layout(pairs, orphans, _splits(folder, files, images), masks)


def _folders(path: str) -> set[str]:
    return {part.lower() for part in PurePosixPath(path).parts[:-1]}


def _place(path: str) -> tuple[str, ...]:
    """Return the folders that tell apart files of one name: 'train/JPEGImages/a.jpg' lies in ('train',)."""
    return tuple(part for part in PurePosixPath(path).parts[:-1] if part.lower() not in _NEUTRAL)


def _match(image: str, annotations: Mapping[str, list[str]], stems: Mapping[str, int]) -> str | None:
    key = PurePosixPath(image).stem.lower()
    candidates = annotations.get(key, [])
    same = [path for path in candidates if _place(path) == _place(image)]
    if same:
        return same[0]
    return candidates[0] if len(candidates) == 1 and stems[key] == 1 else None


def _pair_by_filename(folder: Path, pairs: dict[str, str | None], annotations: list[str]) -> tuple[str, ...]:
    """Give XML that no image is named after to the free image its <filename> names; return what is left."""
    used = set(pairs.values())
    free = {PurePosixPath(image).name: image for image, paired in pairs.items() if paired is None}
    orphans: list[str] = []
    for path in sorted(set(annotations) - {p for p in used if p}):
        try:
            image = free.pop(parse_annotation((folder / path).read_bytes()).filename, None)
        except (ValueError, OSError):
            image = None
        if image is None:
            orphans.append(path)
        else:
            pairs[image] = path
    return tuple(orphans)


def _splits(folder: Path, files: list[str], images: list[str]) -> dict[str, str]:
    """Return the split of each image as ImageSets lists it (Main before others), else as its folders are named."""
    lists: dict[str, str] = {}
    sets = [path for path in files if "imagesets" in _folders(path) and path.endswith(".txt")]
    for path in sorted(sets, key=lambda p: ("main" not in _folders(p), _order(p), p)):
        split = "train" if PurePosixPath(path).stem == "trainval" else split_of(PurePosixPath(path).stem)
        for line in read_text(folder / path).splitlines() if split else ():
            lists.setdefault(line.strip(), split or "")
            lists.setdefault(line.split()[0] if line.strip() else "", split or "")
    found: dict[str, str] = {}
    for image in images:
        place = PurePosixPath(image)
        named = lists.get(place.stem) or next((s for part in place.parts[:-1] if (s := split_of(part))), None)
        if named:
            found[image] = named
    return found


def _order(path: str) -> int:
    name = PurePosixPath(path).stem
    return SPLITS.index(name) if name in SPLITS else len(SPLITS)


def label_names(folder: Path, layout: Layout) -> tuple[str, ...]:
    """Return the labels: as a class list orders them, then in the order in which the annotations name them."""
    listed = (read_names(folder / name) for name in NAME_LISTS if _is_list(folder, name))
    names = dict.fromkeys(next(listed, ()))
    for path in layout.pairs.values():
        if path is None:
            continue
        try:
            names.update(dict.fromkeys(name for name, _, _ in parse_annotation((folder / path).read_bytes()).objects))
        except (ValueError, OSError):
            continue  # told with its reason when the sample is read
    return tuple(name for name in names if name)


def _is_list(folder: Path, name: str) -> bool:
    return (folder / name).is_file() and within(folder, folder / name)


def samples(folder: Path, layout: Layout) -> Iterator[Sample | Skipped]:
    """Yield the samples of a VOC folder in the order of their image paths."""
    for image, path in layout.pairs.items():
        header = read_header(folder, image)
        yield header if isinstance(header, Skipped) else _sample(folder, layout, header, path)
    for path in layout.orphans:
        yield Skipped(path, "an annotation without an image")


def _sample(folder: Path, layout: Layout, header: Header, path: str | None) -> Sample | Skipped:
    repairs = Repairs()
    regions: list[Region] = []
    if path is None:
        repairs.note("no XML: taken as a background image")
    else:
        try:
            annotation = parse_annotation((folder / path).read_bytes())
        except (ValueError, OSError) as error:
            return Skipped(header.relative, f"its annotation {path} cannot be read: {error}")
        corners = [box for _, box, _ in annotation.objects if box]
        refused = check_size(annotation.size, header, extent_of(corners), repairs)
        if refused:
            return Skipped(header.relative, refused)
        if annotation.filename not in {PurePosixPath(header.relative).name, stem(PurePosixPath(header.relative).name)}:
            repairs.note(f"the annotation names another file, {annotation.filename!r}")
        regions = list(_regions(annotation, header.size, repairs))
        mask = layout.masks.get(PurePosixPath(header.relative).stem)
        if mask and regions:
            regions = _with_masks(folder / mask, regions, header.size, repairs)
    return Sample(
        id=header.relative,
        path=str((folder / header.relative).absolute()),
        name=PurePosixPath(header.relative).name,
        width=header.probe.width,
        height=header.probe.height,
        regions=tuple(regions),
        split=layout.splits.get(header.relative),
        origin=Origin(uri=header.relative),
        notes=repairs.notes(),
    )


def _regions(annotation: Annotation, size: Size, repairs: Repairs) -> Iterator[Region]:
    for number, (name, corners, attributes) in enumerate(annotation.objects, start=1):
        if corners is None or not name:
            repairs.region("had no name or no bndbox and was left out")
            continue
        box = read_box(corners, size, repairs)
        if box is not None:
            yield Region(str(number), name, box, attributes=attributes)


def _with_masks(path: Path, regions: list[Region], size: Size, repairs: Repairs) -> list[Region]:
    index = read_index(path, size)
    if isinstance(index, str):
        repairs.note(index)
        return regions
    boxes = [region.shape for region in regions if isinstance(region.shape, Box)]
    masks = masks_by_object(index, boxes)
    return [replace(r, shape=masks[k]) if k in masks else r for k, r in enumerate(regions)]
