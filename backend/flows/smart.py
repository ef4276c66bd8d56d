"""What a smart tool draws, answered by what the model found in the image.

The editor puts the answer in the place of what was drawn, so what nothing fits is answered as it was drawn.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backend.core.geometry import tight_box
from backend.core.model import Box, Ellipse, Keypoint, Region, Sample, Shape
from backend.core.snap import fitting, mean_box, under
from backend.flows.label_map import LabelMap
from backend.flows.ml_answers import Answer
from backend.formats.label_config import Kind
from backend.formats.label_studio import to_result
from backend.formats.label_studio_shapes import to_shape

Json = dict[str, Any]

_KINDS: dict[str, Kind] = {"rectangle": "rectangle", "ellipse": "ellipse", "keypoint": "keypoint"}


def smart_prediction(context: Mapping[str, Any], answer: Answer, labels: LabelMap | None, version: str) -> Json:
    """Return a prediction whose result stands for what was just drawn.

    context: Label Studio's, `{"result": [...]}`. answer: what the model found. labels: how its labels are shown; None
    where there is no model yet.
    """
    entries = [entry for entry in context.get("result") or () if isinstance(entry, dict)]
    seen: list[Region] = []
    result: list[Json] = []
    for entry in entries:
        region = _meant(entry, answer, labels) if labels is not None and answer.size != (0, 0) else None
        if region is None:
            result += [] if _is_point(entry) else [{**entry, "id": _id(entry, "as drawn")}]
        elif labels is not None:
            seen.append(region)
            result += to_result(Sample("", "", "", *answer.size, regions=(region,)), labels.config)[0]
    return {"result": result, "score": min((r.score or 0.0 for r in seen), default=0.0), "model_version": version}


def _meant(entry: Json, answer: Answer, labels: LabelMap) -> Region | None:
    """Return the region that a drawn entry means, shaped and named as the project shows it, or None."""
    kind = _KINDS.get(str(entry.get("type")).removesuffix("labels"))
    try:
        drawn = to_shape(kind, entry, answer.size) if kind else None
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    if isinstance(drawn, Keypoint):
        found = under((drawn.x, drawn.y), _shown(answer, labels)) if entry.get("is_positive", True) else None
        return found and _clicked(entry, found, labels)
    around = tight_box(drawn) if isinstance(drawn, Box | Ellipse) and not getattr(drawn, "angle", 0) else None
    found = fitting(around, _shown(answer, labels)) if around else None
    if around is None or found is None:
        return None
    label = _drawn_label(entry) or labels.regions[found.label].label
    control = (("control", str(entry.get("from_name") or "")),)
    return Region(_id(entry, found.id), label, _like(drawn, mean_box(around, found)), found.score, control)


def _shown(answer: Answer, labels: LabelMap) -> list[Region]:
    return [region for region in answer.found.regions if region.label in labels.regions]


def _clicked(entry: Json, found: Region, labels: LabelMap) -> Region:
    """Return a found region under a click; the click's label wins where a control draws regions of that label."""
    target = labels.regions[found.label]
    named = next(
        (c for c in labels.config.controls if _drawn_label(entry) in c.labels and c.kind in {"rectangle", "labels"}),
        None,
    )
    label, control = (_drawn_label(entry) or "", named.name) if named else (target.label, target.control or "")
    return replace(found, id=_id(entry, found.id), label=label, attributes=(("control", control),))


def _drawn_label(entry: Json) -> str | None:
    value = entry.get("value") or {}
    names = value.get(str(entry.get("type"))) or value.get("labels") or ()
    return str(names[0]) if isinstance(names, list) and names else None


def _is_point(entry: Json) -> bool:
    return str(entry.get("type")).startswith("keypoint")


def _like(drawn: Shape | None, box: Box) -> Shape:
    if not isinstance(drawn, Ellipse):
        return box
    return Ellipse((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, box.width / 2, box.height / 2)


def _id(entry: Json, what: str) -> str:
    """Return an id of its own: the editor removes what was drawn by the id that it had."""
    return hashlib.sha256(f"{entry.get('id')}|{what}|{entry.get('value')}".encode()).hexdigest()[:10]
