"""A dataset is made again from its manifest, bit for bit, or compared with what lies on disk."""

import filecmp
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from backend.core.errors import ImageError, UsageError
from backend.core.progress import Progress
from backend.flows.augment import Options, run_build
from backend.flows.builder.model import Report, Request
from backend.flows.builder.pinned import Find, check_manifest, manifest_dataset
from backend.flows.builder.run import build
from backend.flows.builder.shards import Json
from backend.flows.dataset_dir import image_of, read_description, read_lines, recipe_of
from backend.formats.manifest import DESCRIPTION, MANIFEST
from backend.imaging.decode import decode
from backend.settings import Settings
from backend.store.tables import open_database

RECORDS = {
    MANIFEST,
    DESCRIPTION,
    "README.md",
}  # they name the versions of libraries, and parameters as those write them
Tools = tuple[Settings, Progress]


def rebuild(manifest: Path, out: Path, sources: Path | None, workers: int | None, tools: Tools) -> Report:
    """Build the dataset of `manifest` again below `out`, and enter it into the register.

    Source images come, by sha256, from the source cache, `sources`, or the dataset's own unchanged originals.

    Raises:
        UsageError: no such manifest, one that contradicts its description, or the target is the dataset itself.
    """
    settings, progress = tools
    return run_build(_request(manifest, out, sources, workers, settings), settings, progress)


def _request(manifest: Path, out: Path, sources: Path | None, workers: int | None, settings: Settings) -> Request:
    original = _folder(manifest)
    description = read_description(original)
    check_manifest(original, description)
    options = Options(out=out, name=description["name"], formats=tuple(description["formats"]), workers=workers)
    known = _given(sources)
    dataset = manifest_dataset(original, _finder(original, description, known, settings))
    request = options.request(dataset, recipe_of(description), description["source"], settings, known)
    if request.folder.resolve() == original.resolve():
        msg = f"{original} cannot be rebuilt onto itself"
        raise UsageError(msg, fix="give another --out, or use --verify to compare")
    names = description.get("styles", {})  # the pinned recipe has none
    return replace(request, counts=description["selection"], styles=names, original=original)


def _folder(manifest: Path) -> Path:
    folder = manifest if manifest.is_dir() else manifest.parent
    if not (folder / "manifest.jsonl").is_file():
        msg = f"{manifest}: there is no manifest.jsonl"
        raise UsageError(msg, fix="give the manifest.jsonl of a dataset made by LabelLoom")
    return folder


def _given(sources: Path | None) -> dict[str, Path]:
    """Return the files below a folder by sha256."""
    if sources is None:
        return {}
    if not sources.is_dir():
        msg = f"--sources {sources} is not a folder"
        raise UsageError(msg)
    return {_sha256(path): path for path in sorted(sources.rglob("*")) if path.is_file()}


def _finder(original: Path, description: Json, known: dict[str, Path], settings: Settings) -> Find:
    formats = tuple(description["formats"])
    own = {
        line["sha256"]: image_of(original, line, formats)
        for line in read_lines(original)
        if line["variant"] == 0 and line["sha256"] == line["source"]["sha256"]
    }

    def find(sha: str, _source: Json) -> Path | None:
        for path in (settings.sources_dir / sha[:2] / sha, known.get(sha), own.get(sha)):
            if path is not None and path.is_file() and _sha256(path) == sha:
                return path
        return None

    return find


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_rebuild(manifest: Path, sources: Path | None, workers: int | None, tools: Tools) -> list[str]:
    """Rebuild into a temporary folder and return one sentence per file that differs, is missing or is extra."""
    original = _folder(manifest)
    with tempfile.TemporaryDirectory(prefix="labelloom-rebuild-") as folder:
        settings, progress = tools
        request = _request(manifest, Path(folder), sources, workers, settings)
        report = build(request, open_database(settings.database), progress)  # not registered: it is gone in a moment
        lost = [f"cannot be rebuilt: {s.item}: {s.reason}" for s in report.skipped]
        found = list(_differences(original, report.folder))
        same = not lost and all(name in RECORDS for name, _ in found)
        return [
            *lost,
            *(_only_records(original, report.folder) if found and same else ()),
            *_other_engines(original, report.folder),
            *(text for _, text in found),
        ]


def _only_records(original: Path, rebuilt: Path) -> Iterator[str]:
    """Yield what differs where every image and label is the same and only the records about them are not."""
    yield "every image and label file is the same, bit for bit; only what is recorded about them differs"
    before, now = (read_description(folder).get("versions") or {} for folder in (original, rebuilt))
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield f"made with {name} {before.get(name, 'unknown')}, rebuilt with {now.get(name, 'unknown')}"


def _other_engines(original: Path, rebuilt: Path) -> Iterator[str]:
    """Yield how the style engines differ: another version paints other pixels."""
    before, now = _engines(original), _engines(rebuilt)
    if before != now:
        yield f"painted by {', '.join(before)}, rebuilt with {', '.join(now) or 'none'}"


def _engines(folder: Path) -> list[str]:
    """Return the style engines that a dataset was made with, and their versions."""
    styles = (line.get("style") for line in read_lines(folder))
    return sorted({f"{style['engine']} {style['version']}" for style in styles if style})


def _differences(original: Path, rebuilt: Path) -> Iterator[tuple[str, str]]:
    """Yield each file that differs, and how."""
    ours, theirs = _files(original), _files(rebuilt)
    yield from ((name, f"missing: {name}") for name in sorted(theirs - ours))
    yield from ((name, f"extra: {name}") for name in sorted(ours - theirs))
    for name in sorted(ours & theirs):
        if not filecmp.cmp(original / name, rebuilt / name, shallow=False):
            yield name, f"changed: {name}{_pixels(original / name, rebuilt / name)}"


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _pixels(a: Path, b: Path) -> str:
    """Say how far two pictures are apart: on another processor the last bit of a pixel may differ."""
    if a.suffix not in {".jpg", ".png", ".webp", ".bmp"}:
        return ""
    try:
        first, second = decode(a.read_bytes()).rgb.astype(int), decode(b.read_bytes()).rgb.astype(int)
    except ImageError as error:
        return f" ({error})"
    if first.shape != second.shape:
        return f" (size {first.shape[1]} x {first.shape[0]} against {second.shape[1]} x {second.shape[0]})"
    return f" (pixels differ by at most {abs(first - second).max()} of 255)"
