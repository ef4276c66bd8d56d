"""The process that trains: `python -m backend.detect.child SPEC.json`, started by `backend.detect.training`.

Its standard output carries events as JSON lines and nothing else; what libraries print goes to standard error. It ends
at once, with all it started, when its standard input closes: then its parent is gone.
"""

import errno
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import IO, Any

from backend.core.errors import LabelLoomError
from backend.detect import DETECTORS
from backend.detect.base import Example, Training, loaded
from backend.detect.model_dir import write_model

Json = dict[str, Any]


def main(spec: Path) -> int:
    """Do what the spec says; return 0, or 1 after telling why not."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _train(json.loads(spec.read_text(encoding="utf-8")), output)
    except LabelLoomError as error:
        _say(output, {"event": "failed", "message": str(error), "fix": error.fix})
        return 1
    except MemoryError:
        _say(output, {"event": "failed", "message": "the training ran out of memory", "fix": "train with less images"})
        return 1
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        msg = f"the disk is full: {error.filename or spec.parent}"
        _say(output, {"event": "failed", "message": msg, "fix": "free some space and train again"})
        return 1
    return 0


def _train(spec: Json, output: IO[str]) -> None:
    kind, folder = spec["kind"], Path(spec["folder"])
    where = kind if ":" in kind else DETECTORS[kind].trains
    if where is None:
        msg = f"the detector {kind} cannot be trained"
        raise LabelLoomError(
            msg, fix="choose one that can: " + ", ".join(d.name for d in DETECTORS.values() if d.trains)
        )
    training = read_training(spec["training"])
    info = loaded(where)(training, folder, lambda event: _say(output, event))
    write_model(folder, info)
    _say(output, {"event": "done"})


def read_training(given: Json) -> Training:
    """Return a training out of JSON."""
    examples = {name: tuple(_example(one) for one in given[name]) for name in ("train", "holdout")}
    return Training(**given | examples | {"labels": tuple(given["labels"])})


def _example(given: Json) -> Example:
    lists = {"boxes": tuple(map(tuple, given["boxes"])), "labels": tuple(given["labels"]), "tags": tuple(given["tags"])}
    return Example(**given | lists)


def _say(output: IO[str], event: Json) -> None:
    output.write(json.dumps(event, ensure_ascii=False) + "\n")
    output.flush()


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
