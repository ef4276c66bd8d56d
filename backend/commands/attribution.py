"""The command that lists who made the images: attribution."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.terminal import Outcome, TerminalProgress, run
from backend.core.errors import UsageError, shown

if TYPE_CHECKING:
    from backend.flows.collect.attribution import Owed
    from backend.settings import Settings


def attribution(what: str | None, project: int | None, out: Path, *, as_json: bool) -> None:
    """Run `labelloom attribution`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.collect.attribution import write_credits

        if (what is None) == (project is None):
            msg = "say whose credits: a collection, a dataset, or --project ID"
            raise UsageError(msg, fix="labelloom attribution datasets/street -o credits.html")
        with _opened(what, project, settings) as (title, owed):
            tally = write_credits(_counted(owed, progress), out, title)
        counts = {
            "listed": tally.listed,
            "unknown": tally.unknown,
            "nc": tally.noncommercial,
            "nd": tally.no_derivatives,
            "uncredited": tally.uncredited,
        }
        return Outcome([f"credits     {out}: {tally.listed} images"], str(out), counts, [], tally.warnings())

    run("attribution", work, as_json=as_json)


def _counted(owed: "Iterator[Owed]", progress: TerminalProgress) -> "Iterator[Owed]":
    for number, one in enumerate(owed, start=1):
        yield one
        progress.update("listing credits", number)


@contextmanager
def _opened(what: str | None, project: int | None, settings: "Settings") -> "Iterator[tuple[str, Iterator[Owed]]]":
    """Yield the title and the images of what is meant."""
    from backend.flows.label_studio_connection import translated

    if project is None:
        yield _local(what or "", settings)
        return
    with translated():
        yield _of_project(project, settings)


def _of_project(number: int, settings: "Settings") -> "tuple[str, Iterator[Owed]]":
    from backend.flows.collect.attribution import owed_of_tasks
    from backend.flows.label_studio_connection import connect, find_project
    from backend.formats.label_config import parse_label_config

    client = connect(settings)
    found = find_project(client, number)
    return found.title, owed_of_tasks(client.tasks(number), parse_label_config(found.label_config))


def _local(what: str, settings: "Settings") -> "tuple[str, Iterator[Owed]]":
    """Return a collection or a dataset, by folder or by name.

    Raises:
        UsageError: it is neither.
    """
    from backend.flows.collect.attribution import owed_of_collection, owed_of_dataset
    from backend.flows.collect.collection import DOCUMENT, find_collection, open_collection
    from backend.flows.dataset_diff import locate
    from backend.store.tables import open_database

    folder = Path(what)
    if (folder / DOCUMENT).is_file():
        collection = open_collection(folder)
        return collection.name, owed_of_collection(collection)
    try:
        collection = find_collection(settings, what)
        return collection.name, owed_of_collection(collection)
    except UsageError:  # then it is a dataset
        pass
    try:
        dataset = locate(open_database(settings.database), what)
    except UsageError as error:
        msg = f"{shown(what, quoted=False)} is neither a collection nor a dataset"
        raise UsageError(msg, fix="give the folder of one, or a name that `labelloom datasets list` shows") from error
    return dataset.name, owed_of_dataset(dataset)
