"""Waiting: what a host asks for in Retry-After, how long we wait ourselves, and the time an address may take."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.fetching.failure import Failure

LONGEST = 60.0  # seconds a host may ask us to wait; beyond that it is left alone
_FIRST = 0.5  # seconds before the second attempt, doubled for each further one


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, as a number or as a date; None where it says nothing."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())


async def back_off(attempt: int) -> None:
    """Wait before another attempt; attempt counts from 0. Not all at once: the time is drawn from a range."""
    await asyncio.sleep(_FIRST * 2**attempt * random.uniform(0.8, 1.2))


class Allowance:
    """The seconds an address may take, redirects and attempts together; waiting for a turn is not counted."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self._whole = seconds

    @asynccontextmanager
    async def spend(self) -> AsyncIterator[None]:
        """Count the time within.

        Raises:
            Failure: `timeout`.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self.left):
                yield
        except TimeoutError as error:
            raise Failure(code="timeout", detail=f"not complete after {self._whole:g} s") from error
        finally:
            self.left -= loop.time() - started
