"""Commands that move and compare datasets: push, pull, diff."""

from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.terminal import Outcome, TerminalProgress, run
from backend.core.errors import UsageError

if TYPE_CHECKING:
    from backend.flows.dataset_diff import Difference
    from backend.settings import Settings

SHOWN = 10  # names of each kind on a terminal; --json lists more


def push(dataset: str, url: str | None, *, overwrite: bool, as_json: bool) -> None:
    """Run `labelloom datasets push`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.dataset_diff import locate
        from backend.flows.publish import push_dataset
        from backend.store.tables import open_database

        folder = locate(open_database(settings.database), dataset).resolve()
        moved = push_dataset(folder, _address(url, settings), progress, overwrite=overwrite)
        text = f"{moved.where}: {moved.files} files, {moved.size / 1e6:.1f} MB, {moved.moved} of them sent now"
        return Outcome([text], moved.where, {"files": moved.files, "bytes": moved.size, "sent": moved.moved})

    run("datasets push", work, as_json=as_json)


def pull(name: str, url: str | None, out: Path | None, *, overwrite: bool, as_json: bool) -> None:
    """Run `labelloom datasets pull`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.commands.verified import certificate_lines
        from backend.flows.publish import pull_dataset
        from backend.store.datasets import record_dataset
        from backend.store.tables import open_database

        address = _address(url, settings)
        moved = pull_dataset(name, address, out or settings.datasets_dir, progress, overwrite=overwrite)
        counts = {"files": moved.files, "bytes": moved.size, "fetched": moved.moved}
        if not moved.certificate:
            return Outcome([f"{moved.where}: it is here already"], moved.where, counts)
        engine = open_database(settings.database)
        images = int(moved.certificate["images"])
        record_dataset(engine, Path(moved.where), source=f"the dataset {name}, pulled"[:255], images=images)
        text = [f"{moved.where}: {moved.files} files, {moved.size / 1e6:.1f} MB, {moved.moved} of them fetched now"]
        more = {"certificate": moved.certificate}
        return Outcome([*text, *certificate_lines(moved.certificate)], moved.where, counts, more=more)

    run("datasets pull", work, as_json=as_json)


def _address(url: str | None, settings: "Settings") -> str:
    address = url or settings.datasets_storage
    if address is None:
        msg = "say where datasets lie"
        raise UsageError(msg, fix="give a folder or s3://bucket/prefix, or set LABELLOOM_DATASETS_STORAGE")
    return address


def diff(a: str, b: str, *, as_json: bool) -> None:
    """Run `labelloom datasets diff`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.dataset_diff import diff_datasets, locate
        from backend.store.tables import open_database

        engine = open_database(settings.database)
        found = diff_datasets(locate(engine, a), locate(engine, b), progress)
        counts = {"images": found.images, "same": found.same, **found.counts}
        more = {
            "equal": found.equal,
            "names": found.names,
            "splits": found.splits,
            "regions": found.regions,
            "recipe": found.recipe,
            "libraries": found.libraries,
            "classes": found.classes,
        }
        return Outcome(_lines(found), counts=counts, more=more)

    run("datasets diff", work, as_json=as_json)


def _lines(found: "Difference") -> list[str]:
    """Return the difference as people read it."""
    from backend.flows.dataset_diff import KINDS

    lines = [f"--- {found.a}", f"+++ {found.b}", f"images      {_change(found.images)}, {found.same} of them the same"]
    for kind in KINDS:
        names = found.names.get(kind, [])
        if names:
            lines.append(f"{kind:<11} {found.counts[kind]}")
            lines += [f"    {name}" for name in names[:SHOWN]]
            more = found.counts[kind] - SHOWN
            lines += [f"    ... and {more} more (--json)"] if more > 0 else []
    for title, table in (("splits", found.splits), ("labels", found.regions)):
        changed = [f"{key} {_change(pair)}" for key, pair in table.items() if pair[0] != pair[1]]
        lines += [f"{title:<11} {', '.join(changed)}"] if changed else []
    for title, part in (("class ids", found.classes), ("recipe", found.recipe), ("libraries", found.libraries)):
        lines += [title, *(f"  {line}" for line in part)] if part else []
    return [*lines, "nothing differs"] if found.equal else lines


def _change(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]} -> {pair[1]} ({pair[1] - pair[0]:+d})"
