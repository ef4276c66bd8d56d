"""What a run of collecting came to, for people and for machines."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_CHOSEN = {"duplicate", "near-duplicate", "known", "rejected-before", "licence"}  # left out as asked, not for trouble


@dataclass(frozen=True, slots=True)
class CollectReport:
    """A run's result.

    state: finished, short (fewer than asked for) or planned. labels: `{"label", "queries", "count", "kept", "state",
    "notes"}` each. counts: of the whole collection `found`, `kept`, `rejected` by code; `fetched` and `new` of this
    run. warnings: what fell short, in words.
    """

    folder: Path
    state: str
    labels: tuple[Json, ...]
    counts: Json
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 as asked for; 1 nothing is kept; 3 fewer than asked for, or of a list images were left out for trouble."""
        if self.state == "planned":
            return 0
        if not self.counts["kept"]:
            return 1
        trouble = any(label["count"] is None for label in self.labels) and self.counts["rejected"].keys() - _CHOSEN
        return 3 if self.state == "short" or trouble else 0

    def to_json(self) -> Json:
        """Return the report as JSON."""
        return {
            "folder": str(self.folder),
            "state": self.state,
            "labels": list(self.labels),
            "counts": self.counts,
            "warnings": list(self.warnings),
        }


def in_words(counts: Mapping[str, Any]) -> str:
    """Return counts as `found 120, fetched 80, kept 60; left out: duplicate 12, http-404 8`."""
    text = f"found {counts['found']:,}, fetched {counts['fetched']:,}, kept {counts['kept']:,}"
    reasons = ", ".join(f"{code} {number:,}" for code, number in counts["rejected"].items())
    return f"{text}; left out: {reasons}" if reasons else text
