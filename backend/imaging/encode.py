"""RGB arrays -> image bytes, the same bytes for the same pixels every time."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.core.errors import ImageError

ImageFormat = Literal["jpeg", "png", "webp"]
EXTENSIONS: dict[ImageFormat, str] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}


def encode(rgb: NDArray[np.uint8], format: ImageFormat = "jpeg", quality: int = 95) -> bytes:
    """Return an image file's bytes, without any metadata.

    Args:
        rgb: uint8 (height, width, 3).
        format: jpeg (4:2:0, baseline), png (lossless, quality ignored) or webp (lossy).
        quality: 1 to 100.

    Raises:
        ImageError: the picture is larger than the format holds (JPEG 65,535, WebP 16,383 pixels a side).
    """
    parameters = {
        "jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        "png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
    }[format]
    limit = {"jpeg": 65_535, "png": 2**31 - 1, "webp": 16_383}[format]
    if max(rgb.shape[:2]) > limit:
        msg = f"{rgb.shape[1]} x {rgb.shape[0]} pixels do not fit into a {format} file (at most {limit:,} a side)"
        raise ImageError(msg)
    done, data = cv2.imencode(EXTENSIONS[format], cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), parameters)
    if not done:
        msg = f"OpenCV could not write {rgb.shape[1]} x {rgb.shape[0]} pixels as {format}"
        raise ImageError(msg)
    return data.tobytes()
