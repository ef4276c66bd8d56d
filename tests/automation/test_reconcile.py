"""Reconciling: what webhooks lose, double or turn round changes nothing."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from pretend import START, Desk, PretendLabelStudio

from backend.flows.reconcile import reconcile
from backend.store.cursors import count_since, get_cursor, totals_seen
from backend.store.deliveries import Delivery, store_deliveries

ACTIONS = ("create", "create", "create", "update", "delete", "task", "remove")


@dataclass(frozen=True)
class Hint:
    """A webhook: when it arrives (seconds), and what names it."""

    at: float
    digest: str


def work(seed: int) -> list[tuple[float, str, float]]:
    """Return what people do: bursts of some minutes with pauses of five between them; (second, action, chance)."""
    chance = random.Random(seed)
    found, at = [], 10.0
    for _ in range(3):
        for _ in range(chance.randrange(2, 20)):
            found.append((at, chance.choice(ACTIONS), chance.random()))
            at += chance.uniform(0, 20)
        at += 200
    return found


def deliveries(seed: int, done: list[tuple[float, str, float]], how: str) -> list[Hint]:
    """Return the hints of that work: all at once and in order, or 30 % lost, 30 % doubled, late and out of order."""
    chance = random.Random(seed)
    found = []
    for number, (at, *_) in enumerate(done):
        if how == "perfect":
            found.append(Hint(at, str(number)))
        elif how == "hostile" and chance.random() >= 0.3:
            times = 2 if chance.random() < 0.3 else 1
            found += [Hint(at + chance.uniform(0, 40), str(number)) for _ in range(times)]
    return sorted(found, key=lambda hint: hint.at)


def act(studio: PretendLabelStudio, action: str, chance: float) -> None:
    tasks = sorted(studio.tasks.get(1, {}))
    task = tasks[int(chance * len(tasks))]
    marks = sorted(studio.marks[task])
    if action == "create":
        studio.annotate(1, task)
    elif action == "task":
        studio.add_task(1, annotations=1)
    elif action == "remove" and len(tasks) > 5:
        studio.delete_task(1, task)
    elif marks and action == "update":
        studio.update(1, task, marks[0])
    elif marks and action == "delete":
        studio.delete(1, task, marks[-1])


def play(folder: Path, seed: int, how: str) -> tuple[Desk, int]:
    """Return the desk after all that was done, and how many annotations the rule still waits with."""
    studio = PretendLabelStudio()
    for _ in range(30):
        studio.add_task(1, annotations=1)
    studio.now += timedelta(hours=1)
    begin = studio.now
    desk = Desk(folder / how, studio)
    rule = desk.rule(quiet=45, when={"annotations": 5, "changes": True})
    done = work(seed)
    hints = deliveries(seed, done, how)
    for second in range(0, int(done[-1][0]) + 400, 5):
        studio.now = begin + timedelta(seconds=second)
        while done and done[0][0] <= second:
            act(studio, *done.pop(0)[1:])
        arrived = [hint for hint in hints if hint.at <= second]
        hints = hints[len(arrived) :]
        if arrived:
            found = [Delivery(hint.digest, 1, "ANNOTATION_CREATED", studio.now) for hint in arrived]
            store_deliveries(desk.engine, found)
        desk.tick()
        if second % 20 == 0:
            desk.finish()
    mark = desk.state(rule).mark
    assert totals_seen(desk.engine, 1) == (len(studio.tasks[1]), sum(len(studio.marks[t]) for t in studio.tasks[1]))
    return desk, count_since(desk.engine, 1, mark, changes=True)


@pytest.mark.parametrize("seed", range(5))
def test_lost_doubled_and_late_webhooks_end_in_the_same_state(tmp_path: Path, seed: int) -> None:
    perfect, left = play(tmp_path, seed, "perfect")
    assert len(perfect.submitted) >= 1
    for how in ("hostile", "none"):
        desk, other = play(tmp_path, seed, how)
        assert (len(desk.submitted), other) == (len(perfect.submitted), left), how


@pytest.fixture
def looked(studio: PretendLabelStudio, desk: Desk) -> Iterator[Desk]:
    """A desk that knows a project of 200 tasks with an annotation each, an hour old."""
    for _ in range(200):
        studio.add_task(1, annotations=1)
    studio.now += timedelta(hours=1)
    reconcile(desk.engine, studio, 1, now=studio.now)
    studio.now += timedelta(minutes=10)
    reconcile(desk.engine, studio, 1, now=studio.now)
    studio.reads.clear()
    return desk


def test_only_what_changed_is_read(studio: PretendLabelStudio, looked: Desk) -> None:
    for _ in range(3):
        reconcile(looked.engine, studio, 1, now=studio.now)
    assert studio.reads["tasks"] == studio.reads["all"] == 0
    studio.annotate(1, 100 * 2 - 1)
    cursor = reconcile(looked.engine, studio, 1, now=studio.now)
    assert (studio.reads["tasks"], studio.reads["all"], cursor.version) == (1, 0, 1)
    assert count_since(looked.engine, 1, 0, changes=False) == 1
    assert reconcile(looked.engine, studio, 1, now=studio.now).version == 1


def test_equal_times_and_late_transactions_are_not_missed(studio: PretendLabelStudio, looked: Desk) -> None:
    studio.annotate(1, 1)
    reconcile(looked.engine, studio, 1, now=studio.now)
    studio.annotate(1, 3)  # the same microsecond
    reconcile(looked.engine, studio, 1, now=studio.now)
    assert count_since(looked.engine, 1, 0, changes=False) == 2
    early = studio.now - timedelta(seconds=30)
    studio.tasks[1][5] = early
    studio.marks[5][10_000] = (early, early)  # became visible half a minute after the time it bears
    reconcile(looked.engine, studio, 1, now=studio.now)
    assert count_since(looked.engine, 1, 0, changes=False) == 3


def test_an_annotation_whose_task_kept_its_time_is_found_by_the_numbers(
    studio: PretendLabelStudio, looked: Desk
) -> None:
    studio.annotate(1, 7, silent=True)
    reconcile(looked.engine, studio, 1, now=studio.now)
    assert studio.reads["all"] == 1
    assert count_since(looked.engine, 1, 0, changes=False) == 1


def test_a_time_in_the_future_does_not_blind_us(studio: PretendLabelStudio, looked: Desk) -> None:
    """Label Studio's bulk deletion of annotations writes local time as if it were UTC."""
    (annotation,) = studio.marks[9]
    studio.delete(1, 9, annotation)
    studio.tasks[1][9] = studio.now + timedelta(hours=9)
    reconcile(looked.engine, studio, 1, now=studio.now)
    studio.now += timedelta(minutes=10)
    studio.update(1, 11, next(iter(studio.marks[11])))
    cursor = reconcile(looked.engine, studio, 1, now=studio.now)
    assert "annotation-updated" in cursor.events and cursor.updated == studio.now


