"""Names of labels and tags that every format can hold: one line, of a sane length."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from backend.core.errors import UsageError, shown
from backend.core.model import Dataset, Sample, Skipped, Stream

LONGEST_NAME = 200  # characters


def with_clean_names(folder: Path, dataset: Dataset) -> Dataset:
    """Return a folder's dataset with control characters in names as spaces, and a note for each name changed.

    Raises:
        UsageError: a label is longer than `LONGEST_NAME`.
    """
    names = (*dataset.labels, *dataset.tags)
    for name in dataset.labels:
        if len(name) > LONGEST_NAME:
            msg = f"{folder}: the label {shown(name)} has {len(name)} characters"
            raise UsageError(msg, fix=f"give it a name of at most {LONGEST_NAME} characters")
    changed = {name: clean for name in names if (clean := _clean(name)) != name}
    if not changed:
        return dataset
    notes = tuple(
        f"the label {shown(old)} has characters that no line can hold: read as {shown(new)}"
        for old, new in changed.items()
    )
    return replace(
        dataset,
        labels=_each(dataset.labels, changed),
        tags=_each(dataset.tags, changed),
        samples=Stream(lambda: _renamed(dataset, changed)),
        notes=(*dataset.notes, *notes),
    )


def _clean(name: str) -> str:
    return "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in name)


def _each(names: tuple[str, ...], changed: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(changed.get(name, name) for name in names))


def _renamed(dataset: Dataset, changed: Mapping[str, str]) -> Iterator[Sample | Skipped]:
    for item in dataset.samples:
        if isinstance(item, Skipped):
            yield item
            continue
        regions = tuple(replace(r, label=changed[r.label]) if r.label in changed else r for r in item.regions)
        tags = tuple(replace(t, label=changed[t.label]) if t.label in changed else t for t in item.tags)
        yield replace(item, regions=regions, tags=tags)
