"""What all benchmarks share: runs in turns, ratios of pairs, memory of a process tree, and how figures are told."""

import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, TemporaryFile

ROOT = Path(__file__).resolve().parents[1]
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


@dataclass(frozen=True, slots=True)
class Scale:
    """How much to measure. images: source photographs, None for all. pairs: runs of each side."""

    images: int | None = None
    pairs: int = 3


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure: the ratios of `what` to `baseline`, one per pair of runs, and what it must reach."""

    what: str
    baseline: str
    pairs: tuple[float, ...]
    target: str = ""

    def line(self) -> str:
        """Return a row of a markdown table."""
        spread = f"{min(self.pairs):.2f} / **{median(self.pairs):.2f}** / {max(self.pairs):.2f}"
        return f"| {self.what} | {self.baseline} | {spread} | {len(self.pairs)} | {self.target or '-'} |"


@dataclass(frozen=True, slots=True)
class Section:
    """What one benchmark found: its ratios, and text or tables (markdown) before and after them."""

    title: str
    before: str
    ratios: tuple[Ratio, ...]
    after: str = ""

    def markdown(self) -> str:
        """Return the section as it stands in docs/benchmarks.md."""
        head = "| | against | min / median / max | pairs | target |\n|---|---|---|---|---|\n"
        table = head + "\n".join(ratio.line() for ratio in self.ratios) if self.ratios else ""
        return "\n\n".join(part for part in (f"## {self.title}", self.before, table, self.after) if part)


def machine() -> str:
    """Return the machine in one line: processor, cores, memory, system, Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {cores} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def bench_python() -> Path:
    """Return the interpreter of the environment that has torch, torchvision and matplotlib beside our own libraries.

    Raises:
        RuntimeError: `make bench`, which makes it, was never run.
    """
    if not BENCH_PYTHON.exists():
        msg = "no .venv-bench with the libraries to compare with: run `make bench`"
        raise RuntimeError(msg)
    return BENCH_PYTHON


def labelloom() -> str:
    """Return the path of the command under test, in the environment that runs the benchmarks."""
    return str(Path(sys.executable).with_name("labelloom"))


def seconds(command: Sequence[str | Path], extra: Mapping[str, str], *, may_exit: tuple[int, ...] = (0,)) -> float:
    """Run a program to its end and return its wall time in seconds, start and exit included.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    with TemporaryFile("w+") as said:  # not a pipe, which helpers that outlive the program would keep open
        start = time.perf_counter()
        code = subprocess.call(command, env=environment_with(extra), stdout=said, stderr=said, cwd=ROOT)
        elapsed = time.perf_counter() - start
        if code:
            said.seek(0)
            msg = f"{Path(command[0]).name} exited with {code}: {said.read()[-2000:]}"
            raise RuntimeError(msg)
    return elapsed


def environment_with(extra: Mapping[str, str]) -> dict[str, str]:
    """Return our environment as an ordinary one: no call home when Albumentations is imported, bytecode kept."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**ours, "NO_ALBUMENTATIONS_UPDATE": "1", **extra}


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield an empty folder, in memory where the system has such a place: the machine's disk shall have no say."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30
    with TemporaryDirectory(dir=memory if roomy else None) as name:
        yield Path(name)


def in_turns(sides: Sequence[Callable[[], float]], rounds: int) -> list[tuple[float, ...]]:
    """Return the sides' seconds, round by round: A B A B, so that what disturbs the machine disturbs all alike."""
    return [tuple(side() for side in sides) for _ in range(rounds)]


def ratios(rounds: Sequence[tuple[float, ...]], over: int, under: int) -> tuple[float, ...]:
    """Return side `over`'s seconds divided by side `under`'s, one per round."""
    return tuple(times[over] / times[under] for times in rounds)


def peak_pss(command: Sequence[str | Path], extra: Mapping[str, str]) -> float:
    """Run a program and return the largest PSS of it and all its descendants together, in MiB.

    PSS shares each page among those that map it, so the sum is what the program really takes. Sampled every 50 ms.

    Raises:
        RuntimeError: it failed.
    """
    process = subprocess.Popen(
        command, env=environment_with(extra), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(process.stderr.read() if process.stderr else ""))
    reader.start()
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(map(_pss, tree(process.pid))))
        time.sleep(0.05)
    reader.join()
    if process.returncode:
        msg = f"{Path(command[0]).name} exited with {process.returncode}: {said[0][-2000:]}"
        raise RuntimeError(msg)
    return peak / 1024


def tree(root: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except OSError:
            continue  # gone since it was listed
        children.setdefault(parent, []).append(int(path.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _pss(pid: int) -> int:
    """Return a process's PSS in KiB, 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
