"""A detector of torchvision by name, or its weights by path, as a model folder. No torch is loaded here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.detect.base import Training
from backend.detect.model_dir import ModelInfo
from backend.detect.training import run_training


def make(options: Mapping[str, Any], folder: Path) -> ModelInfo:
    """Export a detector into an existing folder, in a process of its own, and write its model.json.

    options: fields of `options.TorchvisionOptions`. The version is "untitled"; who keeps the model names it.

    Raises:
        LabelLoomError: no such model, its weights cannot be downloaded, or the file is none of its weights.
    """
    training = Training(labels=(), train=(), options=dict(options))
    return run_training("backend.detect.torchvision_train:convert", training, folder, lambda _event: None)
