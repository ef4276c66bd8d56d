"""Where the images of a Label Studio project go: into Label Studio itself, a folder that it serves, or a bucket."""

import filecmp
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import quote

from backend.core.errors import UsageError
from backend.imaging.files import link_or_copy, write_atomic
from backend.imaging.hashes import sha256
from connectors.errors import ServerFailed, Unreachable
from connectors.label_studio_s3 import PROXY, add_s3_storage, check_s3_storage, place
from connectors.label_studio_upload import MAX_BYTES, MAX_FILES, ProjectContent
from connectors.storage import Storage, in_parallel, is_s3

Json = dict[str, Any]

TRIES = 3
MARK = ".labelloom"  # an object in the bucket: Label Studio refuses a prefix under which nothing lies
_DIGITS = 20  # hex digits of the sha256 in an upload's name: no two of a billion files share them
_STAMP = re.compile(rf"-([0-9a-f]{{{_DIGITS}}})-")


@dataclass(frozen=True, slots=True)
class Item:
    """One image and its task. key: unique in the project. make: the task's JSON, given the image's address."""

    key: str
    name: str
    path: Path
    make: Callable[[str], Json]


class Store(Protocol):
    """Where the images of a project go."""

    def put(self, items: list[Item]) -> None:
        """Store the images of these items unless they are there."""
        ...

    def addresses(self, items: list[Item]) -> list[str]:
        """Return the addresses of stored images as task data names them."""
        ...


class Uploads:
    """Images uploaded into Label Studio itself; the project owns them.

    Args:
        content: the project.
        new: whether it was made just now, so that nothing can be there yet.
    """

    def __init__(self, content: ProjectContent, *, new: bool = False) -> None:
        self._content = content
        self._stamps: dict[str, str] = {}  # of items that wait for their address, by key
        self._ids: dict[str, int] = {}
        self._paths: dict[str, str] = {}
        if not new:
            self._look()

    def put(self, items: list[Item]) -> None:
        """Upload what is missing, at most 100 files and 100 MB a request."""
        batch: dict[str, tuple[str, bytes]] = {}
        size = 0
        for item in items:
            data = item.path.read_bytes()
            stamp = self._stamps[item.key] = sha256(data)[:_DIGITS]
            if self._has(stamp) or stamp in batch:
                continue
            if len(batch) == MAX_FILES or size + len(data) > MAX_BYTES:
                self._send(batch)
                batch, size = {}, 0
            batch[stamp] = f"{stamp}-{_plain(item.name)}", data
            size += len(data)
        self._send(batch)

    def addresses(self, items: list[Item]) -> list[str]:
        """Return the addresses of uploaded images."""
        stamps = [self._stamps.pop(item.key) for item in items]
        asked = {stamp: self._ids[stamp] for stamp in stamps if stamp not in self._paths}
        paths = self._content.paths(list(asked.values()))
        self._paths |= {stamp: paths[number] for stamp, number in asked.items()}
        return [f"/data/{self._paths[stamp]}" for stamp in stamps]

    def _has(self, stamp: str) -> bool:
        return stamp in self._ids or stamp in self._paths

    def _send(self, batch: dict[str, tuple[str, bytes]]) -> None:
        for attempt in range(1, TRIES + 1):
            missing = {stamp: part for stamp, part in batch.items() if not self._has(stamp)}
            if not missing:
                return
            try:
                self._ids |= zip(missing, self._content.upload(list(missing.values())), strict=True)
            except (Unreachable, ServerFailed):
                if attempt == TRIES:
                    raise
                time.sleep(attempt)
                self._look()  # all, some or none may have arrived

    def _look(self) -> None:
        for path in self._content.uploads():
            if stamp := _STAMP.search(PurePosixPath(path).name):
                self._paths[stamp[1]] = path


def _plain(name: str) -> str:
    """Return a name that Label Studio stores unchanged: short ASCII without spaces."""
    stem, _, suffix = name.rpartition(".")
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', stem)[:24].strip('_') or 'image'}.{suffix.lower()}"


def both_paths(storage: str) -> tuple[Path, PurePosixPath]:
    """Return a shared folder as we see it and as Label Studio sees it: `FOLDER`, or `OURS=THEIRS`."""
    ours, _, theirs = storage.partition("=")
    folder = Path(ours).resolve()
    return folder, PurePosixPath(theirs or str(folder))


def shared_folder(storage: str | None) -> Path | None:
    """Return the shared folder as we see it, where a storage is one."""
    return both_paths(storage)[0] if storage and not is_s3(storage) else None


