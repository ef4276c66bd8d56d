"""Take lines out of a manifest, so that what they speak of is asked for again."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.flows.collect.collection import DOCUMENT, open_collection
from backend.flows.collect.folder import save, writing
from backend.flows.collect.journal import MANIFEST, encoded, read_manifest
from backend.imaging.files import write_atomic
from connectors.fetching.reasons import passing

Json = dict[str, Any]


def ask_again(folder: Path, tell: Callable[[str], None] = lambda _text: None) -> int:
    """Forget the failures of a collection that may have passed, so that its next run asks again; return how many.

    Raises:
        Held: another process collects into the folder.
        LabelLoomError: the disk is full, or the folder cannot be written.
    """
    if not (folder / DOCUMENT).exists():
        return 0
    with writing(folder):
        number = _forget(folder, lambda line: line["state"] == "rejected" and passing(line["reason"]["code"]))
    if number:
        tell(f"asked again: {number:,} that could not be had before")
    return number


def forget_missing(folder: Path) -> int:
    """Forget kept images whose file is gone, so that they are fetched again; return how many. Under `writing` only."""
    return _forget(folder, lambda line: line["state"] == "kept" and not (folder / line["file"]).is_file())


def _forget(folder: Path, which: Callable[[Json], bool]) -> int:
    manifest = folder / MANIFEST
    gone = Counter(line["label"] for line in read_manifest(manifest) if which(line))
    if gone:
        document = open_collection(folder).document
        document["labels"] = [entry for entry in document["labels"] if not gone[entry["label"]]]
        save(folder, document)  # first: labels that are searched again for nothing do no harm
        write_atomic(manifest, (encoded(line) for line in read_manifest(manifest) if not which(line)))
    return gone.total()
