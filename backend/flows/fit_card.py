"""A model's card: what people should know before they trust its boxes."""

from typing import Any

from backend.detect.model_dir import ModelInfo

Json = dict[str, Any]

_ABOUT = {
    "fewshot": "EfficientNet-Lite0 (ImageNet weights, Apache 2.0) up to stride 8 as it is; the stages above it, a "
    "feature pyramid and an FCOS head were trained.",
    "torchvision": "A detector of torchvision (BSD 3-Clause; weights trained on COCO), fine-tuned.",
    "similar": "EfficientNet-Lite0 (ImageNet weights, Apache 2.0) turns each image into a vector; the nearest labelled "
    "images vote.",
}


def card(info: ModelInfo) -> str:
    """Return the card as Markdown."""
    parts = [_head(info), _data(info.data), _quality(info), _limits(info)]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(info: ModelInfo) -> list[str]:
    data = info.data
    return [
        f"# {info.version}",
        "",
        f"Detector `{info.detector}`, trained {info.created[:10]} on {data['source']}."
        + (f" It follows `{info.parent}`." if info.parent else ""),
        "",
        _ABOUT.get(info.detector, "See the detector's own documentation."),
        "",
        f"How: {', '.join(_told(info.options))}.",
        "",
        f"{'In use' if data.get('promoted') else 'Not in use'} when it was made: {data.get('note')}.",
    ]


def _told(options: Json) -> list[str]:
    """Return options as words; those that hold options of their own are told as well."""
    words = []
    for name, value in sorted(options.items()):
        words += _told(value) if isinstance(value, dict) else [f"{name} {value}"]
    return words


def _data(data: Json) -> list[str]:
    images, empty = data["images"], data["empty"]
    lines = [
        "## Data",
        "",
        f"{images['train']} images to learn from ({empty['train']} of them empty), {images['holdout']} kept aside "
        f"({empty['holdout']} empty), {images['left_out']} left out because they look like one that is kept aside, "
        f"{data['unreadable']} unreadable. An image that is kept aside once is never trained on, in no version.",
        "",
        "| label | to learn from | kept aside |",
        "|---|---|---|",
    ]
    rows = {**data["labels"], **data["tags"]}
    lines += [f"| {_cell(name)} | {count['train']} | {count['holdout']} |" for name, count in rows.items()]
    lines += ["", f"Digests: images {data['images_digest'][:16]}, labels {data['labels_digest'][:16]}, "]
    lines[-1] += f"kept aside {data['holdout_digest'][:16]}; `data.jsonl` names every image by its sha256."
    return lines


def _quality(info: ModelInfo) -> list[str]:
    metrics = info.metrics
    lines = ["## How good it is", ""]
    if metrics.get("ap") is None:
        return [*lines, "Unknown: there was nothing to judge it by."]
    held = metrics["holdout"]
    if "accuracy" in metrics:
        return [*lines, f"Of {held['images']} images kept aside, {metrics['ap']:.0%} got the right tag."]
    lines += [
        f"On the {held['images']} images kept aside ({held['boxes']} boxes); in brackets 95 % intervals, by resampling "
        "those images.",
        "",
        "| | AP (0.5 to 0.95) | AP50 |",
        "|---|---|---|",
        _row("all", metrics),
    ]
    lines += [_row(label, one) for label, one in metrics.get("labels", {}).items()]
    if "int8" in metrics:
        use = "is used, being smaller and faster; these are its figures" if metrics["int8"] else "is not used"
        whole, small = metrics["fp32_ap"] or 0, metrics["int8_ap"] or 0
        lines += ["", f"The quantised file reaches AP {small:.3f} (the full one {whole:.3f}) and {use}."]
    return lines


def _row(name: str, metrics: Json) -> str:
    return f"| {_cell(name)} | {_with_interval(metrics, 'ap')} | {_with_interval(metrics, 'ap50')} |"


def _with_interval(metrics: Json, name: str) -> str:
    value, interval = metrics.get(name), metrics.get(f"{name}_ci")
    if value is None:
        return "none kept aside"
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def _limits(info: ModelInfo) -> list[str]:
    data = info.data
    few = [name for name, count in data["labels"].items() if count["train"] < 30]
    blind = [name for name, count in data["labels"].items() if not count["holdout"]]
    lines = [
        "## Limits",
        "",
        "- It was judged on images like those it learned from; on others it may be much worse.",
        "- Its boxes are suggestions for annotators, who look at each one.",
    ]
    if few:
        lines.append(f"- Fewer than 30 boxes to learn from: {', '.join(map(_cell, few[:20]))}.")
    if blind:
        lines.append(f"- Nothing kept aside to judge by: {', '.join(map(_cell, blind[:20]))}.")
    if data["images"]["holdout"] < 20:
        lines.append("- So few images are kept aside that its figures say little; see the intervals.")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
