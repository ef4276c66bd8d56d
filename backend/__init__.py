"""LabelLoom: a Label Studio project becomes an augmented, verified dataset, and a new project.

Layers, one way only: cli > commands > flows > formats, augment, store, settings > imaging > core.
"""

import os

# Albumentations asks the package registry for news when imported; nobody asked for that.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # noqa: TID251 - must be set before any import of it

__version__ = "0.1.0"
