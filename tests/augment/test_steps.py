"""Every offered transform, one by one: the same bytes again, the input untouched, 8-bit colour out, plain JSON told."""

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.augment.applied import plain
from backend.augment.catalog import check, offered
from backend.augment.steps import LibraryStep, Outcome
from backend.core.errors import ImageError
from backend.core.recipe import Step, parse_recipe
from tests.augment.settings import GEOMETRIC

NAMES = [t.name for t in offered()]
NEEDED = {"XYMasking": {"num_masks_x": 2, "num_masks_y": 1, "mask_x_length": 9, "mask_y_length": 9}}


def photo(seed: int, width: int = 96, height: int = 72) -> np.ndarray:
    """Return a smooth colour picture with some noise."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    smooth = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(smooth + rng.integers(-9, 9, smooth.shape), 0, 255).astype(np.uint8)


def params(name: str) -> dict[str, object]:
    if name in {"Crop", "CenterCrop", "RandomCrop", "AtLeastOneBBoxRandomCrop"}:
        return {"x_max": 60, "y_max": 50} if name == "Crop" else {"width": 60, "height": 50}
    if name == "RandomSizedCrop":
        return {"min_max_height": [30, 60], "size": [50, 60]}
    return NEEDED.get(name, GEOMETRIC.get(name, [{}])[0])


def step(name: str) -> LibraryStep:
    return LibraryStep(f"1 {name}", Step(name, {**params(name), "p": 1}))


def told(outcome: Outcome) -> str:
    assert outcome.params is not None
    return json.dumps(plain(outcome.params), allow_nan=False)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_depends_on_image_and_seed_alone(name: str) -> None:
    check(parse_recipe({"steps": [{name: params(name)}]}), size=(96, 72))
    image, other = photo(1), photo(2)
    before = image.copy()
    fresh = step(name).run(image, None, 7)
    assert np.array_equal(image, before), "the input was written to"
    assert fresh.rgb.dtype == np.uint8
    used = step(name)
    used.run(other, None, 8)
    np.random.seed(1)
    random.seed(1)
    cv2.setRNGSeed(1)
    image.flags.writeable = False  # and it must not need to
    again = used.run(image, None, 7)
    assert np.array_equal(again.rgb, fresh.rgb)
    assert told(again) == told(fresh)


@pytest.mark.parametrize("name", NAMES)
def test_one_pixel_is_drawn_or_refused_with_the_step_named(name: str) -> None:
    try:
        outcome = step(name).run(np.full((1, 1, 3), 90, np.uint8), None, 1)
    except ImageError as error:
        assert str(error).startswith(f"1 {name}: ")
    else:
        assert outcome.rgb.ndim == 3


def test_params_of_a_step_are_plain_and_large_arrays_are_named_by_their_hash() -> None:
    told_ = plain({"matrix": np.eye(3), "map": np.zeros((4, 5), np.float32), "shape": (1, 2), "n": np.int64(3)})
    assert told_["matrix"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert told_["map"]["shape"] == [4, 5]
    assert len(told_["map"]["sha256"]) == 64
    assert (told_["n"], "shape" in told_) == (3, False)
    assert plain({"x": float("inf"), "f": print, "s": list(range(20))})["x"] == "inf"
    assert plain({"s": list(range(20))})["s"]["shape"] == [20]


def digests() -> dict[str, str]:
    """Return the sha256 of what every offered transform makes of one picture."""
    return {name: hashlib.sha256(step(name).run(photo(3), None, 11).rgb.tobytes()).hexdigest() for name in NAMES}


def test_another_process_draws_the_same_bytes_with_every_transform() -> None:
    code = "import json; from tests.augment.test_steps import digests; print(json.dumps(digests()))"
    root = Path(__file__).parents[2]
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert json.loads(out.stdout) == digests()
