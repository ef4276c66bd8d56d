"""Killed, out of disk, twice at once: nothing is lost, nothing half is left, and the next run goes on."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.core.errors import Held, LabelLoomError
from backend.flows.collect import folder as folders
from backend.flows.collect.collection import open_collection
from backend.flows.collect.folder import writing
from backend.flows.collect.journal import Journal, read_manifest
from tests.fakes.image_host import ImageHost, Reply
from tests.fakes.pictures import jpeg
from tests.flows.collect_kit import Made, images, lines, offers, put, run, spec

SCRIPT = """
import sys
from pathlib import Path
from connectors.sources import SOURCES
from tests.flows.collect_kit import Made, offers, run, spec
made = Made(lambda _: offers(f"{sys.argv[2]}/{n}.jpg" for n in range(60)))
SOURCES["made"] = made.source
run(spec(), Path(sys.argv[1]) / "c", Path(sys.argv[1]))
"""


@pytest.fixture
def host(monkeypatch):
    with ImageHost({f"/{n}.jpg": Reply(jpeg(n)) for n in range(60)}) as serving:
        put(monkeypatch, Made(lambda _: offers(serving.url(f"/{n}.jpg") for n in range(60))))
        yield serving


def test_killed_in_the_middle_it_loses_nothing_and_leaves_no_half_file(host, tmp_path) -> None:
    host.replies["/20.jpg"] = Reply(
        jpeg(20), trouble="drip", seconds=4
    )  # what follows is fetched, but waits for its turn
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path), host.url("")], cwd=Path.cwd())
    manifest = tmp_path / "c" / "manifest.jsonl"
    end = time.monotonic() + 30
    while not (manifest.exists() and manifest.read_bytes().count(b"\n") >= 20) and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    decided = {line["url"] for line in read_manifest(manifest)}
    assert len(decided) == 20 and open_collection(tmp_path / "c").state == "collecting"
    with manifest.open("ab") as torn:
        torn.write(b'{"schema": "labelloom.collect/1", "state": "ke')
    stray = tmp_path / "c" / "images" / "ab" / f"{'ab' * 32}.jpg"  # renamed, but killed before its line was written
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(jpeg(99))
    host.replies["/20.jpg"] = Reply(jpeg(20))
    seen = len(host.asked)
    report = run(spec(), tmp_path / "c", tmp_path)
    assert report.counts["kept"] == 60 and len(images(tmp_path / "c")) == 60 and not stray.exists()
    assert not {host.url(one.path) for one in host.asked[seen:]} & decided
    assert [line["rank"] for line in lines(tmp_path / "c")] == list(range(1, 61))
    assert {f"{line['sha256']}.jpg" for line in lines(tmp_path / "c")} == set(images(tmp_path / "c"))


@pytest.mark.parametrize("where", ["image", "line"])
def test_a_full_disk_stops_with_a_clear_error_and_the_next_run_goes_on(host, tmp_path, monkeypatch, where) -> None:
    left = [7]

    def spend(path: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    if where == "image":
        real = folders.put_aside
        monkeypatch.setattr(folders, "put_aside", lambda path, data: (spend(path), real(path, data)))
    else:
        write = Journal.write
        monkeypatch.setattr(
            Journal, "write", lambda self, line: (spend(tmp_path / "c/manifest.jsonl"), write(self, line))
        )
    with pytest.raises(LabelLoomError, match="No space left on device") as caught:
        run(spec(20), tmp_path / "c", tmp_path)
    assert caught.value.fix and "goes on" in caught.value.fix
    monkeypatch.undo()
    put(monkeypatch, Made(lambda _: offers(host.url(f"/{n}.jpg") for n in range(60))))
    kept = len(lines(tmp_path / "c"))
    assert kept <= 7 and open_collection(tmp_path / "c").state == "stopped"
    assert not (tmp_path / "c" / "images" / ".incoming").exists()
    assert run(spec(20), tmp_path / "c", tmp_path).counts["new"] == 20 - kept
    assert len(images(tmp_path / "c")) == 20


def test_half_a_line_is_taken_back_when_the_disk_is_full(tmp_path) -> None:
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from backend.flows.collect.journal import Journal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "with Journal(Path(sys.argv[1])) as journal:\n"
        "    journal.write({'n': 1})\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))\n"
        "    try:\n        journal.write({'text': 'x' * 100})\n"
        "    except OSError:\n        sys.exit(7)\n"
    )
    path = tmp_path / "manifest.jsonl"
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 7
    assert path.read_text() == '{"n": 1}\n'


def test_only_one_process_writes_into_a_folder(host, tmp_path) -> None:
    with writing(tmp_path / "c"), pytest.raises(Held, match="another process collects into"):
        run(spec(1), tmp_path / "c", tmp_path)


def test_a_manifest_that_was_spoiled_by_hand_says_where(tmp_path) -> None:
    (tmp_path / "manifest.jsonl").write_text('{"a": 1}\noops\n{"b": 2}\n')
    with pytest.raises(LabelLoomError, match="line 2 is not JSON"):
        list(read_manifest(tmp_path / "manifest.jsonl"))
