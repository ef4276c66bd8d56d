"""Fan-out: the shards of a build go through the queue, to whichever worker is free, on any machine that sees them."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from backend.core.errors import LabelLoomError
from backend.core.progress import Progress
from backend.flows.builder.index import index_shard
from backend.flows.builder.pool import Task
from backend.flows.builder.render import render_shard
from backend.flows.builder.shards import shard_path
from backend.jobs.queue import Queue

TASKS: dict[str, tuple[Task, str]] = {"index": (index_shard, "index"), "render": (render_shard, "done")}
TOGETHER = 2  # shards of one piece of queued work: 16 sources, a few seconds
POLL = 0.2
_NAMES = {function: name for name, (function, _) in TASKS.items()}
_NOTHING: Iterator[Any] = iter(())


class JobPool:
    """Runs shards as queued work of a job. `run` is this run of it: no other run's work has the same names."""

    def __init__(self, queue: Queue, job: str, run: int) -> None:
        self._queue, self._job, self._run = queue, job, run

    def call(self, function: Callable[..., Any], *arguments: Any, meanwhile: Iterator[Any] = _NOTHING) -> Any:
        """Return what `function(*arguments)` returns; a worker has its libraries loaded already."""
        return function(*arguments)

    def aside(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Return what calls `function(*arguments)`."""
        return lambda: function(*arguments)

    def run(
        self, task: Task, arguments: Sequence[tuple[str, int]], progress: Progress, phase: tuple[str, int, int]
    ) -> None:
        """Enqueue all shards and wait until each has its result on disk.

        Raises:
            Cancelled: from `progress`; what is still queued is taken back.
            LabelLoomError: a shard failed.
        """
        name, (label, done, total) = _NAMES[task], phase
        progress.update(label, done, total)
        if not arguments:
            return
        self._drop_earlier_runs()
        work, wanted = arguments[0][0], [number for _, number in arguments]
        prefix = f"{self._job}.{self._run}:{name}:"
        try:
            for attempt in range(3):
                missing = _missing(work, name, wanted)
                parts = [missing[k : k + TOGETHER] for k in range(0, len(missing), TOGETHER)]
                self._queue.put_shards([(f"{prefix}{attempt}:{p[0]}", (self._job, name, work, p)) for p in parts])
                while self._queue.unfinished(prefix):
                    left = len(_missing(work, name, wanted))
                    progress.update(label, total - round((total - done) * left / len(wanted)), total)
                    time.sleep(POLL)
                self._raise_failure(f"{prefix}{attempt}:")
                if not _missing(work, name, wanted):
                    progress.update(label, total, total)
                    return
        finally:
            self._queue.drop(self._queue.unfinished(prefix))
        msg = f"{len(_missing(work, name, wanted))} shards of {work} were left undone three times"
        raise LabelLoomError(msg, fix="look into the workers' logs, then resume the job")

    def _drop_earlier_runs(self) -> None:
        """Take back what a run that died left in the queue; this one asks for the same shards itself."""
        ours = f"{self._job}.{self._run}:"
        left = [part for part in self._queue.unfinished(f"{self._job}.") if ":" in part and not part.startswith(ours)]
        self._queue.drop(left)

    def _raise_failure(self, prefix: str) -> None:
        for output in self._queue.outputs(prefix):
            if isinstance(output, Exception):
                msg = f"a shard failed: {type(output).__name__}: {output}"
                raise LabelLoomError(msg)
            if output and output.get("error"):
                raise LabelLoomError(output["error"], fix=output.get("fix"))


def _missing(work: str, name: str, wanted: Sequence[int]) -> list[int]:
    result = TASKS[name][1]
    return [number for number in wanted if not shard_path(Path(work), result, number).exists()]


def do_shards(name: str, work: str, numbers: Sequence[int], stop: Callable[[], bool]) -> dict[str, Any]:
    """Do shards whose result is not there yet, until `stop`; return how many were done, or the error."""
    done = 0
    for number in _missing(work, name, numbers):
        if stop() or not Path(work).exists():
            break
        try:
            TASKS[name][0]((work, number))
        except LabelLoomError as error:
            return {"error": str(error), "fix": error.fix}
        done += 1
    return {"done": done}
