"""Collecting as a job, in a real worker process: stopped and resumed it ends as if it had never been stopped."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from quick_cli import start

from backend.flows.collect.collection import find_collection
from backend.flows.jobs import Jobs
from backend.jobs.queue import Busy
from backend.settings import Settings
from backend.store.jobs import lines_of
from benchmarks.fleet import fleet, wait_for
from tests.fakes.image_host import ImageHost, Reply
from tests.fakes.pictures import jpeg

GOOD = 5


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("LABELLOOM_ALLOW_HOSTS", "127.0.0.1")
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", worker_timeout=3)


@pytest.fixture
def host() -> Iterator[ImageHost]:
    pictures = {f"/{number}.jpg": Reply(jpeg(number)) for number in range(GOOD)}
    more = {"/copy.jpg": Reply(jpeg(0)), "/page.jpg": Reply(b"<html>no picture</html>")}
    with ImageHost({**pictures, **more}) as serving:
        yield serving


def _listed(settings: Settings, host: ImageHost) -> None:
    names = [f"{number}.jpg" for number in range(GOOD)]
    paths = [*names[:2], "copy.jpg", "page.jpg", "gone.jpg", *names[2:]]
    lines = [host.url(f"/{path}") for path in paths] + ["http://127.0.0.2/private.jpg"]
    settings.lists_dir.mkdir(parents=True)
    (settings.lists_dir / "고양이 목록.txt").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_collection_is_stopped_resumed_and_not_fetched_again(
    settings: Settings, host: ImageHost, tmp_path: Path
) -> None:
    _listed(settings, host)
    order = {"labels": [{"label": "고양이", "queries": ["고양이 목록.txt"]}], "sources": ["urls"], "name": "고양이"}
    with Jobs(settings) as jobs, fleet(settings, tmp_path / "logs", 1, start) as workers:
        job = jobs.submit("collect", order, "kim").id
        with pytest.raises(Busy):
            jobs.submit("collect", order, "kim")
        manifest = settings.collections_dir / "고양이" / "manifest.jsonl"
        end = time.monotonic() + 60
        while not manifest.exists() or manifest.read_bytes().count(b"\n") < 2:
            assert time.monotonic() < end, (jobs.get(job), workers.told())
            time.sleep(0.05)
        assert jobs.get(job).phase == "collecting 고양이"
        jobs.cancel(job)
        stopped = wait_for(jobs, job)
        assert stopped.state == "cancelled" and "resume" in (stopped.fix or "")
        decided = manifest.read_bytes()
        assert find_collection(settings, "고양이").state == "stopped"
        jobs.resume(job)
        row = wait_for(jobs, job)
        assert row.state == "done", (row, workers.told())
        told = [text for _, _, text in lines_of(jobs.engine, job)]
        before = host.counts.total()
        again = wait_for(jobs, jobs.submit("collect", order, "kim").id)
    assert manifest.read_bytes().startswith(decided) and row.result and again.result
    assert row.result["counts"]["kept"] == GOOD
    reasons = {"duplicate": 1, "not-an-image": 1, "http-404": 1, "private-address": 1}
    assert row.result["counts"]["rejected"] == reasons
    assert any(f"kept {GOOD}" in line and "http-404 1" in line for line in told), told
    urls = [json.loads(line)["url"] for line in manifest.read_text(encoding="utf-8").splitlines()]
    assert len(urls) == len(set(urls)) == GOOD + 4
    assert max(host.counts[f"/{number}.jpg"] for number in range(2)) == 1  # what was decided is not asked for again
    assert again.state == "done" and host.counts.total() == before
    assert len([path for path in (manifest.parent / "images").rglob("*") if path.is_file()]) == GOOD
