"""What was typed after `labelloom collect`, and the description of a collection that it means."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from backend.core.errors import UsageError, shown

if TYPE_CHECKING:
    from backend.flows.collect.spec import CollectSpec, LabelSpec
    from backend.settings import Settings
    from connectors.fetching.options import FetchOptions


_PLACE = re.compile(r"[.~]{0,2}/|[a-z][a-z+]*:/|.*/$", re.IGNORECASE)


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
    retry: bool


def check(asked: Asked) -> None:
    """Refuse what does not go together.

    Raises:
        UsageError: it does not.
    """
    from backend.flows.collect.spec import Config

    if asked.project is not None and asked.new is not None:
        msg = "give either --project or --new"
        raise UsageError(msg)
    if asked.prelabel and asked.project is None and asked.new is None:
        msg = "--prelabel needs --project or --new"
        raise UsageError(msg)
    if asked.config not in get_args(Config):
        msg = f"--config is {', '.join(get_args(Config))}, got {shown(asked.config)}"
        raise UsageError(msg, fix="leave it out for boxes")
    if asked.lists and asked.keywords:
        msg = f"keyword {shown(asked.keywords[0])} and --list do not go together"
        raise UsageError(msg, fix="make a collection of each")
    if absent := next((path for path in asked.lists if not path.is_file()), None):
        msg = f"there is no list {absent}"
        raise UsageError(msg, fix="give a file of addresses: text, CSV, TSV or JSONL")
    if asked.opt_out not in {"refuse", "record"}:
        msg = f"--opt-out is refuse or record, got {shown(asked.opt_out)}"
        raise UsageError(msg)


def describe(asked: Asked, settings: "Settings", tell: Callable[[str], None]) -> "CollectSpec":
    """Return the description of what was typed.

    Raises:
        UsageError: there is nothing to look for, or it does not go together.
    """
    from backend.flows.collect.search import parse_licenses
    from backend.flows.collect.spec import COUNT, CollectSpec

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
    _check_words(words)
    found = default_sources(source_access(settings))
    if asked.licenses:  # only sources that know licences can answer
        found = default_sources(Access(settings.data_dir))
    if found.note and not asked.licenses:
        tell(found.note)
    return found.names


def _check_words(words: Iterable[str]) -> None:
    """Refuse what was hardly meant as a keyword: a search service would be told of it.

    Raises:
        UsageError: it looks like a path or an address.
    """
    for word in words:
        if _PLACE.match(word) or Path(word).exists():
            msg = f"{shown(word)} looks like a file, a folder or an address, but is no folder that is there and no page"
            raise UsageError(msg, fix="correct it; give pages, folders and keywords apart; or name a --source")


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


def folder_name(spec: "CollectSpec") -> str:
    """Return a collection's name, the same for the same labels, sources and demands."""
    from backend.core.names import safe_stem

    first = spec.labels[0]
    return f"{safe_stem((first.label or first.queries[0])[:40]).lstrip('.-') or 'images'}-{spec.key()}"
