"""Fetches the weights of the engine `vgg`, and keeps account of what came."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.core.errors import LabelLoomError, UsageError
from backend.core.progress import Progress
from backend.imaging.files import write_atomic
from backend.imaging.hashes import sha256
from backend.settings import Settings
from backend.style.vgg import FILES
from connectors.download import download
from connectors.errors import FetchError
from connectors.http import PublicFetcher

RELEASE = "https://github.com/naoto0804/pytorch-AdaIN/releases/download/v0.0.0/"
LEDGER = "fetched.json"  # by file: address, sha256, bytes, when, and whether the sha256 was given or only seen
_SHA256 = 64  # digits


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file. option: encoder or decoder; url: None is the usual one; sha256: None where the user knows none."""

    option: str
    url: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """One file that is there. seen: its sha256 is what came first, and nobody vouches for it; new: it came now."""

    path: Path
    url: str
    sha256: str
    seen: bool
    new: bool


def fetch_weights(wanted: list[Wanted], settings: Settings, progress: Progress, *, again: bool) -> list[Fetched]:
    """Fetch what is not there. again: also what is.

    No sha256 of the usual files was ever published by those who made them. Without one from the user the first that is
    seen is recorded, and a later fetch from the same address must bring the same.

    Raises:
        UsageError: a sha256 is none, or is not the one of the file that is there.
        LabelLoomError: a file cannot be fetched, or is another than it was.
        Cancelled: the user stopped it; the next call goes on.
    """
    for one in wanted:
        if one.sha256 and (len(one.sha256) != _SHA256 or set(one.sha256.lower()) - set("0123456789abcdef")):
            msg = f"{one.sha256[:80]!r} is no sha256"
            raise UsageError(msg, fix=f"give {_SHA256} hexadecimal digits, as `sha256sum` prints them")
    folder = settings.style_weights_dir
    fetcher = PublicFetcher(allow_hosts=settings.allow_hosts)
    return [_one(one, folder, (fetcher, progress), again=again) for one in wanted]


def _one(wanted: Wanted, folder: Path, means: tuple[PublicFetcher, Progress], *, again: bool) -> Fetched:
    fetcher, progress = means
    name = FILES[wanted.option]
    target, url = folder / name, wanted.url or RELEASE + name
    before = _ledger(folder).get(name, {})
    if target.is_file() and not again and (wanted.url or before.get("url")) == before.get("url"):
        found = sha256(target.read_bytes())  # not out of the ledger: the file may be the user's own
        if wanted.sha256 and found != wanted.sha256.lower():
            msg = f"{target} has the sha256 {found}, not {wanted.sha256.lower()}"
            raise UsageError(msg, fix="fetch it anew with --again, from an address that has the file you mean")
        return Fetched(target, before.get("url", ""), found, before.get("seen", True) and not wanted.sha256, new=False)
    known = wanted.sha256 or (before.get("sha256") if before.get("url") == url else None)
    try:
        found = download(url, target, fetcher, lambda done, total: progress.update(name, done, total), sha256=known)
    except FetchError as error:
        msg = f"{name} cannot be fetched: {error}"
        fix = f"{error.fix or 'Check the connection.'} Or bring the file yourself: put it at {target}."
        raise LabelLoomError(msg, fix=fix) from error
    seen = wanted.sha256 is None and before.get("seen", True)
    entry = {"url": url, "sha256": found, "bytes": target.stat().st_size, "seen": seen}
    entry["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    write_atomic(folder / LEDGER, json.dumps({**_ledger(folder), name: entry}, indent=2).encode())
    return Fetched(target, url, found, seen, new=True)


def _ledger(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / LEDGER).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
