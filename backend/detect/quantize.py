"""An ONNX model with 8-bit weights and values: about twice as fast on a processor that multiplies such numbers well."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class _Samples:
    """What onnxruntime reads its calibration inputs from."""

    def __init__(self, name: str, samples: Iterable[Floats]) -> None:
        self._rest: Iterator[dict[str, Floats]] = ({name: sample} for sample in samples)

    def get_next(self) -> dict[str, Floats] | None:
        return next(self._rest, None)


def quantize(path: Path, target: Path, name: str, samples: Iterable[Floats], **how: Any) -> None:
    """Write the quantised model: static, per channel. name: of the input; samples: inputs (1, 3, H, W) to calibrate by.

    Weights take 7 of the 8 bits, because processors without VNNI add two products in 16 bits, where 8 could overflow.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory(dir=target.parent) as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            _Samples(name, samples),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            **how,
        )
