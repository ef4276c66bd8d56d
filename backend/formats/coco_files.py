"""COCO's annotation files: where they lie, what they must hold, and which categories they name."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from backend.core.errors import UsageError, shown
from backend.formats.base import split_of
from backend.formats.walk import read_text, within

Json = dict[str, Any]

_LISTS = re.compile(rb'"(images|annotations)"\s*:\s*\[')
_HEAD = 1 << 16


class Document(NamedTuple):
    """One annotation file: its path below the root, the split its name tells, its content."""

    relative: str
    split: str | None
    content: Json


def is_coco(folder: Path) -> bool:
    """Tell whether a folder holds a COCO annotation file; a cheap look."""
    return next(_paths(folder), None) is not None


def _paths(folder: Path) -> Iterator[Path]:
    """Yield the annotation files; beside 'instances_*.json', others of that folder (captions, ...) are not read."""
    parts = sorted(place for place in folder.glob("*/") if split_of(place.name) or place.name.lower() == "labels")
    for place in (folder / "annotations", folder, *parts):
        found = [
            path
            for path in sorted(place.glob("*.json"))
            if path.is_file() and within(folder, path) and _looks_like_coco(path)
        ]
        instances = [path for path in found if path.name.startswith("instances")]
        yield from instances or found


def _looks_like_coco(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
            stream.seek(max(0, path.stat().st_size - _HEAD))
            return bool(_LISTS.search(head) or _LISTS.search(stream.read()))
    except OSError:
        return False


def documents(folder: Path) -> tuple[Document, ...]:
    """Return the annotation files of a folder, parsed.

    Raises:
        UsageError: one of them is not JSON of COCO's form.
    """
    return tuple(_document(folder, path) for path in _paths(folder))


def _document(folder: Path, path: Path) -> Document:
    try:
        content = json.loads(read_text(path))
    except (ValueError, OSError, RecursionError) as error:
        msg = f"{path}: not a readable JSON file: {error}"
        raise UsageError(msg, fix="repair or remove this file") from error
    lists = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key, []), list) for key in lists):
        msg = f"{path}: COCO keeps lists under {', '.join(lists)}, this file does not"
        raise UsageError(msg, fix="repair or remove this file")
    _check_categories(path, content.get("categories", []))
    words = [*re.split(r"[^A-Za-z0-9]+", path.stem), path.parent.name]
    split = next((s for word in words if (s := split_of(word))), None)
    return Document(path.relative_to(folder).as_posix(), split, content)


def entries(document: Document, key: str) -> list[Json]:
    """Return the objects of one of the file's lists; what is no object is passed over."""
    return [entry for entry in document.content.get(key, ()) if isinstance(entry, dict)]


def category_names(document: Document) -> dict[Any, str]:
    """Return the category names by id."""
    return {key(entry.get("id")): str(entry.get("name", entry.get("id"))) for entry in entries(document, "categories")}


def key(value: Any) -> Any:
    """Return an id as something that can be looked up; foreign files have lists and objects there."""
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value)


def image_ids(document: Document) -> Counter[Any]:
    """Return how many different images each image id is given to."""
    pairs = {(key(entry.get("id")), str(entry.get("file_name"))) for entry in entries(document, "images")}
    return Counter(number for number, _ in pairs)


def _check_categories(path: Path, categories: list[Any]) -> None:
    names: dict[Any, str] = {}
    for entry in categories:
        if isinstance(entry, dict):
            number, name = key(entry.get("id")), str(entry.get("name", entry.get("id")))
            if names.setdefault(number, name) != name:
                msg = f"{path}: category id {shown(number)} means both {shown(names[number])} and {shown(name)}"
                raise UsageError(msg, fix="give each category an id of its own")


def label_names(found: Iterable[Document]) -> tuple[str, ...]:
    """Return the category names in the order of the files; their ids may have gaps."""
    return tuple(dict.fromkeys(name for document in found for name in category_names(document).values()))
