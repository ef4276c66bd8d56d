"""YOLO in three tasks (detect, obb, segment): one folder layout, one label file per image, ids pinned in data.yaml.

images/{split}/NAME, labels/{split}/STEM.txt (empty for a background image), data.yaml without a `path` key, so that
its entries count from its own folder.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from backend.core.model import Dataset, Origin, Region, Sample, Skipped, Stream
from backend.formats.base import SPLITS, Classes, Losses, class_id, split_folder, stem
from backend.formats.clean_names import with_clean_names
from backend.formats.holds import count_extras
from backend.formats.reading import Header, Repairs, read_header
from backend.formats.unread import with_unread
from backend.formats.walk import read_text
from backend.formats.yolo_config import MOST_CLASSES
from backend.formats.yolo_layout import Layout, read_layout, sniff_task
from backend.formats.yolo_lines import (
    Encode,
    Line,
    decode_line,
    encode_detect,
    encode_obb,
    encode_segment,
    parse_line,
)
from backend.imaging.files import write_atomic


@dataclass(frozen=True, slots=True)
class Yolo:
    """The YOLO format of one task; see `base.Format`."""

    key: str
    task: str
    encode: Encode
    tolerance: float = 0.01

    def recognises(self, folder: Path) -> bool:
        """Tell whether `folder` holds YOLO labels of this task."""
        return sniff_task(folder) == self.task

    def open(self, folder: Path) -> Dataset:
        """Return the dataset in `folder`, in any known YOLO layout; see `base.Format.open`."""
        layout = read_layout(folder, self.task)
        notes = layout.notes
        if layout.names is None:
            layout = layout._replace(names=_numbered(folder, layout))
            notes = (*notes, "no data.yaml, classes.txt or obj.names: classes are named by their number")
        names = layout.names or ()
        labels = tuple(dict.fromkeys(names))
        dataset = Dataset(folder.resolve().name, labels, Stream(lambda: _samples(folder, layout)), notes=notes)
        return with_unread(folder, with_clean_names(folder, dataset))

    def image_path(self, folder: Path, sample: Sample) -> Path:
        """Return images/{split}/NAME."""
        return folder / "images" / split_folder(sample) / sample.name

    def write_labels(self, folder: Path, sample: Sample, classes: Classes) -> Losses:
        """Write labels/{split}/STEM.txt; see `base.Format.write_labels`."""
        losses = Losses()
        lines: list[str] = []
        for region in sample.regions:
            number = class_id(region.label, classes)
            numbers = self.encode(sample, region, losses)
            if numbers is not None:
                lines.append(f"{number} {numbers}\n")
        count_extras(sample, frozenset(), losses)
        write_atomic(folder / "labels" / split_folder(sample) / f"{stem(sample.name)}.txt", "".join(lines).encode())
        return losses

    def finish(self, folder: Path, samples: Iterable[Sample], classes: Classes) -> None:
        """Write data.yaml; a split without images keeps its empty folders, because trainers insist on them."""
        for split in SPLITS:
            for kind in ("images", "labels"):
                (folder / kind / split).mkdir(parents=True, exist_ok=True)
        document = {
            **{split: f"images/{split}" for split in SPLITS},
            "task": self.task,
            "names": dict(enumerate(classes.labels)),
        }
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=10_000)
        write_atomic(folder / "data.yaml", text.encode())


def _numbered(folder: Path, layout: Layout) -> tuple[str, ...]:
    """Return '0', '1', ... up to the largest class id in use; every label file is read once."""
    ids = (line.class_id for label in layout.pairs.values() for line in _lines(folder, label))
    return tuple(map(str, range(max((number for number in ids if number < MOST_CLASSES), default=-1) + 1)))


def _lines(folder: Path, label: str | None) -> Iterator[Line]:
    if label is None:
        return
    for text in read_text(folder / label).splitlines():
        if text.strip() and (line := parse_line(text)):
            yield line


def _samples(folder: Path, layout: Layout) -> Iterator[Sample | Skipped]:
    for image, label in layout.pairs.items():
        header = read_header(folder, image)
        yield header if isinstance(header, Skipped) else _sample(folder, layout, header, label)
    for orphan in layout.orphans:
        yield Skipped(orphan, "a label file without an image")


def _sample(folder: Path, layout: Layout, header: Header, label: str | None) -> Sample | Skipped:
    repairs = Repairs()
    try:
        texts = [] if label is None else read_text(folder / label).splitlines()
    except OSError as error:
        return Skipped(header.relative, f"its label file {label} cannot be read: {error.strerror}")
    names = layout.names or ()
    regions: list[Region] = []
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        line = parse_line(text)
        if line is None:
            repairs.region("began with no class id and was left out")
            continue
        if not 0 <= line.class_id < len(names):
            reason = f"class id {line.class_id} in {label} line {number}, but only {len(names)} classes are named"
            return Skipped(header.relative, f"{reason}: add its name to data.yaml")
        decoded = decode_line(line, header.size, layout.meaning, repairs)
        if decoded:
            shape, score = decoded
            regions.append(Region(str(number), names[line.class_id], shape, score))
    if label is None:
        repairs.note("no label file: taken as a background image")
    return Sample(
        id=header.relative,
        path=str((folder / header.relative).absolute()),
        name=Path(header.relative).name,
        width=header.probe.width,
        height=header.probe.height,
        regions=tuple(regions),
        split=layout.splits.get(header.relative),
        origin=Origin(uri=header.relative),
        notes=repairs.notes(),
    )


YOLO = Yolo("yolo", "detect", encode_detect)
YOLO_OBB = Yolo("yolo-obb", "obb", encode_obb)
YOLO_SEG = Yolo("yolo-seg", "segment", encode_segment)
