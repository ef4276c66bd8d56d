"""Putting work into the queues and looking at it, from any process. Values are plain JSON, never pickles."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import stamina

from backend.core.errors import LabelLoomError
from backend.jobs.address import let_readers_pass, system_database

if TYPE_CHECKING:
    from dbos import DBOSClient

JOBS, SHARDS = "labelloom-jobs", "labelloom-shards"  # a job waits for its shards, so they must not share places
VERSION = "1"  # of the workflows' arguments; a worker takes up only work of its own version
UNFINISHED = ["ENQUEUED", "PENDING", "DELAYED"]


AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError)  # the database restarts, or SQLite is locked

patiently = stamina.retry(on=AWAY, attempts=None, timeout=120.0, wait_max=2.0)
"""Has a function called again while the database is away, for two minutes; for work that nobody waits for."""


class Busy(LabelLoomError):
    """Work with the same key is waiting or running; `holder` is its id."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"job {holder} does the same already", fix="wait for it, or cancel it first")
        self.holder = holder


class Queue:
    """The queues of one database."""

    def __init__(self, database: str) -> None:
        from dbos import DBOS, DBOSClient
        from dbos._serialization import DBOSPortableJSONSerializer

        address = system_database(database)
        DBOS.migrate(address)
        let_readers_pass(address)
        self._client: DBOSClient = DBOSClient(system_database_url=address, serializer=DBOSPortableJSONSerializer())

    def close(self) -> None:
        """Let go of the connections."""
        self._client.destroy()

    def put_job(self, run: str, job: str, *, key: str | None) -> None:
        """Enqueue a run of a job; putting the same run again changes nothing.

        Raises:
            Busy: another run with this key is waiting or running.
        """
        options = _options("job", JOBS, run)
        if key is not None:
            options["deduplication_id"] = key
        with _busy(self._client, key):
            patiently(self._client.enqueue)(options, job)

    @patiently
    def put_shards(self, parts: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """Enqueue parts of a job: (id, arguments) of each; what is enqueued already stays as it is."""
        for name, arguments in parts:
            self._client.enqueue(_options("shard", SHARDS, name), *arguments)

    @patiently
    def unfinished(self, prefix: str) -> list[str]:
        """Return the ids of waiting and running work that begin so."""
        found = self._client.list_workflows(workflow_id_prefix=prefix, status=UNFINISHED, load_input=False)
        return [status.workflow_id for status in found]

    @patiently
    def outputs(self, prefix: str) -> list[Any]:
        """Return what finished work returned, of ids that begin so; an exception for work that raised one."""
        found = self._client.list_workflows(workflow_id_prefix=prefix, load_input=False)
        return [status.error or status.output for status in found if status.status in {"SUCCESS", "ERROR"}]

    @patiently
    def drop(self, runs: Sequence[str]) -> None:
        """Take work out of the queues; what runs already is not interrupted by this."""
        for run in runs:
            self._client.cancel_workflow(run)

    def delete(self, prefix: str) -> None:
        """Forget finished work."""
        for status in self._client.list_workflows(workflow_id_prefix=prefix, load_input=False, load_output=False):
            self._client.delete_workflow(status.workflow_id)

    def revive(self, alive: set[str]) -> list[str]:
        """Put what dead workers were doing back into its queue; return its ids. alive: the others' executor ids."""
        pending = self._client.list_workflows(status="PENDING", load_input=False)
        lost = [s for s in pending if s.executor_id not in alive and s.queue_name in {JOBS, SHARDS}]
        for status in lost:
            self._client.resume_workflow(status.workflow_id, queue_name=status.queue_name)
        return [status.workflow_id for status in lost]


def _options(workflow: str, queue: str, name: str) -> Any:
    return {"workflow_name": workflow, "queue_name": queue, "workflow_id": name, "app_version": VERSION}


@contextmanager
def _busy(client: "DBOSClient", key: str | None) -> Iterator[None]:
    from dbos._error import DBOSQueueDeduplicatedError

    try:
        yield
    except DBOSQueueDeduplicatedError as error:
        waiting = client.list_workflows(status=UNFINISHED, queue_name=JOBS, load_input=False)
        holder = next((s.workflow_id for s in waiting if s.deduplication_id == key), "(just finished)")
        raise Busy(holder.partition(".")[0]) from error
