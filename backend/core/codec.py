"""Samples and regions as JSON, and back: the form used by manifests and by shards of work.

Numbers are rounded to 4 decimals of a pixel: far below every tolerance, and files stay small.
"""

import hashlib
import json
from dataclasses import asdict, fields
from typing import Any

from backend.core.credit import credit_from_json, credit_to_json
from backend.core.model import Box, Ellipse, Keypoint, Mask, Origin, Polygon, Region, RotatedBox, Sample, Shape, Tag

Json = dict[str, Any]

_ORIGIN = tuple(field.name for field in fields(Origin) if field.name != "credit")


def canonical(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8 kept."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """Return the sha256 of a value's canonical JSON, as 64 hex digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _r(value: float) -> float:
    return round(float(value), 4)


def _length(value: float) -> float:
    """Round a length that must stay more than 0."""
    return _r(value) or float(value)


def _corners(box: Box) -> list[float]:
    rounded = [_r(box.x0), _r(box.y0), _r(box.x1), _r(box.y1)]
    thin = rounded[0] == rounded[2] or rounded[1] == rounded[3]  # it must stay a box, however thin
    return [float(v) for v in (box.x0, box.y0, box.x1, box.y1)] if thin else rounded


def shape_to_json(shape: Shape) -> Json:
    """Return `{"type": ..., ...}` in pixels."""
    match shape:
        case Box():
            return {"type": "box", "xyxy": _corners(shape)}
        case RotatedBox():
            return {
                "type": "rotated_box",
                "cxcywh": [_r(shape.cx), _r(shape.cy), _length(shape.width), _length(shape.height)],
                "angle": _r(shape.angle),
            }
        case Polygon():
            return {"type": "polygon", "parts": [[[_r(x), _r(y)] for x, y in ring] for ring in shape.parts]}
        case Mask():
            return {"type": "mask", "size": [shape.height, shape.width], "counts": list(shape.counts)}
        case Keypoint():
            return {"type": "keypoint", "xy": [_r(shape.x), _r(shape.y)]}
        case Ellipse():
            return {
                "type": "ellipse",
                "cxcy": [_r(shape.cx), _r(shape.cy)],
                "radii": [_length(shape.rx), _length(shape.ry)],
                "angle": _r(shape.angle),
            }


def shape_from_json(data: Json) -> Shape:
    """Return the shape that `shape_to_json` wrote.

    Raises:
        ValueError: the type is unknown or the numbers break the shape's invariants.
    """
    match data["type"]:
        case "box":
            return Box(*data["xyxy"])
        case "rotated_box":
            cx, cy, width, height = data["cxcywh"]
            return RotatedBox(cx, cy, width, height, data["angle"])
        case "polygon":
            return Polygon(tuple(tuple((x, y) for x, y in ring) for ring in data["parts"]))
        case "mask":
            height, width = data["size"]
            return Mask(width, height, tuple(data["counts"]))
        case "keypoint":
            return Keypoint(*data["xy"])
        case "ellipse":
            (cx, cy), (rx, ry) = data["cxcy"], data["radii"]
            return Ellipse(cx, cy, rx, ry, data["angle"])
        case other:
            msg = f"unknown shape type {other!r}"
            raise ValueError(msg)


def region_to_json(region: Region) -> Json:
    """Return a region as JSON; absent score and attributes are left out."""
    data: Json = {"id": region.id, "label": region.label, "shape": shape_to_json(region.shape)}
    if region.score is not None:
        data["score"] = region.score
    if region.attributes:
        data["attributes"] = dict(region.attributes)
    return data


def region_from_json(data: Json) -> Region:
    """Return the region that `region_to_json` wrote."""
    attributes = tuple(data.get("attributes", {}).items())
    return Region(data["id"], data["label"], shape_from_json(data["shape"]), data.get("score"), attributes)


def origin_to_json(origin: Origin) -> Json:
    """Return an origin as JSON; a credit only stands there where there is one."""
    data: Json = {field.name: getattr(origin, field.name) for field in fields(origin) if field.name != "credit"}
    return data | ({"credit": credit_to_json(origin.credit)} if origin.credit else {})


def origin_from_json(data: Json) -> Origin:
    """Return the origin among the fields of `data`; what is missing or null is unknown."""
    known: Json = {name: data[name] for name in _ORIGIN if data.get(name) is not None}
    return Origin(**known, credit=credit_from_json(data.get("credit")))


def sample_to_json(sample: Sample) -> Json:
    """Return a sample as JSON (with its local path: for shards of work, not for manifests)."""
    data = {field.name: getattr(sample, field.name) for field in fields(sample)}
    return {
        **data,
        "regions": [region_to_json(region) for region in sample.regions],
        "tags": [asdict(tag) for tag in sample.tags],
        "origin": origin_to_json(sample.origin),
        "fields": dict(sample.fields),
        "notes": list(sample.notes),
    }


def sample_from_json(data: Json) -> Sample:
    """Return the sample that `sample_to_json` wrote."""
    return Sample(
        **{
            **data,
            "regions": tuple(region_from_json(r) for r in data["regions"]),
            "tags": tuple(Tag(**t) for t in data["tags"]),
            "origin": origin_from_json(data["origin"]),
            "fields": tuple(data["fields"].items()),
            "notes": tuple(data["notes"]),
        }
    )
