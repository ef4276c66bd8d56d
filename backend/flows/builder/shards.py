"""JSON-lines files that are either complete or absent, and the folder they lie in."""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from backend.core.codec import canonical
from backend.imaging.files import write_atomic

SIZE = 8  # sources in a shard: a second or so of work, so that workers end together and a kill repeats little

Json = dict[str, Any]


def shard_path(work: Path, phase: str, number: int) -> Path:
    """Return where shard `number` of a phase lies."""
    return work / phase / f"{number:06d}.jsonl"


def shard_paths(work: Path, phase: str) -> list[Path]:
    """Return a phase's finished shards in order."""
    return sorted((work / phase).glob("*.jsonl"))


def write_shard(path: Path, lines: Iterable[Json]) -> None:
    """Write a shard durably: after this returns, it survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "".join(canonical(line) + "\n" for line in lines).encode(), fsync=True)


def read_shard(path: Path) -> Iterator[Json]:
    """Yield a shard's lines."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def read_json(path: Path) -> Json:
    """Return the object of a small JSON file."""
    data: Json = json.loads(path.read_text(encoding="utf-8"))
    return data


def claim(work: Path, identity: Json) -> bool:
    """Make a work folder ours; return whether it already belonged to the same run.

    A folder that belongs to another run is left alone (False is returned and nothing is changed).
    """
    marker = work / "run.json"
    if marker.exists():
        return bool(read_json(marker) == identity)
    work.mkdir(parents=True, exist_ok=True)
    write_atomic(marker, canonical(identity).encode(), fsync=True)
    return True


def discard(folder: Path) -> None:
    """Remove an unfinished build."""
    shutil.rmtree(folder, ignore_errors=True)
