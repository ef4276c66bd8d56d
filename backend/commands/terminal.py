"""How a command talks: progress and logs on stderr, one result on stdout, exit codes, Ctrl-C.

Exit codes: 0 done; 1 not finished, not verified or nothing to do; 2 arguments, settings or recipe invalid, nothing
touched; 3 finished, but some items were skipped; 130 interrupted, resumable.
"""

import json
import logging
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from backend.commands.lines import ProgressLines
from backend.core.errors import Cancelled, LabelLoomError

if TYPE_CHECKING:
    from backend.settings import Settings

SHOWN = 10  # skipped items listed on the terminal; --json and the dataset list all

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # escapes; what turns text round

stdout = Console(soft_wrap=True)
stderr = Console(stderr=True, soft_wrap=True)


@dataclass(slots=True)
class Outcome:
    """A command's result. text: what a person reads; the other fields are the `--json` object."""

    text: list[str] = field(default_factory=list)
    out: str | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    exit_code: int = 0
    more: dict[str, Any] = field(default_factory=dict)


Work = Callable[["Settings", "TerminalProgress"], Outcome]


def run(command: str, work: Work, *, as_json: bool = False) -> None:
    """Run a command's work and end the process with its exit code."""
    from backend.settings import load_settings

    start = time.monotonic()
    log: Path | None = None
    try:
        settings = load_settings()
        log = _log_to_file(settings.logs_dir)
        with _progress() as progress:
            outcome = work(settings, progress)
    except LabelLoomError as error:
        outcome = _failed(command, error, error.exit_code, error.fix, log)
    except KeyboardInterrupt:
        outcome = _failed(command, Cancelled("interrupted"), Cancelled.exit_code, "run it again to resume", log)
    except Exception as error:  # the last line of defence: a message and a log, not a traceback
        logging.getLogger("labelloom").exception("%s failed", command)
        outcome = _failed(command, error, 1, "the log holds the details; please report it with them", log)
    _show(command, outcome, round(time.monotonic() - start, 2), as_json=as_json)
    raise SystemExit(outcome.exit_code)


def _failed(command: str, error: Exception, code: int, fix: str | None, log: Path | None) -> Outcome:
    message = str(error) if isinstance(error, LabelLoomError) else f"{type(error).__name__}: {error}"
    logging.getLogger("labelloom").error("%s: %s", command, message)
    stderr.print(plain(f"error: {message}"), style="bold red", markup=False, highlight=False)
    if fix:
        stderr.print(f"  fix: {fix}", markup=False, highlight=False)
    if log:
        stderr.print(f"  log: {log}", markup=False, highlight=False)
    return Outcome(exit_code=code, more={"error": message, "fix": fix, "log": str(log) if log else None})


def _show(command: str, outcome: Outcome, seconds: float, *, as_json: bool) -> None:
    if as_json:
        document = {
            "ok": outcome.exit_code in {0, 3},
            "command": command,
            "out": outcome.out,
            "counts": outcome.counts,
            "skipped": [{"item": item, "reason": reason} for item, reason in outcome.skipped],
            "warnings": outcome.warnings,
            "seconds": seconds,
            **outcome.more,
        }
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        return
    for warning in outcome.warnings:
        stderr.print(plain(f"warning: {warning}"), style="yellow", markup=False, highlight=False)
    for item, reason in outcome.skipped[:SHOWN]:
        stderr.print(plain(f"skipped: {item}: {reason}"), style="yellow", markup=False, highlight=False)
    if len(outcome.skipped) > SHOWN:
        stderr.print(f"... and {len(outcome.skipped) - SHOWN} more skipped", style="yellow")
    for line in outcome.text:
        stdout.print(plain(line), markup=False, highlight=False)


def plain(text: str) -> str:
    """Return a line without what a terminal would obey: names and titles come from strangers."""
    return _CONTROL.sub("?", text)


def _log_to_file(folder: Path) -> Path | None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # the data folder: links and tokens lie in it
        folder.mkdir(exist_ok=True)
        handler = RotatingFileHandler(folder / "labelloom.log", maxBytes=5_000_000, backupCount=3, encoding="utf-8")
    except OSError:
        return None  # a read-only home must not stop the work itself
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    for name in ("labelloom", "stamina"):  # stamina tells of every retry, which is for the log, not the terminal
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        logger.propagate = False
    return folder / "labelloom.log"


class TerminalProgress:
    """Progress bars with ETA on a terminal; elsewhere a line every few seconds. Ctrl-C becomes `Cancelled`."""

    def __init__(self, bars: Progress | None, lines: ProgressLines) -> None:
        self._bars = bars
        self._lines = lines
        self._tasks: dict[str, TaskID] = {}
        self._interrupted = False

    def interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        """Ask the work to stop at the next item; a second Ctrl-C stops at once."""
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True
        stderr.print("stopping after the work in hand (Ctrl-C again to stop at once) ...", style="yellow")

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        """Show the state of a phase.

        Raises:
            Cancelled: the user pressed Ctrl-C.
        """
        if self._interrupted:
            msg = f"stopped while {phase}: {done} of {total if total is not None else 'unknown'} done"
            raise Cancelled(msg, fix="run the same command again to resume")
        if self._bars:
            if phase not in self._tasks:
                self._finish_phases()
                self._tasks[phase] = self._bars.add_task(phase, total=total)
            self._bars.update(self._tasks[phase], completed=done, total=total)
        else:
            self._lines.update(phase, done, total)

    def _finish_phases(self) -> None:
        """Fill the bars of earlier phases: one that never knew its total would run for ever."""
        if self._bars:
            for task in self._bars.tasks:
                self._bars.update(task.id, completed=max(task.completed, 1), total=max(task.completed, 1))

    def tell(self, text: str) -> None:
        """Write a line beside the bars."""
        with self.paused():
            stderr.print(plain(text), markup=False, highlight=False)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hide the bars, or tell nothing, while something else writes to the terminal."""
        self._lines.quiet = True
        if self._bars:
            self._bars.stop()
        yield
        self._lines.quiet = False
        if self._bars:
            self._bars.start()


@contextmanager
def _progress() -> Iterator[TerminalProgress]:
    bars = None
    if stderr.is_terminal:
        bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=stderr,
        )
        bars.start()
    lines = ProgressLines(lambda text: stderr.print(text, markup=False, highlight=False))
    progress = TerminalProgress(bars, lines)
    before = signal.signal(signal.SIGINT, progress.interrupt)
    if not bars:
        lines.start()
    try:
        yield progress
    finally:
        signal.signal(signal.SIGINT, before)
        if bars:
            bars.stop()
        else:
            lines.stop()
