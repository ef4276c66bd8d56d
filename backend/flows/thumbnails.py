"""Small pictures of images, made when they are asked for and kept by the image's sha256."""

from pathlib import Path

from backend.core.errors import ImageError
from backend.settings import Settings

SIDE = 320  # pixels of the longer side


def thumbnail(image: Path, sha256: str, settings: Settings) -> Path:
    """Return the JPEG that shows an image at `SIDE` pixels at most.

    Raises:
        ImageError: the image cannot be read.
    """
    from backend.imaging.files import write_atomic

    target = settings.cache_dir / "thumbnails" / str(SIDE) / sha256[:2] / f"{sha256}.jpg"
    if not target.is_file():
        write_atomic(target, _drawn(image))
    return target


def _drawn(image: Path) -> bytes:
    import cv2
    import numpy as np

    from backend.imaging.decode import decode
    from backend.imaging.encode import encode

    try:
        rgb = decode(image.read_bytes()).rgb
    except OSError as error:
        msg = f"{image.name} cannot be read: {error.strerror}"
        raise ImageError(msg) from error
    height, width = rgb.shape[:2]
    scale = SIDE / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return encode(rgb, "jpeg", 80)
