"""Which worker processes are alive: each writes a row now and then; one that stopped doing so is dead."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from backend.store.tables import workers


def beat(engine: sa.Engine, worker: str, place: str) -> None:
    """Tell that a worker is alive."""
    now = datetime.now(UTC)
    with engine.begin() as connection:
        if not connection.execute(sa.update(workers).where(workers.c.id == worker).values(seen=now)).rowcount:
            connection.execute(sa.insert(workers), {"id": worker, "place": place, "started": now, "seen": now})


def alive(engine: sa.Engine, within: timedelta) -> set[str]:
    """Return the ids of workers heard of within this time."""
    with engine.connect() as connection:
        query = sa.select(workers.c.id).where(workers.c.seen >= datetime.now(UTC) - within)
        return set(connection.execute(query).scalars())


def forget_workers(engine: sa.Engine, *, worker: str | None = None, silent: timedelta | None = None) -> None:
    """Remove one worker's row (it ended as it should), or those silent for this long."""
    chosen = workers.c.id == worker if silent is None else workers.c.seen < datetime.now(UTC) - silent
    with engine.begin() as connection:
        connection.execute(sa.delete(workers).where(chosen))
