"""Training in a process of its own: what a web server or a worker process calls. No torch is loaded here.

The child (`backend.detect.child`) reads what to do from `work/spec.json` in the model's folder and tells of it as JSON
lines. It keeps its checkpoints in `work` too, so that the same call goes on where a killed training was. The child ends
when its parent does: it holds the other end of a pipe that only the parent can close.
"""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from backend.core.errors import LabelLoomError
from backend.detect.base import Training
from backend.detect.model_dir import ModelInfo, read_model
from backend.imaging.files import write_atomic

Json = dict[str, Any]
WORK = "work"  # in the model's folder while it is trained
_BEAT = 1.0  # seconds without an event after which `tick` is called all the same, so that a cancel is heard
_PATIENCE = 20.0  # seconds that a child that has told its end may take to be gone


def run_training(kind: str, training: Training, folder: Path, tick: Callable[[Json], None]) -> ModelInfo:
    """Train in a child process; the model's files, with model.json (version "untitled"), lie in `folder` afterwards.

    kind: a line of `DETECTORS`, or "module:attribute" of a function that trains. tick: takes every event of the child:
    a phase "starting" with its `pid` first, and where nothing new comes for a second the phase that it is in once
    more; what it raises (a cancel) kills the child and goes on to the caller. Called again with the same folder and
    training, it goes on from the last checkpoint.

    Raises:
        LabelLoomError: the training failed or its process died; the reason is told.
    """
    work = folder / WORK
    try:
        work.mkdir(parents=True, exist_ok=True)
        spec = {"kind": kind, "folder": str(folder), "training": asdict(training)}
        write_atomic(work / "spec.json", json.dumps(spec, ensure_ascii=False).encode())
        with (work / "stderr.txt").open("wb") as errors:
            last = _watch(work / "spec.json", errors, tick)
    except OSError as error:
        msg = f"the training cannot be started in {folder}: {error.strerror or error}"
        raise LabelLoomError(msg, fix="free some space, or make the folder writable, and try again") from error
    if last.get("event") != "done":
        raise _failure(last, work / "stderr.txt")
    shutil.rmtree(work)
    return read_model(folder)


def _watch(spec: Path, errors: IO[bytes], tick: Callable[[Json], None]) -> Json:
    """Run the child to its end; return its last event, with its exit code where it told none."""
    command = [sys.executable, "-m", "backend.detect.child", str(spec)]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
    )
    try:
        phase: Json = {"event": "phase", "phase": "starting", "done": 0, "of": None}
        tick(phase | {"pid": child.pid})
        for event in _events(child):
            if event is None:
                tick(phase)
                continue
            if event["event"] in {"done", "failed"}:
                return event
            tick(event)
            phase = _phase(event, phase)
        return {"event": "died", "code": child.wait(_PATIENCE)}
    except subprocess.TimeoutExpired:
        return {"event": "failed", "message": "the training process does not end", "fix": "train again"}
    finally:
        _end(child)


def _phase(event: Json, before: Json) -> Json:
    """Return what to say while nothing new comes."""
    if event["event"] == "step":
        return {"event": "phase", "phase": "training", "done": event["step"], "of": event["of"]}
    return event if event["event"] == "phase" else before


def _events(child: "subprocess.Popen[bytes]") -> Iterator[Json | None]:
    """Yield the child's events as they come, None where none comes for a while, until it closes its output."""
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    output = child.stdout
    assert output is not None

    def read() -> None:
        for line in output:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=_BEAT)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and "event" in event:
                yield event


def _end(child: "subprocess.Popen[bytes]") -> None:
    """See that the child and all it started are gone."""
    if child.stdin is not None:
        with contextlib.suppress(OSError):
            child.stdin.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _failure(last: Json, errors: Path) -> LabelLoomError:
    if last["event"] == "failed":
        return LabelLoomError(str(last.get("message")), fix=last.get("fix"))
    code = last["code"]
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        msg = f"the training process was killed ({name})"
        return LabelLoomError(
            msg, fix="train again, it goes on from the last checkpoint; see that there is enough memory"
        )
    said = [line for line in errors.read_text("utf-8", "replace").splitlines() if line.strip()]
    msg = f"the training process failed: {said[-1] if said else f'it ended with code {code}'}"
    return LabelLoomError(msg, fix=f"the whole message is in {errors}")
