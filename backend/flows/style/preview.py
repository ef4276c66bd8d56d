"""A picture in a style, at once: what was looked at is kept, so that moving a slider only paints.

Contents are shown at most 512 pixels wide or high; a run paints them whole, and strokes then are finer.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backend.flows.style.codes import Codes
from backend.flows.style.engines import open_engine
from backend.flows.style.library import find_styles
from backend.imaging.decode import decode
from backend.imaging.encode import encode
from backend.imaging.hashes import sha256
from backend.settings import Settings
from backend.style.base import Engine
from backend.style.blend import keep_colour
from backend.style.sizes import longer_at_most

SIDE = 512  # pixels
_CONTENTS, _ENGINES = 4, 2  # kept


@dataclass(frozen=True, slots=True)
class Wish:
    """What to paint, and how."""

    style: str
    engine: str = "compact"
    alpha: float = 0.6
    detail: float = 1.0
    keep_color: bool = False


class Previews:
    """Engines and contents that were looked at last. One picture is painted at a time."""

    def __init__(self, settings: Settings, threads: int) -> None:
        self._settings, self._threads = settings, threads
        self._lock = threading.Lock()
        self._engines: OrderedDict[str, tuple[Engine, Codes]] = OrderedDict()
        self._contents: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def paint(self, data: bytes, wish: Wish) -> bytes:
        """Return a picture's bytes painted, as JPEG.

        Raises:
            UsageError: there is no such engine or style, or a number is out of range.
            ImageError: the content or the style is no picture.
        """
        (style,) = find_styles([wish.style], self._settings)[:1]
        with self._lock:
            engine, codes = _kept(self._engines, wish.engine, _ENGINES, lambda: self._open(wish.engine))
            key = (wish.engine, sha256(data))
            content = _kept(
                self._contents,
                key,
                _CONTENTS,
                lambda: engine.content(longer_at_most(decode(data).rgb, SIDE)),
            )
            painted = engine.paint(content, codes.of(style.path.read_bytes()), wish.alpha, wish.detail)
        if wish.keep_color:
            painted = keep_colour(content.rgb, painted)
        return encode(painted, "jpeg", 90)

    def _open(self, name: str) -> tuple[Engine, Codes]:
        engine = open_engine(name, {}, self._settings, threads=self._threads)
        return engine, Codes(engine, self._settings.style_codes_dir)


def _kept(kept: OrderedDict[Any, Any], key: Any, most: int, make: Callable[[], Any]) -> Any:
    """Return what is kept under a key, made now if it is not; the one longest unused makes room."""
    if key not in kept:
        kept[key] = make()
        if len(kept) > most:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]
