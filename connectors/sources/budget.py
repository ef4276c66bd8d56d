"""How many calls a key has made today, kept across runs: who asks too often is asked to stop before Naver has to."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

from connectors.sources.base import Access, Json, SourceFault

KST = timezone(timedelta(hours=9), "KST")
DAILY = 25_000  # calls of one key from 00:00 to 24:00 in Korea


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def midnight(moment: datetime) -> datetime:
    """Return the next 00:00 in Korea, when quotas begin anew."""
    day = moment.astimezone(KST).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=1)


class Budget:
    """The calls of one key, shared by all processes that use the same folder.

    Args:
        access: its folder holds the count; the key itself is not written there.
        key: the client id.
        clock: the time.
    """

    def __init__(self, access: Access, key: str, *, clock: Callable[[], datetime] = now) -> None:
        self._path = access.folder / f"naver-{sha256(key.encode()).hexdigest()[:16]}.json"
        self._clock = clock

    def take(self) -> None:
        """Count one call.

        Raises:
            SourceFault: today's calls are used up, by our count or by Naver's.
        """
        with self._note() as note:
            if note["spent"] or note["used"] >= DAILY:
                why = f"{note['used']:,} of {DAILY:,} calls were counted here"
                raise self.fault(why)
            note["used"] += 1

    def spend(self) -> None:
        """Note that Naver says the day's calls are used up, whoever made them."""
        with self._note() as note:
            note["spent"] = True

    def used(self) -> int:
        """Return how many calls were made today."""
        return int(self._read()["used"])

    def spent(self) -> bool:
        """Tell whether no more calls are allowed today."""
        note = self._read()
        return bool(note["spent"]) or note["used"] >= DAILY

    def fault(self, why: str) -> SourceFault:
        """Return the fault that stops until midnight in Korea."""
        at = midnight(self._clock())
        msg = f"naver: the day's calls of this key are used up ({why})"
        fix = f"Run the same command again after {at:%Y-%m-%d %H:%M} KST; it goes on where it stopped."
        return SourceFault("quota_exhausted", msg, fix=fix, resume_at=at)

    @contextmanager
    def _note(self) -> Iterator[Json]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(self._path.with_suffix(".lock")):
            note = self._read()
            yield note
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(json.dumps(note), encoding="utf-8")
            temporary.replace(self._path)

    def _read(self) -> Json:
        today = self._clock().astimezone(KST).date().isoformat()
        try:
            note = json.loads(self._path.read_text(encoding="utf-8"))
            if note["day"] == today:
                return {"day": today, "used": int(note["used"]), "spent": bool(note["spent"])}
        except (OSError, ValueError, KeyError, TypeError):
            pass  # no note yet, or one that is damaged: Naver's own count still holds
        return {"day": today, "used": 0, "spent": False}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
