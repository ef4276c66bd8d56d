"""Puts images with their tasks into a Label Studio project, so that any number of tries ends with each exactly once.

Two things make that so: a task carries its own key in a data column, and an uploaded file carries the sha256 of its
content in its name. What is there already is looked up and left alone; after an error with an unknown outcome it is
looked up again; at the end, repeats (a killed run's import that still arrived) are removed.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass

from backend.core.progress import Progress
from backend.flows.image_stores import TRIES, Item, Store
from connectors.errors import ServerFailed, Unreachable
from connectors.label_studio_upload import ProjectContent

# Small requests: people annotate in the same Label Studio, which answers one request at a time, more or less.
FILES = 50  # files of one upload request
TASKS = 250  # tasks of one import request
TASK_BYTES = 20 * 1024 * 1024


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
            if len(batch) == FILES:
                self._stage(batch)
                batch = []
            if number % FILES == 0:
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
        for attempt in range(1, TRIES + 1):
            missing = {key: text for key, text in ready.items() if key not in self._present}
            if not missing:
                return
            try:
                self._content.import_tasks(list(missing.values()))
            except (Unreachable, ServerFailed):
                if attempt == TRIES:
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
