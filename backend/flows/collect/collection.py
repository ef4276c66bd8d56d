"""A collection on disk, read: what was kept, what was rejected and why, and what the user decided since.

DIR/images/ab/<sha256>.<ext>   DIR/manifest.jsonl   DIR/collection.json   DIR/decisions.json
"""

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.core.errors import UsageError, shown
from backend.flows.collect.fingerprints import Fingerprint
from backend.flows.collect.journal import MANIFEST, counts_of, read_manifest
from backend.flows.collect.spec import CollectSpec
from backend.imaging.files import write_atomic
from backend.settings import Settings

Json = dict[str, Any]
SCHEMA = "labelloom.collection/1"
DOCUMENT = "collection.json"
DECISIONS = "decisions.json"


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection. document: `collection.json` as it was when this was opened."""

    folder: Path
    document: Json

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def spec(self) -> CollectSpec:
        """What was asked for."""
        return CollectSpec.from_json(self.document["spec"])

    @property
    def state(self) -> str:
        """One of collecting (or killed), finished, short (finished, but fewer than asked for) and stopped."""
        return str(self.document["state"])

    @property
    def created_at(self) -> str:
        """When it was begun: UTC, `2026-11-23T10:12:21Z`."""
        return str(self.document["created_at"])

    @property
    def labels(self) -> tuple[Json, ...]:
        """What became of each label: `{"label", "queries", "count", "kept", "state", "notes": [...]}`."""
        return tuple(self.document.get("labels", ()))

    def entries(self) -> Iterator[Json]:
        """Yield every manifest line in order, kept and rejected."""
        return read_manifest(self.folder / MANIFEST)

    def kept(self) -> Iterator[Json]:
        """Yield the manifest lines of kept images that nobody has rejected since, in rank order."""
        gone = self.rejected()
        return (line for line in self.entries() if line["state"] == "kept" and line["sha256"] not in gone)

    def path(self, entry: Json) -> Path:
        """Return where a kept line's image lies."""
        return self.folder / str(entry["file"])

    def fingerprints(self) -> Iterator[Fingerprint]:
        """Yield what identifies each kept image."""
        return (fingerprint(line) for line in self.kept())

    def rejected(self) -> frozenset[str]:
        """Return the sha256 of images that were rejected by hand."""
        try:
            return frozenset(json.loads((self.folder / DECISIONS).read_bytes())["rejected"])
        except FileNotFoundError:
            return frozenset()

    def reject(self, shas: Iterable[str]) -> int:
        """Leave images out by hand; return how many that are new.

        Raises:
            UsageError: an image is not among the kept ones.
        """
        return self._decide(self.rejected() | self._known(shas))

    def restore(self, shas: Iterable[str]) -> int:
        """Take images in again that were left out by hand; return how many.

        Raises:
            UsageError: an image is not among the kept ones.
        """
        return self._decide(self.rejected() - self._known(shas))

    def counts(self) -> Json:
        """Return `{"found", "kept", "rejected": {code: number}, "labels": {label: kept}, "rejected_by_hand"}`."""
        return {**counts_of(self.entries()), "rejected_by_hand": len(self.rejected())}

    def _known(self, shas: Iterable[str]) -> frozenset[str]:
        wanted = frozenset(shas)
        missing = wanted - {line["sha256"] for line in self.entries() if line["state"] == "kept"}
        if missing:
            msg = f"collection {self.name} has kept no image {shown(min(missing), quoted=False)}"
            raise UsageError(msg, fix="name images by the sha256 in its manifest")
        return wanted

    def _decide(self, rejected: frozenset[str]) -> int:
        changed = len(rejected ^ self.rejected())
        if changed:
            text = json.dumps({"schema": "labelloom.decisions/1", "rejected": sorted(rejected)}, indent=1)
            write_atomic(self.folder / DECISIONS, text.encode(), fsync=True)
        return changed


def fingerprint(line: Json) -> Fingerprint:
    """Return what identifies a kept line's image."""
    name = f"rank {line['rank']} of {line['source']}"
    return Fingerprint(
        line["sha256"], line["pixels"], int(line["phash"], 16), int(line["dhash"], 16), line["flat"], name
    )


def open_collection(folder: Path) -> Collection:
    """Open a collection.

    Raises:
        UsageError: there is none, or it was written by something newer.
    """
    try:
        document = json.loads((folder / DOCUMENT).read_bytes())
    except (OSError, ValueError) as error:
        msg = f"{folder} holds no collection"
        raise UsageError(msg, fix="make one: labelloom collect KEYWORD") from error
    if document.get("schema") != SCHEMA:
        msg = f"{folder}: collection of the unknown kind {shown(document.get('schema'))}"
        raise UsageError(msg, fix="use the version of LabelLoom that made it")
    return Collection(folder, document)


def list_collections(settings: Settings) -> list[Collection]:
    """Return the collections in the data folder, newest first; folders that hold none we read are passed over."""
    found = []
    for path in settings.collections_dir.glob(f"*/{DOCUMENT}"):
        with contextlib.suppress(UsageError):
            found.append(open_collection(path.parent))
    return sorted(found, key=lambda collection: (collection.created_at, collection.name), reverse=True)


def find_collection(settings: Settings, name: str) -> Collection:
    """Return a collection of the data folder by name; nothing outside the folder is ever opened for one.

    Raises:
        UsageError: there is no such collection.
    """
    folder = (settings.collections_dir / name).resolve()
    if not name or folder.parent != settings.collections_dir.resolve():
        msg = f"there is no collection {shown(name)}"
        raise UsageError(msg, fix="GET /api/v1/collections lists them")
    return open_collection(folder)
