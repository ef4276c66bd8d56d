"""Candidates of a label in order: its sources one after the other, its keywords in turns."""

import logging
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace

from backend.core.errors import UsageError, shown
from backend.flows.collect.spec import CollectSpec, LabelSpec
from connectors.errors import ConnectorError
from connectors.sources import SOURCES
from connectors.sources.base import Access, Candidate, Query, Source, SourceFault
from connectors.sources.licenses import SHORT

_USER = re.compile(r"^([a-z+]*:?//)[^/?#]*@", re.IGNORECASE)
_log = logging.getLogger("labelloom.collect")


@dataclass(slots=True)
class Search:
    """One label's search. faults: what went wrong at a source, in words; offered: candidates by source so far."""

    label: LabelSpec
    spec: CollectSpec
    access: Access
    wanted: int | None
    faults: list[str] = field(default_factory=list)
    offered: dict[str, int] = field(default_factory=dict)

    def candidates(self) -> Iterator[Candidate]:
        """Yield candidates in rank order, page by page as they are asked for; faults end a keyword, not the search."""
        for name in self.spec.sources:
            queries = [Query(text, self.wanted, self.spec.licenses) for text in self.label.queries]
            turns = [self._guarded(SOURCES[name], query) for query in queries]
            try:
                yield from self._in_turns(name, turns)
            finally:
                for turn in turns:
                    turn.close()

    def _in_turns(self, name: str, turns: list[Generator[Candidate, None, None]]) -> Iterator[Candidate]:
        while turns:
            for turn in tuple(turns):
                candidate = next(turn, None)
                if candidate is None:
                    turns.remove(turn)
                    continue
                self.offered[name] = self.offered.get(name, 0) + 1
                yield replace(candidate, url=_without_password(candidate.url))

    def _guarded(self, source: Source, query: Query) -> Generator[Candidate, None, None]:
        where = f"{source.name}, {shown(query.text)}"
        try:
            yield from source.search(query, self.access)
        except SourceFault as fault:
            again = f"; it answers again after {fault.resume_at:%Y-%m-%d %H:%M %Z}" if fault.resume_at else ""
            self._failed(f"{where}: {fault}{again}{f' ({fault.fix})' if fault.fix else ''}")
        except ConnectorError as error:
            self._failed(f"{where}: {error}{f' ({error.fix})' if error.fix else ''}")
        except Exception as error:  # noqa: BLE001 - a page of a new kind must not take what was found with it
            _log.exception("source %s failed", source.name)
            self._failed(f"{where}: it answered with something that cannot be read ({type(error).__name__}: {error})")

    def _failed(self, text: str) -> None:
        self.faults.append(text)


def _without_password(url: str) -> str:
    """Return an address that may stand in a manifest; with a user name in it, it is refused later on all the same."""
    return _USER.sub(r"\1***@", url, count=1)


def check_sources(spec: CollectSpec, access: Access) -> list[str]:
    """Return what is to be said beforehand; a count that no source reaches is said, not refused.

    Raises:
        UsageError: a source is unknown, or cannot be used now.
    """
    for name in spec.sources:
        if name not in SOURCES:
            msg = f"there is no source {shown(name)}"
            raise UsageError(msg, fix=f"--source is one of {', '.join(SOURCES)}")
        ready = SOURCES[name].ready(access)
        if not ready.ok:
            msg = f"source {name} cannot be used: {ready.detail}"
            raise UsageError(msg, fix=ready.fix)
        if spec.licenses and not SOURCES[name].licensed:
            msg = f"source {name} knows no licences: of {', '.join(sorted(spec.licenses))} it has nothing to offer"
            raise UsageError(msg, fix="ask other sources (openverse, wikimedia), or for any licence")
    return [note for label in spec.labels if (note := _beyond(spec, label))]


def _beyond(spec: CollectSpec, label: LabelSpec) -> str | None:
    reaches = [SOURCES[name].reach for name in spec.sources]
    if spec.count is None or None in reaches:
        return None
    most = sum(reach or 0 for reach in reaches) * len(label.queries)
    if spec.count <= most:
        return None
    name = f"{label.label}: " if label.label else ""
    return (
        f"{name}{spec.count:,} images are asked for, but {', '.join(spec.sources)} will serve at most {most:,} results "
        f"to {len(label.queries)} keyword(s): add keywords or sources for more"
    )


def parse_licenses(text: str | None) -> frozenset[str]:
    """Return the short names of `by,cc0`.

    Raises:
        UsageError: one is unknown.
    """
    names = frozenset(name.strip().lower() for name in (text or "").split(",") if name.strip())
    if unknown := sorted(names - set(SHORT)):
        msg = f"--license does not know {shown(unknown[0])}"
        raise UsageError(msg, fix=f"name some of {', '.join(SHORT)}, separated by commas")
    return names
