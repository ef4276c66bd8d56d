"""Worker processes: one function over many shards, on one or several processes, with progress and clean ends."""

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver
from typing import Any, Protocol

from backend.core.errors import LabelLoomError
from backend.core.progress import Progress

Task = Callable[[Any], int]

PRELOAD = ("albumentations", "lxml.etree", "shapely", "backend.flows.builder.index", "backend.flows.builder.render")
AHEAD = 3  # shards handed out per worker beyond the running one: enough to keep it busy, few enough to stop soon

_NOTHING: Iterator[Any] = iter(())


class Pool(Protocol):
    """What a build runs its shards on."""

    def call(self, function: Callable[..., Any], *arguments: Any, meanwhile: Iterator[Any] = _NOTHING) -> Any:
        """Return what `function(*arguments)` returns; go on with `meanwhile` while waiting, as far as it gets."""

    def aside(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Start `function(*arguments)` somewhere and return what waits for its result."""

    def run(
        self, task: Task, arguments: Sequence[tuple[str, int]], progress: Progress, phase: tuple[str, int, int]
    ) -> None:
        """Run `task((work folder, shard))` for all arguments; report (phase name, items already done, items in all)."""


class Processes:
    """Runs functions in worker processes, or, without an executor, in this one."""

    def __init__(self, executor: ProcessPoolExecutor | None, workers: int) -> None:
        self._executor = executor
        self._workers = workers

    def call(self, function: Callable[..., Any], *arguments: Any, meanwhile: Iterator[Any] = _NOTHING) -> Any:
        """Return what `function(*arguments)` returns in a worker, whose libraries this process then need not load.

        While the workers are still loading them, this process goes on with `meanwhile`, as far as it gets.

        Raises:
            LabelLoomError: the worker process died.
        """
        executor = self._executor
        if executor is None:
            return function(*arguments)
        with _explained(), ThreadPoolExecutor(1) as waiting:  # starting a process blocks as well
            result = waiting.submit(lambda: executor.submit(function, *arguments).result())
            for _ in meanwhile:
                if result.done():
                    break
            return result.result()

    def aside(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Start `function(*arguments)` in a worker and return what waits for its result; without one, it runs then."""
        if self._executor is None:
            return lambda: function(*arguments)
        future = self._executor.submit(function, *arguments)

        def wait_for_it() -> Any:
            with _explained():
                return future.result()

        return wait_for_it

    def run(self, task: Task, arguments: Sequence[Any], progress: Progress, phase: tuple[str, int, int]) -> None:
        """Run `task(argument) -> items done` for all arguments; report (phase name, items already done, items in all).

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
        with _explained():
            while True:
                while len(running) < self._workers * (1 + AHEAD) and (argument := next(queue, None)) is not None:
                    running.add(self._executor.submit(task, argument))
                if not running:
                    return
                finished, running = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                yield sum(future.result() for future in finished)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        msg = "a worker process died (killed, or out of memory)"
        raise LabelLoomError(msg, fix="run the same command again to resume, perhaps with fewer --workers") from error


def default_workers() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def warm_up(workers: int) -> None:
    """Start the process that workers are forked from, whose imports then run beside whatever this one does next.

    Call it as early as the number of workers is known; calling it again, or for one worker, does nothing.
    """
    if workers > 1:
        # A worker imports the main module anew, so what that has imported by now is loaded beforehand as well.
        ours = [name for name in sys.modules if name.partition(".")[0] == "backend"]
        forkserver.set_forkserver_preload([*ours, *PRELOAD])
        forkserver.ensure_running()


@contextmanager
def open_pool(workers: int) -> Iterator[Pool]:
    """Yield a pool; with one worker the work is done in this process."""
    if workers <= 1:
        yield Processes(None, 1)
        return
    warm_up(workers)
    context = multiprocessing.get_context("forkserver")  # libraries load once, in a process without threads
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_start)
    try:
        yield Processes(executor, workers)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    gc.freeze()  # what was loaded before stays: looking through it for garbage would only copy its shared pages
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """End this worker when the main process is gone, even after kill -9; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
