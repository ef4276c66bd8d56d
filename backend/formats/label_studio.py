"""Label Studio's annotation results <-> regions and tags in pixels: values only, no network, no files.

Nothing is left out without a note. Tasks, and which of their annotations counts, are in `label_studio_tasks`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from backend.core.geometry import clip_box, clip_convex, clip_rings, outline, to_polygon
from backend.core.model import Box, Ellipse, Keypoint, Mask, Polygon, Region, RotatedBox, Sample, Shape, Tag
from backend.formats.label_config import Control, Kind, LabelConfig
from backend.formats.label_studio_shapes import Size, to_shape, to_values

Json = dict[str, Any]

_KINDS: dict[str, Kind] = {
    "rectanglelabels": "rectangle",
    "polygonlabels": "polygon",
    "brushlabels": "brush",
    "keypointlabels": "keypoint",
    "ellipselabels": "ellipse",
    "rectangle": "rectangle",
    "polygon": "polygon",
    "brush": "brush",
    "keypoint": "keypoint",
    "ellipse": "ellipse",
}
_HOMES: dict[type[Shape], tuple[Kind, ...]] = {
    Box: ("rectangle", "polygon"),
    RotatedBox: ("rectangle", "polygon"),
    Polygon: ("polygon", "rectangle"),
    Mask: ("brush", "rectangle"),
    Ellipse: ("ellipse", "polygon", "rectangle"),
    Keypoint: ("keypoint",),
}
_WORDS: dict[type[Shape], str] = {
    Box: "box",
    RotatedBox: "rotated box",
    Polygon: "polygon",
    Mask: "mask",
    Ellipse: "ellipse",
    Keypoint: "keypoint",
}
_NOISE = 0.5  # pixels beyond the frame that go without a note


def regions_of(result: Iterable[Json], config: LabelConfig, size: Size) -> tuple[tuple[Region, ...], tuple[str, ...]]:
    """Return an annotation's regions in pixels, clipped to the frame, and a note for each repair or omission.

    A region with several labels gives one region per label (`x`, `x#2`).
    """
    reader = _Reader(config, size)
    entries = list(result)
    names = {e.get("id"): e["value"].get("labels") for e in entries if e.get("type") == "labels" and "value" in e}
    for entry in entries:
        reader.read(entry, names)
    notes = [f"{n} x {what} (not carried)" if n > 1 else f"{what} (not carried)" for what, n in reader.ignored.items()]
    return tuple(reader.regions), (*reader.notes, *notes)


class _Reader:
    """Collects one annotation's regions; ids stay unique, exact repeats are left out."""

    def __init__(self, config: LabelConfig, size: Size) -> None:
        self.config = config
        self.size = size
        self.regions: list[Region] = []
        self.notes: list[str] = []
        self.ignored: Counter[str] = Counter()
        self._ids: set[str] = set()
        self._seen: set[tuple[str, Shape]] = set()

    def read(self, entry: Json, names: Mapping[Any, Any]) -> None:
        kind = _KINDS.get(str(entry.get("type")))
        if kind is None:
            if entry.get("type") not in {"choices", "labels"}:
                self.ignored[str(entry.get("type"))] += 1
            return
        where = f"region {entry.get('id')}"
        value = entry.get("value") or {}
        labels = value.get(entry["type"]) or names.get(entry.get("id"))
        if not isinstance(labels, list) or not labels:
            self.notes.append(f"{where}: has no label, left out")
            return
        try:
            shape = to_shape(kind, entry, self.size)
        except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
            self.notes.append(f"{where}: {_why(error)}, left out")
            return
        framed = self._framed(shape, where)
        for label in labels if framed else []:
            self._add(entry, str(label), framed or shape, where)

    def _framed(self, shape: Shape, where: str) -> Shape | None:
        """Return the part inside the frame; None and a note where nothing is left."""
        inside = clipped(shape, self.size)
        if inside is None:
            self.notes.append(f"{where}: lies outside the picture, left out")
        elif inside is not shape and _overhang(shape, self.size) > _NOISE:
            self.notes.append(f"{where}: clipped at the edge of the picture")
        return inside

    def _add(self, entry: Json, label: str, shape: Shape, where: str) -> None:
        if (label, shape) in self._seen:
            self.notes.append(f"{where}: the same {label!r} region twice, one left out")
            return
        self._seen.add((label, shape))
        if label not in self.config.labels:
            self.notes.append(f"{where}: label {label!r} is not in the labelling config")
        base = str(entry.get("id") or f"r{len(self.regions) + 1}")
        name, number = base, 1
        while name in self._ids:
            number += 1
            name = f"{base}#{number}"
        self._ids.add(name)
        kept = (entry.get("meta") or {}).get("loom") if isinstance(entry.get("meta"), dict) else None
        attributes = {**(kept if isinstance(kept, dict) else {}), "control": str(entry.get("from_name") or "")}
        score = entry.get("score")
        score = float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None
        self.regions.append(Region(name, label, shape, score, tuple(attributes.items())))


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return str(error) if isinstance(error, ValueError) else "its numbers cannot be read"


