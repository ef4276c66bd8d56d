"""Puts images with their tasks into a Label Studio project, so that any number of tries ends with each exactly once.

Two things make that so: a task carries its own key in a data column, and an uploaded file carries the sha256 of its
content in its name. What is there already is looked up and left alone; after an error with an unknown outcome it is
looked up again; at the end, repeats (a killed run's import that still arrived) are removed.
"""

import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import quote

from backend.core.progress import Progress
from backend.imaging.files import link_or_copy
from backend.imaging.hashes import sha256
from connectors.errors import ServerFailed, Unreachable
from connectors.label_studio_upload import MAX_BYTES, MAX_FILES, ProjectContent

Json = dict[str, Any]

TASKS = 1000  # tasks of one import request
TASK_BYTES = 20 * 1024 * 1024
_TRIES = 3
_DIGITS = 20  # hex digits of the sha256 in an upload's name: no two of a billion files share them
_STAMP = re.compile(rf"-([0-9a-f]{{{_DIGITS}}})-")


@dataclass(frozen=True, slots=True)
class Item:
    """One image and its task. key: unique in the project. make: the task's JSON, given the image's address."""

    key: str
    name: str
    path: Path
    make: Callable[[str], Json]


class Store(Protocol):
    """Where the images of a project go."""

    def put(self, items: list[Item]) -> None:
        """Store the images of these items unless they are there."""
        ...

    def addresses(self, items: list[Item]) -> list[str]:
        """Return the addresses of stored images as task data names them."""
        ...


class Uploads:
    """Images uploaded into Label Studio itself; the project owns them.

    Args:
        content: the project.
        new: whether it was made just now, so that nothing can be there yet.
    """

    def __init__(self, content: ProjectContent, *, new: bool = False) -> None:
        self._content = content
        self._stamps: dict[str, str] = {}  # of items that wait for their address, by key
        self._ids: dict[str, int] = {}
        self._paths: dict[str, str] = {}
        if not new:
            self._look()

    def put(self, items: list[Item]) -> None:
        """Upload what is missing, at most 100 files and 100 MB a request."""
        batch: dict[str, tuple[str, bytes]] = {}
        size = 0
        for item in items:
            data = item.path.read_bytes()
            stamp = self._stamps[item.key] = sha256(data)[:_DIGITS]
            if self._has(stamp) or stamp in batch:
                continue
            if len(batch) == MAX_FILES or size + len(data) > MAX_BYTES:
                self._send(batch)
                batch, size = {}, 0
            batch[stamp] = f"{stamp}-{_plain(item.name)}", data
            size += len(data)
        self._send(batch)

    def addresses(self, items: list[Item]) -> list[str]:
        """Return the addresses of uploaded images."""
        stamps = [self._stamps.pop(item.key) for item in items]
        asked = {stamp: self._ids[stamp] for stamp in stamps if stamp not in self._paths}
        paths = self._content.paths(list(asked.values()))
        self._paths |= {stamp: paths[number] for stamp, number in asked.items()}
        return [f"/data/{self._paths[stamp]}" for stamp in stamps]

    def _has(self, stamp: str) -> bool:
        return stamp in self._ids or stamp in self._paths

    def _send(self, batch: dict[str, tuple[str, bytes]]) -> None:
        for attempt in range(1, _TRIES + 1):
            missing = {stamp: part for stamp, part in batch.items() if not self._has(stamp)}
            if not missing:
                return
            try:
                self._ids |= zip(missing, self._content.upload(list(missing.values())), strict=True)
            except (Unreachable, ServerFailed):
                if attempt == _TRIES:
                    raise
                time.sleep(attempt)
                self._look()  # all, some or none may have arrived

    def _look(self) -> None:
        for path in self._content.uploads():
            if stamp := _STAMP.search(PurePosixPath(path).name):
                self._paths[stamp[1]] = path


def _plain(name: str) -> str:
    """Return a name that Label Studio stores unchanged: short ASCII without spaces."""
    stem, _, suffix = name.rpartition(".")
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', stem)[:24].strip('_') or 'image'}.{suffix.lower()}"


