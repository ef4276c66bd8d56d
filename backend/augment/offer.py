"""What the recipe offers of the library and what it refuses, in our words; `introspect` adds the parameters.

Every transform of the library stands in exactly one of the two tables (a test keeps it so).
"""

_GROUPS: dict[str, dict[str, str]] = {
    "flip and turn": {
        "HorizontalFlip": "Mirror left and right.",
        "VerticalFlip": "Mirror top and bottom.",
        "Transpose": "Swap rows and columns.",
        "RandomRotate90": "Turn by 0, 90, 180 or 270 degrees.",
        "D4": "One of the eight ways to lay a square tile; for pictures taken from above.",
        "SquareSymmetry": "The same eight ways as D4, by its other name.",
        "NoOp": "Change nothing.",
    },
    "affine and perspective": {
        "Affine": "Turn, scale, shift and shear in one move.",
        "Rotate": "Turn by an angle; the corners leave the frame.",
        "SafeRotate": "Turn by an angle; the picture shrinks so that nothing leaves the frame.",
        "ShiftScaleRotate": "Shift, scale and turn in one move; Affine does the same and more.",
        "Perspective": "Tilt the picture as if the camera stood elsewhere.",
    },
    "warp": {
        "ElasticTransform": "Push pixels about smoothly, like a picture on rubber.",
        "OpticalDistortion": "Bend lines as a lens does.",
    },
    "crop": {
        "Crop": "Cut out a fixed rectangle.",
        "CenterCrop": "Cut out the middle.",
        "RandomCrop": "Cut out a rectangle of fixed size anywhere.",
        "RandomCropFromBorders": "Cut a random strip off each side.",
        "RandomResizedCrop": "Cut out a part of random size and shape, then resize it.",
        "RandomSizedCrop": "Cut out a part of random height, then resize it.",
        "CropAndPad": "Cut off or add strips at the sides.",
        "BBoxSafeRandomCrop": "Cut out a rectangle that keeps all objects.",
        "RandomSizedBBoxSafeCrop": "Cut out a rectangle that keeps all objects, then resize it.",
        "AtLeastOneBBoxRandomCrop": "Cut out a rectangle of fixed size with at least one object.",
    },
    "resize and pad": {
        "Resize": "Resize to a width and a height, whatever the shape was.",
        "LongestMaxSize": "Resize so that the longer side has this length.",
        "SmallestMaxSize": "Resize so that the shorter side has this length.",
        "RandomScale": "Resize by a random factor.",
        "Pad": "Add strips of fixed width at the sides.",
        "PadIfNeeded": "Add strips until a smallest size, or a multiple, is reached.",
    },
    "dropout": {
        "CoarseDropout": "Paint over a few rectangles.",
        "GridDropout": "Paint over the cells of a grid.",
        "Erasing": "Paint over one rectangle of random size and shape.",
        "XYMasking": "Paint over vertical and horizontal strips.",
        "PixelDropout": "Paint over single pixels.",
    },
    "colour": {
        "AutoContrast": "Stretch the colours to the full range.",
        "CLAHE": "Even out contrast tile by tile.",
        "ChannelDropout": "Blank one or more colour channels.",
        "ChannelShuffle": "Swap the colour channels.",
        "ColorJitter": "Change brightness, contrast, saturation and hue by random factors.",
        "Equalize": "Spread the brightness histogram evenly.",
        "FancyPCA": "Shift colours along the picture's own main colour axes.",
        "HEStain": "Vary the strength of haematoxylin and eosin in stained tissue.",
        "HueSaturationValue": "Shift hue, saturation and brightness.",
        "Illumination": "Add a light that fades across the picture.",
        "InvertImg": "Make a negative.",
        "PlanckianJitter": "Change the colour temperature of the light.",
        "PlasmaBrightnessContrast": "Vary brightness and contrast in cloudy patches.",
        "Posterize": "Keep only the upper bits of each colour.",
        "RGBShift": "Shift red, green and blue separately.",
        "RandomBrightnessContrast": "Change brightness and contrast.",
        "RandomGamma": "Lighten or darken the middle tones.",
        "RandomToneCurve": "Bend the tone curve.",
        "Solarize": "Invert everything brighter than a threshold.",
        "ToGray": "Remove all colour.",
        "ToSepia": "Tint brown like an old photograph.",
    },
    "blur and sharpen": {
        "AdvancedBlur": "Blur with a random, noisy, turned kernel.",
        "Blur": "Blur with a box.",
        "Defocus": "Blur like a lens out of focus.",
        "Emboss": "Add relief along edges.",
        "GaussianBlur": "Blur softly.",
        "GlassBlur": "Blur like frosted glass.",
        "MedianBlur": "Smooth away fine detail, keep edges.",
        "MotionBlur": "Blur along a line, as when the camera or object moves.",
        "RingingOvershoot": "Add echoes along edges.",
        "Sharpen": "Sharpen edges.",
        "UnsharpMask": "Sharpen by subtracting a blurred copy.",
        "ZoomBlur": "Blur outwards, as when zooming during exposure.",
    },
    "noise": {
        "AdditiveNoise": "Add noise of a chosen distribution.",
        "GaussNoise": "Add normally distributed noise.",
        "ISONoise": "Add the noise of a camera at high sensitivity.",
        "MultiplicativeNoise": "Multiply by random factors.",
        "SaltAndPepper": "Set random pixels to white and black.",
        "ShotNoise": "Add the noise of too few photons.",
    },
    "weather and light": {
        "PlasmaShadow": "Cast cloudy shadows.",
        "RandomFog": "Add fog.",
        "RandomGravel": "Scatter gravel.",
        "RandomRain": "Add rain.",
        "RandomShadow": "Cast shadows with straight edges.",
        "RandomSnow": "Add snow.",
        "RandomSunFlare": "Add a sun flare.",
        "Spatter": "Spatter the lens with rain or mud.",
    },
    "camera and compression": {
        "ChromaticAberration": "Fringe edges with colour as a cheap lens does.",
        "Downscale": "Shrink and enlarge again, losing detail.",
        "ImageCompression": "Compress as JPEG or WebP and decode again.",
        "Superpixels": "Replace patches by their mean colour.",
    },
}

