"""What pages show of a collection: its manifest by place, read once and then only as far as it has grown."""

import json
import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.core.errors import LabelLoomError
from backend.flows.collect.journal import MANIFEST

if TYPE_CHECKING:
    from backend.flows.collect.fingerprints import Index

Json = dict[str, Any]

REPEATS = frozenset({"duplicate", "near-duplicate"})
_OPEN = 8  # collections whose places are remembered


@dataclass(frozen=True, slots=True)
class Place:
    """One manifest line. start, size: bytes; code: why it was rejected, None for a kept one."""

    start: int
    size: int
    code: str | None
    label: str | None
    sha256: str | None


class View:
    """The lines of one manifest; they are numbered from 0 in the order in which they were written."""

    def __init__(self, manifest: Path) -> None:
        self._path = manifest
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._end, self._file = 0, (0, 0)
        self.places: list[Place] = []
        self.twins: dict[int, list[int]] = defaultdict(list)
        self._by_sha: dict[str, int] = {}
        self._prints: Index | None = None
        self._printed: list[int] = []

    def refresh(self) -> None:
        """Read what was appended since the last time; a manifest that was replaced is read anew."""
        with self._lock:
            try:
                found = self._path.stat()
            except FileNotFoundError:
                self._forget()
                return
            if (found.st_dev, found.st_ino) != self._file or found.st_size < self._end:
                self._forget()
                self._file = found.st_dev, found.st_ino
            if found.st_size > self._end:
                self._read_on()

    def _read_on(self) -> None:
        with self._path.open("rb") as stream:
            stream.seek(self._end)
            for raw in stream:
                if not raw.endswith(b"\n"):
                    break  # it is being written
                try:
                    self._take(json.loads(raw), len(raw))
                except (ValueError, KeyError, TypeError) as error:
                    msg = f"{self._path.parent.name}: the manifest's line {len(self.places) + 1} is damaged"
                    raise LabelLoomError(msg, fix="remove the line: its image is fetched again") from error
                self._end += len(raw)

    def _take(self, line: Json, size: int) -> None:
        number, sha = len(self.places), line.get("sha256")
        code = line["reason"]["code"] if line["state"] == "rejected" else None
        self.places.append(Place(self._end, size, code, line.get("label"), sha))
        if code is None:
            self._by_sha[str(sha)] = number
        if code is None or (code in REPEATS and sha):
            self._compare(number, line, kept=code is None)

    def _compare(self, number: int, line: Json, *, kept: bool) -> None:
        """Remember a kept image by its looks, or find the kept one that a rejected one repeats."""
        from backend.flows.collect.collection import fingerprint
        from backend.flows.collect.fingerprints import Index

        if self._prints is None:
            self._prints = Index()
        also = [line["original_sha256"]] if line.get("original_sha256") else []
        if kept:
            self._prints.add(fingerprint(line), *also)
            self._printed.append(number)
        elif line.get("phash") and (place := self._twin(line, also)) is not None:
            self.twins[self._printed[place]].append(number)

    def _twin(self, line: Json, also: list[str]) -> int | None:
        """Return which of the images remembered so far a rejected one repeats."""
        from backend.flows.collect.collection import fingerprint

        assert self._prints is not None
        exact = self._prints.find(fingerprint(line), *also)
        return exact.index if exact else next(iter(self._prints.alike(fingerprint(line))), None)

    def number(self, sha256: str) -> int | None:
        """Return the place of a kept image."""
        return self._by_sha.get(sha256)

    def read(self, numbers: Sequence[int]) -> list[Json]:
        """Return lines by number."""
        if not numbers:
            return []
        with self._path.open("rb") as stream:
            return [self._line(stream, self.places[number]) for number in numbers]

    @staticmethod
    def _line(stream: Any, place: Place) -> Json:
        stream.seek(place.start)
        line: Json = json.loads(stream.read(place.size))
        return line

    def kept(self, label: str | None = None) -> list[int]:
        """Return the numbers of kept images, of one label or of all; the empty label is that of images without."""
        return [
            number
            for number, place in enumerate(self.places)
            if place.code is None and label in {None, place.label or ""}
        ]

    def rejected(self, code: str | None = None, label: str | None = None) -> list[int]:
        """Return the numbers of rejected candidates, for one reason or for any."""
        return [
            number
            for number, place in enumerate(self.places)
            if place.code is not None and code in {None, place.code} and label in {None, place.label or ""}
        ]

    def reasons(self) -> list[tuple[str, int]]:
        """Return how many were rejected for each reason, the most frequent first."""
        return Counter(place.code for place in self.places if place.code is not None).most_common()

    def labels(self) -> dict[str, list[str]]:
        """Return the sha256 of kept images by label."""
        found: dict[str, list[str]] = defaultdict(list)
        for place in self.places:
            if place.code is None:
                found[place.label or ""].append(str(place.sha256))
        return found


class Views:
    """The views of the collections that were looked at last; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[Path, View] = OrderedDict()

    def of(self, folder: Path) -> View:
        """Return a collection's view, as its manifest is now."""
        with self._lock:
            view = self._open.pop(folder, None) or View(folder / MANIFEST)
            self._open[folder] = view
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
        view.refresh()
        return view
