"""A training in a process of its own, with functions that only pretend to train."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.core.errors import Cancelled, LabelLoomError
from backend.detect.base import Example, Training
from backend.detect.model_dir import check_files
from backend.detect.training import WORK, run_training

ONE = Example("사진 1.png", "0" * 64, 40, 30, ((1.0, 2.0, 3.5, 4.0),), (1,), ("밖",))


def training(**options) -> Training:
    return Training(("라쿤", "white cat"), (ONE,), options={"steps": 3, **options})


@pytest.fixture(autouse=True)
def findable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def run(name: str, folder: Path, tick=lambda event: None, **options):
    return run_training(f"pretend_trains:{name}", training(**options), folder, tick)


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_it_gets_the_whole_training_tells_of_every_step_and_leaves_a_model(tmp_path):
    events = []
    info = run("works", tmp_path, events.append)
    assert info.labels == ("라쿤", "white cat") and info.version == "untitled"
    assert info.options["seen"] == {"labels": [1], "boxes": [[1.0, 2.0, 3.5, 4.0]], "tags": ["밖"]}
    assert [event["step"] for event in events if event["event"] == "step"] == [1, 2, 3]
    assert events[0]["phase"] == "starting" and events[0]["pid"] > 0
    assert check_files(tmp_path).files.keys() == {"weights.safetensors"}
    assert not (tmp_path / WORK).exists()


def test_a_cancel_kills_the_child_and_all_it_started_even_while_it_says_nothing(tmp_path):
    calls = []

    def tick(event):
        calls.append(event)
        if len([one for one in calls if one["event"] == "note"]) and event["event"] == "phase":
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run("sleeps", tmp_path, tick)
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        assert gone(pid)
    assert (tmp_path / WORK / "spec.json").exists()  # what a repeat goes on from is kept


@pytest.mark.parametrize(
    ("name", "message", "fix"),
    [
        ("dies", r"killed \(SIGKILL\)", "last checkpoint"),
        ("raises", "KeyError: '라쿤 없음'", "stderr.txt"),
        ("refuses", "^라쿤이 없습니다$", "^label some$"),
        ("fills_the_disk", "disk is full: /models/model.onnx", "free some space"),
        ("missing", "missing", "stderr.txt"),
    ],
)
def test_a_training_that_fails_says_why(tmp_path, name, message, fix):
    with pytest.raises(LabelLoomError, match=message) as caught:
        run(name, tmp_path)
    import re

    assert re.search(fix, caught.value.fix)


def test_a_detector_that_does_not_learn_is_refused(tmp_path):
    with pytest.raises(LabelLoomError, match="onnx cannot be trained"):
        run_training("onnx", training(), tmp_path, lambda event: None)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LabelLoomError, match="cannot be started in"):
        run("works", tmp_path / "file")


def test_the_child_ends_when_its_parent_is_killed(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; import test_training\n"
        "test_training.run('sleeps', Path(sys.argv[2]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)])
    try:
        for _ in range(400):
            if (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().count(" "):
                break
            time.sleep(0.05)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        assert gone(pid)
