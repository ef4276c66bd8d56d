"""What every image source yields and how it fails, whatever it is called outside."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from connectors.errors import ConnectorError

Json = dict[str, Any]
Confidence = Literal["api", "page", "filter", "file", "unknown"]
FaultKind = Literal[
    "auth", "quota_exhausted", "rate_limited", "bad_request", "blocked", "layout_changed", "upstream", "network"
]


@dataclass(frozen=True, slots=True)
class License:
    """An image's licence as far as its source says; unknown is a value, and never "free".

    raw: the source's own words. spdx: SPDX id (CC-BY-SA-4.0, CC0-1.0), or LicenseRef-... for others. url: its text.
    confidence: who said so: the source's API, the page around the image, a search filter, a list of the user's.
    """

    raw: str | None = None
    spdx: str | None = None
    url: str | None = None
    confidence: Confidence = "unknown"


UNKNOWN = License()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One image that a source offers; nothing of it was fetched yet.

    url: of the image (http, https), or a local file's `file:` address. fallbacks: smaller copies, best first; what
    comes from one is marked as a thumbnail. page_url: the page that shows it. title: plain text. width, height:
    pixels, None where unknown. rank: place in the source's answer, from 1. query: the keyword, address or file that
    was asked for. label: where the source itself knows one. extra: the source's own fields worth keeping.
    """

    url: str
    source: str
    query: str
    rank: int
    fallbacks: tuple[str, ...] = ()
    page_url: str | None = None
    title: str = ""
    width: int | None = None
    height: int | None = None
    license: License = UNKNOWN
    creator: str | None = None
    creator_url: str | None = None
    attribution: str | None = None
    label: str | None = None
    extra: Json = field(default_factory=dict)


class SourceFault(ConnectorError):
    """A source did not answer as it should.

    Args:
        kind: what sort of failure, the same words for every source.
        message: what failed and why.
        fix: what to do about it.
        resume_at: when asking again makes sense, with its time zone.
    """

    def __init__(
        self, kind: FaultKind, message: str, *, fix: str | None = None, resume_at: datetime | None = None
    ) -> None:
        super().__init__(message, fix=fix)
        self.kind = kind
        self.resume_at = resume_at


@dataclass(frozen=True, slots=True)
class Access:
    """What a source may use.

    keys: secrets by setting name (`naver_client_id`), only those that are set. urls: other addresses of an API, by
    source (a mirror, a self-hosted Openverse, a stand-in). contact: e-mail or address that the User-Agent names.
    dialects: which form of an API its keys belong to, by source (naver: hub or legacy).
    allow_hosts: hosts that may have private addresses. accepted: sources whose terms the user has acknowledged.
    folder: where a source may keep small notes between runs (quota used, tokens). opt_out: whether a page whose owner
    reserves its images from machine use is refused, or read with that recorded.
    """

    folder: Path
    keys: Mapping[str, str] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    contact: str | None = None
    allow_hosts: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    opt_out: Literal["refuse", "record"] = "refuse"
    dialects: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for.

    text: the keyword, or the address, list or folder. wanted: how many are needed, for sources that page; None is
    all. licenses: short names (by, by-sa, cc0, pdm ...); empty is any.
    """

    text: str
    wanted: int | None = None
    licenses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ready:
    """Whether a source can be used now. detail: what was seen; fix: what to do where it cannot."""

    ok: bool
    detail: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One place images come from: a line in `SOURCES`.

    takes: what `Query.text` is. reach: most results it serves to one query, None where there is no limit. licensed:
    whether it knows licences, so that a filter works before anything is fetched. search: yields candidates in rank
    order, page by page as they are asked for, and raises `SourceFault`; closing the iterator frees what it holds.
    ready: looks at keys and programs, without any request.
    """

    name: str
    summary: str
    takes: Literal["keyword", "address", "list", "folder"]
    search: Callable[[Query, Access], Iterator[Candidate]]
    ready: Callable[[Access], Ready]
    reach: int | None = None
    licensed: bool = False
