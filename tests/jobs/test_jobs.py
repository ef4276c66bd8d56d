"""Jobs through real worker processes: nothing lost, nothing doubled, whoever is killed."""

import json
import random
import time
from pathlib import Path

import pytest
from quick_cli import start

from backend.core.errors import UsageError
from backend.core.progress import Silent
from backend.core.recipe import parse_recipe
from backend.flows.augment import Options, run_build
from backend.flows.jobs import Jobs
from backend.formats.recognise import open_dataset
from backend.jobs.queue import Busy
from backend.settings import Settings
from benchmarks.fleet import RECIPE, fleet, make_yolo, tree, wait_for, wait_until_running

IMAGES = 96
KILLS = 2


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", database_url=database, worker_timeout=3)
    make_yolo(made.datasets_dir / "cats", IMAGES)
    return made


def undisturbed(settings: Settings, out: Path) -> dict[str, str]:
    dataset = open_dataset(settings.datasets_dir / "cats")
    own = Settings(data_dir=out / "data", cache_dir=out / "cache")
    request = Options(out=out, name="r-v1").request(dataset, parse_recipe(RECIPE), f"the dataset {dataset.name}", own)
    return tree(run_build(request, own, Silent()).folder)


def settled(jobs: Jobs, job: str) -> None:
    """A worker killed between a job's last word and the queue's own leaves that to another, who finds nothing to do."""
    end = time.monotonic() + 60
    while left := jobs.queue.unfinished(f"{job}."):
        assert time.monotonic() < end, left
        time.sleep(0.2)


ORDER = {"dataset": "cats", "recipe": RECIPE}


@pytest.mark.slow
def test_workers_killed_at_random_lose_and_double_nothing(settings: Settings, tmp_path: Path) -> None:
    chance = random.Random(1)
    with Jobs(settings) as jobs, fleet(settings, tmp_path / "logs", 2, start) as workers:
        job = jobs.submit("augment", ORDER, "me@example.org").id
        wait_until_running(jobs, job)
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 1.5))
            workers.kill(chance.randrange(2))
        row = wait_for(jobs, job)
        assert row.state == "done", (row, workers.told())
        settled(jobs, job)
    assert row.result["counts"]["sources"] == IMAGES
    assert tree(settings.datasets_dir / "r-v1") == undisturbed(settings, tmp_path / "own")
    assert not list(settings.datasets_dir.glob("*.partial"))


def test_a_job_is_done_cancelled_resumed_and_refused_twice(settings: Settings, tmp_path: Path) -> None:
    with Jobs(settings) as jobs:
        early = jobs.submit("augment", ORDER, "me")
        with pytest.raises(Busy) as busy:
            jobs.submit("augment", ORDER, "somebody else")
        assert busy.value.holder == early.id
        assert jobs.cancel(early.id).state == "cancelled"  # nobody works yet, so it stops at once
        job = jobs.submit("augment", ORDER, "me").id
        with fleet(settings, tmp_path / "logs", 1, start) as workers:
            wait_until_running(jobs, job, "augmenting")
            assert jobs.cancel(job).state == "cancelling"
            assert wait_for(jobs, job).state == "cancelled"
            half = len(list((settings.datasets_dir / "r-v1.partial" / ".work" / "done").glob("*.jsonl")))
            assert half < IMAGES // 8
            jobs.resume(job)
            row = wait_for(jobs, job)
            assert (row.state, row.runs, row.who) == ("done", 2, "me")
            again = wait_for(jobs, jobs.submit("augment", ORDER, "me").id)
            assert again.result["state"] == "unchanged"
            changed = {**ORDER, "recipe": {**RECIPE, "variants": 1}}
            assert wait_for(jobs, jobs.submit("augment", changed, "me").id).result["dataset"] == "r-v2"
            events = [json.loads(line) for line in workers.told().splitlines() if line.startswith("{")]
            assert [event["event"] for event in events if event.get("job") == job][-1] == "done"
    assert tree(settings.datasets_dir / "r-v1") == undisturbed(settings, tmp_path / "own")


def test_errors_name_cause_and_fix(settings: Settings, tmp_path: Path) -> None:
    with Jobs(settings) as jobs:
        with pytest.raises(UsageError, match=r"augment: dataset: .*required"):
            jobs.submit("augment", {"recipe": "gentle"}, "me")
        with pytest.raises(UsageError, match="unknown kind"):
            jobs.submit("agument", {}, "me")
        with fleet(settings, tmp_path / "logs", 1, start):
            for wrong in ("../../etc", "/etc", "nothing"):
                row = wait_for(jobs, jobs.submit("augment", {**ORDER, "dataset": wrong}, "me").id)
                assert row.state == "failed" and "no dataset" in row.error and row.fix
            bad = {**ORDER, "recipe": {**RECIPE, "steps": ["Affin"]}}
            assert "Affine" in wait_for(jobs, jobs.submit("augment", bad, "me").id).error


def test_a_job_starts_within_a_second(settings: Settings, tmp_path: Path) -> None:
    """Bounds what is measured in benchmarks by far, so that a lost wake-up shows."""
    with Jobs(settings) as jobs, fleet(settings, tmp_path / "logs", 1, start):
        wait_for(jobs, jobs.submit("verify", {"dataset": "nothing"}, "me").id)
        rows = [wait_for(jobs, jobs.submit("verify", {"dataset": "nothing"}, "me").id) for _ in range(5)]
    waited = sorted((row.started - row.created).total_seconds() for row in rows)
    assert waited[2] < 5
