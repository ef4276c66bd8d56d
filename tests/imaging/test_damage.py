"""Damaged files are refused, never decoded into gray areas; harmless oddities pass."""

import io
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.core.errors import ImageError
from backend.imaging.decode import decode


def photograph(width: int = 160, height: int = 120) -> Image.Image:
    """Return something with texture everywhere, so that its compressed data is dense."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width]
    waves = 128 + 60 * np.sin(x / 5) + 50 * np.cos(y / 7)
    noise = rng.normal(0, 12, (height, width, 3))
    return Image.fromarray(np.clip(waves[..., None] + noise, 0, 255).astype(np.uint8))


def saved(format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    photograph().save(stream, format, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    "options",
    [{}, {"quality": 30}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 4}, {"optimize": True}],
)
def test_whole_jpegs_pass_with_the_pixels_that_pillow_gives(options: dict[str, object]) -> None:
    data = saved("JPEG", **options)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(decode(data).rgb, np.asarray(image))


def test_every_photograph_is_whole(data_dir: Path) -> None:
    paths = sorted((data_dir / "raccoon").rglob("*.jpg"))[:40] + sorted((data_dir / "bccd").rglob("*.jpg"))[:40]
    assert len(paths) == 80
    for path in paths:
        decode(path.read_bytes())


def test_trailing_bytes_after_the_end_are_harmless() -> None:
    data = saved("JPEG")
    assert np.array_equal(decode(data + b"\r\n--boundary--" + b"\xff\xd8\xff\xe0").rgb, decode(data).rgb)


def test_padding_before_the_end_marker_is_harmless() -> None:
    data = saved("JPEG")
    assert np.array_equal(decode(data[:-2] + bytes(8) + data[-2:]).rgb, decode(data).rgb)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95, 0.999])
def test_a_jpeg_cut_off_anywhere_is_refused(share: float, progressive: bool) -> None:
    data = saved("JPEG", progressive=progressive)
    with pytest.raises(ImageError, match=r"truncated|broken"):
        decode(data[: int(len(data) * share)])


def test_a_jpeg_without_its_middle_is_refused() -> None:
    data = saved("JPEG")
    with pytest.raises(ImageError, match="damaged: the JPEG's picture data ends too early"):
        decode(data[: len(data) // 2] + data[len(data) // 2 + 500 :])


def test_a_jpeg_with_data_inserted_is_refused() -> None:
    data = saved("JPEG")
    start = len(data) * 3 // 4
    with pytest.raises(ImageError, match="damaged"):
        decode(data[:start] + data[start - 900 : start] + data[start:])


def test_most_overwritten_jpegs_are_refused() -> None:
    data, chance, refused = saved("JPEG", quality=90), random.Random(3), 0
    start = data.rindex(b"\xff\xda") + 40
    for _ in range(40):
        position = chance.randrange(start, len(data) - 200)
        try:
            decode(data[:position] + bytes(64) + data[position + 64 :])
        except ImageError:
            refused += 1
    assert refused >= 26  # what slips through decodes without a single complaint of libjpeg's either


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("format", ["PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_other_formats_cut_off_are_refused(format: str, share: float) -> None:
    data = saved(format)
    with pytest.raises(ImageError):
        decode(data[: int(len(data) * share)])


def test_one_wrong_bit_in_a_png_is_found() -> None:
    data = bytearray(saved("PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(ImageError, match="checksum of the PNG's IDAT chunk"):
        decode(bytes(data))


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"]),
    changes=st.lists(st.tuples(st.floats(0, 0.9999), st.integers(0, 255)), min_size=1, max_size=12),
    keep=st.floats(0.01, 1),
)
def test_whatever_the_bytes_it_is_an_image_or_an_image_error(
    kind: str, changes: list[tuple[float, int]], keep: float
) -> None:
    stream = io.BytesIO()
    photograph(24, 18).save(stream, kind)
    data = bytearray(stream.getvalue())
    for place, value in changes:
        data[int(place * len(data))] = value
    try:
        rgb = decode(bytes(data[: int(keep * len(data))])).rgb
    except ImageError as error:
        assert str(error)
    else:
        assert rgb.ndim == 3
