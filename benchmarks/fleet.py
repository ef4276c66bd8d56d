"""Worker processes that can be killed, and a dataset for them to work on."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backend.flows.jobs import Jobs
from backend.settings import Settings
from backend.store.jobs import FINISHED, JobRow

RECIPE: dict[str, Any] = {
    "name": "r",
    "variants": 3,
    "split": {"train": 0.8, "val": 0.2, "test": 0, "near_duplicates": "off"},
    "steps": [{"HorizontalFlip": {"p": 0.5}}, {"Affine": {"rotate": [-10, 10], "p": 0.9}}, "RandomBrightnessContrast"],
    "output": {"formats": ["yolo", "voc", "coco"]},
}


def make_yolo(folder: Path, count: int, size: tuple[int, int] = (320, 240)) -> Path:
    """Write `count` noisy pictures with one bright box each as a YOLO dataset."""
    width, height = size
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number in range(count):
        rng = np.random.default_rng(number)
        picture = rng.integers(0, 120, (height, width, 3), dtype=np.uint8)
        x, y = int(rng.integers(40, width - 120)), int(rng.integers(20, height - 100))
        picture[y : y + 60, x : x + 80] = 230
        cv2.imwrite(str(folder / "images" / f"p{number:04d}.jpg"), picture)
        line = f"0 {(x + 40) / width} {(y + 30) / height} {80 / width} {60 / height}\n"
        (folder / "labels" / f"p{number:04d}.txt").write_text(line)
    (folder / "data.yaml").write_text("train: images\nnames: ['cat']\n", encoding="utf-8")
    return folder


def tree(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


Spawn = Callable[[list[str], dict[str, str], Path], Any]
"""Starts `labelloom` with arguments, an environment and a log; returns what behaves like `subprocess.Popen`."""


def spawn(arguments: list[str], environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Start `labelloom` as a user does."""
    command = [str(Path(sys.executable).with_name("labelloom")), *arguments]
    with log.open("wb") as out:
        return subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)


class Fleet:
    """Some `labelloom worker` processes of one installation."""

    def __init__(self, settings: Settings, logs: Path, spawn: Spawn) -> None:
        self.settings, self.logs, self._spawn = settings, logs, spawn
        self.workers: list[Any] = []

    def start(self) -> Any:
        """Start one more worker."""
        settings = self.settings
        environment = {
            **os.environ,
            "LABELLOOM_DATA_DIR": str(settings.data_dir),
            "LABELLOOM_CACHE_DIR": str(settings.cache_dir),
            "LABELLOOM_DATABASE_URL": settings.database,
            "LABELLOOM_WORKER_TIMEOUT": str(settings.worker_timeout),
        }
        self.logs.mkdir(exist_ok=True)
        worker = self._spawn(["worker"], environment, self.logs / f"{time.monotonic_ns()}.log")
        self.workers.append(worker)
        return worker

    def kill(self, number: int) -> None:
        """Kill -9 one worker, and start another in its place."""
        worker = self.workers.pop(number % len(self.workers))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.start()

    def told(self) -> str:
        """Return all logs."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.logs.glob("*.log")))


@contextmanager
def fleet(settings: Settings, logs: Path, count: int, spawn: Spawn = spawn) -> Iterator[Fleet]:
    """Yield `count` running workers; they are ended politely, which must not take long."""
    found = Fleet(settings, logs, spawn)
    try:
        for _ in range(count):
            found.start()
        yield found
    finally:
        for worker in found.workers:
            worker.terminate()
        for worker in found.workers:
            worker.wait(timeout=30)


def wait_for(jobs: Jobs, job: str, seconds: float = 120) -> JobRow:
    """Return the job when it is finished."""
    end = time.monotonic() + seconds
    while (row := jobs.get(job)).state not in FINISHED:
        assert time.monotonic() < end, row
        time.sleep(0.1)
    return row


def wait_until_running(jobs: Jobs, job: str, phase: str = "", seconds: float = 60) -> None:
    """Return when the job is in a phase (any, if none is given)."""
    end = time.monotonic() + seconds
    while not ((row := jobs.get(job)).state == "running" and (row.phase or "").startswith(phase)):
        assert time.monotonic() < end and row.state not in FINISHED, row
        time.sleep(0.05)
