"""`labelloom collect` at work: a collection, folders or tasks of it, and the report as something to read."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.collect_asked import Asked, check, describe, folder_name
from backend.commands.terminal import Outcome, TerminalProgress, run

if TYPE_CHECKING:
    from backend.flows.collect.collection import Collection
    from backend.flows.collect.report import CollectReport
    from backend.flows.collect.spec import CollectSpec
    from backend.settings import Settings

Json = dict[str, Any]
WHO = "the command line"


def collect(asked: Asked, *, as_json: bool) -> None:
    """Run `labelloom collect`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.collect.access import acknowledge
        from backend.flows.collect.again import ask_again
        from backend.flows.collect.collection import open_collection
        from backend.flows.collect.known import known_in
        from backend.flows.collect.publish import check_target
        from backend.flows.collect.report import Counting
        from backend.flows.collect.run import collect as flow

        check(asked)
        tell = progress.tell
        if asked.terms and not asked.dry_run:
            acknowledge(asked.terms, WHO, settings)
            if not (asked.keywords or asked.label or asked.labels or asked.lists):
                return Outcome([f"{asked.terms}: acknowledged"])
        spec = describe(asked, settings, tell)
        folder = asked.out or settings.collections_dir / folder_name(spec)
        if asked.dry_run:
            return _planned(spec, folder, settings)
        check_target(asked.project, asked.new, (asked.config, any(one.label for one in spec.labels)), settings)
        if asked.retry:
            ask_again(folder, tell)
        known = known_in(asked.project, (settings, progress), tell)
        counting = Counting(tell)
        report = flow(spec, folder, (settings, progress), known=known, tell=tell, counted=counting.hear)
        outcome = _collected(report)
        collection = open_collection(folder)
        if as_json:
            outcome.skipped = [_left_out(line) for line in collection.entries() if line["state"] == "rejected"]
        if report.counts["kept"]:
            _deliver(asked, collection, outcome, (settings, progress))
        return outcome

    run("collect", work, as_json=as_json)


def _planned(spec: "CollectSpec", folder: Path, settings: "Settings") -> Outcome:
    from backend.flows.collect.access import source_access
    from backend.flows.collect.search import check_sources

    notes = check_sources(spec, source_access(settings))
    text = [f"would write {folder}", f"sources     {', '.join(spec.sources)}"]
    for label in spec.labels:
        number = "all" if spec.count is None else f"{spec.count:,}"
        text.append(f"would keep  {number} of {label.label or 'no label'}: {', '.join(label.queries)}")
    return Outcome(text, str(folder), {"kept": 0}, warnings=notes, more={"state": "planned", "spec": spec.to_json()})


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
        tell=tools[1].tell,
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
    from connectors.fetching.reasons import passing, sentence

    counts = report.counts
    text = [f"collection  {report.folder}"]
    for label in report.labels:
        asked_for = "" if label["count"] is None else f" of {label['count']:,}"
        text.append(f"kept        {label['kept']:,}{asked_for}  {label['label'] or ', '.join(label['queries'])}")
    text.append(
        f"images      {counts['found']:,} found; this run fetched {counts['fetched']:,}, kept {counts['new']:,}"
    )
    text += [f"left out    {number:,} {code}: {sentence(code)}" for code, number in counts["rejected"].items()]
    if again := sum(number for code, number in counts["rejected"].items() if passing(code)):
        text.append(f"            {again:,} of them may be had another time: the same command with --retry")
    more = {"state": report.state, "labels": list(report.labels)}
    return Outcome(text, str(report.folder), dict(counts), [], list(report.warnings), report.exit_code, more)


def _left_out(line: Json) -> tuple[str, str]:
    return line["url"], f"{line['reason']['code']}: {line['reason']['detail']}"
