"""The main job as a job: from Label Studio to Label Studio, whatever worker dies in between."""

from collections.abc import Callable
from pathlib import Path

import pytest
from quick_cli import start

from backend.core.progress import Silent
from backend.flows.import_tasks import import_into
from backend.flows.jobs import Jobs
from backend.formats.recognise import open_dataset
from backend.settings import Settings
from benchmarks.fleet import RECIPE, fleet, make_yolo, wait_for, wait_until_running
from connectors.label_studio import LabelStudio
from connectors.label_studio_server import Account
from connectors.label_studio_upload import ProjectContent

IMAGES = 40


@pytest.mark.e2e
@pytest.mark.slow
def test_killed_in_every_phase_an_export_ends_with_one_project_and_every_task_once(
    database: str,
    ls: LabelStudio,
    ls_account: Account,
    new_project: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", ls_account.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", ls_account.token)
    settings = Settings(
        data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", database_url=database, worker_timeout=3
    )
    photos = make_yolo(tmp_path / "cats", IMAGES)
    before = {project.id for project in ls.projects()}
    source = import_into(open_dataset(photos), None, "cats", (settings, Silent())).project_id
    order = {"project": source, "recipe": RECIPE, "write_back": "cats, augmented"}
    with Jobs(settings) as jobs, fleet(settings, tmp_path / "logs", 2, start) as workers:
        job = jobs.submit("export", order, "me@example.org").id
        for number, phase in enumerate(("augmenting", "writing images")):
            wait_until_running(jobs, job, phase)
            workers.kill(0)
            workers.kill(number)
        row = wait_for(jobs, job, 200)
        assert row.state == "done", (row, workers.told()[-5000:])
    counts = row.result["counts"]
    assert counts["sources"] == IMAGES and row.result["tasks"]["exported"] == IMAGES
    made = {project.id for project in ls.projects()} - before - {source}
    assert made == {row.result["write_back"]["project"]}
    files = [task["data"]["loom_file"] for task in ProjectContent(ls, made.pop()).tasks()]
    assert len(files) == len(set(files)) == counts["images"]
