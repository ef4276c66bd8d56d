"""One recipe step, built once per process and run on one image with its regions' points and masks.

The transform is called directly: what a Compose around it adds (float32 points, checks of every input) costs more than
many a transform, and `Compose([t]).set_random_seed(s)` does to `t` exactly what `t.set_random_seed(s)` does.
"""

import random
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.augment.motion import DROPOUTS, MOTIONS, NEEDS_BOXES, Map, Motion
from backend.augment.ops import OpFactory, Rgb
from backend.augment.sampling_field import follow
from backend.core.errors import ImageError
from backend.core.geometry import Points
from backend.core.recipe import Step

Masks = NDArray[np.uint8]  # shape (n, height, width), 0 or 255
BoolImage = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cargo:
    """What travels with an image: points (n, 2) in pixels, masks (n, height, width), boxes (n, 5), 0..1 of the size.

    objects: (height, width), the pixels that any region covers, for steps that want to know.
    """

    points: Points
    masks: Masks | None = None
    boxes: NDArray[np.float32] | None = None
    objects: BoolImage | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step made of an image; `params` is None when it was not applied (its probability, or nothing to do).

    `moved` holds the cargo where it lies now (None: nothing moved), `covered` the pixels painted over.
    """

    rgb: Rgb
    params: Mapping[str, Any] | None
    moved: Cargo | None = None
    covered: BoolImage | None = None


class Runner(Protocol):
    """A step that can be run.

    label: which one it is ("2 Affine"); map: how it moves points (None: not at all); wants_boxes, wants_objects:
    whether it looks at the regions' boxes, or at the pixels they cover.
    """

    name: str
    label: str
    map: Map | None
    wants_boxes: bool
    wants_objects: bool

    def run(self, rgb: Rgb, cargo: Cargo | None, seed: int) -> Outcome:
        """Run with this seed; a cargo of None means that the image has no regions."""


class ExtraStep:
    """A step from the table of extra operations: pixels only."""

    map: Map | None = None
    wants_boxes = False

    def __init__(self, label: str, step: Step, factory: OpFactory, *, always: bool = False) -> None:
        params = dict(step.params)
        self.name, self.label = step.name, label
        p = params.pop("p", 0.5)
        self.p = 1.0 if always else float(p)
        self.op = factory.build(params)
        self.wants_objects = getattr(self.op, "wants_objects", False)  # most are plain functions

    def run(self, rgb: Rgb, cargo: Cargo | None, seed: int) -> Outcome:
        """Run with this seed."""
        if random.Random(seed).random() >= self.p:
            return Outcome(rgb, None)
        objects = (cargo.objects if cargo else None,) if self.wants_objects else ()
        changed, params = self.op(rgb, seed, *objects)
        if changed.shape != rgb.shape or changed.dtype != np.uint8:
            msg = f"{self.label}: returned {changed.dtype} {changed.shape} for uint8 {rgb.shape}"
            raise ImageError(msg)
        return Outcome(changed, params)


class LibraryStep:
    """A step that is an Albumentations transform."""

    wants_objects = False

    def __init__(self, label: str, step: Step, *, always: bool = False) -> None:
        import albumentations
        import cv2

        self.name, self.label = step.name, label
        self.motion: Motion | None = MOTIONS.get(step.name)
        self.map: Map | None = self.motion.map if self.motion else None
        self.covers = step.name in DROPOUTS
        self.wants_boxes = step.name in NEEDS_BOXES
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice for programmers: another class, an odd number
            kind = getattr(albumentations, step.name)
            self.transform: Any = kind(**({**step.params, "p": 1} if always else step.params))
        # A mask is warped like the image (smooth, cut at half): nearest-neighbour resizing shifts it by half a pixel.
        if hasattr(self.transform, "mask_interpolation"):
            self.transform.mask_interpolation = cv2.INTER_LINEAR
        if hasattr(self.transform, "fill_mask"):
            self.transform.fill_mask = 0

    def run(self, rgb: Rgb, cargo: Cargo | None, seed: int) -> Outcome:
        """Run with this seed.

        Raises:
            ImageError: the transform cannot work on this image (a crop larger than it, for instance).
        """
        self.transform.set_random_seed(seed)
        try:
            out = self.transform(**self._inputs(rgb, cargo))
        except Exception as error:
            msg = f"{self.label}: cannot work on an image of {rgb.shape[1]} x {rgb.shape[0]}: {_first_line(error)}"
            raise ImageError(msg) from error
        changed = out["image"]
        if changed.dtype != np.uint8 or changed.ndim != 3 or changed.shape[2] != 3 or 0 in changed.shape:
            msg = f"{self.label}: made {changed.dtype} {changed.shape} of an 8-bit colour image"
            raise ImageError(msg)
        params = self.transform.params
        if not params:
            return Outcome(rgb, None)
        if self.motion and cargo is not None:
            return Outcome(changed, params, Cargo(self._points(cargo.points, out, rgb), self._masks(out)))
        return Outcome(changed, params, covered=self._covered(params, rgb) if self.covers and cargo else None)

    def _inputs(self, rgb: Rgb, cargo: Cargo | None) -> dict[str, Any]:
        data: dict[str, Any] = {"image": rgb}
        if self.wants_boxes:
            data["bboxes"] = np.zeros((0, 5), np.float32) if cargo is None else cargo.boxes
        if self.motion is None or cargo is None:
            return data
        if cargo.masks is not None:
            data["masks"] = cargo.masks
        if len(cargo.points) and self.motion.points in {"centre", "edge"}:
            count = len(cargo.points)
            keypoints = np.zeros((count, 6))  # x, y, z, angle, scale, and the point's number: nothing goes by position
            keypoints[:, :2] = cargo.points - self._offset
            keypoints[:, 5] = np.arange(count)
            data["keypoints"] = keypoints
        return data

    @property
    def _offset(self) -> float:
        return 0.5 if self.motion and self.motion.points == "centre" else 0.0

    def _points(self, points: Points, out: Mapping[str, Any], rgb: Rgb) -> Points:
        if self.motion is None or not len(points):
            return points
        (height, width), (new_height, new_width) = rgb.shape[:2], out["image"].shape[:2]
        if self.motion.points == "size":
            scaled: Points = points * (new_width / width, new_height / height)
            return scaled
        if self.motion.points == "field":
            return follow(points, self.transform.params["map_x"], self.transform.params["map_y"])
        keypoints = out["keypoints"]
        numbers = keypoints[:, 5].astype(int)
        if len(numbers) != len(points) or len(np.unique(numbers)) != len(points):
            msg = f"{self.label}: lost or doubled points"
            raise ImageError(msg)
        moved = np.empty_like(points)
        moved[numbers] = keypoints[:, :2].astype(np.float64) + self._offset
        return moved

    def _masks(self, out: Mapping[str, Any]) -> Masks | None:
        masks = out.get("masks")
        return None if masks is None else np.where(masks > 127, np.uint8(255), np.uint8(0))

    def _covered(self, params: Mapping[str, Any], rgb: Rgb) -> BoolImage:
        if "drop_mask" in params:
            dropped = np.asarray(params["drop_mask"], dtype=bool)
            return np.broadcast_to(dropped.all(axis=-1) if dropped.ndim == 3 else dropped, rgb.shape[:2])
        covered = np.zeros(rgb.shape[:2], dtype=bool)
        for x0, y0, x1, y1 in np.asarray(params["holes"], dtype=int)[:, :4].tolist():
            covered[max(y0, 0) : y1, max(x0, 0) : x1] = True
        return covered


def build(label: str, step: Step, extra: Mapping[str, OpFactory], *, always: bool = False) -> Runner:
    """Return the step, ready to run; `always` overrides its probability (preprocessing is never left to chance)."""
    if step.name in extra:
        return ExtraStep(label, step, extra[step.name], always=always)
    return LibraryStep(label, step, always=always)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
