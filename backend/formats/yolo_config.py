"""A YOLO dataset's description: data.yaml or darknet's obj.data, and the class names wherever they are told."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.core.errors import UsageError, shown
from backend.core.yaml_text import read_yaml
from backend.formats.clean_names import LONGEST_NAME
from backend.formats.walk import inside, read_names, read_text, within

CONFIGS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
NAME_LISTS = ("classes.txt", "obj.names", "_darknet.labels", "labels.txt", "predefined_classes.txt")
MOST_CLASSES = 10_000

_NAMES_KEY = re.compile(r"^['\"]?names['\"]?\s*:", re.MULTILINE)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the dataset's description: a data.yaml, or darknet's obj.data in the same keys; empty if none.

    Raises:
        UsageError: there is a description, but it cannot be read: guessing what it meant would mislabel everything.
    """
    for path in (*(folder / name for name in CONFIGS), *sorted(folder.glob("*.y*ml"))):
        if not path.is_file():
            continue
        document = _document(folder, path)
        if isinstance(document, dict) and "names" in document:
            _check_names(path, document["names"])
            return document
    darknet = folder / "obj.data"
    if darknet.is_file() and within(folder, darknet):
        pairs = (line.partition("=") for line in read_text(darknet).splitlines())
        known = {key.strip(): value.strip() for key, _, value in pairs}
        return {"train": known.get("train"), "val": known.get("valid"), "test": known.get("test")}
    return {}


def _document(folder: Path, path: Path) -> Any:
    """Return what a YAML file says, or None where it cannot be read and does not look like a description either."""
    if not within(folder, path):
        if path.name not in CONFIGS:
            return None
        raise _refused(path, "is a link that leads out of the dataset", "put the file itself into the folder")
    try:
        text = read_text(path)
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror or error}", "make it readable, or remove it") from error
    try:
        return read_yaml(text)
    except ValueError as error:
        if path.name not in CONFIGS and not _NAMES_KEY.search(text):
            return None  # some other tool's file
        raise _refused(path, f"cannot be read as YAML: {error}", "repair it, or remove it") from error


def _refused(path: Path, cause: str, fix: str) -> UsageError:
    return UsageError(f"{path}: {cause}", fix=fix)


def _check_names(path: Path, names: Any) -> None:
    """Refuse class names that are no list of names.

    Raises:
        UsageError: naming the entry and how it is written.
    """
    if isinstance(names, str):
        return  # a file with the names
    if isinstance(names, Mapping):
        wrong = next((key for key in names if isinstance(key, bool) or not re.fullmatch("[0-9]+", str(key))), None)
        if wrong is not None:
            raise _refused(path, f"names: {shown(wrong)} is no class id", "write ids as whole numbers from 0")
        entries = [(int(str(key)), name) for key, name in names.items()]
    elif isinstance(names, list):
        entries = list(enumerate(names))
    else:
        raise _refused(path, f"names: {shown(names)} is no list", "write names: [first, second]")
    for number, name in entries:
        _check_name(path, number, name)


def _check_name(path: Path, number: int, name: Any) -> None:
    if number >= MOST_CLASSES:
        fix = "number the classes from 0 without gaps"
        raise _refused(path, f"names: id {shown(number)} is beyond {MOST_CLASSES - 1}, the largest there can be", fix)
    if isinstance(name, bool) or not isinstance(name, str | int | float):
        raise _refused(path, f"names: class {number} is {shown(name)}, not a name", "write the name in quotes")
    if len(str(name)) > LONGEST_NAME:
        fix = f"give it a name of at most {LONGEST_NAME} characters"
        raise _refused(path, f"names: class {number} has a name of {len(str(name))} characters", fix)


def class_names(folder: Path, config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the class names in id order, or None where nobody tells them; gaps in ids are named by number.

    Raises:
        UsageError: a class list holds more, or longer, names than there can be.
    """
    names = config.get("names")
    if isinstance(names, Mapping):
        by_id = {int(str(key)): str(value) for key, value in names.items()}
        return tuple(by_id.get(i, str(i)) for i in range(max(by_id, default=-1) + 1))
    if isinstance(names, list):
        return tuple(map(str, names))
    lists = [folder / place / name for name in NAME_LISTS for place in ("", "labels")]
    if isinstance(names, str) and (named := inside(folder, names)):
        lists.insert(0, named)
    for path in lists:
        if path.is_file() and within(folder, path):
            listed = read_names(path)
            _check_names(path, list(listed))
            return listed
    return None
