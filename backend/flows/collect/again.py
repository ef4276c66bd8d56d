"""Ask again for what could not be had when the network or a host had a bad moment."""

from collections import Counter
from pathlib import Path
from typing import Any

from backend.flows.collect.collection import DOCUMENT, open_collection
from backend.flows.collect.folder import save, writing
from backend.flows.collect.journal import MANIFEST, encoded, read_manifest
from backend.imaging.files import write_atomic
from connectors.fetching.reasons import passing

Json = dict[str, Any]


def ask_again(folder: Path) -> int:
    """Forget the failures of a collection that may have passed, so that its next run asks again; return how many.

    Raises:
        Held: another process collects into the folder.
        LabelLoomError: the disk is full, or the folder cannot be written.
    """
    if not (folder / DOCUMENT).exists():
        return 0
    manifest = folder / MANIFEST
    with writing(folder):
        gone = Counter(line["label"] for line in read_manifest(manifest) if _may_have_passed(line))
        if gone:
            document = open_collection(folder).document
            document["labels"] = [entry for entry in document["labels"] if not gone[entry["label"]]]
            save(folder, document)  # first: labels that are searched again for nothing do no harm
            write_atomic(manifest, (encoded(line) for line in read_manifest(manifest) if not _may_have_passed(line)))
    return gone.total()


def _may_have_passed(line: Json) -> bool:
    return line["state"] == "rejected" and passing(line["reason"]["code"])
