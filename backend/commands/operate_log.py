"""What a worker's log leaves out."""

import logging
import time
from collections.abc import Collection

EVERY = 60.0  # seconds


class Seldom(logging.Filter):
    """Lets the same warning of some loggers through once a minute; all other records pass."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self._names = names
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is written."""
        if record.name not in self._names or record.levelno != logging.WARNING:
            return True
        said, now = (record.name, record.getMessage()), time.monotonic()
        self._last = {key: at for key, at in self._last.items() if now - at < EVERY}
        return self._last.setdefault(said, now) == now
