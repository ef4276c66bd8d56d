"""What an engine made of a style, kept by the engine's version and the picture's sha256: it is looked at once."""

import io
from pathlib import Path

import numpy as np

from backend.imaging.decode import decode
from backend.imaging.files import write_atomic
from backend.imaging.hashes import sha256
from backend.style.base import Engine, StyleCode
from backend.style.sizes import usual_size

_IN_MEMORY = 256  # codes kept without asking the disk again


class Codes:
    """The codes of styles for one engine. folder: where they are kept between runs."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder / f"{engine.name}-{engine.version}"
        self._kept: dict[str, StyleCode] = {}

    def of(self, data: bytes) -> StyleCode:
        """Return the code of a style picture's bytes.

        Raises:
            ImageError: it is no picture.
        """
        sha = sha256(data)
        code = self._kept.pop(sha, None) or self._read(sha)
        if code is None:
            code = self._engine.style(usual_size(decode(data).rgb))
            self._write(sha, code)
        if len(self._kept) >= _IN_MEMORY:
            self._kept.pop(next(iter(self._kept)))
        self._kept[sha] = code
        return code

    def _path(self, sha: str) -> Path:
        return self._folder / sha[:2] / f"{sha}.npz"

    def _read(self, sha: str) -> StyleCode | None:
        try:
            with np.load(io.BytesIO(self._path(sha).read_bytes()), allow_pickle=False) as kept:
                return StyleCode(tuple(kept[f"a{i}"] for i in range(len(kept.files))))
        except (OSError, ValueError, KeyError, EOFError):  # not there, or damaged: it is made again
            return None

    def _write(self, sha: str, code: StyleCode) -> None:
        out = io.BytesIO()
        np.savez(out, **{f"a{i}": array for i, array in enumerate(code.arrays)})  # type: ignore[arg-type]
        write_atomic(self._path(sha), out.getvalue())
