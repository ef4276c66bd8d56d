"""Datasets at an address: pushed there and pulled back, whole or not at all, any number of tries.

A dataset lies under its name. `dataset.json` is sent last, so that whoever sees it sees a whole dataset; until then a
mark says which dataset it is going to be, so that a second try sends the rest and nothing else takes the name.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from backend.core.errors import Cancelled, LabelLoomError, UsageError, VerifyError
from backend.core.progress import Progress
from backend.flows.builder.model import Report
from backend.flows.builder.pinned import check_manifest
from backend.flows.dataset_dir import read_description
from backend.flows.label_studio_connection import translated
from backend.flows.verify import verify_dataset
from backend.formats import FORMATS
from backend.formats.manifest import DESCRIPTION, MANIFEST, entries
from backend.imaging.files import link_or_copy, write_atomic
from backend.imaging.hashes import sha256
from backend.settings import Settings
from connectors.storage import Storage, in_parallel

Json = dict[str, Any]

MARK = ".unfinished"  # holds the identity of the dataset that is on its way
PULLING = ".pulling"  # ends the name of a folder that is not whole yet


@dataclass(frozen=True, slots=True)
class Moved:
    """What a push or pull did. where: address or folder; files, bytes: of the dataset; moved: files sent this time."""

    where: str
    files: int
    size: int
    moved: int
    certificate: Json


def push_dataset(folder: Path, url: str, progress: Progress, *, overwrite: bool = False, quick: bool = False) -> Moved:
    """Send a dataset to `<url>/<its name>`; run again, it sends what is missing, and then nothing.

    Args:
        folder: the finished dataset.
        url: a folder or anything fsspec knows, such as s3://bucket/prefix.
        progress: told of every file.
        overwrite: replace another dataset of that name.
        quick: it was verified just now, and what is there whole is taken at its word.

    Raises:
        UsageError: this is no dataset, or another one has that name there.
        VerifyError: the dataset is damaged.
        LabelLoomError: the place cannot be reached or written; the same call goes on where this one stopped.
    """
    read_description(folder)  # says so where this is no dataset
    certificate = {} if quick else verify_dataset(folder, progress)
    if certificate and not certificate["ok"]:
        msg = f"{folder}: it is damaged, so it was not sent"
        raise VerifyError(msg, fix=f"`labelloom verify {folder}` says what differs; build it again")
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in _files(folder)}
    with translated():
        place = Storage(f"{url.rstrip('/')}/{folder.name}")
        moved = Moved(place.shown, len(files), sum(files.values()), 0, certificate)
        text, identity = (folder / DESCRIPTION).read_bytes(), _identity(folder)
        there = place.read(DESCRIPTION)
        if quick and there == text and place.size(MANIFEST) == files[MANIFEST]:
            return moved
        if there != text:
            known = _claim(place, identity, whole=there is not None, overwrite=overwrite)
        else:
            known = place.sizes()
        missing = sorted(name for name, size in files.items() if known.get(name) != size)
        _send(place, folder, missing, progress)
        for name in known.keys() - files.keys() - {MARK}:
            place.remove(name)
        place.write(DESCRIPTION, text)
        place.remove(MARK)
    return replace(moved, moved=len(missing))


def _files(folder: Path) -> Iterator[Path]:
    """Yield a dataset's files; names that begin with a dot are somebody's temporary ones."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _identity(folder: Path) -> bytes:
    return sha256((folder / MANIFEST).read_bytes() + (folder / DESCRIPTION).read_bytes()).encode()


def _claim(place: Storage, identity: bytes, *, whole: bool, overwrite: bool) -> dict[str, int]:
    """Take the name; return the sizes of files that an earlier try has sent.

    Raises:
        UsageError: another dataset has it.
    """
    mark = None if whole else place.read(MARK)
    known = place.sizes()
    if mark == identity:
        return known
    if known and not overwrite:
        what = "another dataset" if whole else "an unfinished push of another dataset" if mark else "something else"
        msg = f"{place.shown} holds {what} already"
        raise UsageError(msg, fix="give the dataset another name, or replace that one with --overwrite")
    place.remove(DESCRIPTION)  # from now on it is not whole
    for _ in in_parallel(place.remove, known):  # before the mark: the next try trusts what lies beside it
        pass
    place.write(MARK, identity)
    return {}


def _send(place: Storage, folder: Path, names: list[str], progress: Progress) -> None:
    body = [name for name in names if name not in {MANIFEST, DESCRIPTION}]
    for number, _ in enumerate(in_parallel(lambda name: place.put(folder / name, name), body), start=1):
        progress.update("sending files", number, len(names))
    if MANIFEST in names:
        place.put(folder / MANIFEST, MANIFEST)
    progress.update("sending files", len(names), len(names))


def push_finished(report: Report, settings: Settings, progress: Progress, *, overwrite: bool) -> None:
    """Send a dataset that was just built where all datasets go; what goes wrong is a warning, nothing is undone."""
    if not settings.datasets_storage:
        return
    try:
        push_dataset(report.folder, settings.datasets_storage, progress, overwrite=overwrite, quick=True)
    except Cancelled:
        raise
    except LabelLoomError as error:
        report.unsent = f"{error}" + (f" ({error.fix})" if error.fix else "")
        report.warnings.append(f"the dataset is built, but not pushed: {report.unsent}; run it again to push the rest")


