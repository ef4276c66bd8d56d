"""Find a dataset that was made here."""

from pathlib import Path

import sqlalchemy as sa

from backend.core.errors import UsageError
from backend.store.datasets import DatasetRow, list_datasets


def find_dataset(engine: sa.Engine, given: str) -> DatasetRow:
    """Return the registered dataset of a folder or a name; only registered ones may be deleted.

    Raises:
        UsageError: none, or several of that name.
    """
    rows = list_datasets(engine)
    found = [row for row in rows if row.path == Path(given).resolve()] or [row for row in rows if row.name == given]
    if not found:
        msg = f"no dataset {given!r} was made here"
        raise UsageError(msg, fix="`labelloom datasets list` shows them")
    if len(found) > 1:
        msg = f"{len(found)} datasets are called {given!r}"
        raise UsageError(msg, fix=f"give the folder: {', '.join(str(row.path) for row in found)}")
    return found[0]
