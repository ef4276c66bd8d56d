"""Pictures: every shape is drawn where it is and in its label's colour, and any label can be written."""

import numpy as np
import pytest

from backend.augment import lettering
from backend.augment.drawing import PALETTE, colours, draw_regions
from backend.augment.render import Row, Tile, contact_sheet
from backend.core import rle
from backend.core.model import Box, Ellipse, Keypoint, Polygon, Region, RotatedBox, Shape

GREY = np.full((100, 200, 3), 120, np.uint8)
SQUARE = np.zeros((100, 200), bool)
SQUARE[20:80, 50:150] = True


def near(pixel: np.ndarray, colour: tuple[int, int, int], tolerance: int = 40) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= tolerance)


@pytest.mark.parametrize(
    ("shape", "on", "off"),
    [
        (Box(50, 20, 150, 80), (50, 50), (100, 50)),
        (RotatedBox(100, 50, 100, 60, 0), (150, 50), (100, 50)),
        (Polygon((((50, 20), (150, 20), (150, 80), (50, 80)),)), (50, 50), (20, 50)),
        (Ellipse(100, 50, 50, 30), (150, 50), (20, 50)),
        (Keypoint(100, 50), (100, 50), (120, 70)),
    ],
)
def test_a_shape_is_drawn_where_it_is_at_any_size(shape: Shape, on: tuple[int, int], off: tuple[int, int]) -> None:
    for scale in (1, 2, 3):
        size = 200 * scale, 100 * scale
        out = np.asarray(draw_regions(GREY, [Region("r", "cat", shape)], {"cat": PALETTE[1]}, size))
        assert out.shape == (size[1], size[0], 3)
        assert near(out[on[1] * scale, on[0] * scale], PALETTE[1])
        assert near(out[off[1] * scale, off[0] * scale], (120, 120, 120))


def test_a_mask_tints_its_pixels_and_no_others() -> None:
    out = np.asarray(draw_regions(GREY, [Region("r", "cat", rle.encode(SQUARE))], {"cat": PALETTE[2]}, (200, 100)))
    assert near(out[60, 100], tuple(int(120 * 0.53 + c * 0.47) for c in PALETTE[2]), 6)  # type: ignore[arg-type]
    assert near(out[10, 20], (120, 120, 120), 0)


def test_colours_go_by_the_order_of_the_labels() -> None:
    assert colours(["b", "a", "b"]) == {"b": PALETTE[0], "a": PALETTE[1]}
    assert len(colours([str(i) for i in range(40)])) == 40


def sheet(*tiles: Tile, **rest: object) -> np.ndarray:
    return contact_sheet([Row("photo.jpg", tiles)], **rest)  # type: ignore[arg-type]


def test_a_sheet_shows_every_tile_and_is_not_too_wide() -> None:
    tile = Tile("original", GREY, (Region("r", "cat", Box(50, 20, 150, 80)),), "visibility 1.00", "good", "200 x 100")
    one, five, ten = (sheet(*[tile] * n) for n in (1, 5, 10))
    assert one.dtype == np.uint8
    assert one.shape[1] < five.shape[1] <= 2000
    assert ten.shape[1] < 2600
    assert one.shape[0] >= 200


def test_a_label_has_one_colour_in_legend_and_tiles_whatever_else_is_on_the_sheet() -> None:
    tile = Tile("original", GREY, (Region("r", "cat", Box(50, 20, 150, 80)),))
    for labels, colour in ((["cat", "dog"], PALETTE[0]), (["dog", "cat"], PALETTE[0])):
        out = sheet(tile, labels=labels)
        assert (np.abs(out.astype(int) - colour).max(axis=-1) < 12).sum() > 300


@pytest.mark.parametrize("label", ["고양이", "a/b c", "🐱 cat", "crème", "\u200b", "x" * 300, ""])
def test_any_label_can_be_drawn(label: str) -> None:
    tile = Tile(label, GREY, (Region("r", label, Box(1, 1, 30, 30)),), label, "poor", label)
    assert sheet(tile, title=label).ndim == 3


def test_odd_pictures_and_missing_ones_can_be_drawn() -> None:
    tiles = [Tile("tall", np.zeros((500, 1, 3), np.uint8)), Tile("dot", np.zeros((1, 1, 3), np.uint8)), Tile("gave up")]
    assert sheet(*tiles).shape[0] < 900
    assert contact_sheet([]).ndim == 3


def test_hangul_is_spelled_by_sound_where_the_font_does_not_know_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_knows", lambda letter: letter.isascii())
    assert lettering.spelled("고양이 눈") == "goyangi nun"
    assert lettering.spelled("한글") == "hangeul"
    assert lettering.spelled("crème 🐱 中") == "creme <cat face> <4E2D>"


def test_long_text_ends_in_an_ellipsis_and_fits() -> None:
    cut = lettering.fitted("a very long caption indeed", 13, 80)
    assert cut.endswith("…")
    assert lettering.font(13).getlength(cut) <= 80
    assert lettering.fitted("short", 13, 200) == "short"
