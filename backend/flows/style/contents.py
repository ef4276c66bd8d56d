"""Pictures that previews are painted on: a dataset's, or one that was sent and is kept by its content."""

import hashlib
import re
from pathlib import Path

from backend.core.errors import UsageError, shown
from backend.core.model import Sample
from backend.flows.style.library import cached
from backend.flows.style.step import SHA
from backend.formats.recognise import open_dataset
from backend.imaging.decode import decode
from backend.imaging.files import write_atomic
from backend.settings import Settings


def picture_of(folder: Path, image: str | None) -> Path:
    """Return a picture below a dataset's folder; its first, if none is named.

    Raises:
        UsageError: it lies elsewhere, or there is none.
    """
    if image is None:
        first = next((one for one in open_dataset(folder).samples if isinstance(one, Sample)), None)
        if first is not None:
            return Path(first.path)
        msg = f"{folder.name} holds no picture that can be read"
        raise UsageError(msg, fix="name another dataset")
    root = folder.resolve()
    try:
        path = (root / image).resolve()
        there = path.is_relative_to(root) and path.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        msg = f"there is no picture {shown(image)} in {folder.name}"
        raise UsageError(msg, fix="give its path below the dataset's folder, as images/cat.jpg")
    return path


def keep_content(data: bytes, settings: Settings) -> tuple[str, int, int]:
    """Keep a picture in the cache; return how it is named from then on, its width and its height in pixels.

    Raises:
        ImageError: it is no picture.
    """
    height, width = decode(data).rgb.shape[:2]
    sha = hashlib.sha256(data).hexdigest()
    if not cached(sha, settings).is_file():
        write_atomic(cached(sha, settings), data)
    return f"{SHA}{sha}", width, height


def kept_content(name: str, settings: Settings) -> Path:
    """Return the file of a picture that was kept.

    Raises:
        UsageError: it is not there, or not there any more.
    """
    sha = name.removeprefix(SHA)
    if re.fullmatch(r"[0-9a-f]{64}", sha) and cached(sha, settings).is_file():
        return cached(sha, settings)
    msg = f"there is no picture {shown(name)}"
    raise UsageError(msg, fix="send it first: POST /api/v1/styles/contents")
