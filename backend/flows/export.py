"""The main job: a labelled Label Studio project becomes a dataset, and the dataset a new project."""

from dataclasses import dataclass, replace

from backend.core.progress import Progress
from backend.core.recipe import Recipe
from backend.flows.augment import Options, run_build
from backend.flows.builder.model import Report
from backend.flows.label_studio_source import Chosen, open_project, translated
from backend.flows.write_back import WriteBackReport, write_back
from backend.settings import Settings
from backend.store.datasets import record_project
from backend.store.tables import open_database


@dataclass(frozen=True, slots=True)
class Target:
    """The project to write back. sample: how many tasks at most; None is all, or the default for large datasets."""

    title: str
    as_predictions: bool = False
    sample: int | None = None


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was built and written; counts: how the tasks of the project were selected."""

    build: Report
    counts: dict[str, int]
    summary: str
    written: WriteBackReport | None = None


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
        UsageError: no such project, its config is not for images, or Label Studio cannot be reached.
        LabelLoomError: everything `build` raises.
    """
    settings, progress = tools
    with translated(), open_project(project, settings, progress, chosen) as source:
        request = options.request(source.dataset, recipe, source.description, settings)
        request = replace(request, project=source.key, counts=source.selection.to_json())
        built = run_build(request, settings, progress, dry_run=options.dry_run)
        report = ExportReport(built, request.counts, source.selection.text())
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
        )
        engine = open_database(settings.database)
        record_project(engine, built.folder, label_studio=source.client.url, project=written.project_id)
        return replace(report, written=written)
