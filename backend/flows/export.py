"""The main job: a labelled Label Studio project becomes a dataset, and the dataset a new project."""

import json
from dataclasses import dataclass, replace

from backend.core.errors import LabelLoomError
from backend.core.progress import Progress
from backend.core.recipe import Recipe
from backend.flows.augment import Options, run_build
from backend.flows.builder.model import Report
from backend.flows.chosen import Chosen
from backend.flows.dataset_dir import SKIPPED
from backend.flows.image_stores import check_storage
from backend.flows.label_studio_connection import translated
from backend.flows.label_studio_source import ProjectSource, open_project
from backend.flows.write_back import WriteBackReport, write_back
from backend.settings import Settings
from backend.store.datasets import record_project
from backend.store.tables import open_database
from connectors.label_studio_upload import ProjectContent


@dataclass(frozen=True, slots=True)
class Target:
    """The project to write back. sample: how many tasks at most; None is all, or the default for large datasets."""

    title: str
    as_predictions: bool = False
    sample: int | None = None


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was built and written; counts, summary: how the tasks were selected; warnings: what could not be met."""

    build: Report
    counts: dict[str, int]
    summary: str
    written: WriteBackReport | None = None
    warnings: tuple[str, ...] = ()


def export(
    project: int,
    recipe: Recipe,
    chosen: Chosen,
    options: Options,
    target: Target | None,
    tools: tuple[Settings, Progress],
) -> ExportReport:
    """Export a project by a recipe and, with a target, write the result back as a new project.

    Raises:
        UsageError: no such project, label or task, its config is not for images, or Label Studio cannot be reached.
        LabelLoomError: everything `build` raises.
    """
    settings, progress = tools
    with translated(), open_project(project, settings, progress, chosen) as source:
        if not source.selection.used:
            msg = f"{source.description} has no task to export: {source.selection.text()}"
            raise LabelLoomError(msg, fix="label some images first, or choose other tasks")
        if target and settings.storage and not options.dry_run:
            check_storage(ProjectContent(source.client, project), settings.storage)
        request = options.request(source.dataset, recipe, source.description, settings)
        request = replace(request, project=source.key, counts=source.selection.to_json())
        built = run_build(request, settings, progress, dry_run=options.dry_run)
        report = _report(source, built)
        if target is None or options.dry_run:
            return report
        written = write_back(
            source.client,
            project,
            built.folder,
            target.title,
            as_predictions=target.as_predictions,
            sample=target.sample,
            storage=settings.storage,
            progress=progress,
            base_url=settings.base_url,
        )
        engine = open_database(settings.database)
        record_project(engine, built.folder, label_studio=source.client.url, project=written.project_id)
        return replace(report, written=written)


def _report(source: ProjectSource, built: Report) -> ExportReport:
    """Return the selection's counts with those images taken off that turned out to be unreadable."""
    skipped = {s.item for s in built.skipped}
    number = len(built.skipped)
    if built.state == "unchanged":
        lines = [json.loads(text) for text in (built.folder / SKIPPED).read_text(encoding="utf-8").splitlines()]
        skipped = {line["skipped"] for line in lines if "skipped" in line}
        number = sum("skipped" in line for line in lines)
    selection = source.selection
    empty = selection.counts["background"] - len(source.backgrounds & skipped)
    text = selection.text(number, empty)
    return ExportReport(built, selection.to_json(number), text, warnings=source.warnings)
