"""Which of a model's labels stand for which of a project's, and from which score on each is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from backend.formats.label_config import Control, LabelConfig

Json = dict[str, Any]

SHOWN = ("label_map", "threshold", "thresholds")  # a project's options that are no business of its detector
_HOLDS = ("rectangle", "labels", "polygon", "brush")  # what can show a model's regions, the usual first


@dataclass(frozen=True, slots=True)
class Target:
    """A label of the project, the least score at which it is shown, and the control that shows it, if one was named."""

    label: str
    threshold: float
    control: str | None = None


@dataclass(frozen=True, slots=True)
class LabelMap:
    """A model's labels as a project's config knows them. notes: what does not fit, one sentence each."""

    config: LabelConfig
    regions: Mapping[str, Target]
    tags: Mapping[str, Target]
    notes: tuple[str, ...] = ()


def map_labels(
    config: LabelConfig, labels: tuple[tuple[str, ...], tuple[str, ...]], how: tuple[Json, float]
) -> LabelMap:
    """Return how a model's (region labels, tags) are shown under a config.

    A model's label goes where the detector's option `label_map` says, else where a control's `predicted_values` does,
    else to the label of the same name, else to one that differs in case only. The least score is the option
    `thresholds` of the project's label, else the control's `model_score_threshold`, else the option `threshold`, else
    the model's own. Controls with `model_skip` show nothing.

    how: the detector's options, and the model's own threshold.
    """
    shown = replace(config, controls=tuple(control for control in config.controls if not control.skip))
    regions = [control for kind in _HOLDS for control in shown.controls if control.kind == kind]
    choices = [control for control in shown.controls if control.kind == "choices"]
    found = _targets(labels[0], regions, how), _targets(labels[1], choices, how)
    return LabelMap(shown, *found, _notes(labels, found, config))


def _targets(labels: tuple[str, ...], controls: list[Control], how: tuple[Json, float]) -> dict[str, Target]:
    options, threshold = how
    renamed = options.get("label_map") or {}
    found: dict[str, Target] = {}
    for label in labels:
        pair = _named(str(renamed[label]), controls) if label in renamed else _home(label, controls)
        if pair is None:
            continue
        name, control = pair
        least = (options.get("thresholds") or {}).get(name, control.threshold)
        least = least if least is not None else options.get("threshold", threshold)
        found[label] = Target(name, float(least), control.name)
    return found


def _home(label: str, controls: list[Control]) -> tuple[str, Control] | None:
    for control in controls:
        for given, name in control.predicted:
            if given.casefold() == label.casefold():
                return name, control
    return _named(label, controls)


def _named(label: str, controls: list[Control]) -> tuple[str, Control] | None:
    pairs = [(name, control) for control in controls for name in control.labels]
    same = (pair for pair in pairs if pair[0] == label)
    alike = (pair for pair in pairs if pair[0].casefold() == label.casefold())
    return next(same, next(alike, None))


def _notes(
    labels: tuple[tuple[str, ...], tuple[str, ...]],
    found: tuple[dict[str, Target], dict[str, Target]],
    config: LabelConfig,
) -> tuple[str, ...]:
    notes = []
    for names, targets, known in zip(labels, found, (config.labels, config.tags), strict=True):
        lost = [name for name in names if name not in targets]
        if lost:
            notes.append(f"labels of the model that the project does not show: {', '.join(lost)}")
        never = [name for name in known if name not in {target.label for target in targets.values()}] if names else []
        if never:
            notes.append(f"labels of the project that the model does not know: {', '.join(never)}")
    return tuple(notes)
