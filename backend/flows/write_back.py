"""A finished dataset becomes a new Label Studio project, beside the one it came from and never over anything."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from backend.core.codec import digest
from backend.core.credit import credit_from_json
from backend.core.losses import loss_lines
from backend.core.progress import Progress, Silent
from backend.flows.dataset_dir import image_of, read_description, read_lines, recipe_of
from backend.flows.derived_project import Derivation, find_or_create
from backend.flows.image_stores import Item, open_store
from backend.flows.loading import Loader
from backend.flows.worst_first import choose
from backend.formats.base import Classes
from backend.formats.label_config import LabelConfig, parse_label_config
from backend.formats.label_studio import to_result
from backend.formats.label_studio_tasks import task_json
from backend.formats.manifest import line_to_sample
from backend.imaging.hashes import sha256
from connectors.label_studio import LabelStudio
from connectors.label_studio_upload import ProjectContent

Json = dict[str, Any]

LARGE = 2000  # images above which a sample is written unless all are asked for
SAMPLE = 200
KEY = "loom_file"  # the data column that names a task's image: unique in a dataset
_FATES = ("kept", "clipped", "dropped")


@dataclass(frozen=True, slots=True)
class WriteBackReport:
    """What was written.

    of: images of the dataset; losses: what the project's controls could not hold, by reason, variants included.
    """

    project_id: int
    url: str
    title: str
    tasks: int
    of: int
    created: int
    removed: int
    losses: Counter[str] = field(default_factory=Counter)
    losses_of_variants: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """Return the report for people."""
        sample = (
            f" (a sample, worst first, of {self.of:,}; --sample {self.of} writes all)" if self.tasks < self.of else ""
        )
        new = "" if self.created == self.tasks else f", {self.tasks - self.created:,} were there already"
        lines = [f"new project {self.url}  {self.title!r}", f"tasks       {self.tasks:,}{sample}{new}"]
        lost = loss_lines(self.losses, self.losses_of_variants, "Label Studio")
        return lines + [f"loss        new project: {text}" for text in lost]

    def to_json(self) -> Json:
        """Return the machine-readable form."""
        return {
            "project": self.project_id,
            "url": self.url,
            "title": self.title,
            "tasks": self.tasks,
            "of": self.of,
            "created": self.created,
            "losses": dict(sorted(self.losses.items())),
            "losses_of_variants": dict(sorted(self.losses_of_variants.items())),
        }


def write_back(  # noqa: PLR0913 - each is an option of its own
    client: LabelStudio,
    source_project: int,
    dataset_dir: Path,
    title: str,
    *,
    as_predictions: bool = False,
    sample: int | None = None,
    storage: str | None = None,
    progress: Progress | None = None,
    base_url: str | None = None,
) -> WriteBackReport:
    """Write a dataset into a project of its own; run again, it finishes what was begun, and then changes nothing.

    Args:
        client: the connection.
        source_project: the project the dataset came from, whose labelling config is used.
        dataset_dir: the finished dataset.
        title: the new project's title, 3 to 50 characters; "title v2" when that one holds something else.
        as_predictions: write predictions, which count as nothing done, instead of annotations.
        sample: how many images at most, worst first; None: all, but 200 of more than 2,000.
        storage: a shared folder (`OURS` or `OURS=THEIRS`) or a bucket for the images; None uploads them.
        progress: told of every part.
        base_url: LabelLoom's address; with it, every task links to the form that its source can be augmented by.

    Raises:
        UsageError: the folder is no dataset, or the labelling config is not for images.
        ConnectorError: Label Studio is gone or refuses; the same call goes on where this one stopped.
    """
    description = read_description(dataset_dir)
    total, wanted = choose(read_lines(dataset_dir), _limit(sample, description))
    recipe = recipe_of(description)
    # What the project is to hold. The same again means go on; anything else means another project.
    identity = [
        sha256((dataset_dir / "manifest.jsonl").read_bytes()),
        recipe.digest,
        sorted(wanted),
        as_predictions,
        storage,
    ]
    key = digest([source_project, title, *identity])[:16]
    source = client.project(source_project)
    classes = Classes(tuple(description["labels"]), tuple(description["tags"]))
    project, new = find_or_create(client, Derivation(source, recipe.name, title, key), classes)
    content = ProjectContent(client, project.id)
    store = open_store(content, storage, f"{recipe.name}-{key}", new=new, link=True)
    link = f"{base_url.rstrip('/')}/export?project={source_project}" if base_url else None
    config = parse_label_config(project.label_config)
    maker = _Maker(client, config, recipe.name, as_predictions=as_predictions, link=link)
    lines = (line for line in read_lines(dataset_dir) if line["file"] in wanted)
    items = maker.items(lines, dataset_dir, tuple(description["formats"]))
    loaded = Loader(content, store, KEY, progress or Silent()).run(items, len(wanted), new=new)
    numbers = len(wanted), total, loaded.created, loaded.removed
    return WriteBackReport(project.id, project.link, project.title, *numbers, maker.losses, maker.losses_of_variants)


def _limit(sample: int | None, description: Json) -> int | None:
    if sample is None and int(description["counts"]["images"]) > LARGE:
        return SAMPLE
    return sample


class _Maker:
    """Turns manifest lines into tasks."""

    def __init__(
        self, client: LabelStudio, config: LabelConfig, recipe: str, *, as_predictions: bool, link: str | None
    ) -> None:
        self._config = config
        self._link = {"loom_link": link} if link else {}
        self._recipe = recipe
        self._as_predictions = as_predictions
        self._client = client
        self.losses: Counter[str] = Counter()
        self.losses_of_variants: Counter[str] = Counter()

    @cached_property
    def _users(self) -> dict[str, int]:
        return {email: number for number, email in self._client.users().items()}

    def items(self, lines: Iterable[Json], folder: Path, formats: tuple[str, ...]) -> Iterator[Item]:
        for line in lines:
            result, losses = to_result(line_to_sample(line), self._config, _once_turned_boxes(line))
            self.losses.update(losses)
            self.losses_of_variants.update(losses if line["variant"] else {})
            yield Item(line["file"], line["file"], image_of(folder, line, formats), partial(self._task, line, result))

    def _task(self, line: Json, result: list[Json], url: str) -> Json:
        data = {self._config.image_key: url, **columns(line), **self._link}
        task = task_json(data, credit_from_json(line["source"].get("credit")))
        if self._as_predictions:
            guess = {"result": result, "model_version": f"labelloom {self._recipe}"}
            return task | {"predictions": [guess]}
        # Said explicitly, because an imported annotation is ground truth unless it says otherwise.
        annotation: Json = {"result": result, "ground_truth": False, "was_cancelled": False}
        annotator = line["source"].get("annotator")
        author = self._users.get(annotator) if annotator else None
        if author is not None:
            annotation["completed_by"] = author
        return task | {"annotations": [annotation]}


def _once_turned_boxes(line: Json) -> frozenset[str]:
    """Return the ids of regions that were turned boxes in the source, whatever they have become."""
    regions = line["source"].get("regions") or ()
    return frozenset(region["id"] for region in regions if region["shape"]["type"] == "rotated_box")


def columns(line: Json) -> Json:
    """Return the plain data columns by which a written task is filtered and sorted in Label Studio.

    loom_visibility is the lowest and loom_growth the largest over the image's regions, loom_fate the worst of them.
    """
    ledger = line.get("ledger") or ()
    source = line["source"]
    return {  # in this order they stand right of the picture, so what one looks for first comes first
        "loom_visibility": min((entry["visibility"] for entry in ledger), default=1.0),
        "loom_fate": max((entry["fate"] for entry in ledger), key=_FATES.index, default="kept"),
        "loom_split": line["split"],
        "loom_variant": line["variant"],
        "loom_attempt": line.get("attempt") or 0,
        "loom_growth": max((entry["growth"] for entry in ledger), default=1.0),
        "loom_parent": source.get("task") or source.get("uri") or line["lineage"],
        KEY: line["file"],
    }
