"""The command line in a process of its own that need not import everything anew: forked from one that has."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path

_HEAVY = [
    "albumentations",
    "alembic.command",
    "backend.cli",
    "backend.flows.export",
    "backend.flows.jobs",
    "backend.flows.work",
    "backend.formats.verify",
    "dbos",
    "label_studio_sdk",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
]
_started = threading.Lock()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


class Running:
    """A command at work; the part of `subprocess.Popen` that tests use."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path | None) -> None:
        places = str(out), str(err) if err else None
        self._process = _context().Process(target=_run, args=(list(arguments), dict(environment), *places))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, and return the exit code."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("labelloom", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def start(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Running:
    """Start `labelloom` with these arguments and this environment; what it says goes into the log."""
    return Running(arguments, environment, log, None)


def labelloom(arguments: Sequence[str], environment: Mapping[str, str], seconds: float = 240) -> Ended:
    """Run `labelloom` with these arguments and this environment."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        running = Running(arguments, environment, out, err)
        try:
            code = running.wait(seconds)
        except subprocess.TimeoutExpired:
            running.kill()
            code = running.wait()
        return Ended(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    with _started:
        context.set_forkserver_preload(_HEAVY)
    return context


def _run(arguments: list[str], environment: dict[str, str], out: str, err: str | None) -> None:
    os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT) if err else 1, 2)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["labelloom", *arguments]
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # a descriptor, to the end
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    from backend.cli import main

    main()
