"""Points follow pixels: every offered geometric transform is tried on coloured shapes and compared pixel by pixel."""

from typing import Any

import numpy as np
import pytest

from backend.augment.motion import MOTIONS, NEEDS_BOXES
from backend.augment.steps import Cargo, LibraryStep
from backend.augment.track import densify
from backend.core.recipe import Step
from backend.imaging.raster import polygon_mask
from tests.augment.settings import GEOMETRIC
from tests.augment.shapes import HEIGHT, OUTLINES, WIDTH, overlap, picture, seen

CASES = [(name, params) for name, variants in GEOMETRIC.items() for params in variants]


def moved(name: str, params: dict[str, Any], seed: int) -> tuple[np.ndarray, list[np.ndarray], Cargo]:
    step = LibraryStep(f"1 {name}", Step(name, {**params, "p": 1}))
    rgb = picture()
    rings = [densify(ring) for ring in OUTLINES]
    masks = np.ascontiguousarray(np.moveaxis(rgb, -1, 0))
    scale = (WIDTH, HEIGHT, WIDTH, HEIGHT)
    boxes = [[*(np.concatenate([r.min(axis=0), r.max(axis=0)]) / scale), 0] for r in OUTLINES]
    cargo = Cargo(np.concatenate(rings), masks, np.asarray(boxes, np.float32))
    outcome = step.run(rgb, cargo, seed)
    assert outcome.moved is not None
    assert len(outcome.moved.points) == len(cargo.points)
    return outcome.rgb, np.split(outcome.moved.points, np.cumsum([len(r) for r in rings])[:-1]), outcome.moved


def furthest(a: np.ndarray, b: np.ndarray) -> int:
    """Return by how many pixels the bounds of two masks differ most."""
    bounds = [(*np.flatnonzero(m.any(axis=axis))[[0, -1]],) for m in (a, b) for axis in (0, 1)]
    return int(np.abs(np.subtract(bounds[:2], bounds[2:])).max())


def test_every_offered_geometric_transform_is_tried() -> None:
    assert GEOMETRIC.keys() == MOTIONS.keys()
    assert MOTIONS.keys() >= NEEDS_BOXES


@pytest.mark.parametrize(("name", "params"), CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)])
def test_points_and_masks_follow_the_pixels(name: str, params: dict[str, Any]) -> None:
    for seed in range(6):
        rgb, rings, cargo = moved(name, params, seed)
        height, width = rgb.shape[:2]
        for index, ring in enumerate(rings):
            truth = seen(rgb, index)
            if truth.sum() < 200:
                continue  # cut to a sliver: a pixel's rounding is too large a part of it
            own = polygon_mask([ring], width, height)
            assert overlap(own, truth) >= 0.97, (seed, index)
            # The others have slanted corners, of which a magnified picture shows large steps.
            assert index or furthest(own, truth) <= 1, seed
            assert cargo.masks is not None
            assert overlap(cargo.masks[index] > 0, truth) >= 0.99, (seed, index)


def test_whole_pixel_moves_are_exact() -> None:
    for name in ("HorizontalFlip", "VerticalFlip", "Transpose", "RandomRotate90", "D4", "SquareSymmetry", "RandomCrop"):
        for params in GEOMETRIC[name]:
            for seed in range(8):
                rgb, rings, _ = moved(name, params, seed)
                truth = seen(rgb, 0)
                assert np.array_equal(polygon_mask([rings[0]], rgb.shape[1], rgb.shape[0]), truth), (name, seed)
                assert np.allclose(rings[0], rings[0].round(), atol=1e-4)
