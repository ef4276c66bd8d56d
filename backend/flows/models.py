"""Models as people look after them: which there are, which one predicts in a project, back to the one before."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from backend.core.errors import LabelLoomError, UsageError, shown
from backend.flows.detector_options import check_options
from backend.settings import Settings
from backend.store import models as table
from backend.store.models import ModelRow, Promotion

Json = dict[str, Any]

_BACK = "rolled back from "
_SHOWN = ("ap", "ap_ci", "ap50", "ap50_ci", "accuracy")


@dataclass(frozen=True, slots=True)
class Known:
    """A model and the projects in which it predicts now."""

    row: ModelRow
    predicts_in: tuple[int, ...]
    there: bool  # its folder is

    def to_json(self) -> Json:
        """Return it as the API and `--json` show it."""
        row = self.row
        return {
            "version": row.version,
            "project": row.project,
            "detector": row.detector,
            "folder": str(row.folder),
            "created": row.created.isoformat(),
            "metrics": {name: row.metrics[name] for name in _SHOWN if name in row.metrics},
            "note": row.note,
            "predicts_in": list(self.predicts_in),
            "there": self.there,
        }


def list_known(engine: sa.Engine, project: int | None = None) -> list[Known]:
    """Return models, of one project or of all, newest first."""
    current = table.current_versions(engine)
    return [
        Known(row, tuple(p for p, version in sorted(current.items()) if version == row.version), row.folder.is_dir())
        for row in table.list_models(engine, project)
    ]


def find(engine: sa.Engine, version: str) -> ModelRow:
    """Return a model.

    Raises:
        UsageError: there is none of that version.
    """
    row = table.get_model(engine, version)
    if row is None:
        msg = f"there is no model {shown(version)}"
        raise UsageError(msg, fix="`labelloom models list` shows them")
    return row


def locate(engine: sa.Engine, model: str) -> Path:
    """Return the folder of a model that is named by its version or by its folder.

    Raises:
        UsageError: there is no such model.
    """
    from backend.detect.model_dir import MODEL_JSON

    row = table.get_model(engine, model)
    if row is not None:
        return row.folder
    folder = Path(model)
    if (folder / MODEL_JSON).is_file():
        return folder
    msg = f"there is no model {shown(model)}, neither of that version nor in that folder"
    raise UsageError(msg, fix="`labelloom models list` shows them; a model's folder holds model.json")


def promote(engine: sa.Engine, project: int | None, version: str, *, who: str, why: str = "by hand") -> Promotion:
    """Let a model predict in a project (None: the one it was trained for) from now on.

    Raises:
        UsageError: there is no such model, its files are not what they were, or no project is known.
    """
    from backend.detect.model_dir import check_files

    row = find(engine, version)
    project = project if project is not None else row.project
    if project is None:
        msg = f"{version} was not trained for a project"
        raise UsageError(msg, fix="say which project it shall predict in (--project)")
    check_files(row.folder)
    table.promote(engine, project, version, who=who, why=why)
    return table.history(engine, project)[0]


def rollback(engine: sa.Engine, project: int, *, who: str) -> Promotion:
    """Let the model predict again that did before the present one; a second rollback goes one further back.

    Raises:
        LabelLoomError: there is none before, or its files are gone.
    """
    current, *before = _stack(engine, project) or [""]
    for version in before:
        if table.get_model(engine, version) is not None:
            return promote(engine, project, version, who=who, why=f"{_BACK}{current}")
    msg = f"project {project} has no earlier model to go back to" + (f" than {current}" if current else "")
    raise LabelLoomError(msg, fix="`labelloom models list` shows the models; promote any of them by its version")


def _stack(engine: sa.Engine, project: int) -> list[str]:
    """Return the versions that predicted in a project, the present one first, without those rolled back."""
    stack: list[str] = []
    for event in reversed(table.history(engine, project)):
        if event.why.startswith(_BACK) and event.version in stack:
            del stack[stack.index(event.version) + 1 :]
        elif not stack or stack[-1] != event.version:
            stack.append(event.version)
    return stack[::-1]


def remove(engine: sa.Engine, settings: Settings, version: str) -> bool:
    """Forget a model and delete its folder if that is one of ours; return whether it was.

    Raises:
        UsageError: there is no such model.
        LabelLoomError: it predicts in a project now, or its folder cannot be deleted.
    """
    row = find(engine, version)
    used = [project for project, current in table.current_versions(engine).items() if current == version]
    if used:
        msg = f"{version} predicts in project {', '.join(map(str, used))}"
        raise LabelLoomError(msg, fix="promote another model there first, or go back: `labelloom models rollback`")
    ours = row.folder.resolve().parent == settings.models_dir.resolve()
    table.remove_model(engine, version)
    if ours and row.folder.is_dir():
        try:
            shutil.rmtree(row.folder)
        except OSError as error:
            msg = f"{row.folder} cannot be deleted: {error.strerror or error}"
            raise LabelLoomError(msg, fix="it is forgotten already; delete the folder by hand") from error
    return ours


def choose_detector(engine: sa.Engine, project: int, detector: str, options: Json) -> None:
    """Choose what kind of detector a project has.

    Raises:
        UsageError: there is no such detector, or it knows no such options.
    """
    check_options(detector, options)
    table.set_detector(engine, project, detector, options)


def versions_of(settings: Settings, engine: sa.Engine, prefix: str) -> Iterator[int]:
    """Yield the numbers of the versions `{prefix}-v{n}` that are there, as rows or as folders."""
    names = {row.version for row in table.list_models(engine)}
    names |= {path.name for path in settings.models_dir.glob(f"{prefix}-v*") if path.is_dir()}
    for name in names:
        number = name.removeprefix(f"{prefix}-v")
        if name != number and number.isdecimal():
            yield int(number)