def check_storage(content: ProjectContent, storage: str) -> None:
    """Make sure that we can write into a storage and that Label Studio can show it, before any work is done.

    Raises:
        UsageError: we cannot write into the folder.
        ConnectorError: we cannot write into the bucket, or Label Studio does not see or may not show it.
    """
    if is_s3(storage):
        url, endpoint = both_endpoints(storage)
        where = place(url, endpoint)
        Storage(url).write(MARK, b"Images of Label Studio tasks, put here by LabelLoom.\n")
        check_s3_storage(content, where)
    else:
        _check_shared_folder(content, storage)


def _check_shared_folder(content: ProjectContent, storage: str) -> None:
    ours, theirs = both_paths(storage)
    trial = f".labelloom-{os.getpid()}"
    try:
        (ours / trial).mkdir(parents=True)
    except OSError as error:
        msg = f"the shared folder {ours} cannot be written: {error.strerror}"
        raise UsageError(msg, fix="set LABELLOOM_STORAGE to a folder you may write, or unset it") from error
    try:
        content.check_local_storage(str(theirs / trial))
    finally:
        (ours / trial).rmdir()


class SharedFolder:
    """Images in a folder that we write and Label Studio serves as local files.

    Args:
        content: the project.
        storage: the folder, or `OURS=THEIRS` where Label Studio sees it under another path (a container).
        name: the sub-folder for this project.
        link: whether the files given are ours, so that a link may stand for a copy; a user's own may still change.
    """

    def __init__(self, content: ProjectContent, storage: str, name: str, *, link: bool) -> None:
        ours, theirs = both_paths(storage)
        self._place = link_or_copy if link else _copy
        self._folder = ours / name
        self._folder.mkdir(parents=True, exist_ok=True)
        seen = theirs / name
        content.add_local_storage(str(seen), f"LabelLoom {name}")
        self._prefix = str(seen.relative_to(content.document_root()))

    def put(self, items: list[Item]) -> None:
        """Copy (or hard-link) what is missing."""
        for item in items:
            self._place(item.path, self._folder / item.name)

    def addresses(self, items: list[Item]) -> list[str]:
        """Return the addresses below Label Studio's folder."""
        return [f"/data/local-files/?d={quote(f'{self._prefix}/{item.name}')}" for item in items]


def _copy(source: Path, target: Path) -> None:
    if not (target.is_file() and not target.samefile(source) and filecmp.cmp(source, target, shallow=False)):
        write_atomic(target, source.read_bytes())


def both_endpoints(storage: str) -> tuple[str, str | None]:
    """Return a bucket's address, and its endpoint as Label Studio sees it: `s3://bucket/prefix[=http://host:9000]`.

    `proxy` in its place: Label Studio passes the images on, because browsers do not reach the bucket.
    """
    if storage.endswith(f"={PROXY}"):
        return storage.removesuffix(f"={PROXY}"), PROXY
    url, equals, rest = storage.partition("=http")
    return url, f"http{rest}" if equals else None


class Bucket:
    """Images in a bucket, each under the sha256 of its content; projects share them.

    Args:
        content: the project, which gets an import storage of Label Studio's.
        storage: `s3://bucket/prefix`, or `s3://bucket/prefix=ENDPOINT` where Label Studio reaches it at another one.
    """

    def __init__(self, content: ProjectContent, storage: str) -> None:
        url, endpoint = both_endpoints(storage)
        where = place(url, endpoint)
        self._storage = Storage(url)
        self._base = "/".join(("s3:/", where.bucket, *filter(None, [where.prefix])))
        self._names: dict[str, str] = {}  # of items that wait for their address, by key
        if self._storage.size(MARK) is None:
            self._storage.write(MARK, b"Images of Label Studio tasks, put here by LabelLoom.\n")
        add_s3_storage(content, where, "LabelLoom images")

    def put(self, items: list[Item]) -> None:
        """Send what is not there, a few at a time; an object of that name and size is that image."""
        self._names |= dict(in_parallel(self._put, items))

    def _put(self, item: Item) -> tuple[str, str]:
        data = item.path.read_bytes()
        sha = sha256(data)
        name = f"{sha[:2]}/{sha}{Path(item.name).suffix.lower()}"
        if self._storage.size(name) != len(data):
            self._storage.write(name, data)
        return item.key, name

    def addresses(self, items: list[Item]) -> list[str]:
        """Return the addresses in the bucket, which Label Studio signs whenever it shows them."""
        return [f"{self._base}/{self._names.pop(item.key)}" for item in items]


def open_store(
    content: ProjectContent, storage: str | None, name: str, *, new: bool = False, link: bool = False
) -> Store:
    """Return where a project's images go. storage: None uploads them; the rest is what the stores say.

    Raises:
        ConnectorError: Label Studio cannot show what lies there.
    """
    if not storage:
        return Uploads(content, new=new)
    return Bucket(content, storage) if is_s3(storage) else SharedFolder(content, storage, name, link=link)
