"""Label Studio's labelling config: which controls draw what on the image, and in which order their labels stand."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from lxml import etree

from backend.core.errors import UsageError

Kind = Literal["rectangle", "polygon", "brush", "keypoint", "ellipse", "choices", "labels"]

_LABELS: dict[str, Kind] = {
    "RectangleLabels": "rectangle",
    "PolygonLabels": "polygon",
    "BrushLabels": "brush",
    "KeyPointLabels": "keypoint",
    "EllipseLabels": "ellipse",
    "Labels": "labels",
}
_BARE: dict[str, Kind] = {
    "Rectangle": "rectangle",
    "Polygon": "polygon",
    "Brush": "brush",
    "KeyPoint": "keypoint",
    "Ellipse": "ellipse",
}


@dataclass(frozen=True, slots=True)
class Control:
    """One control tag: its name (`from_name`), what it draws, the image it draws on, its labels in order.

    `bare`: it draws shapes without labels; a control of kind `labels` names them. For models, as the tag's attributes
    say: `threshold`, the least score that is shown (model_score_threshold); `skip`: no predictions (model_skip);
    `predicted`: (a model's label, the label it stands for) pairs (predicted_values).
    """

    name: str
    kind: Kind
    to_name: str
    labels: tuple[str, ...]
    bare: bool = False
    threshold: float | None = None
    skip: bool = False
    predicted: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """What a project's config says, as far as images go.

    image_key: the key of the image in a task's data. labels: of regions, tags: of whole images; both in the order of
    the config, over all controls, each once. A label's position is its class id.
    """

    image_key: str
    image_name: str
    controls: tuple[Control, ...]
    labels: tuple[str, ...]
    tags: tuple[str, ...]

    def control(self, name: str) -> Control | None:
        """Return the control of that name, or None."""
        return next((c for c in self.controls if c.name == name), None)

    def find(self, kind: Kind, label: str) -> Control | None:
        """Return the first control of a kind that has the label, else the first of that kind, else None."""
        same = [c for c in self.controls if c.kind == kind]
        return next((c for c in same if label in c.labels), same[0] if same else None)


def parse_label_config(text: str) -> LabelConfig:
    """Return what a labelling config says.

    Raises:
        UsageError: not XML, no Image tag, several of them, or one that shows several images.
    """
    root = _parse(text)
    images = [e for e in root.iter() if e.tag == "Image"]
    if len(images) != 1:
        msg = f"the labelling config has {len(images)} Image tags ({_names(images)}); exactly one is needed"
        fix = "label each image in a task of its own: several images in one task cannot be told apart in a dataset"
        raise UsageError(msg, fix=fix)
    image = images[0]
    if image.get("valueList"):
        msg = f"Image tag {image.get('name')!r} shows a list of images (valueList)"
        raise UsageError(msg, fix='label each image in a task of its own, with value="$image"')
    key = (image.get("value") or "").strip()
    if not key.startswith("$") or len(key) < 2:
        msg = f'Image tag {image.get("name")!r} has value={key!r}, not a task key such as "$image"'
        raise UsageError(msg, fix='write value="$image"')
    controls = tuple(c for e in root.iter() if (c := _control(e, image.get("name") or "")) is not None)
    regions = [c for c in controls if c.kind != "choices"]
    choices = [c for c in controls if c.kind == "choices"]
    return LabelConfig(key[1:], image.get("name") or "", controls, _union(regions), _union(choices))


def add_names(text: str, labels: Iterable[str], tags: Iterable[str]) -> str:
    """Return the config with labels (and tags) it lacks appended to every control that could draw them.

    A dataset may hold names that the config does not: renamed ones, or regions drawn before a label was removed.
    """
    config = parse_label_config(text)
    new_labels = [label for label in labels if label not in config.labels]
    new_tags = [tag for tag in tags if tag not in config.tags]
    if not new_labels and not new_tags:
        return text
    root = _parse(text)
    for element in root.iter():
        control = _control(element, config.image_name)
        if control is None or control.bare:
            continue
        word, names = ("Choice", new_tags) if control.kind == "choices" else ("Label", new_labels)
        for name in names:
            etree.SubElement(element, word, value=name)
    return etree.tostring(root, encoding="unicode")


def replace_names(text: str, names: Iterable[str]) -> str:
    """Return the config with these names, in this order, in place of those of every control that has some."""
    root, wanted = _parse(text), tuple(names)
    for element in list(root.iter()):
        word = "Choice" if element.tag == "Choices" else "Label"
        if element.tag in _LABELS or element.tag == "Choices":
            for child in list(element.iter(word)):
                element.remove(child)
            for name in wanted:
                etree.SubElement(element, word, value=name)
    return etree.tostring(root, encoding="unicode")


def _parse(text: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        return etree.fromstring(text.strip().encode(), parser)
    except etree.XMLSyntaxError as error:
        msg = f"the labelling config is not valid XML: {error}"
        raise UsageError(
            msg, fix="open the project's Settings > Labeling Interface > Code and save it again"
        ) from error


def _names(elements: Iterable[etree._Element]) -> str:
    return ", ".join(e.get("name") or "?" for e in elements) or "none"


def _control(element: etree._Element, image_name: str) -> Control | None:
    tag = element.tag
    if not isinstance(tag, str) or element.get("toName") != image_name:
        return None
    name = element.get("name") or ""
    if tag in _BARE:
        return Control(name, _BARE[tag], image_name, (), bare=True, **_for_models(element, ""))
    if tag in _LABELS:
        kind, child = _LABELS[tag], "Label"
    elif tag == "Choices" and element.get("perRegion") != "true":
        kind, child = "choices", "Choice"
    else:
        return None
    return Control(name, kind, image_name, _values(element, child), **_for_models(element, child))


def _for_models(element: etree._Element, child: str) -> dict[str, Any]:
    """Return what a control's attributes tell models; a threshold that is none from 0 to 1 is as good as not given."""
    try:
        threshold = float(element.get("model_score_threshold") or "nan")
    except ValueError:
        threshold = math.nan
    names = {e: e.get("alias") or e.get("value") or "" for e in (element.iter(child) if child else ())}
    predicted = [
        (given.strip(), name) for e, name in names.items() for given in (e.get("predicted_values") or "").split(",")
    ]
    return {
        "threshold": threshold if 0 <= threshold <= 1 else None,
        "skip": (element.get("model_skip") or "").lower() in {"true", "1"},
        "predicted": tuple(pair for pair in predicted if all(pair)),
    }


def _values(element: etree._Element, tag: str) -> tuple[str, ...]:
    """Return the names in order; an alias stands for its value in results, so it stands for it here."""
    names = (child.get("alias") or child.get("value") for child in element.iter(tag))
    return tuple(dict.fromkeys(name for name in names if name))


def _union(controls: Iterable[Control]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for control in controls for label in control.labels))
