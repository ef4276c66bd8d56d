"""What is learned from: a Label Studio project's annotated tasks, or a dataset's folder."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.core.errors import LabelLoomError
from backend.core.model import Dataset
from backend.core.progress import Progress
from backend.settings import Settings

_ENOUGH = 40  # characters of a dataset's name in a version


@dataclass(frozen=True, slots=True)
class Source:
    """Labelled samples. slug: in versions' names; title: for people; project, key: of a Label Studio project.

    key: what splits are remembered under; total: how many samples there are, where known.
    """

    slug: str
    title: str
    dataset: Dataset
    project: int | None = None
    key: str | None = None
    total: int | None = None
    warnings: tuple[str, ...] = ()


@contextmanager
def project_source(project: int, settings: Settings, progress: Progress) -> Iterator[Source]:
    """Yield a project's annotated tasks; those that nobody has looked at are left out.

    Raises:
        UsageError: no such project, or its config is not one for single images.
        LabelLoomError: Label Studio cannot be reached, or no task was annotated.
    """
    from backend.flows.label_studio_connection import translated
    from backend.flows.label_studio_source import open_project

    with translated(), open_project(project, settings, progress) as opened:
        if not opened.selection.used:
            msg = f"{opened.description} has nothing to learn from: {opened.selection.text()}"
            raise LabelLoomError(msg, fix="label some images first")
        yield Source(
            f"p{project}",
            opened.description,
            opened.dataset,
            project,
            opened.key,
            opened.selection.used,
            opened.warnings,
        )


def dataset_source(folder: Path) -> Source:
    """Return a dataset's folder, of any known format, as a source.

    Raises:
        UsageError: it is no dataset.
    """
    from backend.formats.recognise import open_dataset

    dataset = open_dataset(folder)
    return Source(slug(dataset.name), f"the dataset {dataset.name}", dataset)


def slug(name: str) -> str:
    """Return a name as a part of a version: letters, digits, dots and dashes of ASCII, never empty."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")
    if plain == name and len(name) <= _ENOUGH:
        return plain
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:6]
    return f"{plain[:_ENOUGH]}-{digest}" if plain else f"d{digest}"
