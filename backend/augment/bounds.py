"""Ranges the library's own checks do not ask for: values beyond them are typing mistakes, or fail on some image."""

from typing import NamedTuple


class Bound(NamedTuple):
    """What every number of a parameter must lie between; `above`: low itself is not allowed."""

    low: float | None
    high: float | None
    above: bool = False


_TURN = Bound(-360, 360)
_SHARE = Bound(-1, 1)
_FACTOR = Bound(0, 10, above=True)
_KERNEL = Bound(0, 255)
_BYTE = Bound(-255, 255)
_SIDE = Bound(1, 32768)

# (transform or *, parameter)
BOUNDS: dict[tuple[str, str], Bound] = {
    ("*", "p"): Bound(0, 1),
    ("*", "height"): _SIDE,
    ("*", "width"): _SIDE,
    ("*", "size"): _SIDE,
    ("*", "max_size"): _SIDE,
    ("*", "max_size_hw"): _SIDE,
    ("*", "blur_limit"): _KERNEL,
    ("*", "fill"): Bound(0, 255),
    ("*", "drop_value"): Bound(0, 255),
    ("*", "gravel_roi"): Bound(0, 1),
    ("*", "shadow_roi"): Bound(0, 1),
    ("*", "flare_roi"): Bound(0, 1),
    ("Affine", "scale"): _FACTOR,
    ("Affine", "rotate"): _TURN,
    ("Affine", "shear"): Bound(-80, 80),
    ("Affine", "translate_percent"): _SHARE,
    ("Rotate", "limit"): _TURN,
    ("SafeRotate", "limit"): _TURN,
    ("ShiftScaleRotate", "rotate_limit"): _TURN,
    ("ShiftScaleRotate", "shift_limit"): _SHARE,
    ("ShiftScaleRotate", "shift_limit_x"): _SHARE,
    ("ShiftScaleRotate", "shift_limit_y"): _SHARE,
    ("ShiftScaleRotate", "scale_limit"): Bound(-1, 9, above=True),
    ("RandomScale", "scale_limit"): Bound(-1, 9, above=True),
    ("Perspective", "scale"): Bound(0, 0.4),
    ("ElasticTransform", "alpha"): Bound(0, 2000),
    ("OpticalDistortion", "distort_limit"): Bound(-0.5, 0.5),
    ("CropAndPad", "percent"): Bound(-1, 1, above=True),
    ("RandomResizedCrop", "scale"): Bound(0, 1, above=True),
    ("RandomResizedCrop", "ratio"): Bound(0, 20, above=True),
    ("Pad", "padding"): Bound(0, 8192),
    ("Erasing", "scale"): Bound(0, 1),
    ("Erasing", "ratio"): Bound(0, 20, above=True),
    ("ColorJitter", "brightness"): Bound(0, 10),
    ("ColorJitter", "contrast"): Bound(0, 10),
    ("ColorJitter", "saturation"): Bound(0, 10),
    ("ColorJitter", "hue"): Bound(-0.5, 0.5),
    ("RandomBrightnessContrast", "brightness_limit"): _SHARE,
    ("RandomBrightnessContrast", "contrast_limit"): _SHARE,
    ("HueSaturationValue", "hue_shift_limit"): Bound(-180, 180),
    ("HueSaturationValue", "sat_shift_limit"): _BYTE,
    ("HueSaturationValue", "val_shift_limit"): _BYTE,
    ("RGBShift", "r_shift_limit"): _BYTE,
    ("RGBShift", "g_shift_limit"): _BYTE,
    ("RGBShift", "b_shift_limit"): _BYTE,
    ("RandomGamma", "gamma_limit"): Bound(1, 1000),
    ("Posterize", "num_bits"): Bound(1, 8),
    ("FancyPCA", "alpha"): Bound(0, 10),
    ("CLAHE", "clip_limit"): Bound(1, 100),
    ("MultiplicativeNoise", "multiplier"): Bound(0, 10),
    ("ShotNoise", "scale_range"): Bound(0, 10, above=True),
    ("ISONoise", "intensity"): Bound(0, 10),
    ("Sharpen", "lightness"): Bound(0, 10),
    ("Emboss", "strength"): Bound(0, 10),
    ("ZoomBlur", "max_factor"): Bound(1, 3),
    ("ZoomBlur", "step_factor"): Bound(0, 1, above=True),
    ("Defocus", "radius"): Bound(1, 50),
    ("GlassBlur", "max_delta"): Bound(1, 50),
    ("GlassBlur", "iterations"): Bound(1, 10),
    ("Downscale", "scale_range"): Bound(0, 1, above=True),
}
