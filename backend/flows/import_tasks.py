"""A dataset on disk (VOC, YOLO, COCO, class folders, plain images) becomes tasks with annotations."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from backend.core.codec import digest, region_to_json
from backend.core.errors import ImageError
from backend.core.losses import loss_lines
from backend.core.model import Box, Dataset, Ellipse, Keypoint, Mask, Polygon, RotatedBox, Sample, Shape, Skipped
from backend.core.progress import Progress
from backend.flows.derived_project import check_title, free_title
from backend.flows.image_stores import Item, check_storage, open_store
from backend.flows.label_studio_connection import connect, find_project, translated
from backend.flows.loading import Loader
from backend.formats.label_config import LabelConfig, parse_label_config
from backend.formats.label_studio import to_result
from backend.formats.label_studio_tasks import task_json
from backend.imaging.decode import probe
from backend.imaging.hashes import sha256
from backend.settings import Settings
from connectors.label_studio import LabelStudio, Project
from connectors.label_studio_upload import ProjectContent

Json = dict[str, Any]

KEY = "loom_key"  # the data column that names what a task holds
_SUFFIXES = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "gif": ".gif", "bmp": ".bmp"}  # what Label Studio takes
_TAGS: dict[str, tuple[type[Shape], ...]] = {
    "RectangleLabels": (Box, RotatedBox),
    "PolygonLabels": (Polygon,),
    "BrushLabels": (Mask,),
    "KeyPointLabels": (Keypoint,),
    "EllipseLabels": (Ellipse,),
}


@dataclass(slots=True)
class ImportReport:
    """What was imported. created, present: tasks; skipped: what could not be used, each with its reason."""

    project_id: int
    url: str
    created: int = 0
    present: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_into(
    dataset: Dataset,
    project: int | None,
    new: str | None,
    tools: tuple[Settings, Progress],
    *,
    ground_truth: bool = False,
) -> ImportReport:
    """Import a dataset into a project, or into a new one with that title; what is there already is not repeated.

    A new project's config has a control for each kind of shape the dataset holds, labels in the dataset's order.

    Raises:
        UsageError: the project's config is not for images, or the title is not 3 to 50 characters long.
        LabelLoomError: Label Studio is gone or refuses; the same call goes on where this one stopped.
    """
    settings, progress = tools
    with translated():
        client = connect(settings)
        client.check()
        target = (
            find_project(client, project) if project is not None else _new_project(client, dataset, new or dataset.name)
        )
        return import_dataset(client, dataset, target, (settings.storage, progress), ground_truth=ground_truth)


def import_dataset(
    client: LabelStudio,
    dataset: Dataset,
    project: Project,
    how: tuple[str | None, Progress],
    *,
    ground_truth: bool = False,
) -> ImportReport:
    """Import a dataset into a project. how: where images go (None: upload them), and the progress.

    Raises:
        UsageError: the project's labelling config is not for images.
        ConnectorError: Label Studio is gone or refuses.
    """
    storage, progress = how
    config = parse_label_config(project.label_config)
    content = ProjectContent(client, project.id)
    if storage:
        check_storage(content, storage)
    store = open_store(content, storage, f"import-{project.id}")
    report = ImportReport(project.id, project.link)
    maker = _Maker(config, report, labelled=bool(dataset.labels), ground_truth=ground_truth)
    loaded = Loader(content, store, KEY, progress).run(maker.items(dataset.samples))
    report.created, report.present = loaded.created, len(maker.keys) - loaded.created
    report.notes += loss_lines(maker.losses, {}, "Label Studio")
    unknown = [label for label in dataset.labels if label not in config.labels]
    if unknown and maker.keys:
        names = ", ".join(unknown)
        report.notes.append(f"not in the project's labelling config (they show, but cannot be drawn anew): {names}")
    return report


class _Maker:
    """Turns samples into items; remembers what was skipped."""

    def __init__(self, config: LabelConfig, report: ImportReport, *, labelled: bool, ground_truth: bool) -> None:
        self._config = config
        self._labelled = labelled  # an image without regions is then known to show nothing
        self._ground_truth = ground_truth
        self.report = report
        self.losses: Counter[str] = Counter()
        self.keys: set[str] = set()

    def items(self, samples: Iterable[Sample | Skipped]) -> Iterator[Item]:
        for sample in samples:
            if isinstance(sample, Skipped):
                self.report.skipped.append(sample)
                continue
            try:
                suffix = shown_suffix(sample.path)
            except ImageError as error:
                self.report.skipped.append(Skipped(sample.name, str(error)))
                continue
            self.report.notes += [f"{sample.name}: {note}" for note in sample.notes]
            sha = sha256(Path(sample.path).read_bytes())
            drawn = [region_to_json(r) for r in sample.regions], [t.label for t in sample.tags]
            key = digest([sample.name, sha, *drawn])[:24]
            if key in self.keys:
                self.report.skipped.append(Skipped(sample.name, "the same image with the same labels comes twice"))
                continue
            self.keys.add(key)
            result, losses = to_result(sample, self._config)
            self.losses.update(losses)
            name = f"{sha[:8]}-{Path(sample.name).stem}{suffix}"
            yield Item(key, name, Path(sample.path), partial(self._task, sample, (key, result)))

    def _task(self, sample: Sample, made: tuple[str, list[Json]], url: str) -> Json:
        key, result = made
        data: Json = {self._config.image_key: url, KEY: key, "name": sample.name}
        if sample.split:
            data["split"] = sample.split
        known = {"license": sample.origin.license, "page_url": sample.origin.page_url}
        data |= {name: value for name, value in known.items() if value}
        task = task_json(data, sample.origin.credit)
        if not result and not self._labelled:
            return task
        # Said explicitly, because an imported annotation is ground truth unless it says otherwise.
        return task | {"annotations": [{"result": result, "ground_truth": self._ground_truth}]}


def shown_suffix(path: str | Path) -> str:
    """Return the file suffix that fits the image's content; Label Studio and browsers go by it.

    Raises:
        ImageError: Label Studio cannot show the image, or it is none.
    """
    try:
        kind = probe(path).format
    except OSError as error:
        msg = f"cannot be read: {error.strerror}"
        raise ImageError(msg) from error
    if kind not in _SUFFIXES:
        msg = f"Label Studio shows {', '.join(_SUFFIXES)}, not {kind}"
        raise ImageError(msg, fix="convert it to PNG")
    return _SUFFIXES[kind]


def _new_project(client: LabelStudio, dataset: Dataset, title: str) -> Project:
    """Return the project an earlier import of this dataset under this title made, or a new one."""
    mark = f"[labelloom import {digest([title, dataset.name, dataset.labels, dataset.tags])[:16]}]"
    return marked_project(client, title, (f"Imported from {dataset.name}.", mark), lambda: config_for(dataset))


def marked_project(client: LabelStudio, title: str, about: tuple[str, str], config: Callable[[], str]) -> Project:
    """Return the project that an earlier import made, known by the mark in its description, or a new one.

    about: the description of a new project, and the mark. config: makes its labelling config.

    Raises:
        UsageError: the title is not 3 to 50 characters long.
    """
    check_title(title)
    projects = list(client.projects())
    mine = [p for p in projects if about[1] in p.description]
    if mine:
        return min(mine, key=lambda p: p.id)
    made = client.create_project(free_title(title, {p.title for p in projects}), " ".join(about), config())
    return client.project(made.id)


def config_for(dataset: Dataset) -> str:
    """Return a labelling config with a control for each kind of shape in the dataset, and one for its tags."""
    kinds = {type(region.shape) for s in dataset.samples if isinstance(s, Sample) for region in s.regions}
    names = "".join(f"<Label value={quoteattr(label)}/>" for label in dataset.labels)
    controls = [
        f'<{tag} name="{tag[:-6].lower()}" toName="image">{names}</{tag}>'
        for tag, shapes in _TAGS.items()
        if kinds & set(shapes) or (tag == "RectangleLabels" and dataset.labels and not kinds)
    ]
    if dataset.tags:
        choices = "".join(f"<Choice value={quoteattr(tag)}/>" for tag in dataset.tags)
        controls.append(f'<Choices name="class" toName="image" choice="single">{choices}</Choices>')
    if not controls:  # images only: one label to begin with
        controls.append('<RectangleLabels name="rectangle" toName="image"><Label value="object"/></RectangleLabels>')
    return f'<View><Image name="image" value="$image" zoom="true"/>{"".join(controls)}</View>'
