"""Pictures made for tests of style transfer."""

import numpy as np

from backend.style.base import Rgb


def noise(height: int, width: int, seed: int = 0) -> Rgb:
    """Return a picture with structure at several scales."""
    dice = np.random.default_rng(seed)
    coarse = dice.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3))
    fine = dice.integers(-30, 30, (height, width, 3))
    grown = np.kron(coarse, np.ones((16, 16, 1)))[:height, :width] + fine
    return np.clip(grown, 0, 255).astype(np.uint8)
