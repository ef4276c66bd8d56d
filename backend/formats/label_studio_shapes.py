"""One Label Studio region value <-> one shape: percent of the displayed image <-> pixels.

A rectangle's (x, y) is its top-left corner after turning about that corner; brush masks are run lengths over an RGBA
picture, in pixels. Turning is done in pixels: in percent, a picture that is not square would shear.
"""

from typing import Any

import numpy as np

from backend.core import rle
from backend.core.geometry import min_area_box, outline, rotated_box_from_pivot, rotated_box_pivot, tight_box
from backend.core.model import Box, Ellipse, Keypoint, Mask, Polygon, RotatedBox, Shape
from backend.formats.label_config import Kind

Json = dict[str, Any]
Size = tuple[int, int]  # width, height of the image as displayed

_TURNED = 1e-6  # degrees below which a rectangle counts as upright


def to_shape(kind: Kind, entry: Json, size: Size) -> Shape:
    """Return the shape of a result entry.

    `image_rotation`, how the editor's view was turned while drawing, changes nothing: the numbers are of the picture
    as it is without that turn.

    Raises:
        ValueError: it has no area, is not finite, or its mask cannot be read; the message is the reason.
        KeyError, TypeError: a number is missing or is none.
    """
    value = entry["value"]
    match kind:
        case "rectangle":
            return _rectangle(value, size)
        case "polygon":
            return Polygon((tuple(_point(x, y, size) for x, y in value["points"]),))
        case "ellipse":
            cx, cy = _point(value["x"], value["y"], size)
            rx, ry = _point(value["radiusX"], value["radiusY"], size)
            return Ellipse(cx, cy, rx, ry, float(value.get("rotation") or 0) % 360)
        case "keypoint":
            return Keypoint(*_point(value["x"], value["y"], size))
        case "brush":
            return _brush(value, _declared_size(entry) or size, size)
        case _:
            msg = f"a control of kind {kind} draws nothing"
            raise ValueError(msg)


def _point(x: Any, y: Any, size: Size) -> tuple[float, float]:
    return float(x) * size[0] / 100, float(y) * size[1] / 100


def _rectangle(value: Json, size: Size) -> Box | RotatedBox:
    x, y = _point(value["x"], value["y"], size)
    width, height = _point(value["width"], value["height"], size)
    angle = float(value.get("rotation") or 0) % 360
    if min(angle, 360 - angle) > _TURNED:
        return rotated_box_from_pivot(x, y, (width, height), angle)
    return Box(x, y, x + width, y + height)


def _declared_size(entry: Json) -> Size | None:
    width, height = entry.get("original_width"), entry.get("original_height")
    return (int(width), int(height)) if width and height else None


def _brush(value: Json, drawn: Size, size: Size) -> Mask:
    data = value["rle"]
    declared = int.from_bytes(bytes(data[:4]), "big")
    if declared != drawn[0] * drawn[1] * 4:  # looked at before decoding: the number decides how much memory that takes
        msg = f"its mask holds {declared // 4} pixels, the picture {drawn[0]} x {drawn[1]}"
        raise ValueError(msg)
    from label_studio_sdk.converter.brush import decode_rle

    pixels = decode_rle(data).reshape(drawn[1], drawn[0], 4)[:, :, 3] > 127
    if drawn != size:
        rows = (np.arange(size[1]) * drawn[1]) // size[1]
        columns = (np.arange(size[0]) * drawn[0]) // size[0]
        pixels = pixels[rows][:, columns]
    if not pixels.any():
        msg = "its mask is empty"
        raise ValueError(msg)
    return rle.encode(pixels)


def to_values(kind: Kind, shape: Shape, size: Size) -> list[Json]:
    """Return the values that a control of `kind` stores for a shape: one, or one per part of a polygon.

    A shape the control cannot hold is written as the nearest one it can; `fits` tells beforehand.
    """
    match kind:
        case "rectangle":
            return [_rectangle_value(shape, size)]
        case "polygon":
            rings = outline(shape)
            return [{"points": [[_x(x, size), _y(y, size)] for x, y in ring], "closed": True} for ring in rings]
        case "ellipse" if isinstance(shape, Ellipse):
            return [
                {
                    "x": _x(shape.cx, size),
                    "y": _y(shape.cy, size),
                    "radiusX": _x(shape.rx, size),
                    "radiusY": _y(shape.ry, size),
                    "rotation": round(shape.angle, 6),
                }
            ]
        case "keypoint" if isinstance(shape, Keypoint):
            return [{"x": _x(shape.x, size), "y": _y(shape.y, size), "width": 0.5}]
        case "brush" if isinstance(shape, Mask):
            from label_studio_sdk.converter.brush import mask2rle

            runs = mask2rle(rle.decode(shape).astype(np.uint8) * 255)  # type: ignore[no-untyped-call]
            return [{"format": "rle", "rle": runs}]
        case _:
            msg = f"a control of kind {kind} cannot hold a {type(shape).__name__}"
            raise ValueError(msg)


def _x(value: float, size: Size) -> float:
    return round(float(value) * 100 / size[0], 10)


def _y(value: float, size: Size) -> float:
    return round(float(value) * 100 / size[1], 10)


def _rectangle_value(shape: Shape, size: Size) -> Json:
    if isinstance(shape, Polygon):
        shape = min_area_box(np.concatenate(outline(shape))) or shape
    if isinstance(shape, RotatedBox):
        x, y = rotated_box_pivot(shape)
        width, height, angle = shape.width, shape.height, shape.angle
    else:
        box = tight_box(shape)
        if box is None:
            msg = "the shape has no area"
            raise ValueError(msg)
        x, y, width, height, angle = box.x0, box.y0, box.width, box.height, 0.0
    return {
        "x": _x(x, size),
        "y": _y(y, size),
        "width": _x(width, size),
        "height": _y(height, size),
        "rotation": round(angle, 6),
    }
