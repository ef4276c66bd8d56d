"""What several machines on one PostgreSQL do to each other: nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from pretend import Desk, PretendLabelStudio

from backend.flows.reconcile import reconcile
from backend.store.cursors import count_since, take_lease
from backend.store.deliveries import Delivery, Writer, store_deliveries, waiting
from backend.store.rules import begin_run, get_rule, history
from benchmarks.postgres import installed, running


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    if not installed():
        pytest.skip("no PostgreSQL server is installed (initdb, pg_ctl, psql)")
    with running() as server:
        yield server.database("rules")


@pytest.fixture
def desk(database: str, studio: PretendLabelStudio, tmp_path: Path) -> Desk:
    found = Desk(tmp_path, studio, database)
    with found.engine.begin() as connection:
        for table in (
            "rules",
            "rule_runs",
            "deliveries",
            "cursors",
            "seen_tasks",
            "seen_annotations",
            "leases",
            "jobs",
        ):
            connection.execute(sa.text(f"delete from {table}"))
    return found


def test_a_rule_runs_and_webhooks_are_counted_once(studio: PretendLabelStudio, desk: Desk) -> None:
    rule = desk.rule()
    for _ in range(3):
        studio.annotate(1, studio.add_task(1))
    hint = Delivery("d", 1, "ANNOTATION_CREATED", studio.now)
    store_deliveries(desk.engine, [hint, hint, replace(hint, digest="e")])
    assert list(waiting(desk.engine)) == [1]
    desk.run(60)
    assert waiting(desk.engine) == {}
    assert [job.who for job in desk.submitted] == [f"rule r (run {history(desk.engine, rule.id)[0].id})"]
    with desk.engine.connect() as connection:
        assert connection.execute(sa.text("select sum(repeats), count(*) from deliveries")).one() == (1, 2)


def test_only_one_of_many_takes_the_lease_and_starts_the_run(studio: PretendLabelStudio, desk: Desk) -> None:
    rule = get_rule(desk.engine, desk.rule().id)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda holder: take_lease(desk.engine, "new", str(holder), 60), range(8)))
        begun = list(pool.map(lambda _: begin_run(desk.engine, rule, "why", 1, studio.now, None), range(8)))
    assert taken.count(True) == 1
    assert sum(run is not None for run in begun) == 1
    assert len(history(desk.engine, rule.id)) == 1


def test_many_compare_the_same_project_at_once(studio: PretendLabelStudio, desk: Desk) -> None:
    for _ in range(20):
        studio.add_task(1, annotations=1)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: reconcile(desk.engine, studio, 1, now=studio.now), range(6)))
    for task in list(studio.tasks[1]):
        studio.annotate(1, task)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: reconcile(desk.engine, studio, 1, now=studio.now), range(6)))
    assert count_since(desk.engine, 1, 0, changes=False) == 20


def test_two_processes_store_the_same_deliveries_in_any_order(studio: PretendLabelStudio, desk: Desk) -> None:
    found = [Delivery(f"{number}", 1, "A", studio.now) for number in range(100)]
    writers = [Writer(desk.engine), Writer(desk.engine)]
    with ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(writers[n % 2].put, one, 30) for n, one in enumerate([*found, *reversed(found)])]
        for job in jobs:
            job.result()
    with desk.engine.connect() as connection:
        assert connection.execute(sa.text("select sum(repeats), count(*) from deliveries")).one() == (100, 100)
