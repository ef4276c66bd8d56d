"""Commands that need no Label Studio: augment, preview, convert, verify, rebuild."""

from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.terminal import Outcome, TerminalProgress, run
from backend.core.errors import UsageError
from backend.core.losses import loss_lines

if TYPE_CHECKING:
    from backend.flows.augment import Options
    from backend.settings import Settings


def options(
    out: Path | None,
    name: str | None,
    formats: list[str] | None,
    workers: int | None,
    *,
    overwrite: bool,
    dry_run: bool,
) -> "Options":
    """Return the options that building commands share; their workers start while this process goes on importing."""
    from backend.flows.builder.pool import default_workers, warm_up

    warm_up(workers or default_workers())
    from backend.flows.augment import Options

    return Options(out, name, tuple(formats or ()), workers, overwrite, dry_run)


def augment(dataset: Path, recipe: str, chosen: "Options", *, as_json: bool) -> None:
    """Run `labelloom augment`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.commands.results import build_outcome
        from backend.flows.augment import run_build
        from backend.flows.recipes import load_recipe
        from backend.formats.recognise import open_dataset

        loaded, opened = load_recipe(recipe, settings), open_dataset(dataset)
        request = chosen.request(opened, loaded, f"the dataset {opened.name}", settings)
        return build_outcome(run_build(request, settings, progress, dry_run=chosen.dry_run))

    run("augment", work, as_json=as_json)


def preview(
    source: tuple[Path | None, int | None],
    recipe: str,
    out: Path,
    size: tuple[int, int],
    *,
    worst: bool,
    as_json: bool,
) -> None:
    """Run `labelloom preview`; `size` is (images, variants of each)."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.preview import PreviewSize, open_source, preview_sheet
        from backend.flows.recipes import load_recipe

        loaded = load_recipe(recipe, settings)
        with open_source(*source, settings, progress) as dataset:
            report = preview_sheet(dataset, loaded, out, PreviewSize(*size, worst=worst), (settings, progress))
        skipped = [(s.item, s.reason) for s in report.skipped]
        lost = f", {len(skipped)} left out" if skipped else ""
        text = f"sheet {out} ({report.variants} variants of {report.images} images{lost})"
        counts = {"images": report.images, "variants": report.variants, "skipped": len(skipped)}
        return Outcome([text], str(out), counts, skipped, exit_code=3 if skipped else 0)

    run("preview", work, as_json=as_json)


def convert(source: Path, target: Path, to: str, *, as_json: bool) -> None:
    """Run `labelloom convert`."""

    def work(_settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.convert import convert as flow

        report = flow(source, target, to, progress)
        text = [f"{target}: {report.counts['images']} images, {report.counts['regions']} regions as {to}"]
        text += [f"loss: {line}" for line in loss_lines(report.losses, {}, to)]
        skipped = [(s.item, s.reason) for s in report.skipped]
        more = {"losses": dict(report.losses), "certificate": report.certificate}
        return Outcome(text, str(target), report.counts, skipped, list(report.notes), 3 if skipped else 0, more)

    run("convert", work, as_json=as_json)


def verify(dataset: Path, *, as_json: bool) -> None:
    """Run `labelloom verify`."""

    def work(_settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.commands.verified import certificate_lines
        from backend.flows.verify import verify_dataset

        certificate = verify_dataset(dataset, progress)
        text = list(certificate_lines(certificate))
        code = 0 if certificate["ok"] else 1
        return Outcome(text, str(dataset), exit_code=code, more={"certificate": certificate})

    run("verify", work, as_json=as_json)


def rebuild(
    manifest: Path, out: Path | None, sources: Path | None, workers: int | None, *, check: bool, as_json: bool
) -> None:
    """Run `labelloom rebuild`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.commands.results import build_outcome
        from backend.flows.rebuild import rebuild as flow
        from backend.flows.rebuild import verify_rebuild

        if check:
            differences = verify_rebuild(manifest, sources, workers, (settings, progress))
            text = differences or [f"{manifest.parent}: every file is the same, bit for bit"]
            return Outcome(text, exit_code=1 if differences else 0, more={"differences": differences})
        if out is None:
            msg = "say where to rebuild with --out, or compare with --verify"
            raise UsageError(msg)
        return build_outcome(flow(manifest, out, sources, workers, (settings, progress)))

    run("rebuild", work, as_json=as_json)
