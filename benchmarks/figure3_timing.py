"""Times the 18 transforms on one thread: `python -m benchmarks.figure3_timing FOLDER ROUNDS [LIBRARY ...]`.

Runs in the environment that has all libraries, reads the JPEGs of FOLDER, and prints as JSON images per second of each
round by transform and library. Images are decoded beforehand, into what each library works on.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

TRANSFORMS = (
    "HorizontalFlip",
    "VerticalFlip",
    "Rotate",
    "ShiftScaleRotate",
    "Brightness",
    "Contrast",
    "BrightnessContrast",
    "ShiftRGB",
    "ShiftHSV",
    "Gamma",
    "Grayscale",
    "RandomCrop64",
    "PadToSize512",
    "Resize512",
    "RandomSizedCrop_64_512",
    "Posterize",
    "Solarize",
    "Equalize",
)
LIBRARIES = {  # each module has TRANSFORMS, by name, and `load`: an RGB picture of Pillow's as the library takes it
    "labelloom": "benchmarks.figure3_ours",
    "torchvision v2": "benchmarks.baselines.figure3_torchvision",
    "Pillow": "benchmarks.baselines.figure3_pillow",
}

Times = dict[str, dict[str, list[float]]]


def measure(pictures: Sequence[Image.Image], rounds: int, libraries: Sequence[str]) -> Times:
    """Return images per second by transform and library, one number per round; libraries take turns."""
    loaded = {name: import_module(LIBRARIES[name]) for name in libraries}
    inputs = {name: [module.load(picture) for picture in pictures] for name, module in loaded.items()}
    found: Times = {name: {library: [] for library in libraries} for name in TRANSFORMS}
    for name in TRANSFORMS:
        functions = {library: module.TRANSFORMS[name] for library, module in loaded.items()}
        for turn in range(rounds + 1):
            for library, function in functions.items():
                rate = _rate(function, inputs[library])
                if turn:  # the first round is for the caches
                    found[name][library].append(rate)
    return found


def _rate(function: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
    start = time.perf_counter()
    for image in inputs:
        function(image)
    return len(inputs) / (time.perf_counter() - start)


def main(folder: Path, rounds: int, libraries: Sequence[str]) -> None:
    """Print the rates."""
    random.seed(7)
    np.random.seed(7)
    cv2.setNumThreads(1)
    pictures = [Image.open(path).convert("RGB") for path in sorted(folder.iterdir())]
    print(json.dumps(measure(pictures, rounds, libraries or list(LIBRARIES))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
