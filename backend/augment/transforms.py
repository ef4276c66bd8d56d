"""The catalog as data: what each transform is called, does and takes. Read from a cached file, without the library."""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

CACHE = Path(__file__).with_name("catalog.json")

Kind = Literal[
    "number",
    "integer",
    "yes/no",
    "choice",
    "range",
    "integer range",
    "pair",
    "rectangle",
    "colour",
    "text",
    "texts",
    "mapping",
]
_WORDS: dict[Kind, str] = {
    "number": "a number",
    "integer": "a whole number",
    "yes/no": "true or false",
    "range": "a range [low, high]",
    "integer range": "a range [low, high] of whole numbers",
    "pair": "two whole numbers [a, b]",
    "rectangle": "four shares of the size [left, top, right, bottom]",
    "colour": "a brightness or a colour [red, green, blue]",
    "text": "a text",
    "texts": "a list of texts",
    "mapping": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a transform.

    kind: the plainest form of its value; a range is written [low, high], and where `or_number` one number will do.
    low, high: the bounds of every number in it, None where there is none; `above`: low itself is not allowed.
    choices: the values allowed, with what they mean where that is not their name.
    """

    name: str
    kind: Kind
    default: Any = None
    required: bool = False
    or_number: bool = False
    or_none: bool = False
    low: float | None = None
    high: float | None = None
    above: bool = False
    choices: tuple[tuple[Any, str], ...] = ()

    @property
    def accepts(self) -> str:
        """What may be written, as words for a message or a form."""
        listed = ", ".join(text if str(v) == text or v is None else f"{v} ({text})" for v, text in self.choices)
        if self.kind == "choice":
            return f"one of {listed}"
        text = f"{_WORDS[self.kind]}{' or one number' if self.or_number else ''}{self._bounds}"
        return f"{text}{', or ' + listed if listed else ''}{', or null' if self.or_none else ''}"

    @property
    def _bounds(self) -> str:
        if self.low is not None and self.high is not None:
            return f"{' above' if self.above else ' from'} {self.low:g}{' up' if self.above else ''} to {self.high:g}"
        if self.low is not None:
            return f" {'above' if self.above else 'of at least'} {self.low:g}"
        return "" if self.high is None else f" of at most {self.high:g}"


@dataclass(frozen=True, slots=True)
class Transform:
    """One transform of the library: offered by recipes, or refused with a reason.

    targets: what it moves or changes: image, and for geometric ones boxes, polygons, masks, points.
    """

    name: str
    group: str
    summary: str
    targets: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    refused: str | None = None

    @property
    def geometric(self) -> bool:
        """Whether regions move with it."""
        return len(self.targets) > 1

    def parameter(self, name: str) -> Parameter | None:
        """Return the parameter of this name."""
        return next((p for p in self.parameters if p.name == name), None)


def to_text(transforms: tuple[Transform, ...]) -> str:
    """Return the cached file's text."""
    return json.dumps([_lean(asdict(t)) for t in transforms], indent=1, ensure_ascii=False) + "\n"


def _lean(data: dict[str, Any]) -> dict[str, Any]:
    """Return a record without what is off, unknown or empty: defaults fill it in again."""
    lean = {k: v for k, v in data.items() if k == "default" or not (v is None or v is False or v == ())}
    return lean | ({"parameters": [_lean(p) for p in data["parameters"]]} if data.get("parameters") else {})


def from_text(text: str) -> tuple[Transform, ...]:
    """Return what `to_text` wrote."""
    return tuple(_transform(data) for data in json.loads(text))


def _transform(data: dict[str, Any]) -> Transform:
    parameters = tuple(
        Parameter(**{**p, "choices": tuple((value, text) for value, text in p.get("choices", ()))})
        for p in data.get("parameters", ())
    )
    return Transform(**{**data, "targets": tuple(data.get("targets", ())), "parameters": parameters})


@lru_cache(maxsize=1)
def transforms() -> dict[str, Transform]:
    """Return every transform by name, offered ones first, grouped."""
    return {t.name: t for t in from_text(CACHE.read_text("utf-8"))}


def offered() -> tuple[Transform, ...]:
    """Return the transforms a recipe may use, grouped."""
    return tuple(t for t in transforms().values() if t.refused is None)
