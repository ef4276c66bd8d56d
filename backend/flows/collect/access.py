"""What sources may use: keys, addresses and acknowledgements; and which sources are asked where none is named."""

import fcntl
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from pydantic import SecretStr

from backend.core.errors import UsageError, shown
from backend.settings import Settings
from connectors.sources import SOURCES
from connectors.sources.base import Access
from connectors.sources.naver_api import GET_A_KEY
from connectors.sources.naver_web import TERMS as NAVER_WEB_TERMS

if TYPE_CHECKING:
    from backend.flows.doctor import Check

TERMS: Mapping[str, str] = {"naver-web": NAVER_WEB_TERMS}  # what is acknowledged before a source is used
_KEYS = ("naver_client_id", "naver_client_secret", "openverse_client_id", "openverse_client_secret")
_KEYLESS = ("openverse", "wikimedia")


@dataclass(frozen=True, slots=True)
class Defaults:
    """The sources asked where none is named. note: what the user should know about that, None where nothing."""

    names: tuple[str, ...]
    note: str | None = None


def source_access(settings: Settings) -> Access:
    """Return what sources may use.

    Raises:
        UsageError: an address is set for a source that does not exist.
    """
    unknown = sorted(settings.source_urls.keys() - SOURCES.keys())
    if unknown:
        msg = f"setting source_urls: there is no source {shown(unknown[0])}"
        raise UsageError(msg, fix=f"the sources are {', '.join(SOURCES)}")
    values: dict[str, SecretStr | None] = {name: getattr(settings, name) for name in _KEYS}
    return Access(
        settings.data_dir / "sources",
        keys={name: value.get_secret_value() for name, value in values.items() if value is not None},
        urls=settings.source_urls,
        contact=settings.contact,
        allow_hosts=frozenset(settings.allow_hosts),
        accepted=accepted(settings),
        dialects={"naver": settings.naver_dialect},
    )


def default_sources(access: Access) -> Defaults:
    """Return Naver where its keys are set, else the sources that need none and how to get a Naver key."""
    if access.keys.get("naver_client_id") and access.keys.get("naver_client_secret"):
        return Defaults(("naver",))
    return Defaults(_KEYLESS, f"There is no Naver key, so {' and '.join(_KEYLESS)} are asked. {GET_A_KEY}")


def acknowledge(source: str, who: str, settings: Settings) -> None:
    """Record that somebody has read a source's terms and takes its use on themselves: who, when, which text.

    Raises:
        UsageError: the source has no terms to acknowledge.
    """
    if source not in TERMS:
        msg = f"source {shown(source)} needs no acknowledgement"
        raise UsageError(msg, fix=f"these do: {', '.join(TERMS)}")
    if source in accepted(settings):
        return
    line = {
        "source": source,
        "who": who,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "text": _version(source),
    }
    path = settings.data_dir / "sources" / "acknowledged.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def accepted(settings: Settings) -> frozenset[str]:
    """Return the sources whose present terms were acknowledged; an older text does not count."""
    try:
        lines = (settings.data_dir / "sources" / "acknowledged.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(source for line in lines if (source := _acknowledged(line)) is not None)


def _acknowledged(line: str) -> str | None:
    try:
        note = json.loads(line)
        source, text = str(note["source"]), note["text"]
    except (ValueError, KeyError, TypeError):
        return None  # a line cut off by a crash acknowledges nothing
    return source if source in TERMS and text == _version(source) else None


def _version(source: str) -> str:
    return sha256(TERMS[source].encode()).hexdigest()[:16]


def examine_sources(settings: Settings) -> "list[Check]":
    """Tell of every source whether it can be used now, without any request."""
    from backend.flows.doctor import Check  # it loads whatever it examines; collecting needs none of that

    access = source_access(settings)
    checks = []
    for name, source in SOURCES.items():
        ready = source.ready(access)
        checks.append(Check(name, ready.ok, f"{source.summary}: {ready.detail}", ready.fix))
    return checks
