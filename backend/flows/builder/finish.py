"""Phase 5: shards become one manifest, every format is completed, and the whole is read back before it counts."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from backend import __version__
from backend.core.codec import canonical
from backend.core.errors import VerifyError
from backend.core.ledger import entry_from_json
from backend.core.model import Skipped
from backend.core.progress import Progress
from backend.flows.builder.model import Report, Request
from backend.flows.builder.pool import Pool
from backend.flows.builder.readme import dataset_readme
from backend.flows.builder.shards import Json, read_shard, shard_paths
from backend.flows.dataset_dir import SKIPPED, read_description, read_lines
from backend.flows.verify import verify_dataset
from backend.formats import FORMATS
from backend.formats.base import Classes
from backend.formats.manifest import DESCRIPTION, MANIFEST, samples
from backend.imaging.files import write_atomic

LIBRARIES = ("albumentations", "albucore", "numpy", "opencv-python-headless", "pillow")


def finish(request: Request, classes: Classes, identity: Json, report: Report, tools: tuple[Pool, Progress]) -> None:
    """Complete the partial dataset; fill the report.

    Raises:
        VerifyError: what was written does not read back as what was meant; the partial folder stays for a look.
    """
    folder = request.partial
    skipped = _collect(request, report)
    _write_manifest(folder, request.work)
    if request.original:  # what could not be used then is not tried again
        skipped = [json.loads(line) for line in (request.original / SKIPPED).read_text(encoding="utf-8").splitlines()]
    write_atomic(folder / SKIPPED, (canonical(line).encode() + b"\n" for line in skipped), fsync=True)
    _count(folder, report)
    for key in request.formats:
        FORMATS[key].finish(folder / key, samples(folder / MANIFEST), classes)
    description = _describe(request, classes, identity, report)
    if request.original:
        description |= {key: read_description(request.original)[key] for key in ("counts", "warnings")}
    _write_description(folder, description)
    pool, progress = tools
    report.certificate = verify_dataset(folder, progress, images=False, aside=pool.aside)
    description["certificate"] = report.certificate
    _write_description(folder, description)
    if not report.certificate["ok"]:
        problems = [p for part in report.certificate["formats"] for p in part["problems"]]
        msg = f"{folder}: what was written does not read back as it was meant: {'; '.join(problems[:5])}"
        raise VerifyError(msg, fix="this is a bug in LabelLoom: please report it with the folder's manifest.jsonl")
    write_atomic(folder / "README.md", dataset_readme(description).encode())


def _collect(request: Request, report: Report) -> list[Json]:
    """Gather skips, given-up variants and losses from every shard."""
    paths = (path for phase in ("index", "done") for path in shard_paths(request.work, phase))
    out: list[Json] = []
    for line in (line for path in paths for line in read_shard(path)):
        if "skipped" in line:
            report.skipped.append(Skipped(line["skipped"], line["reason"]))
            out.append({"skipped": line["skipped"], "reason": line["reason"]})
        elif "gave_up" in line:
            report.gave_up.append(Skipped(line["gave_up"], line["reason"]))
            out.append({"gave_up": line["gave_up"], "reason": line["reason"]})
        elif "losses" in line:
            for name, total in (("losses", report.losses), ("losses_of_variants", report.losses_of_variants)):
                for key, counts in line[name].items():
                    total.setdefault(key, Counter()).update(counts)
    return sorted(out, key=canonical)


def _lines(work: Path) -> Iterator[tuple[str, int, int]]:
    """Yield (file name, shard, byte offset) of every manifest line."""
    for number, path in enumerate(shard_paths(work, "done")):
        offset = 0
        with path.open("rb") as file:
            for raw in file:
                line = json.loads(raw)
                if "file" in line:
                    yield line["file"], number, offset
                offset += len(raw)


def _write_manifest(folder: Path, work: Path) -> None:
    """Merge the shards' lines, sorted by file name, holding names and offsets only."""
    paths = shard_paths(work, "done")
    chunks: Iterable[bytes] = (_line_at(paths[number], offset) for _, number, offset in sorted(_lines(work)))
    write_atomic(folder / MANIFEST, chunks, fsync=True)


def _line_at(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.readline()


def _count(folder: Path, report: Report) -> None:
    sources: set[str] = set()
    for line in read_lines(folder):
        report.images += 1
        report.splits[line["split"]] += 1
        report.labels.update(region["label"] for region in line["regions"])
        sources.add(line["file"].rpartition("_v")[0])
        if line["variant"]:
            report.variants += 1
            report.ledger.add(entry_from_json(entry) for entry in line["ledger"])
    report.sources = len(sources)


def _describe(request: Request, classes: Classes, identity: Json, report: Report) -> Json:
    return {
        "name": request.folder.name,
        "source": request.source,
        "labels": list(classes.labels),
        "tags": list(classes.tags),
        "formats": list(request.formats),
        "counts": report.counts(),
        "selection": request.counts,
        **({"styles": request.styles} if request.styles else {}),
        "ledger": report.ledger.to_json(),
        "losses": _sorted(report.losses),
        "losses_of_variants": _sorted(report.losses_of_variants),
        "warnings": report.warnings,
        "recipe": request.recipe.model_dump(mode="json"),
        "identity": identity,
        "versions": {"labelloom": __version__, **{name: version(name) for name in LIBRARIES}},
        "certificate": None,
    }


def _sorted(losses: dict[str, Counter[str]]) -> Json:
    return {key: dict(sorted(counts.items())) for key, counts in losses.items()}


def _write_description(folder: Path, description: Json) -> None:
    text = json.dumps(description, indent=1, ensure_ascii=False) + "\n"
    write_atomic(folder / DESCRIPTION, text.encode(), fsync=True)
