"""What a model finds in image files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.core.errors import ImageError
from backend.core.geometry import tight_box
from backend.core.progress import Progress
from backend.detect.base import Detector, Predicted, Runtime
from backend.detect.model_dir import read_model
from backend.flows.loaded_models import open_folder
from backend.flows.models import locate
from backend.imaging.containers import IMAGE_SUFFIXES
from backend.imaging.decode import decode
from backend.settings import Settings
from backend.store.tables import open_database

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class File:
    """One image's boxes: label, score, and box (x0, y0, x1, y1) in pixels as displayed; tags have no box."""

    path: Path
    width: int
    height: int
    boxes: tuple[Json, ...]

    def to_json(self) -> Json:
        """Return it as `--json` shows it."""
        return {"path": str(self.path), "width": self.width, "height": self.height, "boxes": list(self.boxes)}


@dataclass(frozen=True, slots=True)
class Files:
    """All images; skipped: those that could not be used, and why."""

    version: str
    files: tuple[File, ...]
    skipped: tuple[tuple[str, str], ...]


def predict_files(
    paths: Sequence[Path], model: str, threshold: float | None, tools: tuple[Settings, Progress]
) -> Files:
    """Return what a model, given by its version or folder, finds; threshold: the least score, None for the model's own.

    Raises:
        UsageError: there is no such model.
        LabelLoomError: it cannot be run.
        Cancelled: from the progress.
    """
    settings, progress = tools
    folder = locate(open_database(settings.database), model)
    info = read_model(folder)
    least = info.threshold if threshold is None else threshold
    detector = open_folder(folder, Runtime())
    files, skipped = [], []
    images = [path for given in paths for path in _images(given)]
    for number, path in enumerate(images):
        progress.update("predicting", number, len(images))
        try:
            files.append(_file(path, detector, least))
        except (ImageError, OSError) as error:
            skipped.append((str(path), str(error) if isinstance(error, ImageError) else error.strerror or str(error)))
    progress.update("predicting", len(images), len(images))
    return Files(info.version, tuple(files), tuple(skipped))


def _images(given: Path) -> list[Path]:
    """Return a file as it is; of a folder, what is an image by its name."""
    if not given.is_dir():
        return [given]
    return sorted(path for path in given.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())


def _file(path: Path, detector: Detector, least: float) -> File:
    rgb = decode(path.read_bytes()).rgb
    (found,) = detector.predict([rgb])
    return File(path, rgb.shape[1], rgb.shape[0], tuple(_boxes(found, least)))


def _boxes(found: Predicted, least: float) -> list[Json]:
    boxes: list[Json] = []
    for region in found.regions:
        box = tight_box(region.shape)
        if box is not None and (region.score or 0) >= least:
            place = [round(v, 1) for v in (box.x0, box.y0, box.x1, box.y1)]
            boxes.append({"label": region.label, "score": round(region.score or 0, 4), "box": place})
    boxes += [{"label": tag.label, "score": round(score, 4)} for tag, score in found.tags if score >= least]
    return boxes
