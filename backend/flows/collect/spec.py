"""What to collect: labels with their keywords, where from, how many, and what is good enough."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

import yaml

from backend.core.codec import digest
from backend.core.errors import UsageError, shown
from connectors.fetching.options import FetchOptions

Json = dict[str, Any]
Near = Literal["skip", "group", "keep"]
Config = Literal["bbox", "polygon", "choices"]  # what a new project draws

COUNT = 100  # images by keyword where no number is given: a source may have ten thousand
MAX_PIXELS = 64_000_000
MIN_SIDE = 32  # pixels: smaller ones are icons and tracking pixels
LONGEST = 1000  # characters of a keyword or address

# What decides whether an image is kept: a collection that was begun with one answer cannot go on with another.
_IDENTITY = ("sources", "licenses", "near", "min_side", "max_pixels", "keep_gps")
_NOT_STORED = {"contact", "robots_dir"}  # from the settings of whoever runs it


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """What stands for one label. label: None where images get none. queries: keywords, addresses, lists or folders."""

    label: str | None
    queries: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.label is not None and not self.label.strip():
            msg = "a label is empty"
            raise UsageError(msg, fix='write --label "cat=cat photo,kitten"')
        if not self.queries or not all(query.strip() for query in self.queries):
            whose = f" for label {shown(self.label)}" if self.label else ""
            msg = f"an empty keyword{whose}: there is nothing to look for"
            raise UsageError(msg, fix="give at least one keyword")
        for query in self.queries:
            if len(query) > LONGEST or any(ord(c) < 32 for c in query):
                msg = f"keyword {shown(query)}: {len(query)} characters or a line break; at most {LONGEST} in one line"
                raise UsageError(msg, fix="shorten it, or make it several keywords")


@dataclass(frozen=True, slots=True)
class CollectSpec:
    """A whole collection.

    count: images to keep per label; None keeps all that the sources offer. licenses: short names (by, cc0 ...); empty
    is any, unknown included. near: what happens to near-duplicates. min_side, max_pixels: of the picture as displayed.
    keep_gps: leave EXIF and XMP in the files.
    """

    labels: tuple[LabelSpec, ...]
    sources: tuple[str, ...]
    count: int | None = None
    licenses: frozenset[str] = frozenset()
    near: Near = "skip"
    min_side: int = MIN_SIDE
    max_pixels: int = MAX_PIXELS
    keep_gps: bool = False
    fetch: FetchOptions = field(default_factory=FetchOptions)

    def __post_init__(self) -> None:
        if not self.labels or not self.sources:
            msg = f"nothing to collect: no {'source' if self.labels else 'keyword'} is given"
            raise UsageError(msg, fix="give a keyword, or --label, and a --source")
        names = [label.label for label in self.labels]
        if len(set(names)) < len(names):
            msg = f"label {shown(next(n for n in names if names.count(n) > 1))} is given twice"
            raise UsageError(msg, fix="put its keywords together, separated by commas")
        if self.count is not None and self.count < 1:
            msg = f"-n {self.count} asks for no images"
            raise UsageError(msg, fix="ask for at least 1")
        if self.near not in get_args(Near):
            msg = f"near is skip, group or keep, got {shown(self.near)}"
            raise UsageError(msg)

    def identity(self) -> Json:
        """Return what must be the same for a collection to go on."""
        whole = self.to_json()
        return {name: whole[name] for name in _IDENTITY}

    def key(self) -> str:
        """Return 8 hex digits that are the same for the same labels, keywords, sources and demands."""
        return digest({**self.identity(), "labels": self.to_json()["labels"]})[:8]

    def to_json(self) -> Json:
        """Return the spec as JSON, without what the settings add when it runs."""
        fetch = {name: value for name, value in asdict(self.fetch).items() if name not in _NOT_STORED}
        return {
            **{f.name: getattr(self, f.name) for f in fields(self)},
            "labels": [{"label": label.label, "queries": list(label.queries)} for label in self.labels],
            "sources": list(self.sources),
            "licenses": sorted(self.licenses),
            "fetch": {k: sorted(v) if isinstance(v, frozenset) else v for k, v in fetch.items()},
        }

    @classmethod
    def from_json(cls, data: Json) -> "CollectSpec":
        """Return the spec that `to_json` wrote; what is missing has its default.

        Raises:
            UsageError: a field is unknown, or its value is of no use.
        """
        try:
            given = dict(data)
            given["labels"] = tuple(LabelSpec(item["label"], tuple(item["queries"])) for item in given["labels"])
            given["sources"] = tuple(given["sources"])
            given["licenses"] = frozenset(given.get("licenses", ()))
            fetch: Json = {k: frozenset(v) if isinstance(v, list) else v for k, v in given.pop("fetch", {}).items()}
            return cls(**given, fetch=FetchOptions(**fetch))
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"not a collection's description: {error}"
            raise UsageError(msg, fix="start the collection anew, in another folder") from error


def parse_label(text: str) -> LabelSpec:
    """Return the label of `LABEL=KEYWORD,KEYWORD`; a label without keywords is its own keyword.

    Raises:
        UsageError: the label or a keyword is empty.
    """
    label, equals, rest = text.partition("=")
    queries = _keywords(rest.split(",")) if equals else (label.strip(),)
    return LabelSpec(label.strip(), queries)


def parse_labels(text: str, name: str = "labels.yaml") -> tuple[LabelSpec, ...]:
    """Return the labels of a YAML class list: `label: [keywords]`, `label: keyword`, `label:`, or a list of labels.

    Raises:
        UsageError: it is not one.
    """
    fix = f"write {name} as `cat: [cat photo, kitten]`, one label per line"
    try:
        root = yaml.compose(text, yaml.BaseLoader)
        data = yaml.load(text, yaml.BaseLoader)  # every value a text: a label `no` or `2026-11` stays one
    except yaml.YAMLError as error:
        msg = f"{name} is not YAML: {' '.join(str(error).split())[:200]}"
        raise UsageError(msg, fix=fix) from error
    if isinstance(root, yaml.MappingNode) and len(root.value) > len(data):
        keys = [str(key.value) for key, _ in root.value]
        msg = f"{name}: label {shown(next(key for key in keys if keys.count(key) > 1))} is there twice"
        raise UsageError(msg, fix="put its keywords together in one list")
    if isinstance(data, list):
        data = {str(item): "" for item in data}
    if not isinstance(data, dict) or not data:
        msg = f"{name} holds no labels"
        raise UsageError(msg, fix=fix)
    return tuple(_listed(label, keywords, name, fix) for label, keywords in data.items())


def _listed(label: object, keywords: object, name: str, fix: str) -> LabelSpec:
    text = str(label).strip()
    if isinstance(keywords, str):
        return LabelSpec(text, _keywords([keywords or text]))
    if not isinstance(keywords, list) or any(isinstance(word, (dict, list)) for word in keywords):
        msg = f"{name}: the keywords of {shown(text)} are not a list of texts"
        raise UsageError(msg, fix=fix)
    return LabelSpec(text, _keywords(str(word) for word in keywords))


def _keywords(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in words))
