"""Collecting from the command line: what was typed becomes a description, and the report something to read."""

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.terminal import Outcome, TerminalProgress, run, stderr
from backend.core.errors import UsageError, shown

if TYPE_CHECKING:
    from backend.flows.collect.collection import Collection
    from backend.flows.collect.fingerprints import Fingerprint
    from backend.flows.collect.report import CollectReport
    from backend.flows.collect.spec import CollectSpec, LabelSpec
    from backend.settings import Settings
    from connectors.fetching.options import FetchOptions

Json = dict[str, Any]
WHO = "the command line"
COUNT = 100  # images by keyword where no -n is given: a source may have ten thousand
EVERY = 10.0  # seconds between lines that count


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed."""

    keywords: list[str]
    label: list[str]
    labels: Path | None
    lists: list[Path]
    count: int | None
    licenses: str | None
    near: Any
    min_side: int
    keep_gps: bool
    deadline: float
    per_host: int
    rate: float
    hosts: list[str]
    opt_out: Any
    project: int | None
    new: str | None
    config: str
    review: bool
    prelabel: bool
    out: Path | None
    to_folders: Path | None
    sources: list[str]
    terms: str | None
    dry_run: bool


def collect(asked: Asked, *, as_json: bool) -> None:
    """Run `labelloom collect`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.collect.access import acknowledge
        from backend.flows.collect.collection import open_collection
        from backend.flows.collect.run import collect as flow

        _check(asked)
        if asked.terms:
            acknowledge(asked.terms, WHO, settings)
        tell = _tell(progress)
        spec = describe(asked, settings, tell)
        folder = asked.out or settings.collections_dir / _name(spec)
        if asked.dry_run:
            return _planned(spec, folder, settings)
        known = _known(asked, settings, progress, tell)
        counting = _Counting(tell)
        report = flow(spec, folder, (settings, progress), known=known, tell=tell, counted=counting.hear)
        outcome = _collected(report)
        collection = open_collection(folder)
        if as_json:
            outcome.skipped = [_left_out(line) for line in collection.entries() if line["state"] == "rejected"]
        if report.counts["kept"]:
            _deliver(asked, collection, outcome, (settings, progress))
        return outcome

    run("collect", work, as_json=as_json)


def _check(asked: Asked) -> None:
    if asked.project is not None and asked.new is not None:
        msg = "give either --project or --new"
        raise UsageError(msg)
    if asked.prelabel and asked.project is None and asked.new is None:
        msg = "--prelabel needs --project or --new"
        raise UsageError(msg)
    if asked.opt_out not in {"refuse", "record"}:
        msg = f"--opt-out is refuse or record, got {shown(asked.opt_out)}"
        raise UsageError(msg)


def describe(asked: Asked, settings: "Settings", tell: Callable[[str], None]) -> "CollectSpec":
    """Return the description of what was typed.

    Raises:
        UsageError: there is nothing to look for, or it does not go together.
    """
    from backend.flows.collect.search import parse_licenses
    from backend.flows.collect.spec import CollectSpec

    labels = _labels(asked)
    sources = tuple(dict.fromkeys(asked.sources)) or _sources(asked, settings, tell)
    takes = _taken(sources)
    if asked.lists and takes != "list":
        msg = f"--list goes with --source urls, not with {', '.join(sources)}"
        raise UsageError(msg)
    return CollectSpec(
        labels,
        sources,
        count=COUNT if asked.count is None and takes == "keyword" else asked.count,
        licenses=parse_licenses(asked.licenses),
        near=asked.near,
        min_side=asked.min_side,
        keep_gps=asked.keep_gps,
        fetch=_fetch(asked),
    )


def _fetch(asked: Asked) -> "FetchOptions":
    from connectors.fetching.options import FetchOptions

    return FetchOptions(
        deadline=asked.deadline,
        per_host=asked.per_host,
        host_interval=1 / asked.rate if asked.rate else 0.0,
        opt_out=asked.opt_out,
        allow_hosts=frozenset(asked.hosts),
    )


def _labels(asked: Asked) -> tuple["LabelSpec", ...]:
    from backend.flows.collect.spec import LabelSpec, parse_label, parse_labels

    labels = [parse_label(text) for text in asked.label]
    if asked.labels:
        try:
            labels += parse_labels(asked.labels.read_text(encoding="utf-8-sig"), str(asked.labels))
        except (OSError, UnicodeDecodeError) as error:
            msg = f"cannot read {asked.labels}: {getattr(error, 'strerror', None) or error}"
            raise UsageError(msg, fix="give a YAML file of labels and their keywords, in UTF-8") from error
    plain = (*asked.keywords, *(str(path) for path in asked.lists))
    if plain:
        labels.append(LabelSpec(None, plain))
    return tuple(labels)


def _sources(asked: Asked, settings: "Settings", tell: Callable[[str], None]) -> tuple[str, ...]:
    """Return the sources for what was typed where none is named."""
    from backend.flows.collect.access import default_sources, source_access
    from connectors.sources.base import Access

    words = asked.keywords
    if asked.lists:
        return ("urls",)
    if words and all(word.startswith(("http://", "https://")) for word in words):
        return ("webpage",)
    if words and all(Path(word).is_dir() for word in words):
        return ("folder",)
    found = default_sources(source_access(settings))
    if asked.licenses:  # only sources that know licences can answer
        found = default_sources(Access(settings.data_dir))
    if found.note and not asked.licenses:
        tell(found.note)
    return found.names


