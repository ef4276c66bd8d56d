"""A Label Studio project as a dataset: tasks in pages, images in parallel, what is left out counted and said."""

import json
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from backend.core.errors import ImageError, LabelLoomError
from backend.core.model import Dataset, Sample, Skipped, Stream
from backend.core.progress import Progress
from backend.flows.chosen import Chosen, spool_tasks
from backend.flows.image_cache import ImageCache
from backend.flows.label_studio_connection import connect, find_project, translated
from backend.formats.label_config import LabelConfig, parse_label_config
from backend.formats.label_studio_tasks import Filter, Selection, image_name, image_url, pick, to_sample
from backend.imaging.decode import probe
from backend.settings import Settings
from connectors.errors import ConnectorError, FetchError, Unauthorized, Unreachable
from connectors.label_studio import LabelStudio, Project

Json = dict[str, Any]

FETCHERS = 8  # Label Studio answers about 75 images a second; more threads do not help


@dataclass(frozen=True, slots=True)
class ProjectSource:
    """An opened project.

    selection: how its tasks were chosen; key: what splits are remembered under; backgrounds: the items, as `Skipped`
    names them, without regions, known once the dataset was read; warnings: what of the request could not be met.
    """

    client: LabelStudio
    project: Project
    config: LabelConfig
    dataset: Dataset
    selection: Selection
    key: str
    backgrounds: set[str] = field(default_factory=set)
    warnings: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """The source as people read it; no address, so that equal exports give equal bytes."""
        return f"Label Studio project {self.project.id} ({self.project.title})"


@contextmanager
def open_project(
    project: int, settings: Settings, progress: Progress, chosen: Chosen | None = None
) -> Iterator[ProjectSource]:
    """Yield a project as a dataset; its tasks are read once, before this yields, so the set is fixed and counted.

    Raises:
        LabelLoomError: Label Studio cannot be reached, refuses the token, or has no such project.
        UsageError: the labelling config is not one for single images, or labels or tasks are asked for that the project
            does not have.
    """
    chosen = chosen or Chosen()
    with translated():
        client = connect(settings)
        client.check()
        found = find_project(client, project)
        created = client.request("GET", f"api/projects/{project}/").json()["created_at"]
    config = parse_label_config(found.label_config)
    settings.cache_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile("w+", encoding="utf-8", dir=settings.cache_dir) as spool:
        with translated():
            spooled = spool_tasks((client, found, config), chosen, spool, progress)
            users = client.users()
        reader = _Reader(client, config, (chosen.filter, users), settings)
        name = f"project-{project}"
        dataset = Dataset(name, config.labels, Stream(lambda: reader.samples(spool)), config.tags)
        key = f"{project}@{created}"
        yield ProjectSource(
            client, found, config, dataset, spooled.selection, key, reader.backgrounds, spooled.warnings
        )


class _Reader:
    """Reads spooled tasks as samples; images are fetched a few ahead and kept by sha256."""

    def __init__(
        self, client: LabelStudio, config: LabelConfig, how: tuple[Filter, dict[int, str]], settings: Settings
    ) -> None:
        self._config = config
        self._filter, self._users = how
        self._images = ImageCache(client, settings)
        self.backgrounds: set[str] = set()

    def samples(self, spool: IO[str]) -> Iterator[Sample | Skipped]:
        """Yield a sample, or why there is none, for each task in order."""
        spool.seek(0)
        waiting: deque[tuple[Json, Future[Path]]] = deque()
        with ThreadPoolExecutor(FETCHERS) as pool:
            try:
                for line in spool:
                    task = json.loads(line)
                    waiting.append((task, pool.submit(self._images.path, image_url(task, self._config), task["id"])))
                    if len(waiting) >= 2 * FETCHERS:
                        yield self._sample(*waiting.popleft())
                while waiting:
                    yield self._sample(*waiting.popleft())
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _sample(self, task: Json, image: Future[Path]) -> Sample | Skipped:
        item = f"task {task['id']} ({image_name(task, self._config)})"
        picked = pick(task, self._filter)
        if picked.status == "background":
            self.backgrounds.add(item)
        try:
            path = image.result()
            header = probe(path)
        except (Unreachable, Unauthorized) as error:
            raise LabelLoomError(str(error), fix=error.fix) from error  # the next image would fail as well
        except (FetchError, ImageError, ConnectorError) as error:
            return Skipped(item, str(error))
        size = header.width, header.height
        sample = to_sample(task, picked, self._config, (str(path), size), self._users)
        if picked.status == "background":
            self.backgrounds.add(sample.origin.uri or sample.name)  # what the build calls it
        return replace(sample, notes=tuple(f"{item}: {note}" for note in sample.notes))
