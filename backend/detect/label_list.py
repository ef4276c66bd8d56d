"""The names of a model's classes, as exporters and people write them down."""

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.core.errors import UsageError, shown

SUFFIXES = (".labels.txt", ".labels.json", ".labels.yaml", ".labels.yml")
_MOST = 1 << 20  # bytes of a list of labels

Names = tuple[str, ...]


def beside(model: Path) -> Path | None:
    """Return the label list that lies beside a model file (`best.onnx`: `best.labels.txt`), if there is one."""
    return next((path for path in map(lambda s: model.with_name(model.stem + s), SUFFIXES) if path.is_file()), None)


def read_labels(path: Path) -> Names:
    """Return the labels of a file: text with one a line, or JSON or YAML with a list, {id: name} or {names: either}.

    Raises:
        UsageError: the file cannot be read, or is no list of different names.
    """
    from backend.core.yaml_text import read_yaml

    try:
        with path.open("rb") as file:
            text = file.read(_MOST + 1)
        if len(text) > _MOST:
            msg = f"{path} is larger than {_MOST >> 20} MiB"
            raise UsageError(msg, fix="give a file with one label a line")
        decoded = text.decode("utf-8-sig")
        if path.suffix == ".json":
            given = json.loads(decoded)
        else:
            given = decoded.split("\n") if path.suffix == ".txt" else read_yaml(decoded)
    except (OSError, ValueError, RecursionError) as error:
        msg = f"the label list {path} cannot be read: {error}"
        raise UsageError(msg, fix="give a file with one label a line, in UTF-8") from error
    if path.suffix == ".txt":
        given = [line.strip() for line in given]
        while given and not given[-1]:
            given.pop()
    return names_of(given, str(path))


def metadata_labels(text: str) -> Names:
    """Return the labels that the YOLO exporter leaves in a model, written as a Python value such as {0: 'cat'}.

    Raises:
        UsageError: it is no list of different names.
    """
    try:
        given = ast.literal_eval(text[:_MOST])
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        msg = f"the model's own label list cannot be read: {shown(text)}"
        raise UsageError(msg, fix="give the labels in a file beside the model, one a line") from error
    return names_of(given, "the model's own label list")


def names_of(given: Any, where: str) -> Names:
    """Return labels out of a list, {id: name} with ids from 0, or {names: either}.

    Raises:
        UsageError: it is none of these, or a name is empty or there twice.
    """
    if isinstance(given, Mapping) and "names" in given:
        given = given["names"]
    names = list(given) if isinstance(given, list | tuple) else _by_id(given, where)
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            msg = f"{where}: the label {number} is {shown(name)}"
            raise UsageError(msg, fix="give each class a name")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None or not names:
        msg = f"{where}: {'there are no labels' if twice is None else f'{shown(twice)} is there twice'}"
        raise UsageError(msg, fix="give each class a name of its own, in the order of the model's classes")
    return tuple(names)


def _by_id(given: Any, where: str) -> list[Any]:
    try:
        by_id = {int(number): name for number, name in given.items()}
    except (AttributeError, TypeError, ValueError) as error:
        msg = f"{where} is {shown(given)}, no list of labels"
        raise UsageError(msg, fix="give a list of names, or {id: name} with ids from 0") from error
    missing = next((number for number in range(len(by_id)) if number not in by_id), None)
    if missing is not None:
        msg = f"{where}: the ids do not count from 0, {missing} is missing"
        raise UsageError(msg, fix="give every class of the model, from 0 on")
    return [by_id[number] for number in range(len(by_id))]