def _overhang(shape: Shape, size: Size) -> float:
    points = np.concatenate(outline(shape))
    over = np.concatenate([-points, points - np.asarray(size, dtype=float)])
    return float(over.max())


def clipped(shape: Shape, size: Size) -> Shape | None:
    """Return the part of a shape inside the frame: the same object if all of it is, None if nothing is.

    A rotated box or an ellipse that only overhangs stays whole, because cutting it would change what it is.
    """
    if isinstance(shape, Mask) or _overhang(shape, size) <= 0:
        return shape
    width, height = size
    if isinstance(shape, Box):
        return clip_box(shape, width, height)
    if isinstance(shape, Polygon):
        parts = clip_rings(outline(shape), width, height)
        return to_polygon(parts) if parts else None
    rings = outline(shape)
    if len(rings[0]) < 3:  # a keypoint beyond the edge
        return None
    return shape if clip_convex(rings[0], width, height) is not None else None


def tags_of(result: Iterable[Json], config: LabelConfig) -> tuple[Tag, ...]:
    """Return an annotation's image-level labels, each once."""
    tags: dict[Tag, None] = {}
    for entry in result:
        control = config.control(str(entry.get("from_name")))
        if entry.get("type") == "choices" and control is not None and control.kind == "choices":
            for choice in (entry.get("value") or {}).get("choices") or ():
                tags[Tag(str(choice), control.name)] = None
    return tuple(tags)


def to_result(sample: Sample, config: LabelConfig, turned: Collection[str] = ()) -> tuple[list[Json], Counter[str]]:
    """Return the result list of an annotation, and what no control could hold as it is, by reason.

    A region goes to the control it was drawn with (its attribute `control`) where that can hold it, else to the first
    one of the right kind that has its label. turned: ids of regions that were turned boxes before a step changed them.
    """
    entries: list[Json] = []
    losses: Counter[str] = Counter()
    size = sample.width, sample.height
    for region in sample.regions:
        home = _home(region, config)
        name = _name(region, turned)
        if home is None:
            losses[f"{name}: no control of the labelling config can hold it, left out"] += 1
            continue
        if home.kind != _HOMES[type(region.shape)][0]:
            losses[f"{name} written as {_as(region.shape, home.kind)}"] += 1
        for part, value in enumerate(to_values(home.kind, region.shape, size), start=1):
            entries += _entries(region, home, config, (value, size, part))
    return entries + _choices(sample.tags, config, losses), losses


def _name(region: Region, turned: Collection[str]) -> str:
    if isinstance(region.shape, Polygon) and region.id in turned:
        return "turned box that a step sheared or bent"  # it has become an outline, but nobody drew a polygon
    return _WORDS[type(region.shape)]


def _as(shape: Shape, kind: Kind) -> str:
    if kind != "rectangle":
        return kind
    return f"the {'smallest turned' if isinstance(shape, Polygon) else 'upright'} rectangle around it"


def _home(region: Region, config: LabelConfig) -> Control | None:
    kinds = _HOMES[type(region.shape)]
    drawn = config.control(str(region.attribute("control") or ""))
    if drawn is not None and drawn.kind in kinds:
        return drawn
    return next((found for kind in kinds if (found := config.find(kind, region.label)) is not None), None)


def _entries(region: Region, home: Control, config: LabelConfig, drawn: tuple[Json, Size, int]) -> list[Json]:
    value, (width, height), part = drawn
    kind = home.kind if home.bare else f"{home.kind}labels"
    entry: Json = {
        "id": region.id if part == 1 else f"{region.id}#{part}",
        "from_name": home.name,
        "to_name": config.image_name,
        "type": kind,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": value if home.bare else {**value, kind: [region.label]},
    }
    if region.score is not None:
        entry["score"] = region.score
    kept = {name: value for name, value in region.attributes if name != "control"}
    if kept:
        entry["meta"] = {"loom": kept}
    naming = config.find("labels", region.label) if home.bare else None
    if naming is None:
        return [entry]
    return [entry, {**entry, "from_name": naming.name, "type": "labels", "value": {**value, "labels": [region.label]}}]


def _choices(tags: Iterable[Tag], config: LabelConfig, losses: Counter[str]) -> list[Json]:
    chosen: dict[str, list[str]] = {}
    for tag in tags:
        control = config.control(tag.control or "") or config.find("choices", tag.label)
        if control is None or control.kind != "choices":
            losses["tag: the labelling config has no Choices for it, left out"] += 1
            continue
        chosen.setdefault(control.name, []).append(tag.label)
    return [
        {
            "id": f"tags-{name}",
            "from_name": name,
            "to_name": config.image_name,
            "type": "choices",
            "value": {"choices": c},
        }
        for name, c in chosen.items()
    ]
