"""What changed from one dataset to another: images, labels, splits, recipe, libraries."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from backend.core.errors import UsageError
from backend.core.progress import Progress
from backend.flows.dataset_dir import read_description, read_lines
from backend.flows.datasets import find_dataset
from backend.formats.manifest import DESCRIPTION, MANIFEST

Json = dict[str, Any]

LISTED = 1000  # names of each kind that a difference holds; the counts are always of all
EVERY = 2000  # images between two reports of progress
KINDS = ("added", "removed", "renamed", "source", "labels", "pixels", "moved")


@dataclass(slots=True)
class Difference:
    """How dataset B differs from A.

    images, splits, regions: (A, B) each; counts and names: of images, by kind: added, removed, renamed (the same
    variant of the same source under another name), source (another source image), labels, pixels (the same source, but
    other bytes), moved (another split); recipe, libraries, classes: one line per key, `-` A's value, `+` B's.
    """

    a: str
    b: str
    images: tuple[int, int] = (0, 0)
    same: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=dict)
    splits: dict[str, tuple[int, int]] = field(default_factory=dict)
    regions: dict[str, tuple[int, int]] = field(default_factory=dict)
    recipe: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.counts or self.recipe or self.libraries or self.classes)

    def note(self, kind: str, name: str) -> None:
        """Count one image."""
        self.counts[kind] += 1
        if len(self.names.setdefault(kind, [])) < LISTED:
            self.names[kind].append(name)


def locate(engine: sa.Engine, given: str) -> Path:
    """Return a dataset's folder by its name or path.

    Raises:
        UsageError: there is none.
    """
    path = Path(given)
    return path if (path / DESCRIPTION).is_file() else find_dataset(engine, given).path


def diff_datasets(a: Path, b: Path, progress: Progress) -> Difference:
    """Compare two datasets by their manifests, which are read side by side, one line of each in memory.

    What is kept is one short key for each image that only one of the two has.

    Raises:
        UsageError: one is no dataset, or its manifest is not sorted by file name.
    """
    described = read_description(a), read_description(b)
    found = Difference(a.name, b.name)
    numbers: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    labels: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    only: tuple[dict[bytes, str], dict[bytes, str]] = ({}, {})
    for number, pair in enumerate(_pairs(a, b), start=1):
        for side, line in enumerate(pair):
            if line is not None:
                numbers[side][line["split"]] += 1
                labels[side].update(region["label"] for region in line["regions"])
                labels[side].update(_tag(tag) for tag in line.get("tags") or ())
        _compare(found, only, pair)
        if number % EVERY == 0:
            progress.update("comparing", number)
    _unpaired(found, only)
    found.images = numbers[0].total(), numbers[1].total()
    found.splits = {key: (numbers[0][key], numbers[1][key]) for key in ("train", "val", "test")}
    found.regions = {key: (labels[0][key], labels[1][key]) for key in sorted(labels[0] | labels[1])}
    found.recipe = _unified(*(part["recipe"] for part in described))
    found.libraries = _unified(*(part.get("versions") or {} for part in described))
    found.classes = _unified(*({"labels": part["labels"], "tags": part.get("tags") or []} for part in described))
    return found


def _tag(tag: str | Json) -> str:
    return tag if isinstance(tag, str) else str(tag["label"])


def _pairs(a: Path, b: Path) -> Iterator[tuple[Json | None, Json | None]]:
    """Yield the lines of both manifests that have the same file name; None where one has no such line."""
    left, right = _sorted_lines(a), _sorted_lines(b)
    one, two = next(left, None), next(right, None)
    while one is not None and two is not None:
        if one["file"] == two["file"]:
            yield one, two
            one, two = next(left, None), next(right, None)
        elif one["file"] < two["file"]:
            yield one, None
            one = next(left, None)
        else:
            yield None, two
            two = next(right, None)
    if one is not None:
        yield from ((line, None) for line in chain([one], left))
    if two is not None:
        yield from ((None, line) for line in chain([two], right))


def _sorted_lines(folder: Path) -> Iterator[Json]:
    before = ""
    for line in read_lines(folder):
        if not isinstance(line, dict) or not line.keys() >= {"file", "sha256", "split", "source", "regions", "variant"}:
            msg = f"{folder / MANIFEST}: a line after {before!r} is no manifest line"
            raise UsageError(msg, fix="restore the manifest, or build the dataset again")
        if line["file"] <= before:
            msg = f"{folder / MANIFEST}: {line['file']!r} comes after {before!r}, but lines are sorted by file"
            raise UsageError(msg, fix="restore the manifest, or build the dataset again")
        before = line["file"]
        yield line


def _compare(
    found: Difference, only: tuple[dict[bytes, str], dict[bytes, str]], pair: tuple[Json | None, Json | None]
) -> None:
    one, two = pair
    if one is None or two is None:
        side, line = (0, one) if one is not None else (1, two)
        assert line is not None  # a pair has at least one
        key = f"{line['source'].get('sha256')} {line['variant']}".encode()
        if key in only[side]:  # the same image twice in one dataset: the second has no partner
            found.note("removed" if side == 0 else "added", line["file"])
        else:
            only[side][key] = line["file"]
        return
    kinds = list(_kinds(one, two))
    for kind in kinds:
        found.note(kind, f"{one['file']}: {one['split']} -> {two['split']}" if kind == "moved" else one["file"])
    found.same += not kinds


def _kinds(one: Json, two: Json) -> Iterator[str]:
    if one["source"].get("sha256") != two["source"].get("sha256"):
        yield "source"
    elif one["sha256"] != two["sha256"]:
        yield "pixels"
    if _labels(one) != _labels(two):
        yield "labels"
    if one["split"] != two["split"]:
        yield "moved"


def _labels(line: Json) -> list[str]:
    """Return what is drawn on an image, whatever its order and ids are."""
    drawn = [json.dumps([region["label"], region["shape"]], sort_keys=True) for region in line["regions"]]
    return sorted(drawn) + sorted(_tag(tag) for tag in line.get("tags") or ())


def _unpaired(found: Difference, only: tuple[dict[bytes, str], dict[bytes, str]]) -> None:
    gone, new = only
    for key, name in gone.items():
        if key in new:
            found.note("renamed", f"{name} -> {new[key]}")
        else:
            found.note("removed", name)
    for key, name in new.items():
        if key not in gone:
            found.note("added", name)


def _unified(one: Json, two: Json) -> list[str]:
    """Return two documents' differences, by key: `- boxes.min_size: 4` and `+ boxes.min_size: 6`."""
    left, right = dict(_flat(one)), dict(_flat(two))
    out: list[str] = []
    for key in [*left, *(key for key in right if key not in left)]:
        if left.get(key) != right.get(key):
            out += [f"{sign} {key}: {side[key]}" for sign, side in (("-", left), ("+", right)) if key in side]
    return out


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the leaves of a document with their paths; lists of plain values are leaves."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for number, inner in enumerate(value, start=1):
            yield from _flat(inner, f"{path}[{number}]")
    else:
        yield path, json.dumps(value, ensure_ascii=False)
