"""Which images of a large dataset people should look at: the most damaged of every split and label."""

import heapq
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

Json = dict[str, Any]


class Damage(NamedTuple):
    """How bad an image is; the smallest is the worst."""

    visibility: float
    growth: float  # negative, so that the largest comes first
    file: str


def damage_of(line: Json) -> Damage:
    """Return a manifest line's damage: its lowest visibility, then its largest growth."""
    ledger = line.get("ledger") or ()
    visibility = min((entry["visibility"] for entry in ledger), default=1.0)
    return Damage(visibility, -max((entry["growth"] for entry in ledger), default=1.0), line["file"])


def choose(lines: Iterable[Json], limit: int | None) -> tuple[int, frozenset[str]]:
    """Return how many images there are, and the file names of at most `limit` of them (None: all).

    Splits and labels take turns, each giving its worst image not yet taken, so that none is missing from a small
    sample. An image is the worse the less of its least visible object is left.
    """
    strata: defaultdict[tuple[str, str], list[Damage]] = defaultdict(list)
    files: list[str] = []
    for line in lines:
        files.append(line["file"])
        damage = damage_of(line)
        for label in sorted({region["label"] for region in line["regions"]}) or [""]:
            strata[line["split"], label].append(damage)
    if limit is None or limit >= len(files):
        return len(files), frozenset(files)
    for queue in strata.values():
        heapq.heapify(queue)
    return len(files), _take_turns([strata[key] for key in sorted(strata)], limit)


def _take_turns(queues: list[list[Damage]], limit: int) -> frozenset[str]:
    chosen: set[str] = set()
    while len(chosen) < limit and any(queues):
        for queue in queues:
            while queue and queue[0].file in chosen:
                heapq.heappop(queue)
            if queue and len(chosen) < limit:
                chosen.add(heapq.heappop(queue).file)
    return frozenset(chosen)
