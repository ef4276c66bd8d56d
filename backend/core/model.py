"""The values everything else speaks in.

Pixel space: floats, origin top-left, x right, y down, half-open (pixel i covers [i, i + 1)), of the image as
displayed, that is, after its EXIF orientation was applied. Angles are degrees, clockwise as seen on screen.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from backend.core.credit import Credit

Point = tuple[float, float]
Ring = tuple[Point, ...]
Attribute = str | int | float | bool


def _finite(*values: float) -> None:
    if not all(map(math.isfinite, values)):
        msg = f"coordinates must be finite numbers, got {values}"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Box:
    """Axis-aligned box [x0, x1) x [y0, y1), with x0 < x1 and y0 < y1."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        _finite(self.x0, self.y0, self.x1, self.y1)
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            msg = f"box has no area: {self.x0}, {self.y0}, {self.x1}, {self.y1}"
            raise ValueError(msg)

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class RotatedBox:
    """Box of `width` x `height` around (cx, cy), turned clockwise by `angle` degrees."""

    cx: float
    cy: float
    width: float
    height: float
    angle: float

    def __post_init__(self) -> None:
        _finite(self.cx, self.cy, self.width, self.height, self.angle)
        if not (self.width > 0 and self.height > 0):
            msg = f"rotated box has no area: {self.width} x {self.height}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Polygon:
    """One or more outer rings (no holes); several when an object was cut apart by the frame."""

    parts: tuple[Ring, ...]

    def __post_init__(self) -> None:
        if not self.parts or any(len(ring) < 3 for ring in self.parts):
            msg = "a polygon needs at least one ring, and a ring at least 3 points"
            raise ValueError(msg)
        for ring in self.parts:
            for point in ring:
                _finite(*point)


@dataclass(frozen=True, slots=True)
class Mask:
    """Binary mask of the whole image as COCO run lengths: column by column, starting with background."""

    width: int
    height: int
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if sum(self.counts) != self.width * self.height or any(c < 0 for c in self.counts):
            msg = f"run lengths do not fill {self.width} x {self.height} pixels"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Keypoint:
    """One point."""

    x: float
    y: float

    def __post_init__(self) -> None:
        _finite(self.x, self.y)


@dataclass(frozen=True, slots=True)
class Ellipse:
    """Ellipse around (cx, cy) with radii rx, ry in pixels, turned clockwise by `angle` degrees."""

    cx: float
    cy: float
    rx: float
    ry: float
    angle: float = 0.0

    def __post_init__(self) -> None:
        _finite(self.cx, self.cy, self.rx, self.ry, self.angle)
        if not (self.rx > 0 and self.ry > 0):
            msg = f"ellipse has no area: {self.rx} x {self.ry}"
            raise ValueError(msg)


Shape = Box | RotatedBox | Polygon | Mask | Keypoint | Ellipse


@dataclass(frozen=True, slots=True)
class Region:
    """One labelled shape.

    `id` is stable and unique within its sample (Label Studio's region id). `attributes` carries what only some
    formats know, by name: `truncated`, `difficult` (VOC), `iscrowd` (COCO), `control` (Label Studio's from_name).
    """

    id: str
    label: str
    shape: Shape
    score: float | None = None
    attributes: tuple[tuple[str, Attribute], ...] = ()

    def attribute(self, name: str) -> Attribute | None:
        """Return the attribute's value, or None."""
        return dict(self.attributes).get(name)


@dataclass(frozen=True, slots=True)
class Tag:
    """An image-level label (Label Studio's Choices, or the class folder an image lies in)."""

    label: str
    control: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a sample came from; every field may be unknown. credit: where its image was collected."""

    uri: str = ""
    project: int | None = None
    task: int | None = None
    annotation: int | None = None
    annotator: str | None = None
    license: str | None = None
    page_url: str | None = None
    credit: Credit | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with its regions.

    `path` is a readable local file (never written into a dataset); `name` its original file name; `split` the split
    it already has; `fields` flat `data.*` / `meta.*` values that `group_by` may name; `notes` what was repaired
    while reading, one sentence each.
    """

    id: str
    path: str
    name: str
    width: int
    height: int
    regions: tuple[Region, ...] = ()
    tags: tuple[Tag, ...] = ()
    split: str | None = None
    origin: Origin = Origin()
    fields: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            msg = f"image size must be at least 1 x 1, got {self.width} x {self.height}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Skipped:
    """An item that could not be used, and why; it stands in the stream where its sample would have been."""

    item: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stream:
    """Samples that may be iterated any number of times; each pass loads one sample at a time."""

    factory: Callable[[], Iterator[Sample | Skipped]]

    def __iter__(self) -> Iterator[Sample | Skipped]:
        return self.factory()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples with an ordered label list: a label's position is its class id, and is never sorted or guessed.

    `labels` names region labels, `tags` image-level labels, both in the order of the source.
    """

    name: str
    labels: tuple[str, ...]
    samples: Iterable[Sample | Skipped]
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
