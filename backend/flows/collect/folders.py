"""A collection as one folder of images for each label, as classifiers are trained from."""

from collections import Counter
from pathlib import Path

from backend.core.names import safe_stem
from backend.flows.collect.collection import Collection
from backend.flows.collect.folder import in_words
from backend.imaging.files import link_or_copy

NO_LABEL = "unlabelled"
_DIGITS = 16  # of the sha256 in a file's name


def to_folders(collection: Collection, folder: Path) -> dict[str, int]:
    """Link or copy the accepted images to `folder/<label>/`, and return how many lie in each; a repeat is harmless.

    Labels become names that every system can carry; two that become the same get the same folder apart by a number.

    Raises:
        LabelLoomError: the folder cannot be written.
    """
    names: dict[str | None, str] = {}
    counts = Counter[str]()
    with in_words(folder):
        for line in collection.kept():
            label = line["label"]
            if label not in names:
                names[label] = _free(safe_stem(label).lstrip(".") if label else NO_LABEL, set(names.values()))
            path = collection.path(line)
            link_or_copy(path, folder / names[label] / f"{line['sha256'][:_DIGITS]}{path.suffix}")
            counts[names[label]] += 1
    return dict(counts)


def _free(name: str, taken: set[str]) -> str:
    lower = {other.lower() for other in taken}
    number, free = 2, name or NO_LABEL
    while free.lower() in lower:
        free, number = f"{name}-{number}", number + 1
    return free
