"""What workers add and what kills take away: one worker against two, twenty kills, the wait before a job starts."""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from backend.flows.jobs import Jobs
from backend.settings import Settings
from backend.store.jobs import list_jobs
from benchmarks import postgres
from benchmarks.fleet import RECIPE, Fleet, fleet, make_yolo, tree, wait_for, wait_until_running
from benchmarks.harness import Ratio, Scale, Section, in_turns, ratios, scratch
from benchmarks.workload import STEPS

BEFORE = """\
Worker processes (`labelloom worker`) on this machine, {images} pictures of 640 x 480, 4 variants each, four steps, YOLO
and VOC. **Scaling**: seconds from start to end of one `augment` job on PostgreSQL, with one worker process and with
two, in turns; both are warm. **Kills**: the same kind of job with two workers while one of them, drawn by lot, is
killed (`kill -9`) again and again and replaced; afterwards every file of the dataset is compared with an undisturbed
one."""
KILLS = 20


def run(scale: Scale) -> Section:
    """Measure scaling on PostgreSQL, and kills and start latency on SQLite and PostgreSQL."""
    images = scale.images or 300
    found: list[Ratio] = []
    told: list[str] = []
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        databases: dict[str, Callable[[str], str]] = {"SQLite": lambda name: f"sqlite:///{folder / name}.db"}
        if postgres.installed():
            databases["PostgreSQL"] = stack.enter_context(postgres.running()).database
        last = list(databases)[-1]
        one, two = _scaling(folder / "scaling", databases[last]("scaling"), images, scale.pairs)
        found.append(Ratio(f"two workers ({last})", "one worker", _over(one, two), ">= 1.7"))
        kills, chosen = (KILLS, databases) if scale.images is None else (1, {last: databases[last]})
        for name, database in chosen.items():
            told.append(_kills(folder / name, database(f"kills-{name.lower()}"), name, images, kills))
    return Section("Workers", BEFORE.format(images=images), tuple(found), "\n".join(f"- {line}" for line in told))


def _over(one: list[float], two: list[float]) -> tuple[float, ...]:
    return ratios(list(zip(one, two, strict=True)), 0, 1)


def _settings(folder: Path, database: str, images: int) -> Settings:
    settings = Settings(data_dir=folder / "data", cache_dir=folder / "cache", database_url=database, worker_timeout=3)
    make_yolo(settings.datasets_dir / "pictures", images, (640, 480))
    return settings


def _order(name: str) -> dict[str, object]:
    recipe = {**RECIPE, "variants": 4, "steps": STEPS, "output": {"formats": ["yolo", "voc"]}}
    return {"dataset": "pictures", "recipe": recipe, "name": name}


def _scaling(folder: Path, database: str, images: int, pairs: int) -> tuple[list[float], list[float]]:
    settings = _settings(folder, database, images)
    numbers = iter(range(1000))
    with Jobs(settings) as jobs:

        def timed(count: int) -> float:
            with fleet(settings, folder / "logs", count) as workers:
                _warm(jobs, workers, next(numbers))
                row = wait_for(jobs, jobs.submit("augment", _order(f"timed-{next(numbers)}"), "bench").id, 600)
                assert row.state == "done", row
                return row.seconds or 0.0

        rounds = in_turns([lambda: timed(1), lambda: timed(2)], pairs)
    return [a for a, _ in rounds], [b for _, b in rounds]


def _warm(jobs: Jobs, workers: Fleet, number: int) -> None:
    """Have every worker load its libraries: a job with enough shards for all."""
    row = wait_for(jobs, jobs.submit("augment", _order(f"warm-{number}"), "bench").id, 600)
    assert row.state == "done", (row, workers.told())


def _kills(folder: Path, database: str, name: str, images: int, kills: int) -> str:
    settings = _settings(folder, database, images)
    chance = random.Random(7)
    with Jobs(settings) as jobs, fleet(settings, folder / "logs", 2) as workers:
        calm = wait_for(jobs, jobs.submit("augment", _order("calm"), "bench").id, 600)
        assert calm.state == "done", (calm, workers.told())
        whole = tree(settings.datasets_dir / "calm-v1")
        done = rounds = 0
        while done < kills:
            rounds += 1
            job = jobs.submit("augment", _order(f"killed-{rounds}"), "bench").id
            wait_until_running(jobs, job)
            while done < kills and jobs.get(job).state == "running":
                workers.kill(chance.randrange(2))
                done += 1
                time.sleep(chance.uniform(1.0, 6.0))
            row = wait_for(jobs, job, 900)
            assert row.state == "done", (row, workers.told())
            _compare(whole, tree(settings.datasets_dir / f"killed-{rounds}-v1"))
        waits = _waits(jobs)
    return (
        f"{name}: {kills} kills in {rounds} jobs of {images} images, 0 files lost, 0 doubled, all others equal; "
        f"from asking for a job to its start {median(waits):.2f} s (median of {len(waits)})"
    )


def _compare(whole: dict[str, str], made: dict[str, str]) -> None:
    """Compare all but what tells the dataset's own name."""
    own = {"dataset.json", "README.md"}
    wrong = [path for path in whole.keys() | made.keys() if whole.get(path) != made.get(path) and path not in own]
    if wrong:
        msg = f"{len(wrong)} files differ, are lost or are too many: {', '.join(sorted(wrong)[:5])}"
        raise RuntimeError(msg)


def _waits(jobs: Jobs) -> list[float]:
    for _ in range(10):
        wait_for(jobs, jobs.submit("verify", {"dataset": "nothing"}, "bench").id)
    rows = [row for row in list_jobs(jobs.engine, kind="verify") if row.started]
    return [(row.started - row.created).total_seconds() for row in rows if row.started]
