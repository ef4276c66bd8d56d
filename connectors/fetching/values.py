"""What is asked for and what comes back."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
Robots = Literal["allowed", "refused", "none", "unreachable", "ignored"]


class BadContent(Exception):
    """The bytes came, but are not what was wanted; the check of a `Fetcher` raises it.

    Args:
        code: of `connectors.fetching.reasons`.
        detail: what exactly was seen.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class OptOut:
    """What an image's owner says about machine use, as it was seen.

    robots: what robots.txt says of the address; `none` where there is no robots.txt, `ignored` where it was not asked.
    x_robots_tag: the header as sent. meta: the page's `robots` meta element. tdm: the tdm-reservation header.
    """

    robots: Robots = "ignored"
    x_robots_tag: str | None = None
    meta: str | None = None
    tdm: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One image to bring.

    page_url: the page that shows it, sent as Referer where the host refuses us without one. fallbacks: smaller
    copies, best first, for when it cannot be had.
    """

    url: str
    page_url: str | None = None
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Got(Generic[T]):
    """One image that came and passed the check.

    value: what the check made of its bytes. url: the address that was asked for (a fallback's, where `thumbnail`).
    final_url: where it came from in the end. redirects: the addresses on the way, in order, without the first.
    fetched_at: UTC. headers: content-type, etag and last-modified, those that were sent.
    """

    value: T
    url: str
    final_url: str
    fetched_at: datetime
    redirects: tuple[str, ...] = ()
    thumbnail: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    opt_out: OptOut = OptOut()


@dataclass(frozen=True, slots=True)
class Lost:
    """One image that did not come. code: of `connectors.fetching.reasons`; detail: what exactly happened."""

    code: str
    detail: str
    opt_out: OptOut | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One page or file. headers: names in lower case. data: decompressed."""

    status: int
    headers: dict[str, str]
    data: bytes
    final_url: str
    opt_out: OptOut