class SharedFolder:
    """Images in a folder that we write and Label Studio serves as local files.

    Args:
        content: the project.
        storage: the folder, or `OURS=THEIRS` where Label Studio sees it under another path (a container).
        name: the sub-folder for this project.
    """

    def __init__(self, content: ProjectContent, storage: str, name: str) -> None:
        ours, _, theirs = storage.partition("=")
        self._folder = Path(ours).resolve() / name
        self._folder.mkdir(parents=True, exist_ok=True)
        seen = PurePosixPath(theirs or str(Path(ours).resolve())) / name
        content.add_local_storage(str(seen), f"LabelLoom {name}")
        self._prefix = str(seen.relative_to(content.document_root()))

    def put(self, items: list[Item]) -> None:
        """Copy (or hard-link) what is missing."""
        for item in items:
            link_or_copy(item.path, self._folder / item.name)

    def addresses(self, items: list[Item]) -> list[str]:
        """Return the addresses below Label Studio's folder."""
        return [f"/data/local-files/?d={quote(f'{self._prefix}/{item.name}')}" for item in items]


@dataclass(slots=True)
class Loaded:
    """What a run did. created, present: tasks; removed: repeats of ours that an interrupted run had left."""

    created: int = 0
    present: int = 0
    removed: int = 0


class Loader:
    """Brings items into a project.

    Args:
        content: the project.
        store: where the images go.
        column: the data column that holds a task's key.
        progress: told of every part.
    """

    def __init__(self, content: ProjectContent, store: Store, column: str, progress: Progress) -> None:
        self._content = content
        self._store = store
        self._column = column
        self._progress = progress
        self._present: set[str] = set()
        self._sure = False  # whether every task in the project is known to be there once
        self._waiting: list[Item] = []
        self._done = Loaded()

    def run(self, items: Iterable[Item], total: int | None = None, *, new: bool = False) -> Loaded:
        """Load every item that is not there yet, and leave no item twice. new: the project was made just now.

        Raises:
            ConnectorError: Label Studio is gone or refuses; what has arrived stays and is found by the next run.
        """
        self._sure = new
        if not new:
            self._look()
        self._done.present = len(self._present)
        batch: list[Item] = []
        for number, item in enumerate(items, start=1):
            if item.key not in self._present:
                batch.append(item)
            if len(batch) == MAX_FILES:
                self._stage(batch)
                batch = []
            if number % MAX_FILES == 0:
                self._progress.update("writing images", number, total)
        self._stage(batch)
        self._import_waiting()
        self._done.created = len(self._present) - self._done.present
        if not self._sure:
            self._remove_repeats()
        return self._done

    def _stage(self, batch: list[Item]) -> None:
        self._store.put(batch)
        self._waiting += batch
        if len(self._waiting) >= TASKS:
            self._import_waiting()

    def _import_waiting(self) -> None:
        ready: dict[str, bytes] = {}
        size = 0
        for item, url in zip(self._waiting, self._store.addresses(self._waiting), strict=True):
            text = json.dumps(item.make(url), ensure_ascii=False, allow_nan=False).encode()
            if size + len(text) > TASK_BYTES:
                self._import(ready)
                ready, size = {}, 0
            ready[item.key] = text
            size += len(text)
        self._import(ready)
        self._waiting = []

    def _import(self, ready: dict[str, bytes]) -> None:
        for attempt in range(1, _TRIES + 1):
            missing = {key: text for key, text in ready.items() if key not in self._present}
            if not missing:
                return
            try:
                self._content.import_tasks(list(missing.values()))
            except (Unreachable, ServerFailed):
                if attempt == _TRIES:
                    raise
                time.sleep(attempt)
                self._sure = False
                self._look()
            else:
                self._present |= missing.keys()
                self._progress.update("writing tasks", len(self._present))

    def _look(self) -> None:
        self._present = {key for task in self._content.tasks() if (key := task["data"].get(self._column))}

    def _remove_repeats(self) -> None:
        """Delete tasks whose key another task has; of each key the one with most annotations stays, then the oldest."""
        best: dict[str, tuple[int, int]] = {}
        repeats: list[int] = []
        for task in self._content.tasks():
            key = task["data"].get(self._column)
            if not key:
                continue
            rank = (-int(task.get("total_annotations") or 0), int(task["id"]))
            kept = best.setdefault(key, rank)
            if kept != rank:
                repeats.append(max(kept, rank)[1])
                best[key] = min(kept, rank)
        if repeats:
            self._content.delete_tasks(repeats)
        self._done.removed = len(repeats)
        self._done.created = max(0, len(best) - self._done.present)
