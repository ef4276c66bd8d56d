"""Rules on a clock of the test's own: when they run, how often, and what stops them."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from pretend import Desk, PretendLabelStudio

from backend.store.cursors import get_cursor, take_lease
from backend.store.deliveries import Delivery, store_deliveries, waiting
from backend.store.rules import change_rule, history
from backend.store.tables import rule_runs


def annotate(studio: PretendLabelStudio, count: int, project: int = 1, *, gap: float = 0) -> None:
    for _ in range(count):
        studio.annotate(project, studio.add_task(project))
        studio.now += timedelta(seconds=gap)


def test_a_rule_runs_once_it_is_quiet_and_counts_from_its_start(studio: PretendLabelStudio, desk: Desk) -> None:
    annotate(studio, 7)  # before the rule: not new
    rule = desk.rule(do={"kind": "export", "params": {"formats": ["yolo"], "write_back": "Street"}})
    annotate(studio, 2)
    desk.run(300)
    assert desk.submitted == []
    assert desk.state(rule).reason == "2 of 3 new annotations"
    annotate(studio, 1)
    desk.run(70)
    assert desk.submitted == [] and "without changes" in str(desk.state(rule).reason)
    desk.run(60)
    (job,) = desk.submitted
    assert (job.kind, job.who) == ("export", "rule r (run 1)")
    assert job.params == {"project": 1, "formats": ["yolo"], "write_back": "Street"}
    desk.finish(wrote=9)
    desk.run(300)
    assert len(desk.submitted) == 1
    (run,) = history(desk.engine, rule.id)
    assert (run.outcome, run.wrote, run.why, run.detail) == (
        "done", 9, "3 of 3 new annotations", "dataset d-v1, wrote project 9",
    )  # fmt: skip


def test_a_running_job_is_waited_for_and_then_caught_up_with_once(studio: PretendLabelStudio, desk: Desk) -> None:
    rule = desk.rule()
    annotate(studio, 3)
    desk.run(150)
    for _ in range(4):
        annotate(studio, 3)
        desk.run(150)
    assert len(desk.submitted) == 1 and "job job0 of this rule is not finished" in str(desk.state(rule).reason)
    desk.finish()
    desk.run(10)
    assert len(desk.submitted) == 2
    desk.finish()
    desk.run(600)
    assert len(desk.submitted) == 2


def test_quiet_is_not_waited_for_forever(studio: PretendLabelStudio, desk: Desk) -> None:
    desk.rule(quiet=120, patience=300)
    for second in range(0, 600, 5):
        if second % 10 == 0:
            annotate(studio, 1)
        desk.run(5)
        if desk.submitted:
            break
    assert 300 <= second <= 400


def test_a_job_of_somebody_else_that_does_the_same_is_waited_for(studio: PretendLabelStudio, desk: Desk) -> None:
    rule = desk.rule()
    desk.submit("export", {"project": 1}, "somebody")
    annotate(studio, 3)
    desk.run(200)
    assert "job job0 does the same already" in str(desk.state(rule).reason)
    assert history(desk.engine, rule.id) == []
    desk.finish()
    desk.run(10)
    assert [job.who for job in desk.submitted] == ["somebody", "rule r (run 1)"]


def test_a_failed_job_is_tried_again_and_a_cancelled_one_is_not(studio: PretendLabelStudio, desk: Desk) -> None:
    rule = desk.rule()
    annotate(studio, 3)
    desk.run(150)
    desk.finish("failed")
    desk.run(30)
    assert "its last job failed: tried again at" in str(desk.state(rule).reason)
    assert history(desk.engine, rule.id)[0].detail == "it broke"
    desk.run(40)
    assert len(desk.submitted) == 2
    desk.finish("failed")
    desk.run(70)
    assert len(desk.submitted) == 2  # the pause is two minutes now
    desk.run(60)
    assert len(desk.submitted) == 3
    desk.finish("cancelled")
    desk.run(900)
    assert len(desk.submitted) == 3
    assert desk.state(rule).failures == 0


def test_label_studio_down_keeps_the_rule_waiting_with_the_reason(studio: PretendLabelStudio, desk: Desk) -> None:
    rule = desk.rule()
    annotate(studio, 3)
    studio.down = True
    store_deliveries(desk.engine, [Delivery("d", 1, "ANNOTATION_CREATED", studio.now)])
    desk.run(60)
    assert "cannot be reached" in str(desk.state(rule).reason)
    assert waiting(desk.engine) != {}  # the hint is kept
    studio.down = False
    desk.run(40)
    assert len(desk.submitted) == 1
    assert waiting(desk.engine) == {}
    cursor = get_cursor(desk.engine, 1)
    assert cursor is not None and cursor.error is None


def test_every_night_and_a_missed_night_is_caught_up_with_once(studio: PretendLabelStudio, desk: Desk) -> None:
    desk.rule(when={"at": "02:30", "zone": "Asia/Seoul"}, quiet=0)  # 17:30 UTC; it is 09:00
    desk.run(8 * 3600, step=300)
    assert desk.submitted == []
    desk.run(3600, step=300)
    assert len(desk.submitted) == 1
    desk.finish()
    studio.now += timedelta(days=3)
    desk.run(3600, step=300)
    assert len(desk.submitted) == 2


@pytest.mark.parametrize(
    "event", ["annotation-created", "annotation-updated", "annotation-deleted", "task-created", "task-deleted"]
)
def test_events_are_found_without_any_webhook(studio: PretendLabelStudio, desk: Desk, event: str) -> None:
    task = studio.add_task(1)
    annotation = studio.annotate(1, task)
    other = studio.add_task(1)
    desk.rule(when={"event": event}, quiet=0)
    desk.run(180)
    studio.now += timedelta(seconds=1)
    assert desk.submitted == []
    {
        "annotation-created": lambda: studio.annotate(1, task),
        "annotation-updated": lambda: studio.update(1, task, annotation),
        "annotation-deleted": lambda: studio.delete(1, task, annotation),
        "task-created": lambda: studio.add_task(1),
        "task-deleted": lambda: studio.delete_task(1, other),
    }[event]()
    desk.run(120)
    desk.finish()
    desk.run(300)
    assert len(desk.submitted) == 1


def test_a_project_that_labelloom_wrote_triggers_only_rules_that_allow_it(
    studio: PretendLabelStudio, desk: Desk
) -> None:
    studio.descriptions[1] = "Derived from project 7 by recipe street: correct the original, not this copy."
    rule, allowed = desk.rule("plain"), desk.rule("allowed", derived=True)
    annotate(studio, 3)
    desk.run(200)
    assert [job.who for job in desk.submitted] == ["rule allowed (run 1)"]
    state = desk.state(rule)
    assert not state.enabled and "written by LabelLoom" in str(state.reason)
    assert desk.state(allowed).enabled


def write(studio: PretendLabelStudio, desk: Desk, project: int) -> None:
    """Let the running job write annotations into a project."""
    studio.now += timedelta(seconds=20)
    annotate(studio, 3, project)
    studio.now += timedelta(seconds=20)
    desk.finish(wrote=project, took=40)


def test_two_rules_that_trigger_each_other_are_stopped(studio: PretendLabelStudio, desk: Desk) -> None:
    one, two = desk.rule("one", 1), desk.rule("two", 2)
    annotate(studio, 3, 1)  # a person
    for _ in range(10):
        desk.run(150)
        active = desk.submitted[-1]
        if desk.submitted and active.id.startswith("job"):
            write(studio, desk, 2 if "one" in active.who else 1)
    stopped = desk.state(one)
    assert not stopped.enabled
    assert stopped.reason == "stopped: rules trigger each other: one <- two <- one (job job1 wrote into the project)"
    assert desk.state(two).enabled
    assert len(desk.submitted) == 2


def test_people_may_work_on_where_a_job_wrote(studio: PretendLabelStudio, desk: Desk) -> None:
    rule = desk.rule("one", 1)
    for round_ in range(6):
        annotate(studio, 3, 1)
        desk.run(150)
        assert len(desk.submitted) == round_ + 1
        studio.now += timedelta(seconds=20)
        annotate(studio, 2, 1)  # fewer than make it due
        studio.now += timedelta(seconds=1)
        desk.finish(wrote=1, took=20)
        desk.run(60)
    assert desk.state(rule).enabled


def test_many_jobs_of_other_rules_stop_a_rule_in_the_end(studio: PretendLabelStudio, desk: Desk) -> None:
    rule = desk.rule("reader", 2)
    for number in range(6):
        writer = desk.rule(f"writer-{number}", 10 + number)
        annotate(studio, 3, 10 + number)
        desk.run(120)
        assert f"writer-{number}" in desk.submitted[-1].who
        write(studio, desk, 2)
        desk.run(150)
        desk.finish()
        change_rule(desk.engine, writer.id, enabled=False)
    state = desk.state(rule)
    assert not state.enabled and "more than 3 times within an hour" in str(state.reason)


def test_a_run_whose_process_died_gets_its_one_job(studio: PretendLabelStudio, desk: Desk) -> None:
    rule = desk.rule()
    annotate(studio, 3)
    desk.run(150)
    with desk.engine.begin() as connection:  # died after the job was entered, before it was noted
        connection.execute(sa.update(rule_runs).values(job=None))
    desk.run(100)
    assert len(desk.submitted) == 1
    assert history(desk.engine, rule.id)[0].job == "job0"
    desk.finish()
    annotate(studio, 3)
    desk.run(150)
    with desk.engine.begin() as connection:  # died before there was a job
        connection.execute(sa.text("update rule_runs set job = null where id = 2"))
        connection.execute(sa.text("delete from jobs where id = 'job1'"))
    desk.run(100)
    assert [job.who for job in desk.submitted] == ["rule r (run 1)", "rule r (run 2)", "rule r (run 2)"]


def test_a_disabled_rule_rests_and_only_one_process_acts(studio: PretendLabelStudio, desk: Desk) -> None:
    rule = desk.rule()
    change_rule(desk.engine, rule.id, enabled=False)
    annotate(studio, 3)
    desk.run(200)
    assert desk.submitted == []
    change_rule(desk.engine, rule.id, enabled=True)
    with desk.engine.begin() as connection:
        connection.execute(sa.text("delete from leases"))
    assert take_lease(desk.engine, "rules", "another machine", 60)
    desk.run(200)
    assert desk.submitted == []
