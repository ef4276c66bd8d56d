"""Commands about detectors: fit, predict, evaluate, models."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from backend.commands.rules import parameters
from backend.commands.terminal import Outcome, TerminalProgress, run
from backend.core.errors import UsageError

if TYPE_CHECKING:
    from backend.flows.fit import FitReport
    from backend.flows.models import Known
    from backend.flows.prelabel import PrelabelReport
    from backend.settings import Settings

Json = dict[str, Any]
WHO = "the command line"


def fit(dataset: Path | None, project: int | None, how: Json, *, predict: bool, as_json: bool) -> None:
    """Run `labelloom fit`; `how` holds the fields of `FitOptions`, the detector's settings as NAME=VALUE texts."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.fit import FitOptions
        from backend.flows.fit import fit as flow
        from backend.flows.fit_source import dataset_source, project_source

        _one_of(dataset, project, "a dataset's folder")
        _check_device(how["device"])
        if predict and project is None:
            msg = "--predict needs --project"
            raise UsageError(msg)
        given = parameters(how["settings"], "--option") if how["settings"] else None
        options, tools = FitOptions(**how | {"settings": given}, who=WHO), (settings, progress)
        if project is None:
            report = flow(dataset_source(Path(str(dataset))), options, tools, tell=progress.tell)
        else:
            with project_source(project, settings, progress) as source:
                report = flow(source, options, tools, tell=progress.tell)
        outcome = _fitted(report)
        if predict and project is not None:
            from backend.flows.prelabel import prelabel

            _add(outcome, prelabel(project, None, tools, tell=progress.tell))
        return outcome

    run("fit", work, as_json=as_json)


def _one_of(given: object, project: int | None, what: str) -> None:
    if bool(given) == (project is not None):
        msg = f"give either {what} or --project"
        raise UsageError(msg)


def _check_device(device: str) -> None:
    if device not in {"auto", "cpu", "cuda"}:
        msg = f"--device is auto, cpu or cuda, got {device[:50]!r}"
        raise UsageError(msg)


def _fitted(report: "FitReport") -> Outcome:
    metrics, images = report.metrics, report.data["images"]
    lines = [
        f"model       {report.version}",
        f"folder      {report.folder}",
        f"learned     from {images['train']} images, {report.data['boxes']['train']} boxes; "
        f"judged on {images['holdout']} others",
        *_quality(metrics),
        f"{'in use' if report.promoted else 'not in use'}: {report.note}",
    ]
    whole = report.to_json()
    warnings = whole.pop("warnings")
    whole.pop("skipped")
    code = 3 if report.skipped else 0
    counts = {"images": images, "boxes": report.data["boxes"]}
    return Outcome(lines, str(report.folder), counts, list(report.skipped), warnings, code, whole)


def _quality(metrics: Json) -> list[str]:
    """Return a model's figures as people read them."""
    if metrics.get("ap") is None:
        return ["quality     unknown: there was nothing to judge it by"]
    if "accuracy" in metrics:
        return [f"quality     the right tag for {metrics['ap']:.0%} of the images"]
    rows = [("quality", metrics), *metrics.get("labels", {}).items()]
    return [_row(name if place == 0 else f"  {name}", one) for place, (name, one) in enumerate(rows)]


def _row(name: str, metrics: Json) -> str:
    if metrics.get("ap") is None:
        return f"{name:<11} nothing to judge it by"
    parts = []
    for key in ("ap", "ap50"):
        if metrics.get(key) is not None:
            low, high = metrics.get(f"{key}_ci") or (None, None)
            parts.append(
                f"{key.upper()} {metrics[key]:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None else "")
            )
    return f"{name:<11} {', '.join(parts)}"


def predict(
    images: list[Path], project: int | None, model: str | None, threshold: float | None, *, as_json: bool
) -> None:
    """Run `labelloom predict`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        _one_of(images, project, "image files")
        if project is not None:
            from backend.flows.prelabel import prelabel

            if threshold is not None:
                msg = "--threshold is for image files; a project has its own thresholds"
                raise UsageError(msg, fix="labelloom connect --project ID --option threshold=0.4")
            outcome = Outcome()
            _add(outcome, prelabel(project, model, (settings, progress), tell=progress.tell))
            return outcome
        if model is None:
            msg = "say with which model"
            raise UsageError(msg, fix="give --model VERSION or --model FOLDER; `labelloom models list` shows them")
        from backend.flows.predict_files import predict_files

        found = predict_files(images, model, threshold, (settings, progress))
        text = [f"{one.path}: {_boxes(one.boxes)}" for one in found.files]
        code = (3 if found.files else 1) if found.skipped else 0
        counts = {"images": len(found.files), "boxes": sum(len(one.boxes) for one in found.files)}
        more = {"model": found.version, "images": [one.to_json() for one in found.files]}
        return Outcome(text, None, counts, list(found.skipped), exit_code=code, more=more)

    run("predict", work, as_json=as_json)


def _boxes(boxes: Any) -> str:
    if not boxes:
        return "nothing"
    return "; ".join(
        f"{one['label']} {one['score']:.2f}"
        + (f" at {', '.join(f'{v:.0f}' for v in one['box'])}" if "box" in one else "")
        for one in boxes
    )


def _add(outcome: Outcome, report: "PrelabelReport") -> None:
    """Add what pre-labelling did to a command's outcome."""
    counts = report.counts()
    outcome.text.append(
        f"pre-labels  {counts['predicted']} of {counts['tasks']} tasks without annotations got {counts['regions']} "
        f"regions of {report.version}; {counts['present']} had them already, {counts['replaced']} older ones replaced"
    )
    outcome.counts["predict"] = counts
    outcome.skipped += report.skipped
    outcome.more["predict"] = {"project": report.project, "model": report.version}
    outcome.exit_code = 3 if outcome.skipped else outcome.exit_code


