"""A model that somebody has already becomes a version: an exported file, a detector of torchvision by name."""

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.core.errors import UsageError, shown
from backend.core.progress import Progress
from backend.detect import DETECTORS
from backend.detect.base import loaded
from backend.detect.model_dir import CARD, ModelInfo, check_files, publish, write_model
from backend.flows import models
from backend.flows.detector_options import own_options
from backend.flows.fit_state import highest, locked, note_highest, room
from backend.imaging.files import write_atomic
from backend.settings import Settings
from backend.store import models as table
from backend.store.models import ModelRow
from backend.store.tables import open_database

Json = dict[str, Any]

FILES = ("path", "weights", "labels")  # options that may name a file


def add_model(
    detector: str,
    options: Mapping[str, Any],
    project: int,
    tools: tuple[Settings, Progress],
    *,
    who: str,
    run: str | None = None,
) -> ModelRow:
    """Make a model of what the options name, and let it predict in a project from now on.

    run: what a repeat of the same work is known by (a job's id); it then ends with the version made before.

    Raises:
        UsageError: there is no such detector, it has to be trained, or an option is wrong.
        LabelLoomError: the model cannot be had, run or written.
        Held: another process adds or trains one of the same name.
    """
    settings, progress = tools
    able = {name: kind.makes for name, kind in DETECTORS.items() if kind.makes}
    makes, own = able.get(detector), own_options(options)
    if makes is None:
        msg = f"a model of the detector {shown(detector)} cannot be added"
        raise UsageError(msg, fix=f"models are added of {', '.join(able)}; `labelloom fit` trains the others")
    if takes := DETECTORS[detector].takes:
        loaded(takes)(own)
    engine, prefix = open_database(settings.database), f"{detector}-p{project}"
    progress.update("adding the model", 0, 1)
    with room(), locked(settings.models_dir, prefix):
        numbers = sorted(models.versions_of(settings, engine, prefix))
        done = [n for n in numbers if run and _run(settings.models_dir / f"{prefix}-v{n}") == run]
        number = done[0] if done else max([*numbers, highest(settings.models_dir, prefix)]) + 1
        target = settings.models_dir / f"{prefix}-v{number}"
        if not done:
            _make(makes, own, target, {"project": project, "run": run})
            note_highest(settings.models_dir, prefix, target.name)
    info = check_files(target)
    row = ModelRow(info.version, project, detector, target, datetime.fromisoformat(info.created), {}, "added by hand")
    table.add_model(engine, row)
    table.set_detector(engine, project, detector, dict(options))
    if not any(one.version == info.version for one in table.history(engine, project)):
        table.promote(engine, project, info.version, who=who, why="added by hand")
    progress.update("adding the model", 1, 1)
    return row


def _make(makes: str, options: Json, target: Path, data: Json) -> None:
    """Make the model beside its place, name it, and put it there."""
    folder = target.with_name(f"{target.name}.partial")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        info: ModelInfo = loaded(makes)(options, folder)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        info = info.model_copy(update={"version": target.name, "created": created, "data": {**info.data, **data}})
        write_atomic(folder / CARD, _card(info).encode())
        write_model(folder, info)
        publish(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path) -> str | None:
    """Return what made a model that is there whole."""
    try:
        return check_files(folder).data.get("run")
    except UsageError:
        return None


def _card(info: ModelInfo) -> str:
    made = json.dumps(info.options, ensure_ascii=False, default=str)
    return (
        f"# {info.version}\n\nAdded by hand on {info.created}, not trained here: nothing is known of the images that "
        f"it learned from, or of how good it is on yours. `labelloom evaluate {info.version} DATASET` measures it.\n\n"
        f"Detector: {info.detector}. Made of: `{made}`. Labels: {', '.join(info.labels)}.\n"
    )


def inside(options: Mapping[str, Any], settings: Settings) -> Json:
    """Return the options with their files as absolute paths, which must lie in the data folder.

    What comes over HTTP may name files there alone.

    Raises:
        UsageError: one lies elsewhere, or is not there.
    """
    return {
        name: str(_inside(value, settings))
        if name in FILES and isinstance(value, str) and _is_file(name, value)
        else value
        for name, value in options.items()
    }


def _is_file(name: str, value: str) -> bool:
    return not (name == "weights" and value in {"coco", "none"})


def _inside(given: str, settings: Settings) -> Path:
    root = settings.data_dir.resolve()
    path = (root / given).resolve()
    if path.is_relative_to(root) and path.is_file():
        return path
    msg = f"there is no file {given!r} in the data folder"
    raise UsageError(msg, fix="put it below the data folder first (LABELLOOM_DATA_DIR); paths are relative to it")
