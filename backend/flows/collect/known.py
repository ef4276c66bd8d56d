"""What a project has already: a fingerprint of every task's image, so that nothing is collected a second time."""

import contextlib
import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from backend.core.codec import digest
from backend.core.errors import ImageError
from backend.core.progress import Progress
from backend.flows.collect.fingerprints import Fingerprint
from backend.flows.image_cache import ImageCache
from backend.flows.label_studio_connection import connect, find_project, translated
from backend.formats.label_config import LabelConfig, parse_label_config
from backend.formats.label_studio_tasks import CREDIT, image_url
from backend.imaging.decode import decode
from backend.imaging.hashes import perceptual, pixel_hash, sha256
from backend.settings import Settings
from connectors.errors import ConnectorError, FetchError, Unauthorized, Unreachable
from connectors.label_studio import LabelStudio

Json = dict[str, Any]
Tell = Callable[[str], None]

LOOKS = ("sha256", "pixels", "phash", "dhash", "flat")  # what an imported task's meta records beside the credit
FETCHERS = 8


def known_in(project: int | None, tools: tuple[Settings, Progress], tell: Tell) -> Iterator[Fingerprint]:
    """Yield what a project has already, once somebody needs to know; nothing where there is none yet."""
    if project is None:
        return
    client = connect(tools[0])
    with contextlib.closing(client.http):
        yield from known_of_project(client, project, *tools, tell=tell)


def known_of_project(
    client: LabelStudio,
    project: int,
    settings: Settings,
    progress: Progress,
    *,
    recorded: bool = True,
    tell: Tell = lambda _text: None,
) -> Iterator[Fingerprint]:
    """Yield the fingerprint of every task's image that can be read, in no particular order.

    A task that was collected carries its own. Every other image is fetched once and its fingerprint kept on disk by
    address, so a second look fetches nothing. recorded: also those that tasks carry. tell: hears what was passed over.

    Raises:
        LabelLoomError: Label Studio is gone, refuses, or has no such project.
        UsageError: the project's labelling config is not one for single images.
    """
    with translated():
        found = find_project(client, project)
        config = parse_label_config(found.label_config)
        book = _Book(settings.cache_dir / "fingerprints" / f"{digest([client.url, project])[:16]}.jsonl")
        reader = _Reader(config, ImageCache(client, settings), book)
        try:
            for number, task in enumerate(client.tasks(project), start=1):
                own = _recorded(task)
                if own is None:
                    yield from reader.look(task)
                elif recorded:
                    yield own
                progress.update("looking at what the project has", number, found.task_number)
            yield from reader.rest()
        finally:
            reader.close()
    if reader.unread:
        images = "1 image" if reader.unread == 1 else f"{reader.unread:,} images"
        tell(f"{images} of project {project} could not be read: what repeats them goes unnoticed")


def _recorded(task: Json) -> Fingerprint | None:
    """Return what a task's meta says of its image; people may edit meta, so only what is whole counts."""
    meta = task.get("meta")
    data = meta.get(CREDIT) if isinstance(meta, dict) else None
    return _fingerprint(data, f"task {task['id']}") if isinstance(data, dict) else None


def _fingerprint(data: Json, name: str) -> Fingerprint | None:
    try:
        sha, pixels, phash, dhash, flat = (data[key] for key in LOOKS)
        whole = len(bytes.fromhex(sha)) == len(bytes.fromhex(pixels)) == 32 and isinstance(flat, bool)
        looks = int(phash, 16), int(dhash, 16)
    except (KeyError, TypeError, ValueError):
        return None
    return Fingerprint(sha, pixels, *looks, flat, name) if whole and max(looks) < 1 << 64 else None


class _Book:
    """Fingerprints by image address, appended as they are made; a torn line is as good as none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Json] = {}
        text = path.read_bytes() if path.exists() else b""
        self._gap = b"\n" if text and not text.endswith(b"\n") else b""
        for line in text.splitlines():
            with contextlib.suppress(ValueError, KeyError, AttributeError, TypeError):
                entry = json.loads(line)
                self._known[entry.pop("image")] = entry

    def get(self, url: str, name: str) -> Fingerprint | None:
        return _fingerprint(self._known.get(_short(url), {}), name)

    def put(self, url: str, found: Json) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as stream:
            stream.write(self._gap + json.dumps({"image": _short(url), **found}).encode() + b"\n")
        self._gap = b""
        self._known[_short(url)] = found


def _short(url: str) -> str:
    return digest(url)[:32]  # an address may be a whole image (data:)


class _Reader:
    """Fetches and measures images a few ahead, and knows those that were measured before."""

    def __init__(self, config: LabelConfig, images: ImageCache, book: _Book) -> None:
        self._config, self._images, self._book = config, images, book
        self._pool = ThreadPoolExecutor(FETCHERS)
        self._waiting: deque[tuple[Json, Future[Json]]] = deque()
        self.unread = 0

    def look(self, task: Json) -> Iterator[Fingerprint]:
        """Take a task on, and yield what is ready."""
        url = image_url(task, self._config)
        known = self._book.get(url, f"task {task['id']}")
        if known is not None:
            yield known
            return
        self._waiting.append((task, self._pool.submit(self._measure, url, task["id"])))
        if len(self._waiting) >= 2 * FETCHERS:
            yield from self._next()

    def rest(self) -> Iterator[Fingerprint]:
        """Yield what is still under way."""
        while self._waiting:
            yield from self._next()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _next(self) -> Iterator[Fingerprint]:
        task, result = self._waiting.popleft()
        try:
            found = result.result()
        except (Unreachable, Unauthorized):
            raise  # the next image would fail as well
        except (FetchError, ImageError, ConnectorError):
            self.unread += 1
            return
        self._book.put(image_url(task, self._config), found)
        made = _fingerprint(found, f"task {task['id']}")
        if made is not None:
            yield made

    def _measure(self, url: str, task: int) -> Json:
        data = self._images.path(url, task).read_bytes()
        rgb = decode(data).rgb
        looks = perceptual(rgb)
        hashes = {"phash": f"{looks.phash:016x}", "dhash": f"{looks.dhash:016x}", "flat": looks.flat}
        return {"sha256": sha256(data), "pixels": pixel_hash(rgb), **hashes}
