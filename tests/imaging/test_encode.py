"""What is written reads back, the same bytes every time."""

import io
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from backend.core.errors import ImageError
from backend.imaging.decode import decode
from backend.imaging.encode import EXTENSIONS, ImageFormat, encode


def picture() -> np.ndarray:
    y, x = np.mgrid[:96, :128]
    return np.stack([x * 2, y * 2, 255 - x], axis=2).astype(np.uint8)


def test_every_format_has_an_extension() -> None:
    assert set(EXTENSIONS) == set(get_args(ImageFormat))


@pytest.mark.parametrize("format", EXTENSIONS)
def test_formats_read_back_in_rgb_order(format: ImageFormat) -> None:
    data = encode(picture(), format, 95)
    image = decode(data)
    assert image.format == format
    assert np.abs(image.rgb.astype(int) - picture()).mean() < (0.001 if format == "png" else 3)
    assert data == encode(picture(), format, 95)


def test_jpeg_is_baseline_with_halved_colour_and_no_metadata() -> None:
    with Image.open(io.BytesIO(encode(picture()))) as image:
        assert [component[1:3] for component in image.layer] == [(2, 2), (1, 1), (1, 1)]
        assert "progressive" not in image.info
        assert "exif" not in image.info


def test_quality_counts() -> None:
    assert len(encode(picture(), "jpeg", 30)) < len(encode(picture(), "jpeg", 95))
    assert len(encode(picture(), "webp", 30)) < len(encode(picture(), "webp", 95))


def test_an_array_view_is_encoded_like_its_copy() -> None:
    view = picture()[:, ::-1]
    assert encode(view) == encode(np.ascontiguousarray(view))


@pytest.mark.parametrize(("format", "side"), [("webp", 16_384), ("jpeg", 65_536)])
def test_a_picture_too_large_for_the_format_says_so(format: ImageFormat, side: int) -> None:
    with pytest.raises(ImageError, match=rf"{side} x 1 pixels do not fit into a {format} file \(at most"):
        encode(np.zeros((1, side, 3), np.uint8), format)
