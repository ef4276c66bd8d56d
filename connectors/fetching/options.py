"""How careful, how patient and how polite fetching is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """What one run of fetching may do.

    deadline: seconds for one address, redirects and retries included, waiting for a turn not. min_rate: bytes a second
    that a body must reach after 3 s. max_bytes: of one body, declared or counted after decompression. connections: at
    once, all hosts together. per_host: at once to one host. host_interval: seconds between the starts of two requests
    to one host; 0 is none. retries: further attempts after a failure that may pass. opt_out: whether images whose
    owner reserves them are refused, or fetched with that recorded. robots: whether robots.txt is obeyed. allow_hosts:
    hosts that may have private addresses and other ports. ports: that all the others may have. contact: e-mail or
    address in the User-Agent. robots_dir: where robots.txt files are kept for a day; None keeps them for the run.
    refusals: 403 and 429 answers in a row after which a host is left alone.
    """

    deadline: float = 30.0
    min_rate: int = 2048
    max_bytes: int = 50 * MIB
    connections: int = 32
    per_host: int = 2
    host_interval: float = 1.0
    retries: int = 2
    opt_out: Literal["refuse", "record"] = "refuse"
    robots: bool = True
    allow_hosts: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset({80, 443})
    contact: str | None = None
    robots_dir: Path | None = None
    refusals: int = 8
