"""Read all of a JPEG, but make only a small gray picture of it: damage shows, in less than half of the time."""

import numpy as np
from numpy.typing import NDArray
from PIL import JpegImagePlugin

from backend.core.errors import ImageError
from backend.imaging.containers import Header, open_header, quiet, short
from backend.imaging.integrity import JpegFeed

_ENOUGH = 96  # pixels of the shorter side: with fewer the hashes begin to differ from those of the whole picture
_SCALES = (8, 4, 2)


def glance(data: bytes, header: Header) -> NDArray[np.uint8] | None:
    """Return gray levels of about `_ENOUGH` pixels; None for all but upright JPEGs in colour or gray that are larger.

    Raises:
        ImageError: truncated or damaged.
    """
    scale = next((scale for scale in _SCALES if min(header.size_wh) >= scale * _ENOUGH), None)
    if scale is None or header.kind != "jpeg" or header.orientation != 1 or header.image.mode not in {"RGB", "L"}:
        return None
    feed = JpegFeed(data)
    image = open_header(feed).image
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return None
    width, height = image.size
    try:
        with quiet():
            image.draft("L", (-(-width // scale), -(-height // scale)))
            feed.load(image)
    except ImageError:
        raise
    except Exception as error:  # readers raise many kinds; each means the same to the user
        msg = f"cannot decode the JPEG: {short(error)}"
        raise ImageError(msg) from error
    return np.asarray(image.convert("L"))
