"""What a run of collecting came to, for people and for machines."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]
EVERY = 10.0  # seconds between lines that count
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


class Counting:
    """Says now and then how many images were found, fetched and kept, and why others were not."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._said, self._last = tell, "", time.monotonic()

    def hear(self, counts: Mapping[str, Any]) -> None:
        """Take the present counts."""
        if time.monotonic() - self._last >= EVERY:
            self.say(counts)

    def say(self, counts: Mapping[str, Any]) -> None:
        """Say them, unless nothing is new."""
        self._last = time.monotonic()
        if (text := in_words(counts)) != self._said:
            self._said = text
            self._tell(text)
