"""The 18 transforms as steps of a recipe, run by our own step runner; images are uint8 RGB arrays."""

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
from PIL import Image

from backend.augment.ops import Rgb
from backend.augment.steps import build
from backend.core.recipe import Step

_SEEDS = count()
_STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "HorizontalFlip": ("HorizontalFlip", {}),
    "VerticalFlip": ("VerticalFlip", {}),
    "Rotate": ("Rotate", {"limit": (-45, 45)}),
    "ShiftScaleRotate": (
        "ShiftScaleRotate",
        {"shift_limit": (-0.06, 0.06), "scale_limit": (-0.1, 0.1), "rotate_limit": (-45, 45)},
    ),
    "Brightness": ("RandomBrightnessContrast", {"brightness_limit": (-0.2, 0.2), "contrast_limit": (0, 0)}),
    "Contrast": ("RandomBrightnessContrast", {"brightness_limit": (0, 0), "contrast_limit": (-0.2, 0.2)}),
    "BrightnessContrast": (
        "RandomBrightnessContrast",
        {"brightness_limit": (-0.2, 0.2), "contrast_limit": (-0.2, 0.2)},
    ),
    "ShiftRGB": ("RGBShift", {"r_shift_limit": (-20, 20), "g_shift_limit": (-20, 20), "b_shift_limit": (-20, 20)}),
    "ShiftHSV": (
        "HueSaturationValue",
        {"hue_shift_limit": (-10, 10), "sat_shift_limit": (-20, 20), "val_shift_limit": (-20, 20)},
    ),
    "Gamma": ("RandomGamma", {"gamma_limit": (80, 120)}),
    "Grayscale": ("ToGray", {}),
    "RandomCrop64": ("RandomCrop", {"height": 64, "width": 64}),
    "PadToSize512": ("PadIfNeeded", {"min_height": 512, "min_width": 512}),
    "Resize512": ("Resize", {"height": 512, "width": 512}),
    "RandomSizedCrop_64_512": ("RandomSizedCrop", {"min_max_height": (64, 64), "size": (512, 512)}),
    "Posterize": ("Posterize", {"num_bits": (4, 4)}),
    "Solarize": ("Solarize", {"threshold_range": (0.5, 0.5)}),
    "Equalize": ("Equalize", {}),
}


def load(picture: Image.Image) -> Rgb:
    """Return a picture as our decoder does."""
    return np.array(picture)


def _transform(name: str, params: dict[str, Any]) -> Callable[[Rgb], Rgb]:
    runner = build(name, Step(name, {**params, "p": 1}), {})
    return lambda rgb: runner.run(rgb, None, next(_SEEDS)).rgb


TRANSFORMS = {name: _transform(*step) for name, step in _STEPS.items()}
