"""`convert`: a dataset of one format becomes one of another, images byte for byte, what is lost counted and named."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from backend.core.codec import canonical, sample_from_json, sample_to_json
from backend.core.errors import ImageError, LabelLoomError, UsageError, VerifyError
from backend.core.model import Dataset, Sample, Skipped
from backend.core.names import Namer
from backend.core.progress import Progress
from backend.formats import FORMATS
from backend.formats.base import Classes, Format, split_folder
from backend.formats.manifest import Samples
from backend.formats.recognise import open_dataset
from backend.formats.verify import Certificate, verify_format
from backend.imaging.decode import decode
from backend.imaging.files import write_atomic
from backend.imaging.hashes import sha256

EVERY = 50  # samples between two reports of progress
WORK = ".labelloom-convert.jsonl"  # marks a partial folder as ours, and lists what was meant


@dataclass(frozen=True, slots=True)
class Report:
    """What a conversion did.

    counts: images, regions and images per split. losses: what the target format could not hold, by reason. notes:
    what was repaired in reading, each with how many images it concerns and the first of them.
    """

    out: Path
    format: str
    counts: dict[str, int]
    losses: dict[str, int]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    certificate: Certificate


@dataclass(slots=True)
class _Tally:
    counts: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)


def convert(src: Path, dst: Path, to: str, progress: Progress) -> Report:
    """Write the dataset `src` (its format is recognised) as format `to` into the new folder `dst`, verified.

    Images are copied, never linked: the new folder may be edited. A killed run leaves `<dst>.partial`, which the next
    run replaces; one that fails leaves nothing.

    Raises:
        UsageError: an unknown format, no dataset in `src`, or `dst` exists, lies in `src` or cannot be made: nothing
            was touched.
        VerifyError: what was written does not read back as what was meant; the partial folder stays for a look.
        LabelLoomError: nothing could be read, or the disk is full or read-only.
    """
    _check_request(src, dst, to)
    dataset = open_dataset(src)
    form, classes = FORMATS[to], Classes(dataset.labels, dataset.tags)
    partial = dst.with_name(f"{dst.name}.partial")
    _open(partial)
    try:
        tally = _write(dataset, form, classes, partial, progress)
        meant = Samples(lambda: _meant(partial / WORK))
        form.finish(partial, meant, classes)
        certificate = verify_format(to, partial, meant, classes)
        if certificate.ok:
            (partial / WORK).unlink()
            partial.rename(dst)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        msg = f"cannot write {error.filename or partial}: {error.strerror or error}"
        raise LabelLoomError(msg, fix="free space or choose another folder, then run the command again") from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if not certificate.ok:
        msg = f"{partial}: what was written does not read back as it was meant: {'; '.join(certificate.problems[:5])}"
        raise VerifyError(msg, fix="this is a bug in LabelLoom: please report it with these lines")
    notes = (*dataset.notes, *(_note(text, items) for text, items in tally.notes.items()))
    counts, losses = dict(tally.counts), dict(sorted(tally.losses.items()))
    return Report(dst, to, counts, losses, tuple(tally.skipped), notes, certificate)


def _check_request(src: Path, dst: Path, to: str) -> None:
    if to not in FORMATS:
        near = get_close_matches(to, FORMATS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(FORMATS)}"
        msg = f"unknown format {to!r}"
        raise UsageError(msg, fix=hint)
    if dst.exists():
        msg = f"{dst} exists already, and nothing is ever overwritten"
        raise UsageError(msg, fix="choose a new folder, or remove this one first")
    if dst.resolve().is_relative_to(src.resolve()):
        msg = f"{dst} lies inside {src}, which would then hold its own copy"
        raise UsageError(msg, fix="choose a folder outside the dataset")


def _open(partial: Path) -> None:
    """Make an empty partial folder, in the place of one that a killed conversion left."""
    try:
        if partial.exists():
            if not (partial / WORK).is_file() and any(partial.iterdir()):
                msg = f"{partial} exists and was not left by an earlier conversion"
                raise UsageError(msg, fix="move or remove it, or choose another folder")
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
    except OSError as error:
        msg = f"cannot write {error.filename or partial}: {error.strerror or error}"
        raise UsageError(msg, fix="choose another folder, or make this one writable") from error


def _write(dataset: Dataset, form: Format, classes: Classes, partial: Path, progress: Progress) -> _Tally:
    """Write every sample's image and labels, and list what was meant."""
    tally, namer = _Tally(), Namer()
    with (partial / WORK).open("w", encoding="utf-8") as work:
        for number, item in enumerate(dataset.samples, start=1):
            outcome = item if isinstance(item, Skipped) else _place(item, form, partial, namer)
            if isinstance(outcome, Skipped):
                tally.skipped.append(outcome)
            else:
                tally.losses.update(form.write_labels(partial, outcome, classes))
                work.write(canonical(sample_to_json(outcome)) + "\n")
                _count(outcome, tally)
            if number % EVERY == 0:
                progress.update("converting", number)
    if not tally.counts["images"]:
        reasons = "; ".join(f"{s.item}: {s.reason}" for s in tally.skipped[:3])
        msg = f"{dataset.name}: no image could be used" + (f" ({reasons})" if reasons else "")
        raise LabelLoomError(msg, fix="give a folder with readable images")
    progress.update("converting", number, number)
    return tally


def _place(sample: Sample, form: Format, partial: Path, namer: Namer) -> Sample | Skipped:
    """Put a sample's image where the format keeps it; return the sample under its new name."""
    try:
        data = Path(sample.path).read_bytes()
        turned = decode(data).turned  # in full: a truncated file would stop a training run much later
    except (ImageError, OSError) as error:
        return Skipped(sample.origin.uri or sample.name, str(error))
    # The stem alone must be unique: label files of a.jpg and a.png would be the same.
    stem = namer.assign(sample.name, sha256(data), "")
    name = stem + PurePosixPath(sample.name).suffix.lower()
    target = replace(sample, name=name, split=split_folder(sample))
    write_atomic(form.image_path(partial, target), data)  # never a link: editing the copy must not change the original
    if turned:
        note = "the image has an EXIF turn, which stays: regions are those of the image as displayed"
        return replace(target, notes=(*target.notes, note))
    return target


def _count(sample: Sample, tally: _Tally) -> None:
    tally.counts["images"] += 1
    tally.counts["regions"] += len(sample.regions)
    tally.counts[split_folder(sample)] += 1
    for note in sample.notes:
        tally.notes.setdefault(note, []).append(sample.origin.uri or sample.name)


def _note(text: str, items: list[str]) -> str:
    return f"{text} ({len(items)} image{'s' if len(items) > 1 else ''}, the first: {items[0]})"


def _meant(work: Path) -> Iterator[Sample]:
    with work.open(encoding="utf-8") as lines:
        for line in lines:
            yield sample_from_json(json.loads(line))
