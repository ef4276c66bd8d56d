"""The recipe: one document that says how to augment, for the command line, files, HTTP and rules alike.

This module knows the document's form only. Whether a step exists and its parameters suit it is the catalog's
business (`backend.augment.catalog.check`), because it needs the augmentation library.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError, model_validator

from backend.core.codec import digest
from backend.core.errors import RecipeError

Splits = ("train", "val", "test")


class Step(NamedTuple):
    """One step: the transform's name and its parameters."""

    name: str
    params: dict[str, Any]


def _step(value: Any) -> Step:
    if isinstance(value, Step):
        return value
    if isinstance(value, str):
        return Step(value, {})
    if isinstance(value, Mapping) and len(value) == 1:
        name, params = next(iter(value.items()))
        if params is None:
            params = {}
        if isinstance(name, str) and isinstance(params, Mapping):
            return Step(name, dict(params))
    msg = f"a step is written as 'Name: {{parameter: value}}', got {value!r}"
    raise ValueError(msg)


StepField = Annotated[Step, BeforeValidator(_step), PlainSerializer(lambda s: {s.name: s.params})]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitRule(_Part):
    """How source images are shared out; whatever belongs together stays together."""

    train: float = Field(0.8, ge=0, le=1)
    val: float = Field(0.1, ge=0, le=1)
    test: float = Field(0.1, ge=0, le=1)
    keep: Literal["auto", "none"] = "auto"
    group_by: str | None = Field(None, description="a data./meta. field, or 'name:REGEX' on the file name")
    near_duplicates: int | Literal["off"] = Field(8, description="hash distance 0-16, or off")
    on_leak: Literal["abort", "move", "report"] = "abort"

    @model_validator(mode="before")
    @classmethod
    def _yaml_off(cls, data: Any) -> Any:
        """YAML 1.1 reads a bare `off` as false."""
        if isinstance(data, Mapping) and data.get("near_duplicates") is False:
            return {**data, "near_duplicates": "off"}
        return data

    @model_validator(mode="after")
    def _sums_to_one(self) -> "SplitRule":
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-6:
            msg = f"train + val + test must be 1, got {total:g}"
            raise ValueError(msg)
        if self.train == 0:
            msg = "train must be more than 0"
            raise ValueError(msg)
        if self.near_duplicates != "off" and not 0 <= self.near_duplicates <= 16:
            msg = f"near_duplicates must be 0 to 16, or off, got {self.near_duplicates}"
            raise ValueError(msg)
        return self


class BoxRule(_Part):
    """What a variant must keep of each object."""

    min_visibility: float = Field(0.3, ge=0, le=1)
    min_size: float = Field(4, ge=0)
    on_violation: Literal["resample", "drop", "drop-region"] = "resample"
    max_growth: float | None = Field(None, ge=1)


class ImageRule(_Part):
    """How variants are stored."""

    format: Literal["jpeg", "png", "webp"] = "jpeg"
    quality: int = Field(95, ge=1, le=100)


class OutputRule(_Part):
    """What is written."""

    formats: tuple[str, ...] = ("yolo", "voc")
    image: ImageRule = ImageRule()


Variants = Annotated[int, Field(ge=0, le=1000)]


class Recipe(_Part):
    """How to make a dataset from samples; unknown keys are errors."""

    name: str = Field("default", min_length=1, max_length=80)
    seed: int = Field(0, ge=0, lt=2**63)
    preprocess: tuple[StepField, ...] = ()
    variants: Variants | dict[str, Variants] = 2
    keep_originals: bool = True
    split: SplitRule | None = None
    boxes: BoxRule = BoxRule()
    labels: dict[str, tuple[str, ...]] = {}
    steps: tuple[StepField, ...] = ()
    output: OutputRule = OutputRule()

    @property
    def drawing(self) -> dict[str, Any]:
        """The part that decides a variant's pixels; nothing else may enter its seed."""
        document = self.model_dump(mode="json")
        return {key: document[key] for key in ("preprocess", "steps", "seed")}

    @property
    def digest(self) -> str:
        """The sha256 of the whole recipe."""
        return digest(self.model_dump(mode="json"))

    def variants_for(self, labels: frozenset[str]) -> int:
        """Return how many variants an image with these labels gets: the largest of its labels' numbers."""
        if isinstance(self.variants, int):
            return self.variants
        default = self.variants.get("default", 0)
        return max((self.variants.get(label, default) for label in labels), default=default)

    def renamed(self, label: str) -> str | None:
        """Return the label's name in the dataset, or None when the recipe drops it."""
        for new, olds in self.labels.items():
            if label in olds or (label == new and new != "_drop"):
                return None if new == "_drop" else new
        return label


def parse_recipe(document: Any) -> Recipe:
    """Return the recipe of a parsed YAML or JSON document.

    Raises:
        RecipeError: with every problem found, each naming its key and, for an unknown key, the nearest spelling.
    """
    if document is None:
        document = {}
    if not isinstance(document, Mapping):
        raise RecipeError([f"expected a mapping of keys such as 'steps', got {type(document).__name__}"])
    try:
        return Recipe.model_validate(dict(document))
    except ValidationError as error:
        raise RecipeError([_describe(e) for e in error.errors(include_url=False)]) from error


def _describe(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"] if part not in {"int", "dict[str,constrained-int]"})
    if error["type"] == "extra_forbidden":
        known = _keys_at(error["loc"][:-1])
        near = get_close_matches(str(error["loc"][-1]), known, n=1)
        return f"{where}: unknown key" + (f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known)}")
    message = error["msg"].removeprefix("Value error, ")
    value = error.get("input")
    shown = f", got {value!r}" if isinstance(value, str | int | float) and repr(value) not in message else ""
    return f"{where or 'recipe'}: {message}{shown}"


_PARTS: dict[str, type[BaseModel]] = {
    "": Recipe,
    "split": SplitRule,
    "boxes": BoxRule,
    "output": OutputRule,
    "output.image": ImageRule,
}


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    part = _PARTS.get(".".join(str(p) for p in location), Recipe)
    return list(part.model_fields)
