"""The datasets that were made here, and the projects that were written from them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from backend.store.tables import as_utc, datasets


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """One made dataset; `project` is the Label Studio project written from it, if any."""

    path: Path
    name: str
    source: str
    images: int
    created: datetime
    label_studio: str | None = None
    project: int | None = None


def list_datasets(engine: sa.Engine) -> list[DatasetRow]:
    """Return all rows, newest first."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(datasets).order_by(datasets.c.created.desc(), datasets.c.path))
        return [DatasetRow(**{**row._mapping, "path": Path(row.path), "created": as_utc(row.created)}) for row in rows]


def record_dataset(engine: sa.Engine, path: Path, *, source: str, images: int) -> None:
    """Add a dataset, or replace the row of the one that lay in the same folder."""
    key = str(path.resolve())
    row = {"path": key, "name": path.name, "source": source, "images": images, "created": datetime.now(UTC)}
    with engine.begin() as connection:
        connection.execute(sa.delete(datasets).where(datasets.c.path == key))
        connection.execute(sa.insert(datasets), row)


def record_project(engine: sa.Engine, path: Path, *, label_studio: str, project: int) -> None:
    """Note which Label Studio project was written from a dataset."""
    change = sa.update(datasets).where(datasets.c.path == str(path.resolve()))
    with engine.begin() as connection:
        connection.execute(change.values(label_studio=label_studio, project=project))


def forget_dataset(engine: sa.Engine, path: Path) -> None:
    """Remove a dataset's row; its files are the caller's business."""
    with engine.begin() as connection:
        connection.execute(sa.delete(datasets).where(datasets.c.path == str(path.resolve())))
