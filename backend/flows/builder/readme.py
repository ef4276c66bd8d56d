"""The README that every dataset carries: what is in it, how it was checked, how to train on it."""

from typing import Any

import yaml

from backend.core.losses import loss_lines

Json = dict[str, Any]

STYLES = 20  # listed; a folder of paintings may hold thousands
TRAIN = {
    "yolo": "Ultralytics (boxes), inside this folder:\n\n    yolo detect train data=yolo/data.yaml model=yolo11n.pt",
    "yolo-obb": "Ultralytics (rotated boxes):\n\n    yolo obb train data=yolo-obb/data.yaml model=yolo11n-obb.pt",
    "yolo-seg": "Ultralytics (segmentation):\n\n    yolo segment train data=yolo-seg/data.yaml model=yolo11n-seg.pt",
    "voc": (
        "Any Pascal VOC reader: `voc/` holds JPEGImages, Annotations and ImageSets/Main, for instance\n\n"
        "    labels = [line.strip() for line in open('voc/ImageSets/Main/train.txt')]"
    ),
    "coco": (
        "torchvision:\n\n    from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2\n"
        "    train = wrap_dataset_for_transforms_v2(\n"
        "        CocoDetection('coco/images', 'coco/annotations/instances_train.json'))"
    ),
    "folders": (
        "torchvision:\n\n    from torchvision.datasets import ImageFolder\n    train = ImageFolder('folders/train')"
    ),
}


def dataset_readme(description: Json) -> str:
    """Return the README's text for a dataset's description (`dataset.json`)."""
    counts, ledger = description["counts"], description["ledger"]
    splits = ", ".join(f"{split} {number}" for split, number in counts["splits"].items())
    fates = ", ".join(f"{ledger[fate]} {fate}" for fate in ("kept", "clipped", "dropped"))
    parts = [
        f"# {description['name']}",
        f"Made by LabelLoom {description['versions']['labelloom']} from {description['source']}.",
        "## What is in it",
        f"{counts['images']} images ({splits}) from {counts['sources']} source images; {counts['variants']} of them "
        f"are augmented variants. {counts['skipped']} items were skipped and {counts['gave_up']} variants given up: "
        "each is listed with its reason in `skipped.jsonl`.",
        _class_table(description),
        "`manifest.jsonl` says for each image where it came from, how it was made and what happened to each region.",
        _styles(description.get("styles", {})),
        "## Ledger of the variants",
        f"{ledger['regions']} regions: {fates}.",
        "\n".join(f"- {reason}: {number}" for reason, number in ledger["reasons"].items()),
        "## Certificate",
        _certificate(description["certificate"]),
        _losses(description["losses"], description["losses_of_variants"]),
        "## Train on it",
        "\n\n".join(TRAIN[key] for key in description["formats"]),
        "## Recipe",
        "```yaml\n" + yaml.safe_dump(description["recipe"], sort_keys=False, allow_unicode=True).strip() + "\n```",
        "The images of this folder can be made again, bit for bit, with `labelloom rebuild manifest.jsonl --out DIR`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _class_table(description: Json) -> str:
    regions = description["counts"]["regions"]
    rows = [f"| {i} | {label} | {regions.get(label, 0)} |" for i, label in enumerate(description["labels"])]
    table = "| class id | label | regions |\n|---|---|---|\n" + "\n".join(rows) if rows else ""
    tags = ", ".join(description["tags"])
    return "\n\n".join(part for part in (table, f"Image tags: {tags}." if tags else "") if part)


def _styles(names: Json) -> str:
    shown = [f"- {name}: {sha}" for sha, name in list(names.items())[:STYLES]]
    more = [f"- and {len(names) - STYLES} more, see `dataset.json`"] if len(names) > STYLES else []
    return "## Styles, by sha256\n\n" + "\n".join([*shown, *more]) if names else ""


def _certificate(certificate: Json) -> str:
    rows = [
        f"- {part['format']}: {part['images']} images and {part['regions']} regions read back by an independent "
        f"reader; largest difference {part['max_error_px']:.3f} px (tolerance {part['tolerance']:g} px)"
        for part in certificate["formats"]
    ]
    return "\n".join(rows)


def _losses(losses: dict[str, dict[str, int]], in_variants: dict[str, dict[str, int]]) -> str:
    rows = [f"- {key}: {line}" for key, counts in losses.items() for line in loss_lines(counts, in_variants[key], key)]
    return "What a format cannot hold:\n\n" + "\n".join(rows) if rows else ""
