"""The 18 transforms with torchvision's v2 transforms; images are uint8 tensors as `v2.ToImage` makes them."""

import random
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

torch.set_num_threads(1)

BILINEAR = v2.InterpolationMode.BILINEAR
load: Callable[[Image.Image], Any] = v2.ToImage()


def shift_rgb(image: torch.Tensor) -> torch.Tensor:
    """Add a random number to each channel; there is no transform for it."""
    shift = torch.randint(-20, 21, (3, 1, 1), dtype=torch.int16)
    return (image.to(torch.int16) + shift).clamp(0, 255).to(torch.uint8)


def pad_to_512(image: torch.Tensor) -> torch.Tensor:
    """Pad on all sides until both are 512 long."""
    height, width = image.shape[-2:]
    down, right = max(512 - height, 0), max(512 - width, 0)
    return F.pad(image, [right // 2, down // 2, right - right // 2, down - down // 2])


TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "HorizontalFlip": v2.RandomHorizontalFlip(p=1),
    "VerticalFlip": v2.RandomVerticalFlip(p=1),
    "Rotate": v2.RandomRotation(45, interpolation=BILINEAR),
    "ShiftScaleRotate": v2.RandomAffine(45, translate=(0.06, 0.06), scale=(0.9, 1.1), interpolation=BILINEAR),
    "Brightness": v2.ColorJitter(brightness=0.2),
    "Contrast": v2.ColorJitter(contrast=0.2),
    "BrightnessContrast": v2.ColorJitter(brightness=0.2, contrast=0.2),
    "ShiftRGB": shift_rgb,
    "ShiftHSV": v2.ColorJitter(hue=0.05, saturation=0.1, brightness=0.1),
    "Gamma": lambda image: F.adjust_gamma(image, random.uniform(0.8, 1.2)),
    "Grayscale": v2.Grayscale(num_output_channels=3),
    "RandomCrop64": v2.RandomCrop(64),
    "PadToSize512": pad_to_512,
    "Resize512": v2.Resize((512, 512)),
    "RandomSizedCrop_64_512": v2.Compose([v2.RandomCrop(64), v2.Resize((512, 512))]),
    "Posterize": v2.RandomPosterize(4, p=1),
    "Solarize": v2.RandomSolarize(128, p=1),
    "Equalize": v2.RandomEqualize(p=1),
}
