"""The plan of a rebuild: not drawn up anew, but read off the manifest of the dataset that is made again."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from backend.core.codec import origin_from_json, origin_to_json, region_from_json
from backend.core.errors import UsageError, shown
from backend.core.model import Dataset, Origin, Sample, Skipped, Stream, Tag
from backend.flows.builder.plan import Planned
from backend.flows.builder.shards import Json, read_shard, shard_path, write_shard
from backend.flows.dataset_dir import read_description, read_lines
from backend.formats.base import SPLITS
from backend.formats.manifest import DESCRIPTION, MANIFEST, entries

_DESCRIBED = {"name", "source", "labels", "formats", "counts", "selection", "warnings", "recipe", "identity"}
_NEEDED = {"sha256", "name", "width", "height", "regions", *origin_to_json(Origin())}

Find = Callable[[str, Json], Path | None]
"""Returns where a source image lies, from its sha256 and the manifest line's `source`."""


def manifest_dataset(original: Path, find: Find) -> Dataset:
    """Return the sources of a dataset as a dataset; a source that `find` cannot find is skipped with its address."""
    description = read_description(original)
    stream = Stream(lambda: (_sample(lines[0], find) for lines in _sources(original)))
    labels, tags = tuple(description["labels"]), tuple(description.get("tags", ()))
    return Dataset(description["name"], labels, stream, tags)


def check_manifest(original: Path, description: Json) -> None:
    """Check that a manifest can be followed, and is the one its description counts.

    Raises:
        UsageError: a line is broken, its file is a path, or lines were added or lost.
    """
    lost = _DESCRIBED - description.keys() if isinstance(description, dict) else _DESCRIBED
    if lost:
        msg = f"{original / DESCRIPTION}: has no {', '.join(sorted(lost))}"
        raise UsageError(msg, fix="restore it, or build the dataset again")
    images, splits = Counter[str](), Counter[str]()
    for number, (sample, line) in enumerate(entries(original / MANIFEST), start=1):
        source, variant = line.get("source"), line.get("variant")
        stem, mark, _ = sample.name.rpartition(f"_v{variant:02d}." if isinstance(variant, int) else "\0")
        if (
            not stem
            or not mark
            or not isinstance(source, dict)
            or not source.keys() >= _NEEDED
            or "lineage" not in line
        ):
            msg = f"{original / MANIFEST} line {number}: does not say how {shown(sample.name)} was made"
            raise UsageError(msg, fix="restore the manifest, or build the dataset again")
        images["variants" if variant else "originals"] += 1
        splits[str(sample.split)] += 1
    counts = description["counts"] or {}
    found: Json = {"images": images.total(), "variants": images["variants"], "splits": {s: splits[s] for s in SPLITS}}
    for name, number in found.items():
        if counts.get(name) != number:
            msg = f"{original}: the manifest has {name} {number}, dataset.json has {shown(counts.get(name))}"
            raise UsageError(msg, fix="restore the two as they were written, or build the dataset again")


def _sources(original: Path) -> Iterator[list[Json]]:
    """Yield the manifest's lines source by source (a stem that sorts in between only splits a group)."""
    for _, lines in groupby(read_lines(original), key=lambda line: line["file"].rpartition("_v")[0]):
        yield list(lines)


def _sample(line: Json, find: Find) -> Sample | Skipped:
    source = line["source"]
    path = find(source["sha256"], source)
    if path is None:
        return Skipped(
            source["uri"] or source["name"], f"the source image {source['sha256'][:12]} is nowhere to be found"
        )
    return Sample(
        id=source["sha256"],
        path=str(path),
        name=source["name"],
        width=source["width"],
        height=source["height"],
        regions=tuple(region_from_json(region) for region in source["regions"]),
        tags=tuple(Tag(tag["label"], tag["control"]) for tag in line["tags"]),
        split=line["split"],
        origin=origin_from_json(source),
    )


def plan_pinned(original: Path, work: Path) -> Planned:
    """Write plan shards from the list shards and the manifest, which run in the same order."""
    sources, sizes, images = _sources(original), [], Counter[str]()
    number = 0
    while (listed := shard_path(work, "list", number)).exists():
        entries, lost = [], []
        for entry, lines in zip(read_shard(listed), sources, strict=False):
            if "skipped" in entry:
                lost.append(entry)
                continue
            first = lines[0]
            stem, variants = first["file"].rpartition("_v")[0], sorted(line["variant"] for line in lines)
            images[first["split"]] += len(variants)
            pinned = {"split": first["split"], "lineage": first["lineage"], "stem": stem, "variants": variants}
            entries.append({**entry, **pinned})
        write_shard(shard_path(work, "index", number), lost)
        write_shard(shard_path(work, "plan", number), entries)
        sizes.append(len(entries))
        number += 1
    return Planned(sizes=tuple(sizes), images=images)
