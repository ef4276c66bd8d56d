"""The 18 transforms with Pillow alone; images are its own RGB pictures."""

import math
import random
from collections.abc import Callable

from PIL import Image, ImageEnhance, ImageOps

BILINEAR, AFFINE = Image.Resampling.BILINEAR, Image.Transform.AFFINE


def load(picture: Image.Image) -> Image.Image:
    """Return the picture itself."""
    return picture


def _factor() -> float:
    return random.uniform(0.8, 1.2)


def shift_scale_rotate(image: Image.Image) -> Image.Image:
    """Turn, scale and shift in one resampling; the matrix leads from the result back to the picture."""
    angle, scale = math.radians(random.uniform(-45, 45)), random.uniform(0.9, 1.1)
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    x, y = image.width / 2, image.height / 2
    to_x = x + random.uniform(-0.06, 0.06) * image.width
    to_y = y + random.uniform(-0.06, 0.06) * image.height
    matrix = (cos, sin, x - cos * to_x - sin * to_y, -sin, cos, y + sin * to_x - cos * to_y)
    return image.transform(image.size, AFFINE, matrix, BILINEAR)


def brightness_contrast(image: Image.Image) -> Image.Image:
    """Change brightness, then contrast."""
    return ImageEnhance.Contrast(ImageEnhance.Brightness(image).enhance(_factor())).enhance(_factor())


def _shifted(limit: int) -> list[int]:
    by = random.randint(-limit, limit)
    return [min(max(value + by, 0), 255) for value in range(256)]


def shift_rgb(image: Image.Image) -> Image.Image:
    """Add a random number to each channel by one table."""
    return image.point([*_shifted(20), *_shifted(20), *_shifted(20)])


def shift_hsv(image: Image.Image) -> Image.Image:
    """Shift hue (round the circle), saturation and value."""
    hue = random.randint(-14, 14)
    turned = [(value + hue) % 256 for value in range(256)]
    return image.convert("HSV").point([*turned, *_shifted(20), *_shifted(20)]).convert("RGB")


def gamma(image: Image.Image) -> Image.Image:
    """Bend the tones by one table."""
    power = _factor()
    return image.point([round(255 * (value / 255) ** power) for value in range(256)] * 3)


def crop_64(image: Image.Image) -> Image.Image:
    """Cut out 64 x 64 pixels anywhere."""
    x, y = random.randint(0, image.width - 64), random.randint(0, image.height - 64)
    return image.crop((x, y, x + 64, y + 64))


def pad_to_512(image: Image.Image) -> Image.Image:
    """Put the picture in the middle of a black one of at least 512 x 512."""
    width, height = max(image.width, 512), max(image.height, 512)
    padded = Image.new("RGB", (width, height))
    padded.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return padded


TRANSFORMS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "HorizontalFlip": ImageOps.mirror,
    "VerticalFlip": ImageOps.flip,
    "Rotate": lambda image: image.rotate(random.uniform(-45, 45), BILINEAR),
    "ShiftScaleRotate": shift_scale_rotate,
    "Brightness": lambda image: ImageEnhance.Brightness(image).enhance(_factor()),
    "Contrast": lambda image: ImageEnhance.Contrast(image).enhance(_factor()),
    "BrightnessContrast": brightness_contrast,
    "ShiftRGB": shift_rgb,
    "ShiftHSV": shift_hsv,
    "Gamma": gamma,
    "Grayscale": lambda image: image.convert("L").convert("RGB"),
    "RandomCrop64": crop_64,
    "PadToSize512": pad_to_512,
    "Resize512": lambda image: image.resize((512, 512), BILINEAR),
    "RandomSizedCrop_64_512": lambda image: crop_64(image).resize((512, 512), BILINEAR),
    "Posterize": lambda image: ImageOps.posterize(image, 4),
    "Solarize": lambda image: ImageOps.solarize(image, 128),
    "Equalize": ImageOps.equalize,
}