def test_the_first_change_of_a_task_that_was_only_counted_is_exact(studio: PretendLabelStudio, looked: Desk) -> None:
    (old,) = studio.marks[13]
    studio.annotate(1, 13)
    studio.annotate(1, 13)
    reconcile(looked.engine, studio, 1, now=studio.now)
    assert count_since(looked.engine, 1, 0, changes=False) == 2
    assert count_since(looked.engine, 1, 0, changes=True) == 2
    studio.now += timedelta(seconds=5)
    studio.update(1, 13, old)
    studio.update(1, 15, next(iter(studio.marks[15])))
    reconcile(looked.engine, studio, 1, now=studio.now)
    assert count_since(looked.engine, 1, 0, changes=False) == 2
    assert count_since(looked.engine, 1, 0, changes=True) == 4


def test_another_label_studio_under_the_same_number_begins_anew(studio: PretendLabelStudio, looked: Desk) -> None:
    other = PretendLabelStudio(url="http://elsewhere", now=START)
    other.add_task(1, annotations=2)
    cursor = reconcile(looked.engine, other, 1, now=studio.now)
    assert (cursor.label_studio, totals_seen(looked.engine, 1)) == ("http://elsewhere", (1, 2))
    assert count_since(looked.engine, 1, 0, changes=True) == 0
    known = get_cursor(looked.engine, 1)
    assert known is not None and known.updated is not None and known.updated == START
