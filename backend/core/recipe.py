"""The recipe: one document that says how to augment, for the command line, files, HTTP and rules alike.

This module knows the document's form only. Whether a step exists and its parameters suit it is the catalog's
business (`backend.augment.catalog.check`), because it needs the augmentation library.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)

from backend.core.codec import digest
from backend.core.errors import RecipeError, shown

Splits = ("train", "val", "test")
FORMATS = ("yolo", "yolo-obb", "yolo-seg", "voc", "coco", "folders")  # the keys of backend.formats.FORMATS
NAME = r"[^/\\]*[^/\\.][^/\\]*"  # what a dataset may be called: never a path


class Step(NamedTuple):
    """One step: the transform's name and its parameters."""

    name: str
    params: dict[str, Any]


def read_step(value: Any) -> Step:
    """Return the step that a document's entry says.

    Raises:
        ValueError: it is neither a name nor a mapping of one name.
    """
    if isinstance(value, Step):
        return value
    if isinstance(value, str):
        return Step(value, {})
    if isinstance(value, Mapping) and len(value) == 1:
        name, params = next(iter(value.items()))
        params = {} if params is None else params
        if isinstance(name, str) and isinstance(params, Mapping):
            return Step(name, dict(params))
    msg = f"a step is written as 'Name: {{parameter: value}}', got {shown(value)}"
    raise ValueError(msg)


StepField = Annotated[Step, BeforeValidator(read_step), PlainSerializer(lambda s: {s.name: s.params})]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitRule(_Part):
    """How source images are shared out; whatever belongs together stays together."""

    train: float = Field(0.8, ge=0, le=1, description="a share from 0 to 1, more than 0")
    val: float = Field(0.1, ge=0, le=1, description="a share from 0 to 1")
    test: float = Field(0.1, ge=0, le=1, description="a share from 0 to 1")
    keep: Literal["auto", "none"] = Field("auto", description="auto or none")
    group_by: str | None = Field(None, description="a data. or meta. field, or 'name:REGEX' on the file name")
    near_duplicates: int | Literal["off"] = Field(8, description="a hash distance from 0 to 16, or off")
    on_leak: Literal["abort", "move", "report"] = Field("abort", description="abort, move or report")

    @model_validator(mode="before")
    @classmethod
    def _yaml_off(cls, data: Any) -> Any:
        """YAML 1.1 reads a bare `off` as false."""
        if isinstance(data, Mapping) and data.get("near_duplicates") is False:
            return {**data, "near_duplicates": "off"}
        return data

    @field_validator("group_by")
    @classmethod
    def _is_expression(cls, value: str | None) -> str | None:
        if value is not None and value.startswith("name:"):
            try:
                re.compile(value.removeprefix("name:"))
            except (re.error, RecursionError, OverflowError) as error:
                msg = f"{shown(value)} is not a regular expression: {error}"
                raise ValueError(msg) from error
        return value

    @model_validator(mode="after")
    def _sums_to_one(self) -> "SplitRule":
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-6:
            added = [f"{name} {getattr(self, name):g}" for name in Splits if name not in self.model_fields_set]
            told = f", {' and '.join(added)} being added by default" if added else ""
            msg = f"train + val + test must be 1, got {total:g}{told}"
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

    min_visibility: float = Field(0.3, ge=0, le=1, description="a share of the original object, from 0 to 1")
    min_size: float = Field(4, ge=0, description="pixels of the shorter side, from 0 up")
    on_violation: Literal["resample", "drop", "drop-region"] = Field(
        "resample", description="resample, drop or drop-region"
    )
    max_growth: float | None = Field(None, ge=1, description="a factor of at least 1, or null")


class ImageRule(_Part):
    """How variants are stored."""

    format: Literal["jpeg", "png", "webp"] = Field("jpeg", description="jpeg, png or webp")
    quality: int = Field(95, ge=1, le=100, description="a whole number from 1 to 100")


class OutputRule(_Part):
    """What is written."""

    formats: tuple[str, ...] = Field(("yolo", "voc"), description="a list of formats such as [yolo, voc]")
    image: ImageRule = Field(ImageRule(), description="a mapping such as {format: jpeg, quality: 95}")

    @field_validator("formats")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in FORMATS]
        if unknown or not value:
            near = get_close_matches(unknown[0], FORMATS, n=1) if unknown else []
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(FORMATS)}"
            msg = f"unknown format {shown(unknown[0])}; {hint}" if unknown else f"none given; {hint}"
            raise ValueError(msg)
        return value


Variants = Annotated[int, Field(ge=0, le=1000)]


