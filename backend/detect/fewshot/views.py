"""Augmented views of an image: what it might have looked like, on the canvas that the network sees.

Light on purpose: other sizes and places, slightly squeezed, other light and colour, mirrored left to right. `Views`
says how much; a project whose images have no up and down (microscopes, aerial photographs) may add `vflip`, and one
with lettering or left and right hands may take `hflip` away. Pure numpy; all that is drawn comes from the generator.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.detect.letterbox import GREY

KEPT = 480  # pixels of the long side that an image is shrunk to before views are cut: more is never seen

Rgb = NDArray[np.uint8]
Boxes = NDArray[np.float32]  # (n, 4): x0, y0, x1, y1
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Views:
    """How far views differ from the image.

    hflip, vflip: the chance of each. scale: the smallest and the largest; 1 fits the canvas. squeeze: the aspect ratio
    changes by up to e to this power. light: brightness and contrast change by up to this part; colour: saturation;
    tint: each channel.
    """

    hflip: float = 0.5
    vflip: float = 0.0
    scale: tuple[float, float] = (0.6, 1.4)
    squeeze: float = 0.15
    light: float = 0.3
    colour: float = 0.4
    tint: float = 0.07


@dataclass(frozen=True, slots=True)
class View:
    """A canvas (size, size, 3) and what is on it, in its pixels."""

    rgb: Rgb
    boxes: Boxes
    labels: Labels


def shrink(rgb: Rgb, boxes: Boxes) -> tuple[Rgb, Boxes]:
    """Return an image whose long side is at most KEPT pixels, and its boxes."""
    height, width = rgb.shape[:2]
    factor = KEPT / max(height, width)
    if factor >= 1:
        return rgb, boxes
    small = cv2.resize(
        rgb, (max(1, round(width * factor)), max(1, round(height * factor))), interpolation=cv2.INTER_AREA
    )
    sides = np.array([small.shape[1] / width, small.shape[0] / height] * 2, np.float32)
    return small.astype(np.uint8, copy=False), boxes * sides


def view(image: View, size: int, how: Views, random: np.random.Generator) -> View:
    """Return one view of an image (not larger than it need be: `shrink`)."""
    height, width = image.rgb.shape[:2]
    factor = size / max(height, width) * math.exp(random.uniform(*np.log(how.scale)))
    squeeze = math.exp(random.uniform(-how.squeeze, how.squeeze) / 2)
    fx, fy = factor * squeeze, factor / squeeze
    dx, dy = (random.uniform(min(0, room), max(0, room)) for room in (size - width * fx, size - height * fy))
    if random.random() < how.hflip:
        fx, dx = -fx, dx + width * fx
    if random.random() < how.vflip:
        fy, dy = -fy, dy + height * fy
    # cv2 counts from the centres of pixels, boxes from their corners
    matrix = np.array([[fx, 0, dx + (fx - 1) / 2], [0, fy, dy + (fy - 1) / 2]])
    grey = (GREY, GREY, GREY)
    canvas = cv2.warpAffine(image.rgb, matrix, (size, size), flags=cv2.INTER_LINEAR, borderValue=grey)
    boxes, kept = _moved(image.boxes, (fx, fy, dx, dy), size)
    return View(_lit(canvas.astype(np.uint8, copy=False), how, random), boxes, image.labels[kept])


def _moved(boxes: Boxes, affine: tuple[float, float, float, float], size: int) -> tuple[Boxes, NDArray[np.bool_]]:
    """Return boxes on the canvas and which of them are left: with 30 % of their area, and more than a speck."""
    fx, fy, dx, dy = affine
    x = boxes[:, [0, 2]] * fx + dx
    y = boxes[:, [1, 3]] * fy + dy
    full = np.stack([x.min(1), y.min(1), x.max(1), y.max(1)], 1)
    cut = np.clip(full, 0, size)
    sides, before = cut[:, 2:] - cut[:, :2], full[:, 2:] - full[:, :2]
    kept = (sides.prod(1) >= 0.3 * before.prod(1)) & (sides.min(1) > 3)
    return cut[kept].astype(np.float32), kept


def _lit(canvas: Rgb, how: Views, random: np.random.Generator) -> Rgb:
    bright, contrast = random.uniform(1 - how.light, 1 + how.light, 2)
    colour = random.uniform(1 - how.colour, 1 + how.colour)
    tint = random.uniform(1 - how.tint, 1 + how.tint, 3)
    # one 3 x 3 matrix and an offset: much cheaper than step by step over floating point images
    grey = np.array([0.299, 0.587, 0.114])
    mix = colour * np.eye(3) + (1 - colour) * grey[None, :]
    matrix = np.empty((3, 4))
    matrix[:, :3] = tint[:, None] * mix * bright * contrast
    matrix[:, 3] = tint * 127.5 * bright * (1 - contrast)
    return cv2.transform(canvas, matrix).astype(np.uint8, copy=False)
