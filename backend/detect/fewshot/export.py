"""A trained network as ONNX: as it is, and quantised to 8 bits with a few training images to set its ranges by."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from backend.detect.fewshot.net import SIZE, Whole
from backend.detect.quantize import quantize

OPSET = 17


def export(whole: Whole, path: Path) -> None:
    """Write the fp32 model: `images` (N, 3, SIZE, SIZE) -> `boxes` (N, P, 4) and `scores` (N, P, C)."""
    whole.eval()  # the exporter gives a network back in the mode it found it in
    example = torch.zeros(1, 3, SIZE, SIZE)
    free = {name: {0: "n"} for name in ("images", "boxes", "scores")}
    torch.onnx.export(
        whole,
        (example,),
        str(path),
        input_names=["images"],
        output_names=["boxes", "scores"],
        dynamic_axes=free,
        opset_version=OPSET,
        dynamo=False,
    )
