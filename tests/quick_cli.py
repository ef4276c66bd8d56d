"""The command line in a process of its own that need not import everything anew: forked from one that has."""

import multiprocessing
import os
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
    "backend.formats.verify",
    "label_studio_sdk",
    "sqlalchemy.dialects.sqlite",
]
_started = threading.Lock()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def labelloom(arguments: Sequence[str], environment: Mapping[str, str], seconds: float = 240) -> Ended:
    """Run `labelloom` with these arguments and this environment."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = _context().Process(target=_run, args=(list(arguments), dict(environment), str(out), str(err)))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
        code = process.exitcode
        assert code is not None
        return Ended(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    with _started:
        context.set_forkserver_preload(_HEAVY)
    return context


def _run(arguments: list[str], environment: dict[str, str], out: str, err: str) -> None:
    for path, number in ((out, 1), (err, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["labelloom", *arguments]
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # a descriptor, to the end
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    from backend.cli import main

    main()
