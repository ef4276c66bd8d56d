"""Which files in a shared folder may be links: our own; a user's originals are copied."""

import os
from pathlib import Path
from typing import Any, cast

from backend.flows.image_stores import Item, SharedFolder, shared_folder
from connectors.label_studio_upload import ProjectContent


class Content:
    """What a shared folder asks of a project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.told: list[str] = []

    def add_local_storage(self, path: str, title: str) -> None:
        self.told.append(path)

    def document_root(self) -> str:
        return str(self.root)


def item(path: Path) -> Item:
    def make(url: str) -> dict[str, Any]:
        return {"url": url}

    return Item(path.name, path.name, path, make)


def open_folder(root: Path, *, link: bool) -> SharedFolder:
    return SharedFolder(cast("ProjectContent", Content(root)), str(root / "shared"), "p", link=link)


def test_a_users_originals_are_copied_and_ours_linked(tmp_path: Path) -> None:
    mine = tmp_path / "mine.png"
    mine.write_bytes(b"original")
    folder = open_folder(tmp_path, link=False)
    folder.put([item(mine)])
    copy = tmp_path / "shared" / "p" / "mine.png"
    before = copy.stat()
    assert (copy.read_bytes(), before.st_nlink) == (b"original", 1)
    folder.put([item(mine)])
    assert copy.stat().st_ino == before.st_ino  # it was there already
    mine.write_bytes(b"edited!!")  # of the same size
    assert copy.read_bytes() == b"original"
    folder.put([item(mine)])
    assert copy.read_bytes() == b"edited!!"
    ours = tmp_path / "ours.png"
    ours.write_bytes(b"built")
    open_folder(tmp_path, link=True).put([item(ours)])
    assert (tmp_path / "shared" / "p" / "ours.png").samefile(ours)


def test_a_link_that_an_earlier_version_made_becomes_a_copy(tmp_path: Path) -> None:
    mine = tmp_path / "mine.png"
    mine.write_bytes(b"original")
    target = tmp_path / "shared" / "p" / "mine.png"
    target.parent.mkdir(parents=True)
    os.link(mine, target)
    open_folder(tmp_path, link=False).put([item(mine)])
    assert not target.samefile(mine)
    assert target.read_bytes() == b"original"


def test_a_bucket_is_no_folder() -> None:
    assert shared_folder("s3://bucket/prefix") is None
    assert shared_folder(None) is None
    assert shared_folder("/a/b=/their/b") == Path("/a/b").resolve()
