"""A file is whole or absent, and a failure names it."""

import errno
import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.imaging import files
from backend.imaging.files import link_or_copy, write_atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("fsync", [False, True])
def test_write_makes_folders_and_replaces(tmp_path: Path, fsync: bool) -> None:
    target = tmp_path / "a" / "한글 # 50%.txt"
    write_atomic(target, b"one", fsync=fsync)
    write_atomic(target, b"two", fsync=fsync)
    assert target.read_bytes() == b"two"
    assert names(target.parent) == [target.name]
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 251 + ".jpg")
    write_atomic(target, b"data")
    assert target.read_bytes() == b"data"


def test_a_failing_source_of_bytes_leaves_the_old_file(tmp_path: Path) -> None:
    def parts():
        yield b"half"
        msg = "source broke"
        raise RuntimeError(msg)

    target = tmp_path / "file"
    write_atomic(target, b"old")
    with pytest.raises(RuntimeError, match="source broke"):
        write_atomic(target, parts())
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys\n"
        "from backend.imaging.files import write_atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    write_atomic(sys.argv[1], bytes(5000))\n"
        "except OSError as error:\n    sys.exit(0 if error.filename == sys.argv[1] and error.errno else 3)\n"
        "sys.exit(4)\n"
    )
    target = tmp_path / "big"
    assert hasattr(resource, "RLIMIT_FSIZE")
    assert subprocess.run([sys.executable, "-c", script, str(target)], check=False).returncode == 0
    assert names(tmp_path) == []


def test_a_folder_that_is_a_file_names_the_target(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="inside") as caught:
        write_atomic(tmp_path / "file" / "inside", b"data")
    assert caught.value.filename == str(tmp_path / "file" / "inside")


def test_link_shares_the_bytes_and_a_repeat_changes_nothing(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "deep" / "target"
    source.write_bytes(b"picture")
    link_or_copy(source, target)
    link_or_copy(source, target)
    assert target.samefile(source)
    assert names(target.parent) == ["target"]


def test_link_replaces_another_file(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    link_or_copy(source, target)
    assert target.read_bytes() == b"new"


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"picture")
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    link_or_copy(tmp_path / "alias", tmp_path / "target")
    assert not (tmp_path / "target").is_symlink()
    assert (tmp_path / "target").samefile(tmp_path / "real")


def test_where_links_do_not_work_a_copy_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link", str(source))

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "source").write_bytes(b"picture")
    link_or_copy(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"picture"
    assert not (tmp_path / "target").samefile(tmp_path / "source")
    assert names(tmp_path) == ["source", "target"]


def test_other_link_failures_name_the_target_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(source))

    monkeypatch.setattr(files.os, "link", refuse)
    (tmp_path / "source").write_bytes(b"picture")
    with pytest.raises(OSError, match="target") as caught:
        link_or_copy(tmp_path / "source", tmp_path / "target")
    assert caught.value.errno == errno.EIO
    assert names(tmp_path) == ["source"]


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        link_or_copy(tmp_path / "absent", tmp_path / "target")


def test_writers_that_make_the_same_new_folder_at_once_all_succeed(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for round_ in range(60):
            paths = [tmp_path / str(round_) / "a" / "b" / f"{k}.txt" for k in range(8)]
            list(pool.map(lambda path: write_atomic(path, b"x"), paths))
            assert all(path.read_bytes() == b"x" for path in paths)
