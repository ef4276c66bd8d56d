"""What Label Studio's webhooks delivered: each once, by its digest; nothing of the payload but what it is about.

The payload holds passwords and an invitation token of the project, so it is never stored.
"""

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from backend.store.tables import deliveries

CHECKPOINT = 20_000  # pages: a checkpoint syncs, which no annotator shall wait for; workers do it much earlier
LOCKED = 0.6  # seconds that a delivery waits for SQLite's lock; after one second nobody waits for the answer


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery. state: new, done, ignored; note: why it is ignored."""

    digest: str
    project: int
    action: str
    received: datetime
    state: str = "new"
    note: str | None = None


def store_deliveries(engine: sa.Engine, found: Sequence[Delivery]) -> None:
    """Store deliveries in one transaction; one that is there already is counted as a repeat of it."""
    insert = (postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert)(deliveries)
    again = insert.on_conflict_do_update(index_elements=["digest"], set_={"repeats": deliveries.c.repeats + 1})
    ordered = sorted(found, key=lambda one: one.digest)  # the same in all processes, so that PostgreSQL never deadlocks
    rows = [{**{name: getattr(one, name) for name in one.__slots__}, "repeats": 0} for one in ordered]
    with engine.begin() as connection:
        connection.execute(again, rows)


def waiting(engine: sa.Engine) -> dict[int, int]:
    """Return the projects with deliveries that nobody looked at yet, and the highest number among these."""
    query = sa.select(deliveries.c.project, sa.func.max(deliveries.c.id)).where(deliveries.c.state == "new")
    with engine.connect() as connection:
        return {project: last for project, last in connection.execute(query.group_by(deliveries.c.project))}


def looked_at(engine: sa.Engine, project: int, last: int) -> None:
    """Mark a project's deliveries up to a number as done."""
    chosen = (deliveries.c.project == project, deliveries.c.id <= last, deliveries.c.state == "new")
    with engine.begin() as connection:
        connection.execute(sa.update(deliveries).where(*chosen).values(state="done"))


def prune_deliveries(engine: sa.Engine, older_than: timedelta) -> None:
    """Forget deliveries of that long ago."""
    with engine.begin() as connection:
        connection.execute(sa.delete(deliveries).where(deliveries.c.received < datetime.now(UTC) - older_than))


class Writer:
    """Stores deliveries from many threads: those that come while a transaction runs share the next one.

    `put` returns after the commit. On SQLite in WAL mode with `synchronous=NORMAL`, a commit survives the death of the
    process; the last moments may be lost when the power fails, and reconciling finds what they told of.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[tuple[Delivery, Future[None]]] = queue.SimpleQueue()
        self._turn = threading.Lock()

    def put(self, delivery: Delivery, timeout: float) -> None:
        """Store a delivery and return when it is committed.

        Raises:
            TimeoutError: others kept the database busy for `timeout` seconds; it may be stored later.
            sqlalchemy.exc.SQLAlchemyError: the database refused.
        """
        stored: Future[None] = Future()
        self._queue.put((delivery, stored))
        if not self._turn.acquire(timeout=timeout):
            raise TimeoutError
        try:
            if not stored.done():  # else somebody's transaction took ours along
                self._store()
        finally:
            self._turn.release()
        stored.result(timeout=0)

    def _store(self) -> None:
        """Store all that waits, and tell each sender."""
        batch = []
        while not self._queue.empty():
            batch.append(self._queue.get())
        try:
            store_deliveries(self._engine, [delivery for delivery, _ in batch])
        except sa.exc.SQLAlchemyError as error:
            for _, stored in batch:
                stored.set_exception(error)
        else:
            for _, stored in batch:
                stored.set_result(None)


def quick_engine(engine: sa.Engine) -> sa.Engine:
    """Return an engine on the same database whose commits are quick.

    SQLite gets write-ahead logging (which stays with the file) and syncs at checkpoints only; others stay as they are.
    """
    if engine.dialect.name != "sqlite":
        return engine
    quick = sa.create_engine(engine.url, connect_args={"timeout": LOCKED})

    @sa.event.listens_for(quick, "connect")
    def _tune(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT}")
        cursor.close()

    return quick
