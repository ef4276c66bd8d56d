"""A look before the run: a contact sheet of originals beside variants, or of the most damaged variants."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from backend.augment.pipeline import Pipeline, prepare_process
from backend.augment.preview import DRAWS, Loaded, preview, worst
from backend.augment.render import contact_sheet
from backend.core.errors import ImageError, LabelLoomError, UsageError
from backend.core.model import Dataset, Sample, Skipped
from backend.core.progress import Progress
from backend.core.recipe import Recipe
from backend.flows.chosen import Chosen
from backend.flows.label_studio_source import open_project
from backend.flows.outputs import check_output, write_output
from backend.flows.recipes import check_recipe
from backend.flows.style.pinned import pin
from backend.flows.style.step import extra_steps
from backend.formats.recognise import open_dataset
from backend.imaging.decode import decode
from backend.imaging.encode import ImageFormat, encode
from backend.imaging.hashes import sha256
from backend.settings import Settings

POOL = 50  # labelled images that the worst variants are looked for in: some 200 draws over them
FORMATS: dict[str, ImageFormat] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


@dataclass(frozen=True, slots=True)
class PreviewSize:
    """What a sheet shows: `images` originals with `variants` each, or, with `worst`, the most damaged variants."""

    images: int = 4
    variants: int = 4
    worst: bool = False


@dataclass(frozen=True, slots=True)
class PreviewReport:
    """What was drawn, and which images could not be used. images: those looked at; variants: those on the sheet."""

    images: int
    variants: int
    skipped: tuple[Skipped, ...]


@contextmanager
def open_source(
    folder: Path | None, project: int | None, settings: Settings, progress: Progress, chosen: Chosen | None = None
) -> Iterator[Dataset]:
    """Yield the dataset of a folder, or of a Label Studio project or its chosen tasks, whichever is given.

    Raises:
        UsageError: both or neither is given.
    """
    if (folder is None) == (project is None):
        msg = "give either a dataset folder or --project"
        raise UsageError(msg)
    if folder is not None:
        yield open_dataset(folder)
    elif project is not None:
        with open_project(project, settings, progress, chosen) as source:
            yield source.dataset


def preview_sheet(
    dataset: Dataset, recipe: Recipe, out: Path, size: PreviewSize, tools: tuple[Settings, Progress]
) -> PreviewReport:
    """Draw the sheet and write it to `out` (PNG, JPEG or WebP by its suffix).

    Raises:
        UsageError: the suffix is none of these, or `out` cannot be written.
        RecipeError: the recipe does not suit the images.
        LabelLoomError: no image can be used.
    """
    settings, progress = tools
    kind = FORMATS.get(out.suffix.lower())
    if kind is None:
        msg = f"cannot write a picture called {out.name!r}"
        raise UsageError(msg, fix=f"end its name with {', '.join(FORMATS)}")
    check_output(out)
    prepare_process()
    loaded, skipped = _load(dataset, POOL if size.worst else size.images, progress)
    if not loaded:
        msg = f"{dataset.name} has no image that can be shown"
        raise LabelLoomError(msg, fix="; ".join(f"{s.item}: {s.reason}" for s in skipped[:3]) or None)
    check_recipe(recipe, min(((s.sample.width, s.sample.height) for s in loaded), key=min))
    pinned = pin(recipe, settings)
    skipped += pinned.skipped
    pipeline = Pipeline(pinned.recipe, extra_steps(pinned.places))
    progress.update("drawing", 0, len(loaded))
    rows = worst(loaded, pipeline) if size.worst else preview(loaded, pipeline, size.variants)
    found = sum(len(row.tiles) for row in rows) - (0 if size.worst else len(rows))
    title = f"{recipe.name} on {dataset.name}" + (
        f": the {found} most damaged of {DRAWS} variants drawn from {len(loaded)} images" if size.worst else ""
    )
    sheet = contact_sheet(rows, title=title, labels=dataset.labels)
    write_output(out, encode(sheet, kind, 92))
    progress.update("drawing", len(loaded), len(loaded))
    return PreviewReport(len(loaded), found, tuple(skipped))


def _load(dataset: Dataset, count: int, progress: Progress) -> tuple[list[Loaded], list[Skipped]]:
    """Return the first `count` usable images, labelled ones before others."""
    loaded: list[Loaded] = []
    skipped: list[Skipped] = []
    plain: list[Sample] = []
    for item in islice(dataset.samples, 20 * count):  # a look, not a search through everything
        if isinstance(item, Skipped):
            skipped.append(item)
        elif item.regions or item.tags:
            _add(item, loaded, skipped)
        elif len(plain) < count:
            plain.append(item)
        progress.update("reading", len(loaded), count)
        if len(loaded) == count:
            break
    for item in plain[: count - len(loaded)]:
        _add(item, loaded, skipped)
    return loaded, skipped


def _add(sample: Sample, loaded: list[Loaded], skipped: list[Skipped]) -> None:
    try:
        data = Path(sample.path).read_bytes()
        loaded.append(Loaded(sample, decode(data).rgb, sha256(data)))
    except (ImageError, OSError) as error:
        skipped.append(Skipped(sample.origin.uri or sample.name, str(error)))