def _taken(sources: Iterable[str]) -> str:
    """Return what the sources take.

    Raises:
        UsageError: one is unknown, or they take different things.
    """
    from connectors.sources import SOURCES

    if unknown := [name for name in sources if name not in SOURCES]:
        msg = f"there is no source {shown(unknown[0])}"
        raise UsageError(msg, fix=f"--source is one of {', '.join(SOURCES)}")
    takes = {str(SOURCES[name].takes) for name in sources}
    if len(takes) > 1:
        msg = f"{', '.join(sources)} take different things: {', '.join(sorted(takes))}"
        raise UsageError(msg, fix="run it once for each; the same --project gets both, and nothing twice")
    return takes.pop()


def _name(spec: "CollectSpec") -> str:
    from backend.core.names import safe_stem

    first = spec.labels[0]
    return f"{safe_stem((first.label or first.queries[0])[:40]).lstrip('.-') or 'images'}-{spec.key()}"


def _planned(spec: "CollectSpec", folder: Path, settings: "Settings") -> Outcome:
    from backend.flows.collect.access import source_access
    from backend.flows.collect.search import check_sources

    notes = check_sources(spec, source_access(settings))
    text = [f"would write {folder}", f"sources     {', '.join(spec.sources)}"]
    for label in spec.labels:
        number = "all" if spec.count is None else f"{spec.count:,}"
        text.append(f"would keep  {number} of {label.label or 'no label'}: {', '.join(label.queries)}")
    return Outcome(text, str(folder), {"kept": 0}, warnings=notes, more={"state": "planned", "spec": spec.to_json()})


def _known(
    asked: Asked, settings: "Settings", progress: TerminalProgress, tell: Callable[[str], None]
) -> "Iterable[Fingerprint]":
    """Yield what the project has already, once somebody needs to know."""
    from backend.flows.collect.known import known_of_project
    from backend.flows.label_studio_connection import connect

    if asked.project is None:
        return
    client = connect(settings)
    with closing(client.http):
        yield from known_of_project(client, asked.project, settings, progress, tell=tell)


def _deliver(
    asked: Asked, collection: "Collection", outcome: Outcome, tools: "tuple[Settings, TerminalProgress]"
) -> None:
    """Make folders and tasks, as asked for, and add what came of it."""
    from backend.flows.collect.folders import to_folders

    if asked.to_folders:
        made = to_folders(collection, asked.to_folders)
        outcome.text.append(f"folders     {asked.to_folders}: {', '.join(f'{n} {k}' for n, k in made.items())}")
    if asked.project is None and asked.new is None:
        return
    if asked.review:
        outcome.text.append(f"review      look at {collection.name} on the page Collections, then import it from there")
        return
    from backend.flows.collect.publish import import_collection

    report = import_collection(
        collection,
        asked.project,
        asked.new,
        tools,
        prelabel=asked.prelabel,
        config=asked.config,
        tell=_tell(tools[1]),
    )
    outcome.text += [
        f"project     {report.url}",
        f"tasks       {report.created} new, {report.present} already there",
    ]
    outcome.counts |= {"created": report.created, "present": report.present}
    outcome.skipped += [(one.item, one.reason) for one in report.skipped]
    outcome.warnings += report.notes
    outcome.more |= {"project": report.project_id, "url": report.url}
    outcome.exit_code = outcome.exit_code or (3 if report.skipped else 0)


def _collected(report: "CollectReport") -> Outcome:
    from connectors.fetching.reasons import sentence

    counts = report.counts
    text = [f"collection  {report.folder}"]
    for label in report.labels:
        asked_for = "" if label["count"] is None else f" of {label['count']:,}"
        text.append(f"kept        {label['kept']:,}{asked_for}  {label['label'] or ', '.join(label['queries'])}")
    text.append(
        f"images      {counts['found']:,} found; this run fetched {counts['fetched']:,}, kept {counts['new']:,}"
    )
    text += [f"left out    {number:,} {code}: {sentence(code)}" for code, number in counts["rejected"].items()]
    more = {"state": report.state, "labels": list(report.labels)}
    return Outcome(text, str(report.folder), dict(counts), [], list(report.warnings), report.exit_code, more)


def _left_out(line: Json) -> tuple[str, str]:
    return line["url"], f"{line['reason']['code']}: {line['reason']['detail']}"


def _tell(progress: TerminalProgress) -> Callable[[str], None]:
    def tell(text: str) -> None:
        with progress.paused():
            stderr.print(text, markup=False, highlight=False)

    return tell


class _Counting:
    """Says now and then how many were found, fetched and kept, and why others were not."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._last, self._said = tell, time.monotonic(), ""

    def hear(self, counts: Json) -> None:
        from backend.flows.collect.report import in_words

        if time.monotonic() - self._last < EVERY:
            return
        self._last = time.monotonic()
        if (text := in_words(counts)) != self._said:
            self._said = text
            self._tell(text)
