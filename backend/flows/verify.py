"""`verify`: read a dataset back, format by format, and say exactly what differs from what was meant."""

import hashlib
import stat
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backend.core.errors import UsageError
from backend.core.ledger import ledger_problems
from backend.core.model import Sample, Skipped
from backend.core.progress import Progress
from backend.formats import FORMATS
from backend.formats.base import Classes
from backend.formats.manifest import DESCRIPTION, MANIFEST, entries, is_dataset, read_description
from backend.formats.recognise import Found, recognise
from backend.formats.verify import Certificate, Checker, verify_format

Json = dict[str, Any]

EVERY = 50  # samples between two reports of progress

Aside = Callable[[Callable[..., Any], Path, str], Callable[[], Any]]
"""Starts `function(folder, key)` elsewhere and returns what waits for its result."""


def in_turn(function: Callable[..., Any], folder: Path, key: str) -> Callable[[], Any]:
    """Do it here, when its result is asked for."""
    return lambda: function(folder, key)


def verify_dataset(folder: Path, progress: Progress, *, images: bool = True, aside: Aside = in_turn) -> Json:
    """Return the certificate of a dataset: one entry per format, and each differing, missing or extra file.

    With a manifest every format is read back by its independent reader and compared with it; `images` also compares
    the image bytes with the manifest's sha256. Without one, two readers that share no code read the folder and must
    agree; `checked` says which it was. `aside` checks the formats after the first while this process checks that one.

    Raises:
        UsageError: nothing that is known lies in `folder`, or its manifest cannot be read.
    """
    present = [name for name in (MANIFEST, DESCRIPTION) if (folder / name).is_file()]
    if len(present) == 1:
        lost = DESCRIPTION if present == [MANIFEST] else MANIFEST
        msg = f"{folder}: {present[0]} is here, but {lost} is missing"
        raise UsageError(msg, fix=f"restore {lost}, build the dataset again, or name the folder of one format")
    if is_dataset(folder):
        return _against_manifest(folder, progress, images, aside)
    return _against_itself(recognise(folder), progress)


@dataclass(slots=True)
class _Bytes:
    """Compares image files with their sha256; formats share files by hard link, and each is read once."""

    root: Path
    differing: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def check(self, paths: list[Path], sha256: str) -> None:
        seen: dict[tuple[int, int], bool] = {}
        for path in paths:
            try:
                status = path.stat()
                key = (status.st_dev, status.st_ino)
                if not stat.S_ISREG(status.st_mode):  # a pipe would keep us waiting for good
                    seen[key] = False
                if key not in seen:
                    with path.open("rb") as stream:
                        seen[key] = hashlib.file_digest(stream, "sha256").hexdigest() == sha256
            except OSError:
                self.missing.append(path.relative_to(self.root).as_posix())
                continue
            if not seen[key]:
                self.differing.append(path.relative_to(self.root).as_posix())


def _against_manifest(folder: Path, progress: Progress, images: bool, aside: Aside) -> Json:
    description = read_description(folder)
    unknown = [key for key in description.formats if key not in FORMATS]
    if unknown or not description.formats:
        msg = f"{folder / DESCRIPTION}: names formats that do not exist: {', '.join(unknown) or 'none at all'}"
        raise UsageError(msg, fix=f"known formats are {', '.join(FORMATS)}")
    first, *others = description.formats
    waiting = [aside(check_format, folder, key) for key in others]
    count, digests = 0, _Bytes(folder)
    checker = _checker(folder, first)
    problems: list[str] = []
    for count, (sample, line) in enumerate(entries(folder / MANIFEST), start=1):
        checker.check(sample)
        problems += (f"{sample.name}: {problem}" for problem in ledger_problems(line.get("ledger") or []))
        if images:
            places = [FORMATS[key].image_path(folder / key, sample) for key in description.formats]
            digests.check(places, str(line.get("sha256")))
        if count % EVERY == 0:
            progress.update("verifying", count)
    progress.update("verifying", count, count)
    results = [_outcome(checker), *(wait() for wait in waiting)]
    ok = all(part.ok for part, _ in results) and not digests.differing and not digests.missing
    ok = ok and not problems
    return {
        "ok": ok,
        "checked": "every format read back and compared with the manifest"
        + (", image bytes included" if images else ", image bytes not compared"),
        "images": count,
        "problems": problems,
        "formats": [_json(part) for part, _ in results],
        "differing": digests.differing,
        "missing": digests.missing,
        "extra": [path for _, extra in results for path in extra],
    }


def _checker(folder: Path, key: str) -> Checker:
    return Checker(key, folder / key, read_description(folder).classes)


def _outcome(checker: Checker) -> tuple[Certificate, list[str]]:
    return checker.certificate(), [f"{checker.key}/{path}" for path in checker.extra()]


def check_format(folder: Path, key: str) -> tuple[Certificate, list[str]]:
    """Return the certificate of one format of a dataset, and the files in it that nobody meant."""
    checker = _checker(folder, key)
    for sample, _ in entries(folder / MANIFEST):
        checker.check(sample)
    return _outcome(checker)


def _json(part: Certificate) -> Json:
    return {**asdict(part), "problems": list(part.problems)}


def _against_itself(found: Found, progress: Progress) -> Json:
    """Read a foreign dataset with the forgiving reader, and, where its layout allows, with the strict one."""
    dataset = found.format.open(found.folder)
    skipped: list[Json] = []
    repaired: list[Json] = []
    count, plain = 0, True
    for count, item in enumerate(dataset.samples, start=1):
        if isinstance(item, Skipped):
            skipped.append({"item": item.item, "reason": item.reason})
            continue
        repaired += [{"item": item.origin.uri, "note": note} for note in item.notes]
        plain = plain and _where(found, item) == Path(item.path)
        if count % EVERY == 0:
            progress.update("reading", count)
    result: Json = {
        "checked": "read once: its layout is not the one LabelLoom writes, so no second reader could compare",
        "images": count - len(skipped),
        "formats": [],
        "notes": list(dataset.notes),
        "repaired": repaired,
        "skipped": skipped,
        "differing": [],
        "missing": [],
        "extra": [],
    }
    if plain and count > len(skipped):
        samples = (item for item in dataset.samples if isinstance(item, Sample))
        part = _compare(found, samples, Classes(dataset.labels, dataset.tags))
        result["formats"] = [_json(part)]
        result["checked"] = "no manifest: two readers that share no code read the labels, and were compared"
    result["ok"] = not skipped and all(part["ok"] for part in result["formats"])
    progress.update("verifying", count, count)
    return result


def _where(found: Found, sample: Sample) -> Path:
    return found.format.image_path(found.folder, sample).absolute()


def _compare(found: Found, samples: Iterator[Sample], classes: Classes) -> Certificate:
    return verify_format(found.format.key, found.folder, samples, classes, strict=False)