def pull_dataset(name: str, url: str, out: Path, progress: Progress, *, overwrite: bool = False) -> Moved:
    """Fetch the dataset `<url>/<name>` into `out/<name>`, and read it back before it counts.

    Image bytes are compared with the manifest's sha256, every format with the manifest. Formats share images by hard
    link here as they did where it was built. Run again, it fetches what is missing.

    Raises:
        UsageError: there is no such dataset there, or another one of that name here.
        VerifyError: what lies there is damaged; what is right of it is kept for the next try.
        LabelLoomError: the place cannot be reached.
    """
    if not name or PurePosixPath(name).name != name or name.startswith("."):
        msg = f"{name!r} is not the name of a dataset"
        raise UsageError(msg, fix="give the folder above it as the address, and its name")
    target = out.absolute() / name
    with translated():
        place = Storage(f"{url.rstrip('/')}/{name}")
        text = _description(place)
        sizes = {file: size for file, size in place.sizes().items() if not PurePosixPath(file).name.startswith(".")}
        whole = Moved(str(target), len(sizes), sum(sizes.values()), 0, {})
        if target.exists() and not overwrite:
            if (target / DESCRIPTION).is_file() and (target / DESCRIPTION).read_bytes() == text:
                return whole
            msg = f"{target} holds something else already"
            raise UsageError(msg, fix="pull into another folder with --out, or replace it with --overwrite")
        partial = target.with_name(name + PULLING)
        _begin(partial, text)
        place.get(MANIFEST, partial / MANIFEST)
        write_atomic(partial / DESCRIPTION, text)
        fetched = _fetch(place, partial, sizes, progress)
    certificate = _check(partial, progress)
    (partial / MARK).unlink()
    if target.exists():
        shutil.rmtree(target)
    partial.rename(target)
    return replace(whole, moved=fetched, certificate=certificate)


def _description(place: Storage) -> bytes:
    text = place.read(DESCRIPTION)
    if text is not None:
        return text
    if place.size(MARK) is not None:
        msg = f"{place.shown} is not whole: its push was not finished"
        raise UsageError(msg, fix="run `labelloom datasets push` again where it was built")
    msg = f"there is no dataset at {place.shown}"
    raise UsageError(msg, fix="give its name and the address it was pushed to")


def _begin(partial: Path, text: bytes) -> None:
    """Make the folder that is filled; one that was begun for another dataset of this name is emptied."""
    identity = sha256(text).encode()
    if partial.exists() and not ((partial / MARK).is_file() and (partial / MARK).read_bytes() == identity):
        shutil.rmtree(partial)
    write_atomic(partial / MARK, identity)


def _fetch(place: Storage, partial: Path, sizes: dict[str, int], progress: Progress) -> int:
    """Fetch what is missing; return how many files that was. Of images, the first format's are fetched."""
    for name in sizes:
        if ".." in name.split("/") or name.startswith("/") or "\\" in name:
            msg = f"{place.shown} holds {name!r}, which leads out of the dataset"
            raise VerifyError(msg, fix="this is no dataset that LabelLoom pushed")
    shared = {other for _, *others in _images(partial) for other in others}
    here = {name for name, size in sizes.items() if _size(partial / name) == size}
    names = sorted(sizes.keys() - shared - here - {MANIFEST, DESCRIPTION})
    for number, _ in enumerate(in_parallel(lambda name: place.get(name, partial / name), names), start=1):
        progress.update("fetching files", number, len(names))
    for first, *others in _images(partial):
        for other in others:
            if other in sizes and (partial / first).is_file():
                link_or_copy(partial / first, partial / other)
    return len(names)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _images(folder: Path) -> Iterator[list[str]]:
    """Yield where each image of the manifest lies, in every format."""
    formats = [key for key in read_description(folder)["formats"] if key in FORMATS]
    for sample, _ in entries(folder / MANIFEST):
        yield [FORMATS[key].image_path(folder / key, sample).relative_to(folder).as_posix() for key in formats]


def _check(partial: Path, progress: Progress) -> Json:
    check_manifest(partial, read_description(partial))
    certificate = verify_dataset(partial, progress)
    if not certificate["ok"]:
        wrong = certificate["differing"] + certificate["missing"]
        _forget(partial, wrong)
        problems = wrong + certificate["problems"] + [p for part in certificate["formats"] for p in part["problems"]]
        msg = f"what was fetched is not the dataset that was built: {'; '.join(problems[:5])}"
        raise VerifyError(msg, fix="run it again to fetch that anew; if it stays, push the dataset again")
    return certificate


def _forget(partial: Path, wrong: Iterable[str]) -> None:
    """Remove images that differ, and every file that is no image: nobody knows which of those is wrong."""
    right = {name for places in _images(partial) for name in places} - set(wrong)
    for path in list(_files(partial)):
        if path.relative_to(partial).as_posix() not in right:
            path.unlink()
