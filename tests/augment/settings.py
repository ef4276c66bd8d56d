"""Parameters with which every offered geometric transform is tried, several where it has several ways to work."""

from typing import Any

GEOMETRIC: dict[str, list[dict[str, Any]]] = {
    "HorizontalFlip": [{}],
    "VerticalFlip": [{}],
    "Transpose": [{}],
    "D4": [{}],
    "SquareSymmetry": [{}],
    "RandomRotate90": [{}],
    "Affine": [
        {"rotate": [-40, 40], "scale": [0.7, 1.4], "shear": [-15, 15], "translate_percent": [-0.1, 0.1]},
        {"rotate": [-40, 40], "fit_output": True},
        {"scale": {"x": [0.7, 1.4], "y": [0.7, 1.4]}, "translate_px": [-20, 20]},
    ],
    "ShiftScaleRotate": [{}],
    "Rotate": [{"limit": 45}, {"limit": 45, "crop_border": True}],
    "SafeRotate": [{"limit": 45}],
    "Perspective": [{"scale": [0.05, 0.15]}, {"fit_output": True}, {"keep_size": False}],
    "ElasticTransform": [{}, {"alpha": 60, "sigma": 8}, {"alpha": 300, "sigma": 20, "same_dxdy": True}],
    "OpticalDistortion": [{"distort_limit": 0.3}, {"distort_limit": 0.3, "mode": "fisheye"}],
    "Crop": [
        {"x_min": 20, "y_min": 24, "x_max": 400, "y_max": 320},
        {"x_min": 60, "y_min": 0, "x_max": 600, "y_max": 400, "pad_if_needed": True},
    ],
    "CenterCrop": [{"height": 280, "width": 360}, {"height": 400, "width": 300, "pad_if_needed": True}],
    "RandomCrop": [
        {"height": 280, "width": 360},
        {"height": 400, "width": 300, "pad_if_needed": True, "pad_position": "random"},
    ],
    "RandomCropFromBorders": [{}],
    "BBoxSafeRandomCrop": [{}],
    "AtLeastOneBBoxRandomCrop": [{"height": 280, "width": 320}],
    "CropAndPad": [
        {"percent": [-0.15, 0.15]},
        {"px": [-40, 40], "keep_size": False},
        {"px": [-40, 40]},
        {"percent": [-0.4, -0.35]},
    ],
    "RandomResizedCrop": [{"size": [300, 380], "scale": [0.4, 1]}, {"size": [720, 960], "scale": [0.1, 0.15]}],
    "RandomSizedCrop": [
        {"min_max_height": [240, 340], "size": [300, 380]},
        {"min_max_height": [90, 110], "size": [720, 720]},
    ],
    "RandomSizedBBoxSafeCrop": [{"height": 300, "width": 380}, {"height": 1440, "width": 1920}],
    "Resize": [{"height": 666, "width": 814}, {"height": 202, "width": 262}],
    "LongestMaxSize": [{"max_size": 665}, {"max_size": 321}],
    "SmallestMaxSize": [{"max_size": 665}, {"max_size": 241}],
    "RandomScale": [{"scale_limit": 0.4}],
    "Pad": [{"padding": 17}, {"padding": [3, 40, 20, 7]}],
    "PadIfNeeded": [
        {"min_height": 600, "min_width": 601},
        {"min_height": 600, "min_width": 601, "position": "random"},
        {"min_height": None, "min_width": None, "pad_height_divisor": 64, "pad_width_divisor": 64},
    ],
}
