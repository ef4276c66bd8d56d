"""Tiles cover every pixel once and show no seam; blending keeps colours and objects."""

import numpy as np
import pytest

from backend.style.adain import AdainEngine, mixed_affine
from backend.style.base import Runtime
from backend.style.blend import feathered, keep_colour, mix
from backend.style.compact import SHIPPED, Compact, open_engine
from backend.style.tiles import framed, tiles
from tests.style_pictures import noise

SIZES = [(1, 1), (1, 500), (17, 23), (8, 8), (64, 200), (333, 257), (1024, 1030), (1120, 1121), (2500, 40)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_tiles_cover_every_pixel_once(height: int, width: int) -> None:
    seen = np.zeros((height, width), int)
    image = noise(height, width)
    for tile in tiles(height, width, 256, 96, 8):
        tile.cut(seen)[...] += 1
        part = framed(image, tile, 8)
        assert part.shape[0] % 8 == part.shape[1] % 8 == 0
        assert np.array_equal(tile.inner(part), tile.cut(image))
    assert (seen == 1).all()


def test_a_small_picture_is_one_tile() -> None:
    assert len(list(tiles(1100, 1000, 1024, 96, 8))) == 1
    assert len(list(tiles(1200, 1000, 1024, 96, 8))) == 2


def test_tiles_show_no_seam() -> None:
    """The same picture in one piece and in nine differs by rounding alone, at the seams as elsewhere."""
    image, style = noise(500, 520), noise(128, 128, 1)
    whole = open_engine({}, Runtime())
    net = Compact(SHIPPED, Runtime())
    net.side = 192
    pieces = AdainEngine(net)
    assert len(list(tiles(500, 520, net.side, net.reach, net.grid))) == 9
    code = whole.style(style)
    for alpha in (0.5, 1.0):
        one = whole.paint(whole.content(image), code, alpha).astype(int)
        many = pieces.paint(pieces.content(image), code, alpha).astype(int)
        assert np.abs(one - many).max() <= 1
    for at in (192, 384):  # the differences across a seam are those of the picture in one piece
        assert np.abs(np.diff(one[at - 1 : at + 1], axis=0) - np.diff(many[at - 1 : at + 1], axis=0)).max() <= 2


def test_the_affine_is_equation_five() -> None:
    dice = np.random.default_rng(0)
    x, y = dice.normal(2, 3, (4, 50, 60)), dice.normal(-1, 0.5, (4, 30, 20))
    stats = [tuple(f((1, 2)).astype(np.float32) for f in (m.mean, m.std)) for m in (x, y)]
    adain = (x - stats[0][0][:, None, None]) / stats[0][1][:, None, None] * stats[1][1][:, None, None] + stats[1][0][
        :, None, None
    ]
    for alpha in (0.0, 0.3, 1.0):
        gain, shift = mixed_affine(stats[0], stats[1], alpha)
        ours = x * gain[:, None, None] + shift[:, None, None]
        assert np.allclose(ours, (1 - alpha) * x + alpha * adain, atol=1e-4)


def test_keeping_colour_keeps_colour_and_takes_light() -> None:
    content, painted = noise(40, 50), noise(40, 50, 1)
    kept = keep_colour(content, painted).astype(float)
    luma = np.array([0.299, 0.587, 0.114])
    inside = ((kept > 0) & (kept < 255)).all(axis=2)  # elsewhere the colour does not exist at that light
    assert inside.mean() > 0.2
    assert np.abs(kept @ luma - painted @ luma)[inside].max() < 1
    red = (kept[..., 0] - kept @ luma) - (content[..., 0] - content @ luma)
    assert np.abs(red)[inside].max() < 1.5
    assert np.array_equal(keep_colour(content, content), content)


def test_objects_and_background_are_mixed_with_a_soft_edge() -> None:
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    hard, soft = feathered(mask, 0), feathered(mask, 6)
    assert set(np.unique(hard)) == {0, 1}
    assert soft[30, 30] > 0.99
    assert soft[0, 0] < 0.01
    assert 0.3 < soft[30, 20] < 0.7
    black, white = np.zeros((60, 60, 3), np.uint8), np.full((60, 60, 3), 255, np.uint8)
    assert np.array_equal(mix(black, white, hard)[..., 0] == 255, mask)
    assert (np.diff(mix(black, white, soft)[30, 10:30, 0].astype(int)) >= 0).all()
    for flat in (np.zeros((5, 5), bool), np.ones((5, 5), bool)):
        assert np.array_equal(feathered(flat, 9), flat)
