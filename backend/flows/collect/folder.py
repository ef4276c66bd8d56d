"""The folder a collection is written into: one writer at a time, whole files only, nothing left over."""

import contextlib
import itertools
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.core.errors import LabelLoomError, UsageError, shown
from backend.flows.collect.check import Checked, Rules, check
from backend.flows.collect.collection import DOCUMENT, SCHEMA, open_collection
from backend.flows.collect.spec import CollectSpec
from backend.imaging.files import alone, write_atomic

Json = dict[str, Any]
_LOCK, _INCOMING = ".collect.lock", ".incoming"


@dataclass(frozen=True, slots=True)
class Staged:
    """A checked image that waits for its turn. checked: without the bytes, which lie at `path`; size: of the file."""

    checked: Checked
    path: Path
    size: int


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Keep other processes out, and say it in words when the disk refuses.

    Raises:
        Held: another process collects into the same folder.
        LabelLoomError: the disk is full, the folder cannot be written, or the like.
    """
    with in_words(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / _LOCK, f"another process collects into {folder} right now"):
            yield


@contextmanager
def in_words(folder: Path) -> Iterator[None]:
    """Say in words what it means when the system refuses to write.

    Raises:
        LabelLoomError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        msg = f"cannot write {error.filename or folder}: {error.strerror or error}"
        fix = "free some space, or make the folder writable, and run it again: it goes on from what is kept"
        raise LabelLoomError(msg, fix=fix) from error


def now() -> str:
    """Return the time as documents hold it: UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def begun(folder: Path, spec: CollectSpec) -> Json:
    """Return the folder's document: a new one, or that of the run that is gone on with.

    Raises:
        UsageError: the folder holds something else, or a collection that was made by other rules.
    """
    if not (folder / DOCUMENT).exists():
        others = [path.name for path in folder.iterdir() if path.name != _LOCK] if folder.is_dir() else []
        if others:
            msg = f"{folder} is not empty and holds no collection ({others[0]})"
            raise UsageError(msg, fix="give a new or an empty folder")
        return {"schema": SCHEMA, "created_at": now(), "labels": []}
    before = open_collection(folder)
    old, new = before.spec.identity(), spec.identity()
    if different := [name for name in new if new[name] != old[name]]:
        name = different[0]
        msg = f"{folder} was collected with {name} = {old[name]}, now it is {new[name]}"
        raise UsageError(msg, fix="use the same, or another folder")
    now_asked = {label.label: label.queries for label in spec.labels}
    for label in before.spec.labels:
        if now_asked.get(label.label) != label.queries:
            whose = f" for {shown(label.label)}" if label.label else ""
            msg = f"{folder} was collected with {shown(', '.join(label.queries))}{whose}; that is not asked for now"
            raise UsageError(msg, fix="use another folder; in this one more labels and a larger -n may be asked for")
    return before.document


def save(folder: Path, document: Json) -> None:
    """Write the collection's document."""
    text = json.dumps({**document, "name": folder.name, "updated_at": now()}, ensure_ascii=False, indent=1)
    write_atomic(folder / DOCUMENT, text.encode("utf-8", "replace"))


def put_aside(path: Path, data: bytes) -> None:
    """Write a file that nobody reads before it is renamed.

    Raises:
        OSError: the disk is full, or the like; nothing is left behind.
    """
    try:
        path.write_bytes(data)
    except OSError:
        path.unlink(missing_ok=True)
        raise


class Store:
    """The images of a collection. Half a file never has an image's name: it is written elsewhere, then renamed."""

    def __init__(self, folder: Path, rules: Rules) -> None:
        self._folder = folder
        self._rules = rules
        self._numbers = itertools.count()
        self._incoming = folder / "images" / _INCOMING

    def open(self, kept: frozenset[str]) -> None:
        """Remove what a killed run left: half files, and images that no manifest line speaks of."""
        self.close()
        for path in (self._folder / "images").glob("??/*"):
            if path.stem not in kept:
                path.unlink()
        self._incoming.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Remove images that were fetched, but not needed."""
        shutil.rmtree(self._incoming, ignore_errors=True)

    def stage(self, data: bytes) -> Staged | OSError:
        """Check a download and put it aside; called in worker threads. An error of the disk is returned, not raised.

        Raises:
            BadContent: it is not a good image.
        """
        checked = check(data, self._rules)
        path = self._incoming / str(next(self._numbers))
        try:
            put_aside(path, checked.data)
        except OSError as error:
            return error
        return Staged(replace(checked, data=b""), path, len(checked.data))

    def keep(self, staged: Staged) -> str:
        """Move an image to where its content says, and return that place, relative to the folder."""
        name = f"images/{staged.checked.sha256[:2]}/{staged.checked.sha256}{staged.checked.suffix}"
        target = self._folder / name
        try:
            staged.path.replace(target)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.path.replace(target)
        return name

    def drop(self, staged: Staged) -> None:
        """Forget an image that is not kept."""
        with contextlib.suppress(OSError):
            staged.path.unlink()
