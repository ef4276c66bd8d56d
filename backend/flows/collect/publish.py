"""A collection becomes Label Studio tasks: what was accepted, with its label and where each image came from."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from backend.core.codec import digest
from backend.core.credit import Credit, credit_from_json, unlicensed_line
from backend.core.errors import ImageError, UsageError, shown
from backend.core.model import Sample, Skipped, Tag
from backend.core.names import safe_stem
from backend.core.progress import Progress
from backend.flows.collect.collection import Collection
from backend.flows.collect.known import LOOKS, known_of_project
from backend.flows.collect.spec import Config
from backend.flows.derived_project import check_title
from backend.flows.image_stores import Item, check_storage, open_store
from backend.flows.import_tasks import KEY, ImportReport, marked_project, shown_suffix
from backend.flows.label_studio_connection import connect, find_project, translated
from backend.flows.loading import Loader
from backend.formats.label_config import LabelConfig, parse_label_config, replace_names
from backend.formats.label_studio import to_result
from backend.formats.label_studio_tasks import CREDIT, task_json
from backend.imaging.hashes import sha256
from backend.settings import Settings
from connectors.label_studio import LabelStudio, Project
from connectors.label_studio_upload import ProjectContent

Json = dict[str, Any]
Tell = Callable[[str], None]

VERSION = "collected"  # the model version of predictions that only say what was searched for
_STEM = 40  # characters of a label in a file name
_FILES = {"bbox": "bbox.xml", "polygon": "bbox_polygon_brush.xml", "choices": "choices.xml"}


def import_collection(  # noqa: PLR0913 - each is an option of its own
    collection: Collection,
    project: int | None,
    new: str | None,
    tools: tuple[Settings, Progress],
    *,
    prelabel: bool = False,
    config: str = "bbox",
    tell: Tell = lambda _text: None,
) -> ImportReport:
    """Import a collection's accepted images into a project, or into a new one with that title.

    An image that is there already, from whatever import, is not repeated; run again, it finishes what was begun. The
    label becomes `data.label` and, where a Choices control has it, a prediction without a score. config: what a new
    project draws: bbox, polygon (with brush) or choices. prelabel: let the project's model predict boxes at the end.

    Raises:
        UsageError: not one of project and new is given, the title or config is unusable, or nothing was accepted.
        LabelLoomError: Label Studio is gone or refuses; the same call goes on where this one stopped.
    """
    settings, progress = tools
    _check(project, new, config)
    labels = _labels(collection)
    if labels is None:
        msg = f"collection {collection.name} has no accepted image to import"
        raise UsageError(msg, fix="collect some first, or take rejected ones in again")
    with translated():
        client = connect(settings)
        client.check()
        if project is not None:
            target = find_project(client, project)
        else:
            target = _new_project(client, collection, new or "", lambda: config_for(config, labels))
        report = ImportReport(target.id, target.link)
        known = _known(client, target, tools, report) if target.task_number else {}
        maker = _Maker(collection, parse_label_config(target.label_config), known, report)
        content = ProjectContent(client, target.id)
        if settings.storage:
            check_storage(content, settings.storage)
        store = open_store(content, settings.storage, f"import-{target.id}")
        loaded = Loader(content, store, KEY, progress).run(maker.items())
    report.created, report.present = loaded.created, maker.there + maker.made - loaded.created
    report.notes += maker.notes()
    tell(f"{report.created} tasks made, {report.present} there already: {report.url}")
    if prelabel:
        _prelabel(target.id, tools, report, tell)
    return report


def check_target(project: int | None, title: str | None, how: tuple[str, bool], settings: Settings) -> None:
    """Make sure that images can become tasks there, before any is fetched.

    how: the new project's config, and whether there are labels.

    Raises:
        UsageError: the title is of no use, or choices are wanted and there is nothing to choose from.
        LabelLoomError: there is no such project, or no Label Studio.
    """
    config, labelled = how
    if title is not None:
        check_title(title)
    if title is not None and config == "choices" and not labelled:
        msg = "a project of choices needs labels, and none are given"
        raise UsageError(msg, fix="give --label, or --labels, or leave --config out")
    if project is not None:
        with translated():
            client = connect(settings)
            with closing(client.http):
                find_project(client, project)


def config_for(kind: str, labels: tuple[str, ...]) -> str:
    """Return the shipped labelling config of a kind with these labels, in this order.

    Raises:
        UsageError: choices are asked for and there are no labels to choose from.
    """
    text = (resources.files("label_config") / _FILES[kind]).read_text(encoding="utf-8")
    if kind == "choices" and not labels:
        msg = "a project of choices needs labels, and the collection has none"
        raise UsageError(msg, fix='collect with --label "cat=cat photo", or leave --config out')
    return replace_names(text, labels) if labels else text


def _check(project: int | None, new: str | None, config: str) -> None:
    if (project is None) == (new is None):
        msg = "say where to import: an existing project or the title of a new one"
        raise UsageError(msg, fix="--project ID or --new TITLE")
    if config not in get_args(Config):
        msg = f"config is {', '.join(get_args(Config))}, got {shown(config)}"
        raise UsageError(msg)


def _labels(collection: Collection) -> tuple[str, ...] | None:
    """Return the labels in the order asked for, then those that sources gave; None: nothing was accepted at all."""
    labels = dict.fromkeys(spec.label for spec in collection.spec.labels)
    found = False
    for entry in collection.kept():
        labels[entry["label"]] = None
        found = True
    return tuple(label for label in labels if label) if found else None


def _new_project(client: LabelStudio, collection: Collection, title: str, config: Callable[[], str]) -> Project:
    """Return the project an earlier import of this collection under this title made, or a new one."""
    mark = f"[labelloom collection {digest([title, collection.name, collection.created_at])[:16]}]"
    return marked_project(client, title, (f"Collected as {collection.name}.", mark), config)


def _known(
    client: LabelStudio, project: Project, tools: tuple[Settings, Progress], report: ImportReport
) -> dict[str, str]:
    """Return the task by sha256 of files and pixels that others brought in; our own tasks are known by their key."""
    settings, progress = tools
    prints = known_of_project(client, project.id, settings, progress, recorded=False, tell=report.notes.append)
    return {sha: one.name for one in prints for sha in (one.sha256, one.pixels) if sha}


class _Maker:
    """Turns manifest lines into items. made: items; there: images that the project has from elsewhere."""

    def __init__(
        self, collection: Collection, config: LabelConfig, known: dict[str, str], report: ImportReport
    ) -> None:
        self._collection, self._config, self._known, self._report = collection, config, known, report
        self._unknown = 0
        self._strange: dict[str, None] = {}
        self.made = self.there = 0

    def items(self) -> Iterator[Item]:
        """Yield an item for each accepted image."""
        for entry in self._collection.kept():
            shas = (entry["sha256"], entry.get("original_sha256"), entry.get("pixels"))
            if any(sha in self._known for sha in shas):
                self.there += 1
                continue
            path = self._collection.path(entry)
            try:
                suffix = _intact(path, entry["sha256"])
            except ImageError as error:
                self._report.skipped.append(Skipped(f"rank {entry['rank']} of {entry['source']}", str(error)))
                continue
            self.made += 1
            stem = safe_stem(entry["label"] or entry["query"])[:_STEM]
            stored = f"{entry['sha256'][:16]}-{stem}{suffix}"
            shown_name = f"{stem}-{entry['sha256'][:8]}{suffix}"
            yield Item(entry["sha256"][:32], stored, path, partial(self._task, entry, shown_name))

    def notes(self) -> Iterator[str]:
        """Yield what the user should know."""
        if self._strange:
            names = ", ".join(self._strange)
            yield f"not in the project's labelling config (they stand in data.label only): {names}"
        if self._unknown:
            yield unlicensed_line(self._unknown)

    def _task(self, entry: Json, name: str, url: str) -> Json:
        credit = credit_from_json(entry) or Credit()
        label = credit.label
        data: Json = {self._config.image_key: url, KEY: entry["sha256"][:32], "name": name}
        data |= {key: value for key, value in _columns(credit).items() if value}
        task = task_json(data, credit)
        task["meta"][CREDIT] |= {key: entry[key] for key in LOOKS}
        self._unknown += not credit.license.known
        if not label:
            return task
        if label in self._config.tags:
            sample = Sample("", "", name, entry["width"], entry["height"], tags=(Tag(label),))
            result, _ = to_result(sample, self._config)
            task["predictions"] = [{"model_version": VERSION, "result": result}]
        elif label not in self._config.labels:
            self._strange[label] = None
        return task


def _columns(credit: Credit) -> Json:
    """Return what people filter tasks by, and what the export reads; addresses only where they are ones to open."""
    page = credit.page_url or ""
    return {
        "label": credit.label,
        "license": credit.license.name if credit.license.known else None,
        "page_url": page if page.startswith(("http://", "https://")) else None,
    }


def _intact(path: Path, sha: str) -> str:
    """Return the suffix of a collected file that still is what its manifest line says.

    Raises:
        ImageError: it is gone, was changed, or is of a kind that Label Studio does not show.
    """
    try:
        whole = sha256(path.read_bytes()) == sha
    except OSError as error:
        msg = f"{path.name}: cannot be read: {error.strerror}"
        raise ImageError(msg, fix="collect again: what is missing is fetched") from error
    if not whole:
        msg = f"{path.name}: the file was changed since it was collected"
        raise ImageError(msg)
    return shown_suffix(path)


def _prelabel(project: int, tools: tuple[Settings, Progress], report: ImportReport, tell: Tell) -> None:
    """Let a model predict; that nothing predicts here yet is worth a note, and no failure of the import."""
    from backend.flows.prelabel import prelabel

    try:
        done = prelabel(project, None, tools, tell=tell)
    except UsageError as error:
        report.notes.append(f"not pre-labelled: {error}" + (f"; {error.fix}" if error.fix else ""))
        return
    report.notes.append(f"pre-labelled {done.predicted} tasks with {done.version}")
    report.skipped += [Skipped(item, reason) for item, reason in done.skipped]
