"""Sticky splits: an image once in val stays in val in every later version of its project's datasets."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeVar

import sqlalchemy as sa

from backend.store.tables import splits

BATCH = 500
_T = TypeVar("_T")


def sticky_splits(engine: sa.Engine, project: str, shas: Iterable[str]) -> dict[str, str]:
    """Return sha256 -> split for those images that already have one in this project."""
    found: dict[str, str] = {}
    with engine.connect() as connection:
        for batch in _batches(shas):
            query = sa.select(splits.c.sha256, splits.c.split).where(
                splits.c.project == project, splits.c.sha256.in_(batch)
            )
            found.update((row.sha256, row.split) for row in connection.execute(query))
    return found


def remember_splits(engine: sa.Engine, project: str, assigned: Mapping[str, str]) -> None:
    """Record splits of images that have none yet in this project."""
    known = sticky_splits(engine, project, assigned)
    new = [{"project": project, "sha256": s, "split": split} for s, split in assigned.items() if s not in known]
    with engine.begin() as connection:
        for batch in _batches(new):
            connection.execute(sa.insert(splits), batch)


def _batches(items: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
