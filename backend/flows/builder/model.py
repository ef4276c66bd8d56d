"""What a build is asked for, and what it answers."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.core.ledger import Summary
from backend.core.model import Dataset, Skipped
from backend.core.recipe import Recipe
from backend.flows.builder.pool import Pool
from backend.flows.style.step import Places


@dataclass(frozen=True, slots=True)
class Request:
    """One dataset to build.

    folder: the finished dataset's folder (`<out>/<name>`). source: where the samples come from, for people.
    project: key under which splits are sticky, or None for no memory. overwrite: replace another dataset there.
    counts: what a selection left out, as the dataset records it. original: the dataset that is rebuilt, whose manifest
    then is the plan. versioned: `folder` gets `-v1`, `-v2` ... at its end: each other input or recipe is a new version.
    pools: opens what the shards run on, instead of processes of this one's own. places: where the recipe's styles lie,
    if it has any; styles: what people call those, by sha256. notes: what people should know beforehand.
    """

    dataset: Dataset
    recipe: Recipe
    folder: Path
    source: str
    formats: tuple[str, ...]
    workers: int = 1
    project: str | None = None
    overwrite: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    original: Path | None = None
    versioned: bool = False
    pools: Callable[[], AbstractContextManager[Pool]] | None = None
    places: Places | None = None
    styles: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def partial(self) -> Path:
        """Where the dataset grows until it is complete and verified."""
        return self.folder.with_name(self.folder.name + ".partial")

    @property
    def work(self) -> Path:
        """Where the shards of an unfinished build lie."""
        return self.partial / ".work"


@dataclass(slots=True)
class Report:
    """What a build did; `to_json` is the machine-readable form."""

    folder: Path
    state: str = "built"  # built | unchanged | planned
    sources: int = 0
    images: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    variants: int = 0
    ledger: Summary = field(default_factory=Summary)
    losses: dict[str, Counter[str]] = field(default_factory=dict)  # by format and reason, variants included
    losses_of_variants: dict[str, Counter[str]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    gave_up: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    certificate: dict[str, Any] = field(default_factory=dict)
    estimate: dict[str, float] = field(default_factory=dict)
    unsent: str = ""  # why it is not where all datasets are pushed to

    @property
    def exit_code(self) -> int:
        """0 all done, 3 finished but some images or variants were left out, or the dataset could not be pushed."""
        return 3 if self.skipped or self.gave_up or self.unsent else 0

    def counts(self) -> dict[str, Any]:
        """Return the numbers that a dataset records about itself."""
        return {
            "sources": self.sources,
            "images": self.images,
            "variants": self.variants,
            "gave_up": len(self.gave_up),
            "skipped": len(self.skipped),
            "splits": {split: self.splits[split] for split in ("train", "val", "test")},
            "regions": dict(sorted(self.labels.items())),
        }