def evaluate(model: str, dataset: Path, split: str | None, *, as_json: bool) -> None:
    """Run `labelloom evaluate`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.evaluate import evaluate as flow

        report = flow(model, dataset, (settings, progress), split=split)
        counts = {"images": report.images, "boxes": report.boxes}
        text = [f"{report.version} on {report.images} images with {report.boxes} boxes", *_quality(report.metrics)]
        more = {"model": report.version, "metrics": report.metrics}
        code = 1 if report.metrics.get("ap") is None else 3 if report.skipped else 0
        return Outcome(text, str(dataset), counts, list(report.skipped), list(report.warnings), code, more)

    run("evaluate", work, as_json=as_json)


def models_list(project: int | None, *, as_json: bool) -> None:
    """Run `labelloom models list`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.models import list_known
        from backend.store.tables import open_database

        known = list_known(open_database(settings.database), project)
        text = [_line(one) for one in known] or ["no models yet; `labelloom fit --help` says how to train one"]
        return Outcome(text, more={"models": [one.to_json() for one in known]})

    run("models list", work, as_json=as_json)


def _line(one: "Known") -> str:
    row = one.row
    ap = row.metrics.get("ap")
    quality = f"AP {ap:.3f}" if isinstance(ap, float) else "AP    ?"
    used = f"* in use in project {', '.join(map(str, one.predicts_in))}" if one.predicts_in else ""
    gone = "" if one.there else "(its folder is gone)"
    note = "" if row.project is None and one.predicts_in else row.note  # how it was judged when made: it had no project
    return "  ".join(filter(None, [f"{row.created:%Y-%m-%d %H:%M}", quality, row.version, used, gone, note]))


def models_add(detector: str, project: int, given: list[str], *, as_json: bool) -> None:
    """Run `labelloom models add`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.models_add import add_model

        options = parameters(given, "--option")
        row = add_model(detector, options, project, (settings, progress), who=WHO)
        outcome = _in_use(row.version, project)
        outcome.out = str(row.folder)
        return outcome

    run("models add", work, as_json=as_json)


def models_outliers(version: str, show: int, *, write: bool, as_json: bool) -> None:
    """Run `labelloom models outliers`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.outliers import outliers

        found = outliers(version, (settings, progress), write=write)
        text = [f"{one.score:.3f}  {one.tag}  {one.item}" for one in found.images[:show]]
        counts = {"images": len(found.images), "written": found.written}
        return Outcome(text, None, counts, more={"images": [one.to_json() for one in found.images]})

    run("models outliers", work, as_json=as_json)


def models_promote(version: str, project: int | None, *, as_json: bool) -> None:
    """Run `labelloom models promote`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.models import promote
        from backend.store.tables import open_database

        made = promote(open_database(settings.database), project, version, who=WHO)
        return _in_use(made.version, made.project)

    run("models promote", work, as_json=as_json)


def models_rollback(project: int, *, as_json: bool) -> None:
    """Run `labelloom models rollback`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.models import rollback
        from backend.store.tables import open_database

        return _in_use(rollback(open_database(settings.database), project, who=WHO).version, project)

    run("models rollback", work, as_json=as_json)


def _in_use(version: str, project: int) -> Outcome:
    text = [f"{version} predicts in project {project} now", f"next        labelloom predict --project {project}"]
    return Outcome(text, more={"model": version, "project": project})


def models_rm(version: str, *, yes: bool, as_json: bool) -> None:
    """Run `labelloom models rm`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.models import find, remove
        from backend.store.tables import open_database

        engine = open_database(settings.database)
        row = find(engine, version)
        if not yes and not (sys.stdin.isatty() and typer.confirm(f"Delete {row.folder}?", err=True)):
            return Outcome(["nothing deleted; --yes does not ask"], exit_code=1)
        ours = remove(engine, settings, version)
        text = f"deleted {row.folder}" if ours else f"forgot {version}; its folder {row.folder} stays"
        return Outcome([text], str(row.folder))

    run("models rm", work, as_json=as_json)
