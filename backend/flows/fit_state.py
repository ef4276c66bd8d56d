"""What an unfinished training keeps beside its checkpoints, so that it goes on with what it began with; its lock."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backend.core.errors import LabelLoomError
from backend.detect.base import Example
from backend.flows.fit_data import Gathered
from backend.imaging.files import alone, write_atomic

Json = dict[str, Any]


class State:
    """The state of the training whose model grows in `<target>.partial`. options: what decides about its result."""

    def __init__(self, target: Path, options: Json) -> None:
        self.folder = target.with_name(f"{target.name}.partial")
        self._path = target.with_name(f".{target.name}.run.json")
        self._options: Json = json.loads(json.dumps(options, default=str))

    def begun(self, run: str | None) -> Gathered | None:
        """Return what the same run gathered before it was stopped, if its images are still there."""
        known = self._read()
        if run is None or known is None or known["run"] != run or known["options"] != self._options:
            return None
        gathered = from_json(known["gathered"])
        there = all(Path(one.path).is_file() for one in (*gathered.train, *gathered.holdout))
        return gathered if there else None

    def begin(self, run: str | None, gathered: Gathered) -> None:
        """Note what is learned from; checkpoints that come of anything else are thrown away."""
        known = self._read()
        same = known is not None and known["options"] == self._options
        if not (same and known and _facts(from_json(known["gathered"])) == _facts(gathered)):
            shutil.rmtree(self.folder, ignore_errors=True)
        document = {"run": run, "options": self._options, "gathered": asdict(gathered)}
        write_atomic(self._path, json.dumps(document, ensure_ascii=False).encode())
        self.folder.mkdir(parents=True, exist_ok=True)

    def end(self) -> None:
        """Forget it: the model is published."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> Json | None:
        if not (self.folder.is_dir() and self._path.is_file()):
            return None
        found: Json = json.loads(self._path.read_text(encoding="utf-8"))
        return found


def _facts(gathered: Gathered) -> tuple[Any, ...]:
    digests = [gathered.facts[name] for name in ("labels_digest", "holdout_digest")]
    return (gathered.labels, gathered.tags, digests)


def from_json(data: Json) -> Gathered:
    """Return what was gathered."""
    return Gathered(
        labels=tuple(data["labels"]),
        tags=tuple(data["tags"]),
        train=tuple(map(_example, data["train"])),
        holdout=tuple(map(_example, data["holdout"])),
        facts=data["facts"],
        skipped=tuple((item, reason) for item, reason in data["skipped"]),
        warnings=tuple(data["warnings"]),
    )


def _example(row: Json) -> Example:
    boxes = tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in row["boxes"])
    return Example(**{**row, "boxes": boxes, "labels": tuple(row["labels"]), "tags": tuple(row["tags"])})


def _lock(folder: Path, prefix: str) -> Path:
    """Return the file that is locked during a training, and holds the highest version number."""
    return folder / f".{prefix}.lock"


@contextmanager
def locked(folder: Path, prefix: str) -> Iterator[None]:
    """Keep others from training the same meanwhile; the lock goes with the process.

    Raises:
        Held: another process trains the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(_lock(folder, prefix), f"{prefix} is being trained by another process"):
        yield


@contextmanager
def room() -> Iterator[None]:
    """Say what it means when the disk refuses: whatever predicted before still does.

    Raises:
        LabelLoomError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        named = f" ({error.filename})" if error.filename else ""
        msg = f"the model cannot be written: {error.strerror or error}{named}"
        fix = "free some space, or make the folder writable, and train again; the model before it stays in use"
        raise LabelLoomError(msg, fix=fix) from error


def highest(folder: Path, prefix: str) -> int:
    """Return the highest number ever given: tasks may still hold predictions of a version that was removed."""
    noted = _lock(folder, prefix).read_text()
    return int(noted) if noted.isdecimal() else 0


def note_highest(folder: Path, prefix: str, version: str) -> None:
    """Remember that this version's number was given."""
    _lock(folder, prefix).write_text(version.rpartition("-v")[2])
