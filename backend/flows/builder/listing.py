"""Phase 1: every sample is listed once, relabelled by the recipe, with the sha256 of its image file.

The digest over this list and the recipe is the build's identity: the same identity resumes or is already done.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from backend.core.codec import canonical, sample_to_json
from backend.core.model import Dataset, Region, Sample, Skipped, Tag
from backend.core.progress import Progress
from backend.core.recipe import Recipe
from backend.flows.builder.shards import SIZE, Json, shard_path, write_shard
from backend.flows.builder.suits import unmatched_labels
from backend.formats.base import Classes


@dataclass(frozen=True, slots=True)
class Listing:
    """What was listed: number of items and shards, their digest, the classes, what the recipe left out.

    unmatched: warnings about labels that the recipe names and the data has not.
    """

    items: int
    shards: int
    digest: str
    classes: Classes
    dropped: Counter[str]
    smallest: tuple[int, int] | None
    unmatched: tuple[str, ...] = ()


def list_samples(dataset: Dataset, recipe: Recipe, work: Path, progress: Progress) -> Listing:
    """Write the list shards and return their summary."""
    sha, dropped = hashlib.sha256(), Counter[str]()
    raw = dict.fromkeys((*dataset.labels, *dataset.tags))
    labels, tags = list(_ordered(recipe, dataset.labels)), list(_ordered(recipe, dataset.tags, named=False))
    smallest: tuple[int, int] | None = None
    items = shards = 0
    stream = (_entry(item, recipe, dropped) for item in _noting(dataset, raw))
    while batch := list(islice(stream, SIZE)):
        for entry, sample in batch:
            sha.update(canonical({k: v for k, v in entry.items() if k != "path"}).encode() + b"\n")
            if sample:
                labels += [r.label for r in sample.regions if r.label not in labels]
                tags += [t.label for t in sample.tags if t.label not in tags]
                smallest = min(smallest or (sample.width, sample.height), (sample.width, sample.height), key=_short)
        write_shard(shard_path(work, "list", shards), (entry for entry, _ in batch))
        items, shards = items + len(batch), shards + 1
        progress.update("reading", items)
    classes = Classes(tuple(labels), tuple(tags))
    sha.update(canonical([classes.labels, classes.tags]).encode())
    unmatched = tuple(unmatched_labels(recipe, raw, classes))
    return Listing(items, shards, sha.hexdigest(), classes, dropped, smallest, unmatched)


def _noting(dataset: Dataset, raw: dict[str, None]) -> Iterator[Sample | Skipped]:
    """Yield the items and note their labels as the source writes them."""
    for item in dataset.samples:
        if isinstance(item, Sample):
            raw.update(dict.fromkeys([*(r.label for r in item.regions), *(t.label for t in item.tags)]))
        yield item


def _short(size: tuple[int, int]) -> int:
    return min(size)


def _ordered(recipe: Recipe, source: tuple[str, ...], *, named: bool = True) -> Iterator[str]:
    """Yield the recipe's own labels first, then the source's in their order, renamed, each once."""
    seen: set[str] = set()
    first = [label for label in recipe.labels if label != "_drop"] if named else []
    for label in [*first, *(recipe.renamed(label) for label in source)]:
        if label is not None and label not in seen:
            seen.add(label)
            yield label


def _entry(item: Sample | Skipped, recipe: Recipe, dropped: Counter[str]) -> tuple[Json, Sample | None]:
    if isinstance(item, Skipped):
        return {"skipped": item.item, "reason": item.reason}, None
    try:
        sha = _file_sha256(Path(item.path))
    except OSError as error:
        return {"skipped": item.origin.uri or item.name, "reason": f"cannot be read: {error.strerror}"}, None
    sample = _relabel(item, recipe, dropped)
    data = sample_to_json(sample)
    return {"path": data.pop("path"), "sha256": sha, "sample": data}, sample


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _relabel(sample: Sample, recipe: Recipe, dropped: Counter[str]) -> Sample:
    if not recipe.labels:
        return sample
    regions: list[Region] = []
    for region in sample.regions:
        label = recipe.renamed(region.label)
        if label is None:
            dropped[region.label] += 1
        else:
            regions.append(region if label == region.label else replace(region, label=label))
    tags = tuple(Tag(new, t.control) for t in sample.tags if (new := recipe.renamed(t.label)) is not None)
    return replace(sample, regions=tuple(regions), tags=tags)
