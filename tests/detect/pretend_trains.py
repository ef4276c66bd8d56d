"""Functions that train as badly as a test wants: the child process finds them by PYTHONPATH."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from backend.core.errors import LabelLoomError
from backend.detect.model_dir import ModelInfo


def works(training, folder, report):
    os.write(1, b"a library prints this\n")
    for number in range(1, training.options["steps"] + 1):
        report({"event": "step", "step": number, "of": training.options["steps"], "loss": 1 / number})
    (folder / "weights.safetensors").write_bytes(b"weights")
    told = {"labels": training.train[0].labels, "boxes": training.train[0].boxes, "tags": training.train[0].tags}
    return ModelInfo(detector="fewshot", version="untitled", labels=training.labels, options={"seen": told})


def sleeps(training, folder, report):
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    report({"event": "note", "text": str(helper.pid)})
    Path(folder / "pids").write_text(f"{os.getpid()} {helper.pid}")
    time.sleep(60)


def dies(training, folder, report):
    os.kill(os.getpid(), signal.SIGKILL)


def raises(training, folder, report):
    raise KeyError("라쿤 없음")


def refuses(training, folder, report):
    raise LabelLoomError("라쿤이 없습니다", fix="label some")


def fills_the_disk(training, folder, report):
    raise OSError(errno.ENOSPC, "No space left on device", "/models/model.onnx")
