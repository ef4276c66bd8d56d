"""Styles that LabelLoom makes itself, so that style transfer needs no picture of anybody's: a dozen, all CC0.

Each is a function of its name alone: (512, 512, 3) uint8 RGB, the same on every machine with the same libraries.
"""

import zlib
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.style.base import Rgb

SIDE = 512
Dice = np.random.Generator
Floats = NDArray[np.float32]
Colour = tuple[int, int, int]


def make(name: str) -> Rgb:
    """Return a style by its name.

    Raises:
        KeyError: there is none of that name.
    """
    return np.ascontiguousarray(MADE[name](np.random.default_rng(zlib.crc32(name.encode()))))


def _field(dice: Dice, size: float) -> Floats:
    """Return smooth noise, 0..1, whose waves are about `size` pixels long."""
    coarse = dice.random((max(2, round(SIDE / size)) + 3,) * 2).astype(np.float32)
    smooth = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.asarray((smooth - smooth.min()) / (np.ptp(smooth) + 1e-6), np.float32)


def _shades(palette: Sequence[Colour], level: Floats) -> Rgb:
    """Return a palette's colours at levels 0..1, going over into one another."""
    at = np.linspace(0, 1, len(palette))
    channels = [np.interp(level, at, [colour[c] for colour in palette]) for c in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _paper(dice: Dice, colour: Colour, grain: float) -> Rgb:
    noise = dice.normal(0, grain, (SIDE, SIDE, 1)) + 6 * (_field(dice, 60)[..., None] - 0.5)
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


def _strokes(dice: Dice, canvas: Rgb, ground: Rgb, how: tuple[int, int, int, float]) -> Rgb:
    """Paint strokes in the ground's colours along a flow; how: count, length, width, spread of brightness."""
    count, length, width, spread = how
    angle = 2 * np.pi * _field(dice, 220)
    for x, y in dice.integers(0, SIDE, (count, 2)).tolist():
        points, px, py = [(x, y)], float(x), float(y)
        for _ in range(length // 4):
            turn = angle[min(max(int(py), 0), SIDE - 1), min(max(int(px), 0), SIDE - 1)]
            px, py = px + 4 * np.cos(turn), py + 4 * np.sin(turn)
            points.append((round(px), round(py)))
        colour = np.clip(ground[y, x] * dice.normal(1, spread) + dice.normal(0, 40 * spread, 3), 0, 255)
        cv2.polylines(canvas, [np.array(points, np.int32)], False, colour.tolist(), width, cv2.LINE_AA)
    return canvas


def _relief(image: Rgb, depth: float) -> Rgb:
    """Light paint from the upper left, as if it lay thick."""
    height = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.2)
    slope = cv2.Sobel(height, cv2.CV_32F, 1, 0) + cv2.Sobel(height, cv2.CV_32F, 0, 1)
    return np.clip(image + depth * slope[..., None], 0, 255).astype(np.uint8)


def _cells(dice: Dice, count: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return which of `count` cells (about) each pixel lies in, and where cells meet."""
    side = round(count**0.5)
    step = SIDE / side
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
    seeds = np.full((SIDE, SIDE), 255, np.uint8)
    for x, y in ((grid + dice.random(grid.shape)) * step).astype(int).tolist():
        seeds[min(y, SIDE - 1), min(x, SIDE - 1)] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP)
    cells = np.asarray(labels, np.intp)
    edges = cv2.morphologyEx(labels.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    return cells, edges


def _impasto(dice: Dice) -> Rgb:
    palette = [(18, 32, 74), (38, 84, 150), (96, 150, 190), (232, 196, 92), (250, 236, 180)]
    ground = _shades(palette, _field(dice, 130))
    return _relief(_strokes(dice, ground.copy(), ground, (5200, 44, 5, 0.16)), 0.9)


def _sunflower(dice: Dice) -> Rgb:
    palette = [(92, 60, 18), (196, 120, 22), (238, 182, 40), (250, 220, 110), (120, 140, 60)]
    ground = _shades(palette, _field(dice, 90))
    return _relief(_strokes(dice, ground.copy(), ground, (4200, 26, 7, 0.2)), 1.1)


def _dots(dice: Dice) -> Rgb:
    palette = [(40, 70, 140), (70, 140, 120), (230, 200, 90), (230, 110, 70), (245, 235, 215)]
    ground, canvas = _shades(palette, _field(dice, 150)), _paper(dice, (244, 238, 222), 3)
    for x, y in dice.integers(0, SIDE, (16000, 2)).tolist():
        colour = np.clip(ground[y, x] + dice.normal(0, 34, 3), 0, 255).tolist()
        cv2.circle(canvas, (x, y), int(dice.integers(2, 5)), colour, -1, cv2.LINE_AA)
    return canvas


def _pencil(dice: Dice) -> Rgb:
    canvas, dark = _paper(dice, (246, 243, 236), 4), _field(dice, 120)
    for slant in (0.8, -0.7, 1.4):
        for x, y in dice.integers(0, SIDE, (5200, 2)).tolist():
            if dice.random() < dark[y, x] ** 1.6:
                length, shade = dice.uniform(14, 34), int(dice.integers(50, 140))
                turn = slant + dice.normal(0, 0.06)
                end = (round(x + length * np.cos(turn)), round(y + length * np.sin(turn)))
                cv2.line(canvas, (x, y), end, (shade, shade, shade + 4), 1, cv2.LINE_AA)
    return canvas


def _wash(dice: Dice) -> Rgb:
    canvas = _paper(dice, (250, 247, 240), 2).astype(np.float32)
    colours = [(70, 130, 180), (200, 90, 110), (110, 160, 90), (230, 170, 80), (120, 90, 150)]
    for number in range(11):
        shape = _field(dice, dice.uniform(60, 200)) > dice.uniform(0.62, 0.8)
        soft = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), 2.5)
        rim = cv2.GaussianBlur(np.abs(cv2.Laplacian(soft, cv2.CV_32F)), (0, 0), 1.0)
        thick = (0.3 * soft + 1.6 * rim)[..., None] * (0.6 + 0.8 * _field(dice, 40)[..., None])
        canvas *= 1 - thick * (1 - np.array(colours[number % 5]) / 255)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _mosaic(dice: Dice) -> Rgb:
    cells, edges = _cells(dice, 1500)
    palette = [(20, 60, 90), (40, 120, 130), (200, 160, 60), (190, 80, 50), (230, 220, 190)]
    ground = _shades(palette, _field(dice, 140)).astype(np.float32)
    tint = dice.normal(1, 0.14, (cells.max() + 1, 1))
    means = np.stack([np.bincount(cells.ravel(), ground[..., c].ravel()) for c in range(3)], 1)
    means = means / np.maximum(np.bincount(cells.ravel()), 1)[:, None]
    image: Rgb = np.clip(means * tint, 0, 255)[cells].astype(np.uint8)
    image[edges] = (196, 188, 172)
    return image


def _glass(dice: Dice) -> Rgb:
    cells, edges = _cells(dice, 130)
    colours = dice.choice(
        [(190, 30, 45), (20, 70, 160), (240, 190, 40), (20, 130, 80), (110, 40, 130), (240, 120, 40)], cells.max() + 1
    )
    light = 0.65 + 0.5 * _field(dice, 70)[..., None]
    image: Rgb = np.clip(colours[cells] * light, 0, 255).astype(np.uint8)
    image[cv2.dilate(edges.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = (18, 16, 20)
    return image


def _woodcut(dice: Dice) -> Rgb:
    wave = np.sin(_field(dice, 160) * 60 + np.linspace(0, 40, SIDE, dtype=np.float32)[:, None])
    ink = wave > (1.6 * _field(dice, 110) - 0.8)
    image = _paper(dice, (238, 226, 200), 4)
    image[ink] = (26, 24, 28)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.7), np.uint8)


def _crayon(dice: Dice) -> Rgb:
    palette = [(220, 60, 60), (250, 150, 50), (250, 220, 80), (90, 180, 90), (60, 120, 210), (150, 80, 170)]
    ground, canvas = _shades(palette, _field(dice, 170)), _paper(dice, (252, 250, 244), 3)
    drawn = _strokes(dice, canvas.copy(), ground, (3200, 60, 4, 0.1))
    tooth = dice.random((SIDE, SIDE)) > 0.42 + 0.3 * _field(dice, 8)
    drawn[~tooth] = canvas[~tooth]
    return drawn


def _ink(dice: Dice) -> Rgb:
    level = 0.55 * _field(dice, 190) + 0.3 * _field(dice, 70) + 0.15 * _field(dice, 20)
    tone = np.clip((level - level.min()) / np.ptp(level), 0, 1) ** 0.7
    image = _shades([(24, 26, 30), (92, 96, 100), (196, 194, 186), (240, 236, 224)], tone.astype(np.float32))
    for _ in range(60):
        x, y = dice.integers(0, SIDE, 2).tolist()
        way = (x + int(dice.normal(0, 70)), y + int(dice.normal(0, 70)))
        cv2.line(image, (x, y), way, (22, 22, 26), int(dice.integers(1, 6)), cv2.LINE_AA)
    return np.clip(image + dice.normal(0, 4, (SIDE, SIDE, 1)), 0, 255).astype(np.uint8)


def _neon(dice: Dice) -> Rgb:
    glow = np.zeros((SIDE, SIDE, 3), np.float32)
    for _ in range(70):
        x, y = dice.integers(0, SIDE, 2).tolist()
        colour = dice.choice([(255, 40, 140), (40, 200, 255), (150, 60, 255), (255, 200, 60)]).tolist()
        end = (x + int(dice.normal(0, 110)), y + int(dice.normal(0, 40)))
        cv2.line(glow, (x, y), end, colour, int(dice.integers(1, 4)), cv2.LINE_AA)
    halo = 3.2 * cv2.GaussianBlur(glow, (0, 0), 7) + 2.5 * cv2.GaussianBlur(glow, (0, 0), 24)
    night = _shades([(8, 6, 24), (20, 14, 52), (40, 20, 70)], _field(dice, 150))
    return np.clip(night + glow + halo, 0, 255).astype(np.uint8)


def _sepia(dice: Dice) -> Rgb:
    level = 0.7 * _field(dice, 200) + 0.3 * _field(dice, 30)
    image = _shades([(44, 28, 16), (122, 86, 52), (206, 172, 124), (246, 230, 196)], level.astype(np.float32))
    return np.clip(image + dice.normal(0, 13, (SIDE, SIDE, 1)), 0, 255).astype(np.uint8)


MADE: dict[str, Callable[[Dice], Rgb]] = {
    "impasto": _impasto,
    "sunflower": _sunflower,
    "dots": _dots,
    "pencil": _pencil,
    "wash": _wash,
    "mosaic": _mosaic,
    "glass": _glass,
    "woodcut": _woodcut,
    "crayon": _crayon,
    "ink": _ink,
    "neon": _neon,
    "sepia": _sepia,
}