class Recipe(_Part):
    """How to make a dataset from samples; unknown keys are errors."""

    name: str = Field(
        "default",
        min_length=1,
        max_length=80,
        pattern=f"^{NAME}$",
        description="a name of 1 to 80 characters without / and \\",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="a whole number from 0 up")
    preprocess: tuple[StepField, ...] = Field((), description="a list of steps, each 'Name: {parameter: value}'")
    variants: Variants | dict[str, Variants] = Field(
        2, description="a whole number from 0 to 1000, or one per label such as {default: 2, cat: 6}"
    )
    keep_originals: bool = Field(True, description="true or false")
    split: SplitRule | None = Field(None, description="a mapping such as {train: 0.8, val: 0.1, test: 0.1}, or null")
    boxes: BoxRule = Field(BoxRule(), description="a mapping such as {min_visibility: 0.3}")
    labels: dict[str, tuple[str, ...]] = Field(
        {}, description="a mapping of label to a list such as {cat: [cat, kitty]}"
    )
    steps: tuple[StepField, ...] = Field((), description="a list of steps, each 'Name: {parameter: value}'")
    output: OutputRule = Field(OutputRule(), description="a mapping such as {formats: [yolo, voc]}")

    @field_validator("labels")
    @classmethod
    def _are_apart(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        owner: dict[str, str] = {}
        for new, olds in value.items():
            for old in olds:
                if owner.setdefault(old, new) != new:
                    msg = f"{shown(old)} stands under both {shown(owner[old])} and {shown(new)}; keep one"
                    raise ValueError(msg)
        return value

    @property
    def most_variants(self) -> int:
        """The largest number of variants that any image can get."""
        return self.variants if isinstance(self.variants, int) else max(self.variants.values(), default=0)

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
        raise RecipeError([f"expected a mapping of keys such as 'steps', got {_shown(document)}"])
    try:
        return Recipe.model_validate(dict(document))
    except ValidationError as error:
        raise RecipeError(_describe(document, error.errors(include_url=False))) from error


def _describe(document: Mapping[Any, Any], errors: Iterable[Any]) -> list[str]:
    """Return one problem per place: the alternatives of a place that takes several forms all fail at once."""
    found: dict[tuple[Any, ...], str] = {}
    for error in errors:
        place = _place(document, error["loc"])
        found.setdefault(place, _problem(place, error))
    deeper = {place[:end] for place in found for end in range(len(place))}
    return [text for place, text in found.items() if place not in deeper or not place]


def _place(document: Any, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return the keys of a location without the names of types that the validator mixes in."""
    place: list[int | str] = []
    for part in location:
        known = part in document if isinstance(document, Mapping) else isinstance(document, list | tuple)
        if known and (isinstance(document, Mapping) or isinstance(part, int)):
            document = document[part]
            place.append(part)
    return tuple(place)


def _problem(place: tuple[Any, ...], error: Any) -> str:
    where = _words(place)
    if error["type"] == "extra_forbidden":
        known = list(_part_at(place[:-1]).model_fields)
        near = get_close_matches(str(place[-1]), known, n=1)
        return f"{where}: unknown key" + (f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known)}")
    if "[key]" in error["loc"]:
        return f"{where}: a label must be text: write it in quotes"
    if error["type"] == "value_error":
        text = error["msg"].removeprefix("Value error, ")
        return f"{where}: {text}" if where else text
    return f"{where}: must be {_accepts(place)}, got {_shown(error['input'])}"


def _words(place: tuple[Any, ...]) -> str:
    if len(place) > 1 and place[0] in {"steps", "preprocess"}:
        return f"{'step' if place[0] == 'steps' else 'preprocess'} {place[1] + 1}"
    return ".".join(shown(part, quoted=False) for part in place)


def _part_at(place: tuple[Any, ...]) -> type[BaseModel]:
    part: type[BaseModel] = Recipe
    for key in place:
        part = _PARTS.get((part, key), part)
    return part


def _accepts(place: tuple[Any, ...]) -> str:
    """Return what the innermost known key of a place takes."""
    for end in range(len(place), 0, -1):
        field = _part_at(place[: end - 1]).model_fields.get(str(place[end - 1]))
        if field is not None and field.description:
            return field.description
    return "something else"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping | list | tuple):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    return shown(value)


_PARTS: dict[tuple[type[BaseModel], Any], type[BaseModel]] = {
    (Recipe, "split"): SplitRule,
    (Recipe, "boxes"): BoxRule,
    (Recipe, "output"): OutputRule,
    (OutputRule, "image"): ImageRule,
}
