"""LabelLoom: a Label Studio project becomes an augmented, verified dataset, and a new project.

Layers, one way only: cli > commands > flows > formats, augment, store, settings > imaging > core.
"""

import os
import sys

# Albumentations asks the package registry for news when imported; nobody asked for that.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # noqa: TID251 - must be set before any import of it

# Where torch is installed Albumentations imports it, for tensors that nobody here wants: 2.5 s for every process.
sys.modules.setdefault("albumentations.pytorch", None)  # type: ignore[arg-type]

__version__ = "0.1.0"
