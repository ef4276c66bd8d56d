"""What happened to each region of each variant.

kept + clipped + dropped = source regions x written variants; variants that were given up are counted apart.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from backend.core.errors import shown

Fate = Literal["kept", "clipped", "dropped"]
Reason = Literal["frame", "visibility", "size", "growth", "occluded", "degenerate"]


@dataclass(frozen=True, slots=True)
class Entry:
    """The fate of one source region in one variant.

    visibility: fraction of the original object still to be seen, through the whole chain, 0 to 1.
    growth: area of the emitted axis-aligned box before clipping over that of the transformed original shape, >= 1.
    reason: why it was clipped or dropped; step: the recipe step that did it.
    """

    region: str
    label: str
    fate: Fate
    visibility: float
    growth: float
    reason: Reason | None = None
    step: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the manifest's form, numbers rounded to 4 decimals."""
        return {**asdict(self), "visibility": round(self.visibility, 4), "growth": round(self.growth, 4)}


def entry_from_json(data: dict[str, Any]) -> Entry:
    """Return the entry that `to_json` wrote."""
    return Entry(**data)


def ledger_problems(entries: Any) -> Iterator[str]:
    """Yield what cannot be true in the ledger of a manifest line, as a sentence each."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        yield "the ledger is no list of entries"
        return
    for entry in entries:
        where = f"ledger of region {shown(entry.get('region'))}"
        if entry.get("fate") not in get_args(Fate):
            yield f"{where}: fate {shown(entry.get('fate'))} is none of {', '.join(get_args(Fate))}"
        if entry.get("reason") not in (None, *get_args(Reason)):
            yield f"{where}: reason {shown(entry.get('reason'))} is none of {', '.join(get_args(Reason))}"
        for name, low, high in (("visibility", 0.0, 1.0), ("growth", 0.0, math.inf)):
            value = entry.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                yield f"{where}: {name} {shown(value)} is no number from {low:g} to {high:g}"


@dataclass(slots=True)
class Summary:
    """Running totals over variants, built one entry at a time."""

    regions: int = 0
    kept: int = 0
    clipped: int = 0
    dropped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, entries: Iterable[Entry]) -> None:
        """Count one variant's entries."""
        for entry in entries:
            self.regions += 1
            setattr(self, entry.fate, getattr(self, entry.fate) + 1)
            if entry.reason:
                self.reasons[f"{entry.fate}: {entry.reason}"] += 1

    def to_json(self) -> dict[str, Any]:
        """Return totals and reasons, reasons in alphabetical order."""
        return {
            "regions": self.regions,
            "kept": self.kept,
            "clipped": self.clipped,
            "dropped": self.dropped,
            "reasons": dict(sorted(self.reasons.items())),
        }
