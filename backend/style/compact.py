"""The engine that ships: EfficientNet-Lite0's first layers, AdaIN at strides 2, 4 and 8, and a small decoder.

Runs in ONNX Runtime; how it was trained is told in `backend/style/weights/card.json` and docs/style.md.
"""

from pathlib import Path

import numpy as np

from backend.style.adain import AdainEngine, Affines, Maps
from backend.style.base import Floats, Json, Rgb, Runtime
from backend.style.sessions import session

ENCODER, DECODER, CARD = "encoder.onnx", "decoder.onnx", "card.json"
SHIPPED = Path(__file__).parent / "weights"
_WORDS = "compact style network", "give the folder that `labelloom train-style` wrote"
_TAPS = ("fine", "middle", "coarse")


class Compact:
    """The network, as two ONNX files in a folder."""

    name = "compact"
    grid = 8
    reach = 96
    side = 768  # larger ones are no faster, and 1,024 takes 2 GB

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self._encoder, encoder = session(folder / ENCODER, runtime, _WORDS)
        self._decoder, decoder = session(folder / DECODER, runtime, _WORDS)
        self.version = f"{encoder[:6]}{decoder[:6]}"

    def encode(self, rgb: Rgb) -> Maps:
        """Return the taps at strides 2, 4 and 8."""
        given = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32)
        return tuple(one[0] for one in self._encoder.run(None, {"rgb": given}))

    def decode(self, maps: Maps, affines: Affines, detail: float) -> Floats:
        """Return the picture of taps."""
        given = {tap: one[None] for tap, one in zip(_TAPS, maps, strict=True)}
        for tap, (gain, shift) in zip(_TAPS, affines, strict=True):
            given[f"{tap}_gain"], given[f"{tap}_shift"] = gain.reshape(1, -1, 1, 1), shift.reshape(1, -1, 1, 1)
        given["detail"] = np.full((1, 1, 1, 1), detail, np.float32)
        picture: Floats = self._decoder.run(None, given)[0][0].transpose(1, 2, 0)
        return picture


def open_engine(options: Json, runtime: Runtime) -> AdainEngine:
    """Return the engine. Option `folder`: where `labelloom train-style` wrote another.

    Raises:
        UsageError: the folder holds none.
        LabelLoomError: ONNX Runtime is not installed.
    """
    folder = Path(options["folder"]) if options.get("folder") else SHIPPED
    return AdainEngine(Compact(folder, runtime))
