"""Find a dataset that was made here, and forget those whose folder is gone."""

from pathlib import Path

import sqlalchemy as sa

from backend.core.errors import UsageError
from backend.store.datasets import DatasetRow, forget_dataset, list_datasets


def find_dataset(engine: sa.Engine, given: str) -> DatasetRow:
    """Return the registered dataset of a folder or a name; only registered ones may be deleted.

    Of several of that name, the one whose folder is still there.

    Raises:
        UsageError: none, or several of that name.
    """
    rows = list_datasets(engine)
    found = [row for row in rows if row.path == Path(given).resolve()] or [row for row in rows if row.name == given]
    if not found:
        msg = f"no dataset {given!r} was made here"
        raise UsageError(msg, fix="`labelloom datasets list` shows them")
    there = [row for row in found if row.path.exists()]
    if len(there) == 1:
        return there[0]
    if len(found) > 1:
        msg = f"{len(found)} datasets are called {given!r}"
        raise UsageError(msg, fix=f"give the folder: {', '.join(str(row.path) for row in found)}")
    return found[0]


def forget_gone(engine: sa.Engine) -> list[DatasetRow]:
    """Forget the datasets whose folder is gone; return them. Asked for, never by itself: a disk may be unplugged."""
    gone = [row for row in list_datasets(engine) if not row.path.exists()]
    for row in gone:
        forget_dataset(engine, row.path)
    return gone
