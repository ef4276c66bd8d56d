"""Models in memory: each is loaded once, however many ask for it, and the one used longest ago goes first."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from backend.core.errors import UsageError
from backend.detect import DETECTORS
from backend.detect.base import Detector, Runtime, loaded

Open = Callable[[Path, Runtime], Detector]


def open_folder(folder: Path, runtime: Runtime) -> Detector:
    """Return the model of a folder, ready to predict; its quantised file where training found that good enough.

    Raises:
        UsageError: the folder holds no model, or one of a kind that this version does not know.
        LabelLoomError: it cannot be loaded.
    """
    from backend.detect.model_dir import read_model

    info = read_model(folder)
    kind = DETECTORS.get(info.detector)
    if kind is None or kind.opens is None:
        msg = f"{folder} was made by the detector {info.detector!r}, which cannot be opened here"
        raise UsageError(msg, fix="train or import the model again")
    runtime = replace(runtime, int8=runtime.int8 or bool(info.metrics.get("int8")))
    detector: Detector = loaded(kind.opens)(folder, info, runtime)
    return detector


class LoadedModels:
    """At most `keep` models; safe to share between threads."""

    def __init__(self, keep: int, runtime: Runtime, opens: Open = open_folder) -> None:
        self._keep, self._runtime, self._opens = keep, runtime, opens
        self._lock = threading.Lock()
        self._models: OrderedDict[str, Future[Detector]] = OrderedDict()

    def get(self, version: str, folder: Path) -> Detector:
        """Return a model, loading it if need be; others who ask meanwhile wait for the same loading.

        Raises:
            LabelLoomError: it cannot be loaded; the next one who asks tries again.
        """
        with self._lock:
            known = self._models.get(version)
            promise: Future[Detector] = known or Future()
            self._models[version] = promise
            self._models.move_to_end(version)
            while len(self._models) > self._keep:
                self._models.popitem(last=False)
        if known is None:
            try:
                promise.set_result(self._opens(folder, self._runtime))
            except BaseException as error:  # noqa: BLE001 - it is raised below, and to those who wait
                with self._lock:
                    if self._models.get(version) is promise:
                        del self._models[version]
                promise.set_exception(error)
        return promise.result()

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions in memory, the one used longest ago first."""
        with self._lock:
            return tuple(self._models)
