"""Collect: search, fetch, check, compare and write; stopped at any moment, it goes on from there.

Images are fetched side by side but decided in rank order, so that the first n good ones are kept whatever arrives
first, and the same search gives the same collection.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.core.progress import Progress
from backend.flows.collect.access import source_access
from backend.flows.collect.again import forget_missing
from backend.flows.collect.bring import Bringer
from backend.flows.collect.check import Rules
from backend.flows.collect.collection import DOCUMENT, Collection
from backend.flows.collect.feed import Feed
from backend.flows.collect.fingerprints import Fingerprint
from backend.flows.collect.folder import Store, begun, save, writing
from backend.flows.collect.journal import MANIFEST, Journal
from backend.flows.collect.judge import Judge, Result
from backend.flows.collect.report import CollectReport
from backend.flows.collect.search import Search, check_sources
from backend.flows.collect.spec import CollectSpec, LabelSpec
from backend.settings import Settings
from connectors.fetching.options import FetchOptions
from connectors.fetching.values import Got, Lost
from connectors.sources import SOURCES
from connectors.sources.base import Access, Candidate
from connectors.sources.licenses import allowed

Json = dict[str, Any]
AHEAD = 2000  # candidates being fetched or waiting to be decided, where no count is set
_AT_LEAST = 4
_BEAT = 0.2  # seconds between looks at whether the user wants to stop


def _nobody(_: Any) -> None:
    """Take what nobody reads."""


def collect(
    spec: CollectSpec,
    folder: Path,
    tools: tuple[Settings, Progress],
    *,
    known: Iterable[Fingerprint] = (),
    tell: Callable[[str], None] = _nobody,
    counted: Callable[[Json], None] = _nobody,
) -> CollectReport:
    """Collect images into a folder; a collection that is there already is gone on with, or left alone if finished.

    known: pictures of the project, which are not wanted again. tell: takes lines for people. counted: takes
    `{"found", "fetched", "kept", "rejected": {code: number}}` some times a second.

    Raises:
        UsageError: a source cannot be used, or the folder holds something else.
        Held: another process collects into the same folder.
        LabelLoomError: the disk is full or the like; what is kept so far stays, and the next run goes on.
        Cancelled: the user stopped it; the next run goes on.
    """
    settings, progress = tools
    hosts = spec.fetch.allow_hosts | frozenset(settings.allow_hosts)
    access = replace(source_access(settings), opt_out=spec.fetch.opt_out, allow_hosts=hosts)
    options = replace(spec.fetch, contact=access.contact, robots_dir=settings.cache_dir / "robots", allow_hosts=hosts)
    if not (folder / DOCUMENT).exists():
        check_sources(spec, access)  # before anything is written
    with writing(folder):
        if missing := forget_missing(folder):
            tell(f"{missing:,} images are gone from {folder}: they are fetched again")
        run = _Run(spec, folder, access, begun(folder, spec), Judge(spec, folder))
        run.watchers = (progress, tell, counted)
        return run.whole(options, known)


@dataclass(slots=True)
class _Run:
    spec: CollectSpec
    folder: Path
    access: Access
    document: Json
    judge: Judge
    watchers: tuple[Progress, Callable[[str], None], Callable[[Json], None]] = field(init=False)
    found: int = 0
    fetched: int = 0
    new: int = 0

    def whole(self, options: FetchOptions, known: Iterable[Fingerprint]) -> CollectReport:
        self.document |= {"spec": self.spec.to_json(), "state": "collecting"}
        before = Collection(self.folder, self.document)
        self.judge.remember(before)
        self.found = self.judge.rejected.total() + len(self.judge.shas)
        todo = [label for label in self.spec.labels if not self._finished(label)]
        beforehand = check_sources(self.spec, self.access) if todo else []
        for note in beforehand:
            self.watchers[1](note)
        if todo:
            self.judge.know(known)
            self._work(todo, options)
        short = any(label["state"] != "full" for label in self.document["labels"] if label["count"] is not None)
        short = short or any(label["state"] == "stopped" for label in self.document["labels"])
        self.document |= {"state": "short" if short else "finished", "counts": self._counts()}
        if todo:
            save(self.folder, self.document)
        labels = tuple(self.document["labels"])
        notes = [note for label in labels for note in label["notes"]]
        return CollectReport(self.folder, self.document["state"], labels, self._counts(), (*beforehand, *notes))

    def _work(self, todo: list[LabelSpec], options: FetchOptions) -> None:
        store = Store(self.folder, Rules.of(self.spec))
        store.open(frozenset(self.judge.shas))
        save(self.folder, self.document)
        try:
            with Journal(self.folder / MANIFEST) as journal:
                asyncio.run(self._labels(todo, options, (store, journal)))
        except BaseException:
            self.document |= {"state": "stopped", "counts": self._counts()}
            save(self.folder, self.document)
            raise
        finally:
            store.close()

    def _counts(self) -> Json:
        return {
            "found": self.found,
            "fetched": self.fetched,
            "kept": self.judge.kept.total(),
            "new": self.new,
            "rejected": dict(self.judge.rejected.most_common()),
        }

    @property
    def _local(self) -> bool:
        return all(SOURCES[name].takes in {"list", "folder"} for name in self.spec.sources)

    def _finished(self, label: LabelSpec) -> bool:
        """Return whether nothing is left to do: enough is kept (what was rejected by hand is not), or all was seen."""
        kept = self.judge.kept[label.label]
        before = next((entry for entry in self.document["labels"] if entry["label"] == label.label), None)
        if before is None or before["queries"] != list(label.queries):
            return False
        if before["state"] == "exhausted":
            return not self._local  # a list or a folder may have grown, and looking costs nothing
        return before["state"] == "full" and self.spec.count is not None and kept >= self.spec.count

    async def _labels(self, todo: list[LabelSpec], options: FetchOptions, tools: tuple[Store, Journal]) -> None:
        async with Bringer(options, tools[0].stage) as bringer:
            for label in todo:
                entry = await _Label(self, label, bringer, tools).fill()
                others = [old for old in self.document["labels"] if old["label"] != label.label]
                self.document |= {"labels": [*others, entry], "counts": self._counts()}
                save(self.folder, self.document)

    def beat(self, label: LabelSpec) -> None:
        """Tell where we are.

        Raises:
            Cancelled: the user wants to stop.
        """
        self.watchers[2](self._counts())
        name = label.label or label.queries[0]
        self.watchers[0].update(f"collecting {name[:40]}", self.judge.kept[label.label], self.spec.count)


@dataclass(slots=True)
class _Label:
    """One label being filled. pending: candidates in rank order with what became of them, or will."""

    run: _Run
    label: LabelSpec
    bringer: Bringer
    tools: tuple[Store, Journal]
    pending: "deque[tuple[Candidate, Lost | asyncio.Task[Result]]]" = field(default_factory=deque)
    under_way: dict[str, int] = field(default_factory=dict)  # addresses in `pending`

    async def fill(self) -> Json:
        run = self.run
        search = Search(self.label, run.spec, run.access, self._missing())
        feed = Feed(search.candidates())
        try:
            while self._missing() != 0:
                self._take_in(feed)
                if not self._decide() and feed.over and not self.pending:
                    break
                feed.allow(self._room() - len(self.pending) - feed.waiting)
                run.beat(self.label)
                await self._pause(feed)
        finally:
            await feed.close()
            await self._call_off()
        run.beat(self.label)
        return self._entry(search)

    def _missing(self) -> int | None:
        count = self.run.spec.count
        return None if count is None else max(0, count - self.run.judge.kept[self.label.label])

    def _room(self) -> int:
        missing = self._missing()
        return AHEAD if missing is None else min(AHEAD, max(missing, _AT_LEAST))

    def _take_in(self, feed: Feed) -> None:
        while candidate := feed.take():
            known = self.run.judge.before(candidate, self.label.label)
            if known is True:
                continue
            lost = known or self._unwanted(candidate)
            self.under_way[candidate.url] = self.under_way.get(candidate.url, 0) + 1
            self.pending.append((candidate, lost or asyncio.ensure_future(self.bringer.fetch(candidate))))

    def _unwanted(self, candidate: Candidate) -> Lost | None:
        wanted = self.run.spec.licenses
        if not allowed(candidate.license, wanted):
            return Lost("licence", f"its licence is {candidate.license.raw or candidate.license.spdx or 'unknown'}")
        if candidate.url in self.under_way:
            return Lost("duplicate", "the same address came before")
        return None

    def _decide(self) -> bool:
        """Decide, in order, all that is ready; return whether anything was."""
        some = False
        while self.pending and self._missing() != 0:
            candidate, waiting = self.pending[0]
            if isinstance(waiting, asyncio.Task) and not waiting.done():
                break
            outcome = waiting if isinstance(waiting, Lost) else waiting.result()
            self.run.found += 1
            self.run.fetched += isinstance(outcome, Got)
            self.run.new += self.run.judge.decide(candidate, self.label.label, outcome, self.tools)
            self.pending.popleft()
            self.under_way[candidate.url] -= 1
            if not self.under_way[candidate.url]:
                del self.under_way[candidate.url]
            some = True
        return some

    async def _pause(self, feed: Feed) -> None:
        """Wait until the next candidate to decide is there, or more were offered, or it is time for a beat."""
        head = self.pending[0][1] if self.pending else None
        if isinstance(head, Lost) or (feed.over and head is None):
            return
        feed.changed.clear()
        more = asyncio.ensure_future(feed.changed.wait())
        waiting = {more, head} if head else {more}
        await asyncio.wait(waiting, timeout=_BEAT, return_when=asyncio.FIRST_COMPLETED)
        more.cancel()

    async def _call_off(self) -> None:
        """Stop what is still being fetched: nothing is written about it, and the next run asks again."""
        tasks = [task for _, task in self.pending if isinstance(task, asyncio.Task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.pending.clear()

    def _entry(self, search: Search) -> Json:
        """Return what the collection's document says of this label."""
        kept, count = self.run.judge.kept[self.label.label], self.run.spec.count
        full = count is not None and kept >= count
        notes = list(search.faults)
        if count is not None and not full:
            offered = ", ".join(f"{name} {number:,}" for name, number in search.offered.items()) or "nothing"
            why = "a source failed" if search.faults else "there are no more results"
            name = self.label.label or self.label.queries[0]
            notes.append(f"{name[:60]}: {kept:,} of {count:,} kept, {why} (offered: {offered})")
        return {
            "label": self.label.label,
            "queries": list(self.label.queries),
            "count": count,
            "kept": kept,
            "state": "full" if full else "stopped" if search.faults else "exhausted",
            "notes": notes,
        }
