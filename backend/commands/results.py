"""A build's report as an outcome: the same numbers for people and for machines."""

from backend.commands.lines import duration
from backend.commands.terminal import Outcome
from backend.core.losses import loss_lines
from backend.flows.builder.model import Report


def build_outcome(report: Report) -> Outcome:
    """Return what `augment`, `export` and `rebuild` show."""
    skipped = [(s.item, s.reason) for s in (*report.skipped, *report.gave_up)]
    counts = {**report.counts(), "ledger": report.ledger.to_json()}
    more = {"state": report.state, "certificate": report.certificate, "estimate": report.estimate}
    text = {"built": _built, "unchanged": _unchanged, "planned": _planned}[report.state](report)
    return Outcome(text, str(report.folder), counts, skipped, report.warnings, report.exit_code, more)


def _splits(report: Report) -> str:
    return ", ".join(f"{split} {report.splits[split]}" for split in ("train", "val", "test"))


def _built(report: Report) -> list[str]:
    ledger = report.ledger
    lines = [
        f"dataset     {report.folder}",
        f"images      {report.images} from {report.sources} sources, {report.variants} of them variants "
        f"({_splits(report)})",
        f"regions     {sum(report.labels.values())}: {_labels(report)}",
        f"ledger      {ledger.regions} regions of variants: {ledger.kept} kept, {ledger.clipped} clipped, "
        f"{ledger.dropped} dropped" + "".join(f"; {reason} {n}" for reason, n in sorted(ledger.reasons.items())),
    ]
    if report.skipped:
        lines.append(f"left out    unusable images: {len(report.skipped)} (skipped.jsonl says why)")
    if report.gave_up:
        lines.append(f"given up    {len(report.gave_up)} variants (skipped.jsonl says why)")
    for key, losses in report.losses.items():
        lines += [
            f"loss        {key}: {text}" for text in loss_lines(losses, report.losses_of_variants.get(key, {}), key)
        ]
    for part in report.certificate.get("formats", ()):
        lines.append(
            f"verified    {part['format']}: {part['images']} images, {part['regions']} regions, "
            f"largest error {part['max_error_px']:.3f} px"
        )
    return lines


def _labels(report: Report) -> str:
    return ", ".join(f"{label} {number}" for label, number in sorted(report.labels.items())) or "none"


def _unchanged(report: Report) -> list[str]:
    return [f"dataset     {report.folder}", f"unchanged   already built from these inputs ({report.images} images)"]


def _planned(report: Report) -> list[str]:
    seconds, size = report.estimate.get("seconds", 0.0), report.estimate.get("bytes", 0.0)
    return [
        f"would write {report.folder}",
        f"images      {report.images} from {report.sources} sources ({_splits(report)})",
        f"estimate    about {duration(seconds)} and {size / 1e6:.1f} MB",
    ]
