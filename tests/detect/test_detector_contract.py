"""One contract for every detector of the table: what it names is there, and is called as the table's users call it."""

import inspect
import subprocess
import sys
from typing import get_args

import pytest

from backend.detect import DETECTORS
from backend.detect.base import DetectorKind, loaded

PARAMETERS = {
    "opens": ["folder", "info", "runtime"],
    "trains": ["training", "folder", "report"],
    "makes": ["options", "folder"],
}
RETURNS = {"opens": "Detector", "trains": "ModelInfo", "makes": "ModelInfo"}
NAMED = [(kind.name, verb) for kind in DETECTORS.values() for verb in PARAMETERS if getattr(kind, verb)]
HEAVY = ("torch", "torchvision", "onnxruntime", "cv2", "onnx")


@pytest.mark.parametrize(("name", "verb"), NAMED)
def test_what_a_detector_names_is_called_as_agreed(name: str, verb: str) -> None:
    function = loaded(getattr(DETECTORS[name], verb))
    signature = inspect.signature(function)
    assert list(signature.parameters) == PARAMETERS[verb]
    assert getattr(signature.return_annotation, "__name__", signature.return_annotation) == RETURNS[verb]
    assert "Raises:" in (function.__doc__ or "")


@pytest.mark.parametrize("kind", DETECTORS.values(), ids=lambda kind: kind.name)
def test_a_detector_says_what_it_is_and_can_be_come_by(kind: DetectorKind) -> None:
    assert DETECTORS[kind.name] is kind
    assert 20 < len(kind.summary) < 120
    assert kind.learns in get_args(DetectorKind.__annotations__["learns"])
    if kind.opens is None:
        assert kind.name == "proxy"  # its model runs elsewhere
    else:
        assert kind.trains or kind.makes, "nothing would ever make a model of it"


def test_the_table_and_all_that_predicts_or_imports_load_no_torch() -> None:
    light = [kind.opens for kind in DETECTORS.values() if kind.opens]
    light += [kind.makes for kind in DETECTORS.values() if kind.makes]
    script = (
        "import sys\nfrom backend.detect import DETECTORS\n"
        f"early = [name for name in {HEAVY!r} if name in sys.modules]\nassert not early, early\n"
        f"from backend.detect.base import loaded\nfor where in {light!r}: loaded(where)\n"
        "assert 'torch' not in sys.modules, 'torch'\nassert 'onnx' not in sys.modules, 'onnx'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
