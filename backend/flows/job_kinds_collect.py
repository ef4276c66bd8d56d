"""The jobs that bring images in: collect them by keywords or lists, and make tasks of a collection."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from backend.core.errors import UsageError, shown
from backend.flows.collect.access import default_sources, source_access
from backend.flows.collect_params import CollectParams, ImportCollectionParams, Target, collection_name, wanted
from backend.flows.job_base import Json, Kind, Params, Tools
from backend.settings import Settings
from connectors.sources import SOURCES

if TYPE_CHECKING:
    from backend.flows.collect.collection import Collection
    from backend.flows.collect.spec import CollectSpec

EVERY = 10.0  # seconds between two log lines that count


def given_path(given: str, settings: Settings) -> Path:
    """Return a list or folder that a client names; nothing else is ever opened for one.

    They lie in a folder of their own: beside it in the data folder lie tokens and passwords, and what cannot be read as
    an address is shown to whoever asks.

    Raises:
        UsageError: it leads elsewhere, or there is nothing.
    """
    root = settings.lists_dir.resolve()
    try:
        path = (root / given).resolve()
        there = path.is_relative_to(root) and path != root and path.exists()
    except (OSError, ValueError):
        there = False
    if not there:
        msg = f"there is no {shown(given)} in the folder `lists` of the data folder"
        raise UsageError(msg, fix="put the list or the folder of images there first, and name it relative to that")
    return path


def collection_of(kind: str, params: Json) -> str | None:
    """Return the name of the collection that a job makes or reads, whether it is there yet or not."""
    if kind == "collect":
        with suppress(ValidationError):  # parameters of an older version
            return collection_name(CollectParams.model_validate(params))
    return str(params["collection"]) if kind == "import-collection" else None


def refused(params: Params, settings: Settings) -> tuple[str, UsageError] | None:
    """Return which parameter of a job would be refused as its first step, and why."""
    from backend.flows.collect.collection import find_collection
    from backend.flows.collect.search import check_sources

    field = "collection" if isinstance(params, ImportCollectionParams) else "labels"
    try:
        if isinstance(params, ImportCollectionParams):
            find_collection(settings, params.collection)
        elif isinstance(params, CollectParams):
            spec = spec_of(params, settings)
            field = "sources"
            check_sources(spec, source_access(settings))
    except UsageError as error:
        return field, error
    return None


def spec_of(params: CollectParams, settings: Settings) -> "CollectSpec":
    """Return what the engine shall do; hosts with private addresses are the settings' business, not a client's.

    Raises:
        UsageError: sources that take different things, one that cannot be used now, a path outside the folder of lists.
    """
    from backend.flows.collect.spec import COUNT, CollectSpec, LabelSpec
    from connectors.fetching.options import FetchOptions

    sources = tuple(dict.fromkeys(params.sources)) or default_sources(source_access(settings)).names
    takes = {SOURCES[name].takes for name in sources}
    if len(takes) > 1:
        msg = f"{', '.join(sources)} take different things: {', '.join(sorted(takes))}"
        raise UsageError(msg, fix="make a collection of each")
    labels = wanted(params)
    if takes <= {"list", "folder"}:
        labels = tuple(
            LabelSpec(one.label, tuple(str(given_path(query, settings)) for query in one.queries)) for one in labels
        )
    options = params.options
    fetch = FetchOptions(
        deadline=options.deadline,
        max_bytes=options.max_bytes,
        opt_out=options.opt_out,
        allow_hosts=frozenset(settings.allow_hosts),
    )
    return CollectSpec(
        labels,
        sources,
        count=COUNT if params.count is None and takes == {"keyword"} else params.count,
        licenses=frozenset(params.licenses),
        near=params.near,
        min_side=options.min_side,
        max_pixels=options.max_pixels,
        keep_gps=options.keep_gps,
        fetch=fetch,
    )


def _collect(params: CollectParams, tools: Tools) -> Json:
    from backend.flows.collect.again import ask_again
    from backend.flows.collect.collection import open_collection
    from backend.flows.collect.known import known_in
    from backend.flows.collect.publish import check_target
    from backend.flows.collect.report import Counting
    from backend.flows.collect.run import collect

    spec = spec_of(params, tools.settings)
    folder = tools.settings.collections_dir / collection_name(params)
    labelled = any(label.label for label in spec.labels)
    check_target(params.project, params.title, (params.config, labelled), tools.settings)
    if params.retry:
        ask_again(folder, tools.tell)
    counting = Counting(tools.tell)
    work = tools.settings, tools.progress
    known = known_in(params.project, work, tools.tell)
    report = collect(spec, folder, work, known=known, tell=tools.tell, counted=counting.hear)
    counting.say(report.counts)
    result = {"collection": folder.name, **report.to_json()}
    del result["folder"]  # the server's own business
    collection = open_collection(folder)
    if params.review or (params.project is None and params.title is None):
        return result
    imported = _imported(collection, params, tools)
    return result | imported | {"warnings": [*result["warnings"], *imported["warnings"]]}


def _import(params: ImportCollectionParams, tools: Tools) -> Json:
    from backend.flows.collect.collection import find_collection

    collection = find_collection(tools.settings, params.collection)
    return {"collection": collection.name} | _imported(collection, params, tools)


def _imported(collection: "Collection", params: Target, tools: Tools) -> Json:
    from backend.flows.collect.publish import import_collection

    report = import_collection(
        collection,
        params.project,
        params.title,
        (tools.settings, tools.progress),
        prelabel=params.prelabel,
        config=params.config,
        tell=tools.tell,
    )
    return {
        "project": report.project_id,
        "url": report.url,
        "imported": {"created": report.created, "present": report.present},
        "skipped": [{"item": one.item, "reason": one.reason} for one in report.skipped],
        "warnings": list(report.notes),
    }


COLLECT_KINDS: tuple[Kind[Any], ...] = (
    Kind("collect", CollectParams, _collect, lambda p: f"collection:{collection_name(p)}"),
    Kind("import-collection", ImportCollectionParams, _import, lambda p: f"collection:{p.collection}"),
)
