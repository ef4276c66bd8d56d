"""Options of detectors are refused by name before anything begins, and without loading torch."""

import subprocess
import sys

import pytest

from backend.core.errors import UsageError
from backend.detect import DETECTORS
from backend.flows.detector_options import check_options

URL = "http://localhost:9091"


@pytest.mark.parametrize(
    ("detector", "options"),
    [
        ("fewshot", {"vflip": 0.5, "scale": [0.8, 1.2], "threshold": 0.4}),
        ("torchvision", {}),
        ("torchvision", {"weights": "none", "size": 320}),
        ("onnx", {"label_map": {"a": "가"}}),  # of a model that was added before
        ("onnx", {"path": "a.onnx", "threshold": 0.3}),
        ("similar", {"neighbours": 3}),
        ("proxy", {"url": URL, "thresholds": {"가": 0.2}}),
    ],
)
def test_what_a_detector_knows_is_taken(detector: str, options: dict[str, object]) -> None:
    check_options(detector, options)


@pytest.mark.parametrize(
    ("detector", "options", "named"),
    [
        ("fewshot", {"bogus": 1}, "bogus"),
        ("fewshot", {"steps": "abc"}, "steps"),
        ("fewshot", {"hflip": 7}, "hflip"),
        ("torchvision", {"size": 1}, "size"),
        ("onnx", {"labels": ["a"]}, "path of the detector onnx is needed"),
        ("similar", {"treshold": 0.4}, "treshold"),
        ("proxy", {}, "url"),
        ("proxy", {"url": URL, "foo": 1}, "foo"),
        ("bogus", {}, "no detector 'bogus'"),
    ],
)
def test_what_it_does_not_know_is_named(detector: str, options: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named) as error:
        check_options(detector, options)
    assert error.value.fix


def test_no_check_loads_torch() -> None:
    code = (
        "import sys; from backend.detect import DETECTORS; from backend.detect.base import loaded\n"
        "for kind in DETECTORS.values():\n    kind.takes and loaded(kind.takes)\n"
        "print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    assert all(kind.takes for kind in DETECTORS.values() if kind.trains or kind.makes)
