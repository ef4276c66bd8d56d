"""Models, which one predicts in which project, and what has been found by which model in which image."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from backend.store.tables import as_utc, ml_backends, models, predictions, project_detectors, promotions

Json = dict[str, Any]
_BATCH = 500  # values in one "in (...)": SQLite takes 999 at most in old builds


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model; note: what there is to say about it, such as why it was not promoted."""

    version: str
    project: int | None
    detector: str
    folder: Path
    created: datetime
    metrics: Json = field(default_factory=dict)
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Promotion:
    """A model began to predict in a project."""

    id: int
    project: int
    version: str
    at: datetime
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class BackendRow:
    """The ML backend that we added to a project; of its password only the sha256 is kept."""

    project: int
    sha256: str
    url: str
    backend: int


def _model(row: sa.Row[Any]) -> ModelRow:
    given = dict(row._mapping)
    return ModelRow(
        **given | {"folder": Path(row.folder), "created": as_utc(row.created), "metrics": json.loads(row.metrics)}
    )


def add_model(engine: sa.Engine, model: ModelRow) -> None:
    """Enter a model, or replace the row of the same version."""
    with engine.begin() as connection:
        connection.execute(sa.delete(models).where(models.c.version == model.version))
        connection.execute(
            sa.insert(models),
            {
                "version": model.version,
                "project": model.project,
                "detector": model.detector,
                "folder": str(model.folder),
                "created": model.created,
                "metrics": json.dumps(model.metrics),
                "note": model.note,
            },
        )


def get_model(engine: sa.Engine, version: str) -> ModelRow | None:
    """Return a model, or None."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(models).where(models.c.version == version)).first()
    return _model(row) if row else None


def list_models(engine: sa.Engine, project: int | None = None) -> list[ModelRow]:
    """Return models, of one project or of all, newest first."""
    wanted = sa.select(models).order_by(models.c.created.desc(), models.c.version.desc())
    if project is not None:
        wanted = wanted.where(models.c.project == project)
    with engine.connect() as connection:
        return [_model(row) for row in connection.execute(wanted)]


def remove_model(engine: sa.Engine, version: str) -> None:
    """Forget a model and what it found; its files are the caller's business."""
    with engine.begin() as connection:
        connection.execute(sa.delete(models).where(models.c.version == version))
        connection.execute(sa.delete(promotions).where(promotions.c.version == version))
        connection.execute(sa.delete(predictions).where(predictions.c.version == version))


def promote(engine: sa.Engine, project: int, version: str, *, who: str, why: str) -> None:
    """Let a model predict in a project from now on."""
    row = {"project": project, "version": version, "at": datetime.now(UTC), "who": who, "why": why}
    with engine.begin() as connection:
        connection.execute(sa.insert(promotions), row)


def history(engine: sa.Engine, project: int) -> list[Promotion]:
    """Return which models predicted in a project, the one that does now first."""
    wanted = sa.select(promotions).where(promotions.c.project == project).order_by(promotions.c.id.desc())
    with engine.connect() as connection:
        return [Promotion(**{**row._mapping, "at": as_utc(row.at)}) for row in connection.execute(wanted)]


def current_model(engine: sa.Engine, project: int) -> ModelRow | None:
    """Return the model that predicts in a project, or None."""
    newest = sa.select(sa.func.max(promotions.c.id)).where(promotions.c.project == project).scalar_subquery()
    wanted = (
        sa.select(models).join(promotions, promotions.c.version == models.c.version).where(promotions.c.id == newest)
    )
    with engine.connect() as connection:
        row = connection.execute(wanted).first()
    return _model(row) if row else None


def current_versions(engine: sa.Engine) -> dict[int, str]:
    """Return the version that predicts in each project that has one."""
    newest = sa.select(sa.func.max(promotions.c.id)).group_by(promotions.c.project)
    wanted = sa.select(promotions.c.project, promotions.c.version).where(promotions.c.id.in_(newest))
    with engine.connect() as connection:
        return {row.project: row.version for row in connection.execute(wanted)}


def set_detector(engine: sa.Engine, project: int, detector: str, options: Json) -> None:
    """Choose a project's detector."""
    with engine.begin() as connection:
        connection.execute(sa.delete(project_detectors).where(project_detectors.c.project == project))
        row = {"project": project, "detector": detector, "options": json.dumps(options), "changed": datetime.now(UTC)}
        connection.execute(sa.insert(project_detectors), row)


def detector_of(engine: sa.Engine, project: int) -> tuple[str, Json]:
    """Return a project's detector and its options; `fewshot` where none was chosen."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(project_detectors).where(project_detectors.c.project == project)).first()
    return (row.detector, json.loads(row.options)) if row else ("fewshot", {})


def known_predictions(engine: sa.Engine, version: str, shas: Sequence[str]) -> dict[str, Any]:
    """Return what a model found in images, by sha256, as far as it has looked at them."""
    found: dict[str, Any] = {}
    with engine.connect() as connection:
        for start in range(0, len(shas), _BATCH):
            part = shas[start : start + _BATCH]
            where = (predictions.c.version == version) & predictions.c.sha256.in_(part)
            for row in connection.execute(sa.select(predictions.c.sha256, predictions.c.found).where(where)):
                found[row.sha256] = json.loads(row.found)
    return found


def remember_predictions(engine: sa.Engine, version: str, found: Mapping[str, Any]) -> None:
    """Keep what a model found, by the image's sha256."""
    now = datetime.now(UTC)
    rows = [{"sha256": sha, "version": version, "found": json.dumps(what), "at": now} for sha, what in found.items()]
    if not rows:
        return
    with engine.begin() as connection:
        insert = _insert_or_ignore(engine)
        connection.execute(insert, rows)


def _insert_or_ignore(engine: sa.Engine) -> Any:
    from sqlalchemy.dialects import postgresql, sqlite

    dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
    return dialect.insert(predictions).on_conflict_do_nothing()


def prune_predictions(engine: sa.Engine, older_than: timedelta) -> int:
    """Forget what was found that long ago; return how many images that were."""
    old = sa.delete(predictions).where(predictions.c.at < datetime.now(UTC) - older_than)
    with engine.begin() as connection:
        return connection.execute(old).rowcount


def set_backend(engine: sa.Engine, row: BackendRow) -> None:
    """Remember the ML backend that we added to a project."""
    with engine.begin() as connection:
        connection.execute(sa.delete(ml_backends).where(ml_backends.c.project == row.project))
        values = {"project": row.project, "sha256": row.sha256, "url": row.url, "backend": row.backend}
        connection.execute(sa.insert(ml_backends), values)


def all_backends(engine: sa.Engine) -> list[BackendRow]:
    """Return every ML backend that we added."""
    with engine.connect() as connection:
        return [BackendRow(**row._mapping) for row in connection.execute(sa.select(ml_backends))]


def forget_backends(engine: sa.Engine, projects: Iterable[int]) -> None:
    """Forget the ML backends of projects."""
    with engine.begin() as connection:
        connection.execute(sa.delete(ml_backends).where(ml_backends.c.project.in_(list(projects))))
