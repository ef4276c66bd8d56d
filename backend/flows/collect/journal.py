"""The manifest: one line per candidate, appended as it is decided, so that a run that was killed goes on from there."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from backend.core.errors import LabelLoomError

Json = dict[str, Any]
SCHEMA = "labelloom.collect/1"
MANIFEST = "manifest.jsonl"


def read_manifest(path: Path) -> Iterator[Json]:
    """Yield the manifest's whole lines in order; a last line that was being written when the power went is left out.

    Raises:
        LabelLoomError: a line in the middle is not a manifest line.
    """
    if not path.exists():
        return
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            if not raw.endswith(b"\n"):
                return
            try:
                line = json.loads(raw)
            except ValueError as error:
                msg = f"{path}: line {number} is not JSON"
                raise LabelLoomError(msg, fix="remove the line: its image is fetched again") from error
            yield line


def url_key(url: str, label: str | None = None) -> bytes:
    """Return what stands for an address in memory, 16 bytes."""
    return blake2b(f"{label or ''}\n{url}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def encoded(line: Json) -> bytes:
    """Return a line as it stands in the manifest."""
    return json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


class Journal:
    """Appends to a manifest; every line is in the system's hands when `write` returns.

    Raises:
        OSError: the disk is full or the folder is read-only; what was written before stays readable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)  # what a full disk refused must not be tried again later
        self._end = _cut_torn_line(path)

    def write(self, line: Json) -> None:
        """Append one line."""
        data = encoded(line)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            os.truncate(self._path, self._end)  # half a line must not stay in front of the next one
            raise
        self._end += len(data)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        os.fsync(self._file.fileno())
        self._file.close()


def _cut_torn_line(path: Path) -> int:
    """Remove what follows the last line end, and return the length that is left."""
    with path.open("rb+") as stream:
        end = stream.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 65536)
            stream.seek(start)
            newline = stream.read(end - start).rfind(b"\n")
            if newline >= 0:
                stream.truncate(start + newline + 1)
                return start + newline + 1
            end = start
        stream.truncate(0)
    return 0


def counts_of(lines: Iterator[Json]) -> Json:
    """Return `{"found", "kept", "rejected": {code: number}, "labels": {label: kept}}` of manifest lines."""
    found, rejected, labels = 0, Counter[str](), Counter[str]()
    for line in lines:
        found += 1
        if line["state"] == "kept":
            labels[line["label"] or ""] += 1
        else:
            rejected[line["reason"]["code"]] += 1
    return {"found": found, "kept": labels.total(), "rejected": dict(rejected.most_common()), "labels": dict(labels)}
