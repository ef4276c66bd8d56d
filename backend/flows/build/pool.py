"""Worker processes: one function over many shards, on one or several processes, with progress and clean ends."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from backend.core.errors import LabelLoomError
from backend.core.progress import Progress

Task = Callable[[Any], int]

PRELOAD = ["albumentations", "backend.flows.build.index", "backend.flows.build.render"]
AHEAD = 3  # shards handed out per worker beyond the running one: enough to keep it busy, few enough to stop soon


class Pool:
    """Runs `task(argument) -> number of items done` for many arguments."""

    def __init__(self, executor: ProcessPoolExecutor | None, workers: int) -> None:
        self._executor = executor
        self._workers = workers

    def run(self, task: Task, arguments: Sequence[Any], progress: Progress, phase: tuple[str, int, int]) -> None:
        """Run all arguments; report progress as (phase name, items already done, items in all).

        Raises:
            Cancelled: from `progress`; work in hand is finished, nothing new is started.
            LabelLoomError: a worker process died.
        """
        name, done, total = phase
        progress.update(name, done, total)
        for items in self._results(task, arguments):
            done += items
            progress.update(name, done, total)

    def _results(self, task: Task, arguments: Sequence[Any]) -> Iterator[int]:
        if self._executor is None:
            yield from map(task, arguments)
            return
        queue = iter(arguments)
        running: set[Future[int]] = set()
        try:
            while True:
                while len(running) < self._workers * (1 + AHEAD) and (argument := next(queue, None)) is not None:
                    running.add(self._executor.submit(task, argument))
                if not running:
                    return
                finished, running = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                yield sum(future.result() for future in finished)
        except BrokenProcessPool as error:
            msg = "a worker process died (killed, or out of memory)"
            raise LabelLoomError(
                msg, fix="run the same command again to resume, perhaps with fewer --workers"
            ) from error


@contextmanager
def open_pool(workers: int, initializer: Callable[..., None], arguments: tuple[Any, ...]) -> Iterator[Pool]:
    """Yield a pool; with one worker the work is done in this process."""
    if workers <= 1:
        initializer(*arguments)
        yield Pool(None, 1)
        return
    context = multiprocessing.get_context("forkserver")  # libraries load once, in a process without threads
    context.set_forkserver_preload(PRELOAD)
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(initializer, arguments))
    try:
        yield Pool(executor, workers)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _start(initializer: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_die_with_parent, daemon=True).start()
    initializer(*arguments)


def _die_with_parent() -> None:
    """End this worker when the main process is gone, even after kill -9; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
