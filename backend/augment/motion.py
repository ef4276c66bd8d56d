"""How each geometric transform moves points: measured, not believed.

Albumentations 2.0.8 moves pixels and points by different code. What each entry says was found by warping coloured
shapes and comparing (tests/augment/test_motion.py repeats it for every entry): with the named convention the points
follow the pixels, with the other one they are off by up to a pixel.
"""

from typing import Literal, NamedTuple

Map = Literal["affine", "projective", "warp"]
Points = Literal["centre", "edge", "size", "field"]


class Motion(NamedTuple):
    """What kind of map a transform is, and where its points come from.

    map: affine (outlines may leave the frame and come back), projective (straight lines stay straight) or warp
        (edges bend: outlines get more points first).
    points: centre - the library's points, a coordinate being the centre of a pixel (ours minus 0.5);
        edge - the library's points, a coordinate being a pixel's edge (ours);
        size - ours times the new size over the old (the library uses the size before it was rounded);
        field - ours, by inverting the sampling field (the library's are rounded to whole pixels, or lost).
    """

    map: Map
    points: Points


_INDEXED = Motion("affine", "centre")  # whole-pixel moves and matrices count from the centre of pixel 0
_SCALED = Motion("affine", "edge")  # crop, then resize: cv2.resize keeps the frame's edges in place
_RESIZED = Motion("affine", "size")

MOTIONS: dict[str, Motion] = {
    "HorizontalFlip": _INDEXED,
    "VerticalFlip": _INDEXED,
    "Transpose": _INDEXED,
    "D4": _INDEXED,
    "SquareSymmetry": _INDEXED,
    "RandomRotate90": _INDEXED,
    "Affine": _INDEXED,
    "ShiftScaleRotate": _INDEXED,
    "Rotate": _INDEXED,
    "SafeRotate": _INDEXED,
    "RandomCrop": _INDEXED,
    "CenterCrop": _INDEXED,
    "Crop": _INDEXED,
    "RandomCropFromBorders": _INDEXED,
    "BBoxSafeRandomCrop": _INDEXED,
    "AtLeastOneBBoxRandomCrop": _INDEXED,
    "Pad": _INDEXED,
    "PadIfNeeded": _INDEXED,
    "CropAndPad": _SCALED,
    "RandomResizedCrop": _SCALED,
    "RandomSizedCrop": _SCALED,
    "RandomSizedBBoxSafeCrop": _SCALED,
    "Resize": _RESIZED,
    "LongestMaxSize": _RESIZED,
    "SmallestMaxSize": _RESIZED,
    "RandomScale": _RESIZED,
    "Perspective": Motion("projective", "centre"),
    "ElasticTransform": Motion("warp", "field"),
    "OpticalDistortion": Motion("warp", "field"),
}

# They look at the objects' boxes to choose where to cut.
NEEDS_BOXES = frozenset({"BBoxSafeRandomCrop", "AtLeastOneBBoxRandomCrop", "RandomSizedBBoxSafeCrop"})

# They paint over pixels and move nothing: what they cover is no longer visible.
DROPOUTS = frozenset({"CoarseDropout", "GridDropout", "Erasing", "XYMasking", "PixelDropout"})
