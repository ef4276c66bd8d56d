"""Brings one large file: piece by piece, going on where it broke off, and whole or not at all."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import httpx

from connectors.errors import FetchError
from connectors.http import PublicFetcher, Transient
from connectors.retries import retry_context

LIMIT = 512 * 1024 * 1024  # bytes of a file
Tell = Callable[[int, int | None], None]  # bytes here, bytes in all where that is known; may raise to stop

_ATTEMPTS = 4
_CHUNK = 1 << 18


def download(url: str, target: Path, fetcher: PublicFetcher, tell: Tell, *, sha256: str | None = None) -> str:
    """Bring a file and return its sha256. What came before a break lies in `target.part`, and is gone on from.

    Args:
        url: http(s).
        target: appears when all of it is there and right.
        fetcher: decides which hosts may be asked.
        tell: called as it grows.
        sha256: what it must be, where that is known.

    Raises:
        FetchError: refused, absent, too large, or not the file that is wanted.
        OSError: it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part, tag = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.etag")
    for attempt in retry_context(on=Transient, attempts=_ATTEMPTS, wait_initial=0.2, timeout=3600):
        with attempt:
            try:
                _more(url, (part, tag), fetcher, tell)
            except FetchError as error:
                if error.status != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise
                tag.unlink(missing_ok=True)  # begin anew: what is here is no beginning of what lies there
                raise Transient(str(error)) from error
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    tag.unlink(missing_ok=True)
    if sha256 and found != sha256.lower():
        part.unlink()
        msg = f"{url} gave a file of sha256 {found}, not {sha256.lower()}"
        raise FetchError(msg, fix="Another file lies there, or it was changed on the way: ask who published it.")
    part.replace(target)
    return found


def _more(url: str, kept: tuple[Path, Path], fetcher: PublicFetcher, tell: Tell) -> None:
    """Bring what is missing of a file; from the start, where the server cannot say that it is still the same."""
    part, tag = kept
    here = part.stat().st_size if part.exists() and tag.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if here:
        headers |= {"Range": f"bytes={here}-", "If-Range": tag.read_text(encoding="utf-8")}
    with fetcher.opened(url, headers=headers) as response:
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            here = 0
        _remember(tag, response.headers.get("etag", ""))
        size = response.headers.get("content-length", "")
        total = here + int(size) if size.isdigit() else None
        with part.open("ab" if here else "wb") as file:
            for chunk in response.iter_raw(_CHUNK):
                here += len(chunk)
                if max(here, total or 0) > LIMIT:
                    msg = f"{url} is larger than {LIMIT:,} bytes"
                    raise FetchError(msg, fix="Check the address.")
                file.write(chunk)
                tell(here, total)


def _remember(tag: Path, etag: str) -> None:
    """Keep what identifies the file; a weak one ("W/...") does not tell two versions apart byte by byte."""
    if etag and not etag.startswith("W/"):
        tag.write_text(etag, encoding="utf-8")
    else:
        tag.unlink(missing_ok=True)
