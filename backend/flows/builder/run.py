"""Build a dataset: the phases in order, resumable at every point."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from backend.core.errors import Cancelled, Held, LabelLoomError, RecipeError, UsageError
from backend.core.progress import Progress
from backend.flows.builder.finish import finish
from backend.flows.builder.index import index_shard
from backend.flows.builder.listing import Listing, list_samples
from backend.flows.builder.model import Report, Request
from backend.flows.builder.pinned import plan_pinned
from backend.flows.builder.plan import Planned, plan
from backend.flows.builder.pool import Pool, open_pool
from backend.flows.builder.render import Job, recipe_problems, render_shard
from backend.flows.builder.shards import Json, claim, discard, read_json, shard_path, shard_paths
from backend.flows.builder.suits import check_formats
from backend.flows.dataset_dir import read_description
from backend.flows.estimate import estimate
from backend.formats import FORMATS
from backend.formats.manifest import DESCRIPTION
from backend.imaging.files import sweep
from backend.store.splits import remember_splits


def build(request: Request, engine: sa.Engine, progress: Progress, *, dry_run: bool = False) -> Report:
    """Build (or resume, or recognise as already built) the dataset of `request`.

    Raises:
        UsageError: unknown format, unwritable folder, or another dataset lies there.
        RecipeError: the recipe does not suit the images.
        LeakError: images that belong together have different splits (recipe: `on_leak: abort`).
        VerifyError: what was written does not read back.
        Cancelled: from `progress`; everything finished so far is kept.
    """
    _check_request(request)
    with (request.pools or partial(open_pool, request.workers))() as pool:
        with _scratch(request) as scratch:
            listing = list_samples(request.dataset, request.recipe, scratch, progress)
            identity = _identity(request, listing)
            if not request.original:
                check_formats(request.formats, listing.classes)
            request = _version(request, identity)
            if _already_built(request, identity):
                return _unchanged(request)
            indexing = map(index_shard, [] if request.original else [(str(scratch), n) for n in range(listing.shards)])
            if problems := pool.call(recipe_problems, request.recipe, listing.smallest, meanwhile=indexing):
                raise RecipeError(problems)
            if dry_run:
                return _dry_run(request, engine, scratch, listing, (pool, progress))
            _claim(request, identity, scratch)
        with _locked(request.work):
            sweep(request.partial)
            planned = _index_and_plan(request, engine, request.work, listing, (pool, progress))
            job = Job(request.partial, request.recipe, request.formats, listing.classes, request.places)
            _render(job, planned, pool, progress)
            report = Report(request.folder, warnings=_warnings(request, listing, planned))
            finish(request, listing.classes, identity, report, (pool, progress))
            if request.project and request.recipe.split:  # without a split rule nothing was decided that should last
                remember_splits(engine, request.project, planned.splits)
    _publish(request)
    return report


def _identity(request: Request, listing: Listing) -> Json:
    """Return what makes two builds the same: inputs, recipe, formats."""
    if request.original:
        identity: Json = read_description(request.original)["identity"]
        return identity
    return {"inputs": listing.digest, "recipe": request.recipe.digest, "formats": list(request.formats)}


def _version(request: Request, identity: Json) -> Request:
    """Return the request for the version that is this very dataset, finished or begun, or else for the next one."""
    if not request.versioned:
        return request
    for number in count(1):
        version = replace(request, folder=request.folder.with_name(f"{request.folder.name}-v{number}"))
        marker = version.work / "run.json"
        if (version.folder / DESCRIPTION).exists():
            if read_description(version.folder)["identity"] == identity:
                return version
        elif not version.folder.exists() and (not marker.exists() or read_json(marker) == identity):
            return version
    raise AssertionError  # count() has no end


def _check_request(request: Request) -> None:
    unknown = [key for key in request.formats if key not in FORMATS]
    if unknown or not request.formats:
        msg = f"unknown format {', '.join(unknown) or '(none given)'}"
        raise UsageError(msg, fix=f"choose from {', '.join(FORMATS)}")
    if request.folder.exists() and not (request.folder / DESCRIPTION).exists() and any(request.folder.iterdir()):
        msg = f"{request.folder} exists and is not a dataset made by LabelLoom"
        raise UsageError(msg, fix="choose another --out or --name; nothing is ever overwritten unasked")


@contextmanager
def _scratch(request: Request) -> Iterator[Path]:
    """Yield a folder beside the dataset for the listing; it is gone afterwards."""
    try:
        request.folder.parent.mkdir(parents=True, exist_ok=True)
        path = request.folder.with_name(f".{request.folder.name}.{os.getpid()}.listing")
        for stale in request.folder.parent.glob(f".{request.folder.name}.*.listing"):
            if not _alive(stale.suffixes[-2]):
                shutil.rmtree(stale, ignore_errors=True)
        path.mkdir()
    except OSError as error:
        msg = f"cannot write into {request.folder.parent}: {error.strerror}"
        raise UsageError(msg, fix="choose another --out, or make the folder writable") from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _alive(suffix: str) -> bool:
    return Path(f"/proc/{suffix.removeprefix('.')}").exists() and suffix != f".{os.getpid()}"


def _already_built(request: Request, identity: Json) -> bool:
    if not (request.folder / DESCRIPTION).exists():
        return False
    if read_description(request.folder)["identity"] == identity:
        return True
    if request.overwrite:
        return False
    msg = f"{request.folder} holds a dataset made from other images, labels or another recipe"
    raise LabelLoomError(msg, fix="give a new --name, or --overwrite to replace it")


def _claim(request: Request, identity: Json, scratch: Path) -> None:
    """Take over the partial folder and put the fresh listing into it."""
    if not claim(request.work, identity):
        if not request.overwrite:
            msg = f"{request.partial} is an unfinished build of other images, labels or another recipe"
            raise LabelLoomError(msg, fix="give a new --name, or --overwrite to start over")
        discard(request.partial)
        claim(request.work, identity)
    shutil.rmtree(request.work / "list", ignore_errors=True)
    (scratch / "list").mkdir(exist_ok=True)
    (scratch / "list").rename(request.work / "list")
    (request.work / "index").mkdir(exist_ok=True)
    for path in shard_paths(scratch, "index"):  # the same as those that lie there already, if any do
        path.replace(request.work / "index" / path.name)


@contextmanager
def _locked(work: Path) -> Iterator[None]:
    """Hold the build for this process; the system lets go of the lock even after kill -9."""
    with (work / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = f"{work.parent} is being built by another process"
            raise Held(msg, fix="wait for it, or stop it") from error
        yield


def _index_and_plan(
    request: Request, engine: sa.Engine, work: Path, listing: Listing, tools: tuple[Pool, Progress]
) -> Planned:
    pool, progress = tools
    if request.original:
        return plan_pinned(request.original, work)
    missing = [n for n in range(listing.shards) if not shard_path(work, "index", n).exists()]
    done = (listing.shards - len(missing)) * _per_shard(listing)
    pool.run(index_shard, [(str(work), n) for n in missing], progress, ("checking images", done, listing.items))
    try:
        return plan(request, engine, work, progress)
    except Cancelled:
        raise
    except LabelLoomError:
        if work == request.work:
            discard(request.partial)  # what was asked cannot be built, so its remains must not block another try
        raise


def _per_shard(listing: Listing) -> int:
    return listing.items // max(listing.shards, 1)


def _render(job: Job, planned: Planned, pool: Pool, progress: Progress) -> None:
    job.save()
    missing = [n for n in range(planned.shards) if not shard_path(job.work, "done", n).exists()]
    done = planned.sources - sum(planned.sizes[n] for n in missing)
    pool.run(render_shard, [(str(job.work), n) for n in missing], progress, ("augmenting", done, planned.sources))


def _warnings(request: Request, listing: Listing, planned: Planned) -> list[str]:
    dropped = [f"label {label!r}: {n} regions left out, as the recipe says" for label, n in listing.dropped.items()]
    return [*request.notes, *request.dataset.notes, *listing.unmatched, *dropped, *planned.notes, *planned.warnings]


def _dry_run(request: Request, engine: sa.Engine, work: Path, listing: Listing, tools: tuple[Pool, Progress]) -> Report:
    report = Report(request.folder, state="planned")
    job = Job(work, request.recipe, request.formats, listing.classes, request.places)
    planned = _index_and_plan(request, engine, work, listing, tools)
    report.sources, report.splits, report.skipped = planned.sources, planned.images, planned.skipped
    report.images, report.variants = planned.images.total(), planned.variants
    report.warnings = _warnings(request, listing, planned)
    report.estimate = estimate(job, planned, request.workers)
    return report


def _unchanged(request: Request) -> Report:
    shutil.rmtree(request.folder / ".work", ignore_errors=True)  # left by a kill between the last two steps
    description = read_description(request.folder)
    counts = description["counts"]
    report = Report(request.folder, state="unchanged", certificate=description["certificate"])
    report.sources, report.images, report.variants = counts["sources"], counts["images"], counts["variants"]
    report.splits.update(counts["splits"])
    report.labels.update(counts["regions"])
    return report


def _publish(request: Request) -> None:
    """Give the verified dataset its name; with --overwrite the old one goes only now."""
    if request.folder.exists():
        old = request.folder.with_name(f".{request.folder.name}.old-{os.getpid()}")
        request.folder.rename(old)
        request.partial.rename(request.folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        request.partial.rename(request.folder)
    shutil.rmtree(request.folder / ".work", ignore_errors=True)
