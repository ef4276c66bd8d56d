"""Task images as local files, by sha256: fetched once, shared by datasets, previews and predictions."""

import hashlib
from pathlib import Path

from backend.imaging.files import write_atomic
from backend.settings import Settings
from connectors.label_studio import LabelStudio
from connectors.label_studio_images import Images


class ImageCache:
    """The images of one Label Studio, safe to share between threads; a file's name is its content's sha256."""

    def __init__(self, client: LabelStudio, settings: Settings) -> None:
        self._base = client.url
        self._images = Images(client, allow_hosts=settings.allow_hosts)
        self._store = settings.sources_dir

    def path(self, url: str, task: int) -> Path:
        """Return the local file of an image as a task's data names it.

        Raises:
            FetchError: this image cannot be had; the reason says why.
            Unreachable, Unauthorized: Label Studio itself is gone or shut; no other image can be had either.
        """
        known = self._store / "by-url" / _sha256(f"{self._base} {url}".encode())
        upload = url.startswith("/data/upload/")  # Label Studio never changes an upload; other addresses may change
        if upload and known.is_file() and (path := self._path(known.read_text())).is_file():
            return path
        data = self._images.fetch(url, task)
        sha = _sha256(data)
        path = self._path(sha)
        if not path.is_file():
            write_atomic(path, data)
        if upload:
            write_atomic(known, sha.encode())
        return path

    def _path(self, sha: str) -> Path:
        return self._store / sha[:2] / sha


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()  # not imaging's: the web app starts without OpenCV