OFFERED: dict[str, tuple[str, str]] = {
    name: (group, summary) for group, members in _GROUPS.items() for name, summary in members.items()
}

_SEVERAL = "it mixes several images: the trainer does that on the fly, and a mixed image has no single source"
_POINTS = "its points do not follow its pixels (measured with coloured shapes), so labels would be off"
_REFERENCE = "it needs reference images, which a recipe cannot carry; use Style"
_AUDIO = "it is made for spectrograms"
_VOLUME = "it is made for three-dimensional volumes"
_STORED = "images are stored as 8-bit RGB; the trainer converts them"
_LIST = "steps are a plain list, each with its own p"

REFUSED: dict[str, str] = {
    "Mosaic": _SEVERAL,
    "MixUp": _SEVERAL,
    "CutMix": _SEVERAL,
    "CopyPaste": _SEVERAL,
    "OverlayElements": _SEVERAL,
    "RandomGridShuffle": _POINTS,
    "ThinPlateSpline": _POINTS,
    "PiecewiseAffine": _POINTS,
    "GridDistortion": _POINTS,
    "GridElasticDeform": _POINTS,
    "Morphological": "it grows or shrinks every object by some pixels, so labels would be off",
    "MaskDropout": "it erases labelled objects",
    "ConstrainedCoarseDropout": "it needs to be told which objects to cover; use CoarseDropout",
    "CropNonEmptyMaskIfExists": "it needs one mask for the whole image; use AtLeastOneBBoxRandomCrop",
    "RandomCropNearBBox": "it needs a box from outside the recipe; use AtLeastOneBBoxRandomCrop",
    "FDA": _REFERENCE,
    "HistogramMatching": _REFERENCE,
    "PixelDistributionAdaptation": _REFERENCE,
    "TextImage": "it needs texts and a font, which a recipe cannot carry",
    "Lambda": "it runs Python code, and a recipe is data",
    "Normalize": _STORED,
    "ToFloat": _STORED,
    "FromFloat": _STORED,
    "ToRGB": "images are already RGB",
    "FrequencyMasking": f"{_AUDIO}; use XYMasking",
    "TimeMasking": f"{_AUDIO}; use XYMasking",
    "TimeReverse": f"{_AUDIO}; use HorizontalFlip",
    "CenterCrop3D": _VOLUME,
    "CoarseDropout3D": _VOLUME,
    "CubicSymmetry": _VOLUME,
    "Pad3D": _VOLUME,
    "PadIfNeeded3D": _VOLUME,
    "RandomCrop3D": _VOLUME,
    "Compose": _LIST,
    "OneOf": _LIST,
    "OneOrOther": _LIST,
    "RandomOrder": _LIST,
    "SelectiveChannelTransform": _LIST,
    "Sequential": _LIST,
    "SomeOf": _LIST,
}

# Parameters that a recipe cannot set, and why.
HIDDEN: dict[str, str] = {
    "fill_mask": "outside the picture there is no object",
    "mask_drop_value": "painting over pixels changes no mask",
    "mask_interpolation": "masks are warped like the picture and cut at half",
    "keypoint_remapping_method": "points are moved exactly, by our own code",
    "rotate_method": "boxes are recomputed from their corners",
    "num_output_channels": "images are stored as 8-bit RGB",
    "mask": "a recipe cannot carry a mask",
    "mask_params": "a recipe cannot carry a mask",
}
