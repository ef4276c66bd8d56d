"""What a model found -> what Label Studio stores: values only, no network, no files."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from backend.core.codec import region_from_json, region_to_json
from backend.core.model import Region, Sample, Tag
from backend.core.sureness import sureness
from backend.detect.base import Predicted
from backend.flows.label_map import LabelMap
from backend.formats.label_studio import to_result

Json = dict[str, Any]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a task is answered.

    prediction: Label Studio's, or None: nothing is stored for the task, and `reason` says why, `kind` in a word (for
    counting). found: the same in pixels, before thresholds. cached: no inference was needed.
    """

    prediction: Json | None
    kind: str = "answered"
    reason: str = ""
    found: Predicted = field(default_factory=Predicted)
    size: Size = (0, 0)
    cached: bool = False

    def to_json(self) -> Json | list[Json]:
        """Return the task's entry in `results`; an empty list, unlike an empty result, stores nothing."""
        return self.prediction if self.prediction is not None else []


def to_prediction(found: Predicted, size: Size, labels: LabelMap, version: str) -> Json:
    """Return a prediction with what is sure enough to be shown; its score is `core.sureness` over all candidates."""
    regions = [(region, labels.regions[region.label]) for region in found.regions if region.label in labels.regions]
    tags = [(tag, score, labels.tags[tag.label]) for tag, score in found.tags if tag.label in labels.tags]
    scores = [(region.score if region.score is not None else 1.0, target.threshold) for region, target in regions]
    scores += [(score, target.threshold) for _, score, target in tags]
    shown = [
        replace(region, label=target.label, attributes=(("control", target.control or ""),))
        for (region, target), (score, _) in zip(regions, scores[: len(regions)], strict=True)
        if score >= target.threshold
    ]
    kept = tuple(Tag(target.label, target.control) for _, score, target in tags if score >= target.threshold)
    sample = Sample("", "", "", *size, regions=_apart(shown), tags=kept)
    result, _ = to_result(sample, labels.config)
    best = {target.control: score for _, score, target in reversed(tags)}
    for entry in result:
        if entry["type"] == "choices":
            entry["score"] = round(best[entry["from_name"]], 4)
        elif "score" in entry:
            entry["score"] = round(float(entry["score"]), 4)
    return {"result": result, "score": round(sureness(scores), 4), "model_version": version}


def _apart(regions: Iterable[Region]) -> tuple[Region, ...]:
    """Return regions with ids that occur once; a model of someone else's may repeat them."""
    seen: dict[str, int] = {}
    kept = []
    for region in regions:
        seen[region.id] = number = seen.get(region.id, 0) + 1
        kept.append(region if number == 1 else replace(region, id=f"{region.id}-{number}"))
    return tuple(kept)


def found_to_json(found: Predicted, size: Size) -> Json:
    """Return what was found in an image, as it is kept."""
    return {
        "size": list(size),
        "regions": [region_to_json(region) for region in found.regions],
        "tags": [[tag.label, tag.control, score] for tag, score in found.tags],
        "reason": found.reason,
    }


def found_from_json(data: Json) -> tuple[Predicted, Size]:
    """Return what `found_to_json` wrote."""
    regions = tuple(region_from_json(region) for region in data["regions"])
    tags = tuple((Tag(label, control), float(score)) for label, control, score in data["tags"])
    width, height = data["size"]
    return Predicted(regions, tags, data["reason"]), (int(width), int(height))
