"""Read the catalog off the installed library: `python -m backend.augment.introspect` writes catalog.json anew."""

import inspect
import math
import types
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from backend.augment.bounds import BOUNDS
from backend.augment.motion import MOTIONS
from backend.augment.offer import HIDDEN, OFFERED, REFUSED
from backend.augment.transforms import CACHE, Kind, Parameter, Transform, to_text

_EVERYTHING = ("image", "boxes", "rotated boxes", "polygons", "masks", "points")
_NAMES: dict[str, dict[int, str]] = {
    "interpolation": {
        0: "nearest",
        1: "linear",
        2: "cubic",
        3: "area",
        4: "Lanczos",
        5: "linear, exact",
        6: "nearest, exact",
    },
    # Mirrored or repeated borders would show objects that carry no label.
    "border_mode": {0: "one colour", 1: "repeat the last pixel"},
}


def read() -> tuple[Transform, ...]:
    """Return the whole catalog, offered transforms first, refused ones after them."""
    import albumentations

    def classed(name: str) -> Transform:
        group, summary = OFFERED[name]
        targets = _EVERYTHING if name in MOTIONS else ("image",)
        return Transform(name, group, summary, targets, tuple(_parameters(name, getattr(albumentations, name))))

    return (
        *(classed(name) for name in OFFERED),
        *(Transform(name, "refused", "", refused=reason) for name, reason in REFUSED.items()),
    )


def installed() -> frozenset[str]:
    """Return the names of all transforms the library has."""
    import albumentations

    found = {
        name
        for name, value in vars(albumentations).items()
        if inspect.isclass(value) and issubclass(value, albumentations.BasicTransform) and hasattr(value, "_targets")
    }
    # the last two are only there beside torch, and give its tensors, not pictures
    return frozenset(found - {"ImageOnlyTransform", "DualTransform", "Transform3D", "ToTensorV2", "ToTensor3D"})


def _parameters(name: str, transform: Any) -> Iterator[Parameter]:
    defaults = inspect.signature(transform.__init__).parameters
    fields = transform.InitSchema.model_fields
    for key in [*(k for k in fields if k not in {"p", "strict"}), "p"]:
        if key not in HIDDEN and key in defaults:
            yield _parameter(name, key, fields[key], defaults[key].default)


def _parameter(transform: str, name: str, field: Any, default: Any) -> Parameter:
    types_, validators = _flat(field.annotation)
    low, high, above = _bounds([*field.metadata, *validators])
    extra = BOUNDS.get((transform, name)) or BOUNDS.get(("*", name))
    if extra:
        low, high, above = extra.low, extra.high, extra.above
    required = default is inspect.Parameter.empty
    kind = _kind(name, types_)
    return Parameter(
        name=name,
        kind=kind,
        default=None if required else _plain(default),
        required=required,
        or_number=kind in {"range", "integer range"} and bool({int, float} & set(types_)),
        or_none=type(None) in types_,
        low=low,
        high=high,
        above=above,
        choices=tuple(_choices(name, types_)),
    )


def _flat(annotation: Any) -> tuple[list[Any], list[Any]]:
    """Return the alternatives of an annotation, and the validators attached to any of them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        first, *attached = get_args(annotation)
        kinds, more = _flat(first)
        return kinds, [*attached, *more]
    if origin in {Union, types.UnionType}:
        parts = [_flat(part) for part in get_args(annotation)]
        return [t for kinds, _ in parts for t in kinds], [v for _, found in parts for v in found]
    return [annotation], []


def _kind(name: str, kinds: list[Any]) -> Kind:
    if name in {"fill", "drop_value", "drop_color", "src_color", "color"}:
        return "colour"
    if name.endswith(("_xy", "_hw", "grid_size")) or name == "size":
        return "pair"
    if any(get_origin(t) is Literal for t in kinds):
        return "choice"
    if name.endswith("_roi"):
        return "rectangle"
    return _number_kind(kinds)


def _number_kind(kinds: list[Any]) -> Kind:
    tuples = [get_args(t) for t in kinds if get_origin(t) is tuple]
    if any(len(items) == 2 and set(items) <= {int, float} for items in tuples):
        return "integer range" if all(set(items) <= {int} for items in tuples) else "range"
    plain: dict[Any, Kind] = {bool: "yes/no", int: "integer", float: "number", str: "text"}
    return next((plain[t] for t in (bool, float, int, str) if t in kinds), "mapping")


def _choices(name: str, kinds: list[Any]) -> Iterator[tuple[Any, str]]:
    names = _NAMES.get(name, {})
    for value in sorted({v for t in kinds if get_origin(t) is Literal for v in get_args(t)}, key=str):
        if name != "border_mode" or value in names:
            yield value, names.get(value, str(value)) if isinstance(value, int) else str(value or "null")


def _bounds(validators: list[Any]) -> tuple[float | None, float | None, bool]:
    low: float | None = None
    high: float | None = None
    above = False
    for validator in validators:
        cells = _closure(getattr(validator, "func", None))
        low = _first(getattr(validator, "ge", None), getattr(validator, "gt", None), cells.get("min_val"), low)
        high = _first(getattr(validator, "le", None), cells.get("max_val"), high)
        above = above or getattr(validator, "gt", None) is not None or cells.get("min_inclusive") is False
        if getattr(getattr(validator, "func", None), "__name__", "") == "process_non_negative_range":
            low = 0.0
    return low, high, above


def _closure(function: Callable[..., Any] | None) -> dict[str, Any]:
    cells = getattr(function, "__closure__", None) or ()
    names = function.__code__.co_freevars if function is not None and cells else ()
    return {name: cell.cell_contents for name, cell in zip(names, cells, strict=True)}


def _first(*values: Any) -> float | None:
    return next((float(v) for v in values if v is not None), None)


def _plain(value: Any) -> Any:
    match value:
        case tuple() | list():
            return [_plain(v) for v in value]
        case float() if not math.isfinite(value):
            return None
        case None | bool() | int() | float() | str() | dict():
            return value
        case _:
            return None


if __name__ == "__main__":
    CACHE.write_text(to_text(read()), "utf-8")
