"""A dataset folder and a recipe become an augmented dataset: the main job without Label Studio."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from backend.core.errors import UsageError, shown
from backend.core.model import Dataset
from backend.core.names import safe_stem
from backend.core.progress import Progress
from backend.core.recipe import NAME, Recipe
from backend.flows.builder.model import Report, Request
from backend.flows.builder.pool import Pool, default_workers
from backend.flows.builder.run import build
from backend.flows.style.pinned import pin
from backend.settings import Settings
from backend.store.datasets import record_dataset
from backend.store.tables import open_database

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Options:
    """What augment, export and rebuild share. None or empty means: as the recipe says, or the default.

    Without `out` the dataset becomes a version (`name-v1`, `name-v2`, ...) in LabelLoom's own folder.
    """

    out: Path | None = None
    name: str | None = None
    formats: tuple[str, ...] = ()
    workers: int | None = None
    overwrite: bool = False
    dry_run: bool = False
    pools: Callable[[], AbstractContextManager[Pool]] | None = None

    def request(
        self,
        dataset: Dataset,
        recipe: Recipe,
        source: str,
        settings: Settings,
        known: Mapping[str, Path] | None = None,
    ) -> Request:
        """Return the build request for a dataset and a recipe; the folder is `<out>/<name>`.

        `known` holds further style pictures by sha256.

        Raises:
            UsageError: the name would lead to another folder, or a style of the recipe cannot be used.
        """
        if self.name is not None and (len(self.name) > LONGEST_NAME or not re.fullmatch(NAME, self.name)):
            msg = f"--name {shown(self.name)} cannot be a dataset's name"
            raise UsageError(msg, fix=f"give one of 1 to {LONGEST_NAME} characters without / and \\")
        pinned = pin(recipe, settings, known)
        return Request(
            dataset=dataset,
            recipe=pinned.recipe,
            places=pinned.places,
            styles=pinned.names,
            notes=tuple(f"the style {one.item} was left out: {one.reason}" for one in pinned.skipped),
            folder=(self.out or settings.datasets_dir).absolute() / safe_stem(self.name or recipe.name),
            source=source,
            formats=self.formats or recipe.output.formats,
            workers=self.workers or default_workers(),
            overwrite=self.overwrite,
            versioned=self.out is None,
            pools=self.pools,
        )


def run_build(request: Request, settings: Settings, progress: Progress, *, dry_run: bool = False) -> Report:
    """Build a request, enter the dataset into the register, and push it where all datasets go."""
    engine = open_database(settings.database)
    report = build(request, engine, progress, dry_run=dry_run)
    if report.state == "built":
        record_dataset(engine, report.folder, source=request.source, images=report.images)
    if report.state != "planned" and settings.datasets_storage and request.original is None:
        from backend.flows.publish import push_finished  # fsspec only where it is asked for

        push_finished(report, settings, progress, overwrite=request.overwrite)
    return report
