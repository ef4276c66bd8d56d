"""Does a written folder hold what was meant? Each format is read back by an independent reader and compared."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from backend.core.errors import ImageError
from backend.core.model import Sample
from backend.formats import FORMATS
from backend.formats.base import Classes
from backend.formats.verify_expect import expect
from backend.formats.verify_match import match
from backend.formats.verify_read import READERS, Page, Reader, list_files
from backend.imaging.decode import probe

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Certificate:
    """What reading one format back gave.

    images, regions: how many were matched. max_error_px: the largest distance of a coordinate from what was meant.
    problems: the first 20 of `faults`. ok: no fault at all.
    """

    format: str
    images: int
    regions: int
    max_error_px: float
    tolerance: float
    classes_ok: bool
    problems: tuple[str, ...]
    faults: int
    ok: bool


def size_of(path: Path) -> tuple[int, int] | str:
    """Return width and height as displayed, or what is wrong with the file."""
    try:
        header = probe(path)
    except (ImageError, OSError) as error:
        return str(error)
    return header.width, header.height


@dataclass(slots=True)
class Checker:
    """Checks one format's folder, sample by sample; `certificate` sums up.

    strict: the folder was written by LabelLoom, so nothing but what was meant may lie in it.
    """

    key: str
    folder: Path
    classes: Classes
    strict: bool = True
    images: int = 0
    regions: int = 0
    error: float = 0.0
    problems: list[str] = field(default_factory=list)
    faults: int = 0
    _reader: Reader | None = None
    _files: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._files = list_files(self.folder)
        try:
            self._reader = READERS[self.key](self.folder, set(self._files))
        except Exception as error:  # noqa: BLE001 - whatever a reader stumbles over, the folder does not verify
            self._fault(f"{self.folder.name}: cannot be read back: {type(error).__name__}: {error}")

    def _fault(self, problem: str) -> None:
        self.faults += 1
        if len(self.problems) < SHOWN:
            self.problems.append(problem)

    def check(self, sample: Sample) -> None:
        """Compare one sample with what the folder holds of it."""
        if self._reader is None:
            return
        try:
            page = self._reader.page(sample)
        except Exception as error:  # noqa: BLE001 - as above, for one image
            self._fault(f"{sample.name}: cannot be read back: {type(error).__name__}: {error}")
            return
        if not page.files:
            self._fault(f"{sample.name}: the image is missing")
            return
        self._files.difference_update(page.files)
        for problem in (*page.problems, *self._about_image(sample, page)):
            self._fault(f"{sample.name}: {problem}")
        outcome = match(expect(self.key, sample), page.seen, FORMATS[self.key].tolerance)
        for problem in outcome.problems:
            self._fault(f"{sample.name}: {problem}")
        self.images += 1
        self.regions += outcome.matched
        self.error = max(self.error, outcome.error)

    def _about_image(self, sample: Sample, page: Page) -> list[str]:
        size = (sample.width, sample.height)
        problems: list[str] = []
        if sample.split is not None and page.split != sample.split:
            problems.append(f"its split is {page.split}, not {sample.split}")
        actual = size_of(self.folder / page.files[0])
        for what, found in (("the image", actual), ("the size its labels tell", page.size or size)):
            if found != size:
                told = found if isinstance(found, str) else f"{found[0]} x {found[1]} pixels"
                problems.append(f"{what} is {told}, not {size[0]} x {size[1]}")
        if self.key == "folders":
            tag = sample.tags[0].label if sample.tags else None
            if page.tag != tag:
                problems.append(f"its class is {page.tag!r}, not {tag!r}")
        return problems

    def extra(self) -> list[str]:
        """Return the files that belong to no sample checked so far, relative to the folder."""
        return sorted(self._files - (self._reader.fixed if self._reader else frozenset()))

    def certificate(self) -> Certificate:
        """Return the result, after all samples were checked."""
        classes_ok = self._classes_ok()
        if self._reader is not None and self.strict:
            for path in self.extra():
                self._fault(f"{path}: a file that was not meant")
        return Certificate(
            self.key,
            self.images,
            self.regions,
            round(self.error, 6),
            FORMATS[self.key].tolerance,
            classes_ok,
            tuple(self.problems),
            self.faults,
            self.faults == 0,
        )

    def _classes_ok(self) -> bool:
        if self._reader is None:
            return False
        meant = self.classes.tags if self.key == "folders" else self.classes.labels
        found = self._reader.labels
        if (found is None and not (self.strict and meant)) or found == meant:
            return True
        self._fault(f"class names are {list(found or ())}, not {list(meant)}")
        return False


def verify_format(
    key: str, folder: Path, meant: Iterable[Sample], classes: Classes, *, strict: bool = True
) -> Certificate:
    """Return whether `folder` (one format's own) holds exactly the samples that were meant.

    strict: also refuse files that were not meant, and class names that are nowhere told.
    """
    checker = Checker(key, folder, classes, strict=strict)
    for sample in meant:
        checker.check(sample)
    return checker.certificate()
