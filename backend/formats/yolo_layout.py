"""Where a YOLO dataset keeps its images, labels, names and splits: every layout that tools are known to write."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from backend.formats.base import SPLITS, split_of
from backend.formats.walk import inside, is_image, read_text, walk, walk_near, within
from backend.formats.yolo_config import NAME_LISTS, class_names, read_config
from backend.formats.yolo_lines import Meaning, parse_line

TASKS = {"detect": "yolo", "obb": "yolo-obb", "segment": "yolo-seg"}

_SNIFFED_FILES = 20
_SNIFFED_ENTRIES = 2000


class Layout(NamedTuple):
    """What a YOLO folder holds. pairs: image -> its label file or None, both relative; orphans: labels alone."""

    names: tuple[str, ...] | None
    meaning: Meaning
    pairs: Mapping[str, str | None]
    splits: Mapping[str, str]
    orphans: tuple[str, ...]
    notes: tuple[str, ...]


def sniff_task(folder: Path) -> str | None:
    """Return which YOLO task `folder` holds labels of, or None where it holds none; a cheap look."""
    config = read_config(folder)
    task = config.get("task")
    if isinstance(task, str) and task in TASKS:
        return task
    widths: set[int] = set()
    files = 0
    for relative in islice(walk_near(folder, _is_part), _SNIFFED_ENTRIES):
        if files == _SNIFFED_FILES or not _may_be_labels(relative):
            continue
        lines = [parse_line(text) for text in read_text(folder / relative).splitlines() if text.strip()]
        numbers = {len(line.numbers) for line in lines if line and len(line.numbers) >= 4}
        files += bool(numbers)
        widths |= numbers
    if not widths:
        return "detect" if config or _labels_folder(folder) else None
    if widths <= {4, 5} or _keypoints(config):
        return "detect"
    return "obb" if widths <= {8, 9} else "segment"


def _labels_folder(folder: Path) -> bool:
    """Tell whether there is a folder of label files beside one of images, although all may be empty."""
    return any(
        (place / "labels").is_dir() and (place / "images").is_dir()
        for place in (folder, *(place for place in folder.glob("*/") if split_of(place.name)))
    )


def _is_part(name: str) -> bool:
    """Tell whether a folder's name says that it is a part of the dataset around it."""
    return name.lower() in {"labels", "images", "data"} or split_of(name) is not None or name.startswith("obj_")


def _may_be_labels(relative: str) -> bool:
    path = PurePosixPath(relative)
    if path.suffix.lower() != ".txt":
        return False
    depth = len(path.parts)  # further down, 'test.txt' and 'classes.txt' are the labels of images of that name
    return not (depth == 1 and split_of(path.stem)) and not (depth <= 2 and path.name in NAME_LISTS)


def _keypoints(config: Mapping[str, Any]) -> int:
    shape = config.get("kpt_shape")
    if isinstance(shape, list | tuple) and len(shape) == 2 and all(isinstance(n, int) for n in shape):
        return int(shape[0] * shape[1])
    return 0


def read_layout(folder: Path, task: str) -> Layout:
    """Return what a YOLO folder holds; file names only, no label file is opened."""
    config = read_config(folder)
    files = list(walk(folder))
    labels = {path for path in files if _may_be_labels(path)}
    images = [path for path in files if is_image(path)]
    pairs = {image: next((path for path in _label_paths(image) if path in labels), None) for image in images}
    notes: list[str] = []
    if any("images" in PurePosixPath(image).parts for image in images):
        strays = [i for i, label in pairs.items() if label is None and "images" not in PurePosixPath(i).parts]
        for stray in strays:
            del pairs[stray]
        if strays:
            notes.append(f"{len(strays)} pictures outside the image folders were not read (the first: {strays[0]})")
    used = set(pairs.values())
    orphans = tuple(path for path in sorted(labels - used) if _is_label_file(folder / path))
    splits = _splits(folder, config, tuple(pairs), notes)
    meaning = Meaning(task == "obb", _keypoints(config))
    return Layout(class_names(folder, config), meaning, pairs, splits, orphans, tuple(notes))


def _label_paths(image: str) -> Iterator[str]:
    """Yield where an image's labels may lie: the last 'images' folder exchanged for 'labels', else beside it."""
    path = PurePosixPath(image).with_suffix(".txt")
    parts = list(path.parts)
    for position in range(len(parts) - 2, -1, -1):
        if parts[position].lower() == "images":
            yield "/".join([*parts[:position], "labels", *parts[position + 1 :]])
            break
    yield str(path)
    yield f"labels/{path.name}"


def _is_label_file(path: Path) -> bool:
    if "labels" in path.parts:
        return True
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    parsed = parse_line(lines[0]) if lines else None
    return parsed is not None and len(parsed.numbers) >= 4


def _splits(folder: Path, config: Mapping[str, Any], images: tuple[str, ...], notes: list[str]) -> dict[str, str]:
    """Return the split of each image: as the description or a list file names it, else by its folders' names."""
    listed: dict[str, str] = {}
    prefixes: dict[str, str] = {}
    for split, entry in _entries(folder, config):
        if entry.endswith(".txt"):
            for image in _listed(folder, entry, images):
                listed.setdefault(image, split)
        elif prefixes.setdefault(entry, split) != split:
            notes.append(
                f"{split} names the same folder as {prefixes[entry]} ({entry}): it counts as {prefixes[entry]}"
            )
    found: dict[str, str] = {}
    for image in images:
        parents = [str(parent) for parent in PurePosixPath(image).parents]
        by_prefix = (prefixes[parent] for parent in parents if parent in prefixes)
        by_word = (word for part in PurePosixPath(image).parts[:-1] if (word := split_of(part)))
        named = listed.get(image) or next(by_prefix, None) or next(by_word, None)
        if named:
            found[image] = named
    return found


def _entries(folder: Path, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (split, folder or list file) of the description, relative to `folder`; what leads outside is left out."""
    for split in SPLITS:
        value = config.get(split, config.get("valid") if split == "val" else None)
        for text in value if isinstance(value, list) else [value]:
            if not isinstance(text, str):
                continue
            trimmed = text.removeprefix("data/") if text.endswith(".txt") else text  # darknet runs one folder above
            for base in (str(config.get("path") or "."), "."):
                tried = (f"{base}/{text}", text.replace("../", ""), trimmed)
                found = next((p for t in tried if (p := inside(folder, t)) and _usable(folder, p)), None)
                if found:
                    yield split, found.relative_to(folder).as_posix()
                    break
        if _usable(folder, folder / f"{split}.txt"):
            yield split, f"{split}.txt"


def _usable(folder: Path, path: Path) -> bool:
    """Tell whether a path is a folder or a regular file of the dataset, links followed."""
    return within(folder, path) and (path.is_dir() or path.is_file())


def _listed(folder: Path, entry: str, images: tuple[str, ...]) -> Iterator[str]:
    """Yield the images a list file names, whatever folder its paths begin in."""
    known = set(images)
    for line in read_text(folder / entry).splitlines():
        parts = PurePosixPath(line.strip().replace("\\", "/")).parts
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            if tail in known:
                yield tail
                break
