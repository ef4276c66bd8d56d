"""Commands that speak with Label Studio: export, import, up, demo."""

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from backend.commands.terminal import Outcome, TerminalProgress, run, stderr, stdout
from backend.core.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from backend.flows.augment import Options
    from backend.flows.chosen import Chosen
    from backend.flows.export import ExportReport, Target
    from backend.flows.service import Service
    from backend.formats.label_studio_tasks import Annotations
    from backend.settings import Settings

ANNOTATIONS = ("newest", "ground-truth", "consensus")


def selection(
    view: int | None, tasks: str | None, labels: list[str] | None, since: str | None, annotations: str
) -> "Chosen":
    """Return what is to be exported.

    Raises:
        typer.BadParameter: an option's value cannot be read.
    """
    from backend.flows.chosen import Chosen
    from backend.formats.label_studio_tasks import Filter

    if annotations not in ANNOTATIONS:
        msg = f"{annotations!r} is not one of {', '.join(ANNOTATIONS)}"
        raise typer.BadParameter(msg, param_hint="--annotations")
    ids = _task_ids(tasks) if tasks is not None else None
    return Chosen(view, ids, Filter(cast("Annotations", annotations), tuple(labels or ()), _since(since)))


def _task_ids(text: str) -> tuple[int, ...]:
    ids: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdigit() or (last and not last.isdigit()) or (last and int(last) < int(first)):
            msg = f"{part!r} is neither a task id nor a range such as 5-90"
            raise typer.BadParameter(msg, param_hint="--tasks")
        ids.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(ids))


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{text!r} is not a date such as 2026-11-01 or 2026-11-01T12:00"
        raise typer.BadParameter(msg, param_hint="--since") from error
    return moment.astimezone()  # without a zone it means this machine's own


def write_back_options(title: str | None, sample: int | None, *, as_predictions: bool) -> "Target | None":
    """Return where to write back, or None.

    Raises:
        typer.BadParameter: the title is one Label Studio refuses, or an option needs --write-back.
    """
    from backend.flows.export import Target

    if title is None:
        if sample is not None or as_predictions:
            msg = "needs --write-back TITLE"
            raise typer.BadParameter(msg, param_hint="--sample / --as-predictions")
        return None
    if not 3 <= len(title) <= 50:
        msg = f"Label Studio takes titles of 3 to 50 characters, this one has {len(title)}"
        raise typer.BadParameter(msg, param_hint="--write-back")
    return Target(title, as_predictions, sample)


def export(
    project: int, recipe: str | None, chosen: "Chosen", options: "Options", target: "Target | None", *, as_json: bool
) -> None:
    """Run `labelloom export`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.export import export as flow
        from backend.flows.recipes import load_recipe, plain_recipe

        loaded = load_recipe(recipe, settings) if recipe else plain_recipe(f"project-{project}")
        return export_outcome(flow(project, loaded, chosen, options, target, (settings, progress)))

    run("export", work, as_json=as_json)


def export_outcome(report: "ExportReport") -> Outcome:
    """Return what an export shows: the selection, the build, the new project."""
    from backend.commands.results import build_outcome

    outcome = build_outcome(report.build)
    outcome.text.insert(0, f"tasks       {report.summary}")
    outcome.counts["tasks"] = report.counts
    outcome.warnings = [*report.warnings, *outcome.warnings]
    if report.written:
        outcome.text += report.written.lines()
        outcome.more["write_back"] = report.written.to_json()
    return outcome


def import_(path: Path, project: int | None, new: str | None, *, as_json: bool) -> None:
    """Run `labelloom import`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.import_tasks import import_into
        from backend.formats.recognise import open_dataset

        if (project is None) == (new is None):
            msg = "say where to import: --project ID or --new TITLE"
            raise UsageError(msg)
        report = import_into(open_dataset(path), project, new, (settings, progress))
        skipped = [(s.item, s.reason) for s in report.skipped]
        text = [f"project     {report.url}", f"tasks       {report.created} new, {report.present} already there"]
        counts = {"created": report.created, "present": report.present, "skipped": len(skipped)}
        more = {"project": report.project_id, "url": report.url}
        return Outcome(text, report.url, counts, skipped, list(report.notes), 3 if skipped else 0, more)

    run("import", work, as_json=as_json)


def demo(port: int, *, stop: bool, as_json: bool) -> None:
    """Run `labelloom demo`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.demo import demo as flow
        from backend.flows.up import service_beside

        with flow(settings, progress, port, _say) as report:
            outcome = export_outcome(report.export)
            outcome.text += [
                f"sheet       {report.sheet}",
                f"project     {report.source_url} (the photographs with their labels)",
                f"login       {report.account.username} / {report.account.password}",
            ]
            outcome.more["sheet"] = str(report.sheet)
            if stop or as_json or not stdout.is_terminal:
                return outcome
            with progress.paused():
                for line in outcome.text:
                    stdout.print(line, markup=False, highlight=False)
                with service_beside(settings, _say) as service:
                    _say("Label Studio and LabelLoom keep running; press Ctrl-C to stop them")
                    _wait(progress, service)
        return Outcome(["stopped"])

    run("demo", work, as_json=as_json)


def _wait(progress: TerminalProgress, service: "Service") -> None:
    try:
        while True:
            progress.update("serving", 0)
            service.keep()
            time.sleep(0.3)
    except Cancelled:
        return


def _say(text: str) -> None:
    stderr.print(text, markup=False, highlight=False)
