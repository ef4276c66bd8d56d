"""Sources made up for tests: generators in the table of sources, pictures on a loopback host."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from backend.core.progress import Silent
from backend.flows.collect.report import CollectReport
from backend.flows.collect.run import collect
from backend.flows.collect.spec import CollectSpec, LabelSpec
from backend.settings import Settings
from connectors.fetching.options import FetchOptions
from connectors.sources import SOURCES
from connectors.sources.base import Access, Candidate, Query, Ready, Source

FAST = FetchOptions(deadline=5.0, host_interval=0.0, per_host=32, robots=False, retries=0,
                    allow_hosts=frozenset({"127.0.0.1"}))  # fmt: skip


class Made:
    """A source that offers what a function yields for a keyword; `asked` are the queries that came."""

    def __init__(self, offers: Callable[[str], Iterable[Candidate]], **fields: Any) -> None:
        self.asked: list[Query] = []
        self.offered = 0
        self._offers = offers
        given = {"name": "made", "summary": "", "takes": "keyword", "ready": lambda access: Ready(True, "")} | fields
        self.source = Source(search=self._search, **given)

    def _search(self, query: Query, _access: Access) -> Iterator[Candidate]:
        self.asked.append(query)
        for candidate in self._offers(query.text):
            self.offered += 1
            yield candidate


def put(monkeypatch: Any, *made: Made) -> None:
    """Put sources into the table for one test."""
    for one in made:
        monkeypatch.setitem(SOURCES, one.source.name, one.source)


def offers(urls: Iterable[str], query: str = "고양이 사진", source: str = "made", **fields: Any) -> list[Candidate]:
    """Return candidates in rank order."""
    return [Candidate(url, source, query, rank, **fields) for rank, url in enumerate(urls, 1)]


def spec(count: int | None = None, *labels: LabelSpec, **fields: Any) -> CollectSpec:
    """Return a description: one label, one source, and nothing slow."""
    given = {"sources": ("made",), "fetch": FAST} | fields
    return CollectSpec(labels or (LabelSpec("고양이", ("고양이 사진",)),), count=count, **given)


def settings(tmp_path: Path) -> Settings:
    """Return settings whose folders are the test's own."""
    return Settings(data_dir=tmp_path / "자료 폴더", cache_dir=tmp_path / "cache")


def run(what: CollectSpec, folder: Path, tmp_path: Path, **options: Any) -> CollectReport:
    """Collect with nobody watching."""
    return collect(what, folder, (settings(tmp_path), options.pop("progress", Silent())), **options)


def images(folder: Path) -> list[str]:
    """Return the names of a collection's image files."""
    return sorted(path.name for path in (folder / "images").rglob("*") if path.is_file())


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return a collection's manifest."""
    return [json.loads(text) for text in (folder / "manifest.jsonl").read_text().splitlines()]
