"""Learning from a real Label Studio project and pre-labelling it: in parts, never twice, never over people's work."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from fit_kit import HEIGHT, WIDTH, constant_trainer, picture
from flask import Flask, request
from quick_cli import start
from werkzeug.serving import make_server

from backend.core.errors import Cancelled, LabelLoomError, UsageError
from backend.core.progress import Silent
from backend.flows import fit as fit_flow
from backend.flows import models
from backend.flows import prelabel as flow
from backend.flows.fit import FitOptions, FitReport, fit
from backend.flows.fit_source import project_source
from backend.flows.job_base import Tools
from backend.flows.job_kinds import KINDS
from backend.flows.jobs import Jobs
from backend.flows.prelabel import prelabel
from backend.settings import Settings
from backend.store import models as table
from backend.store.tables import open_database
from benchmarks.fleet import fleet, wait_for
from connectors.label_studio import LabelStudio
from connectors.label_studio_predictions import import_predictions
from connectors.label_studio_upload import ProjectContent

pytestmark = pytest.mark.e2e

CONFIG = (
    '<View><Image name="그림" value="$image"/><RectangleLabels name="label" toName="그림">'
    '<Label value="너구리"/><Label value="작은 고양이"/></RectangleLabels></View>'
)
LABELLED, BARE = 20, 8


@pytest.fixture
def settings(ls_account, tmp_path: Path) -> Settings:
    folders = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
    return Settings(label_studio_url=ls_account.url, label_studio_api_key=ls_account.token, **folders)


def box(number: int, label: str) -> dict[str, object]:
    _, (x0, y0, x1, y1) = picture(number)
    place = {"x": x0 / WIDTH * 100, "y": y0 / HEIGHT * 100, "width": (x1 - x0) / WIDTH * 100}
    value = {**place, "height": (y1 - y0) / HEIGHT * 100, "rotation": 0, "rectanglelabels": [label]}
    sizes = {"original_width": WIDTH, "original_height": HEIGHT}
    return {"from_name": "label", "to_name": "그림", "type": "rectanglelabels", "value": value, **sizes}


@pytest.fixture
def project(ls: LabelStudio, new_project: Callable[..., int]) -> int:
    """A project with annotated tasks, tasks that nobody has touched, one that was skipped and one without an image."""
    made = new_project("너구리 배우기", CONFIG)
    content = ProjectContent(ls, made)
    numbers = range(LABELLED + BARE)
    ids = content.upload([(f"너구리 {number}.jpg", picture(number)[0]) for number in numbers])
    paths = content.paths(ids)
    tasks: list[dict[str, object]] = [{"data": {"image": f"/data/{paths[one]}"}} for one in ids]
    for number in range(LABELLED):
        label = ("너구리", "작은 고양이")[number % 2]
        tasks[number]["annotations"] = [{"result": [box(number, label)]}]
    tasks += [{"data": {"image": "/data/upload/999/gone.jpg"}}]
    content.import_tasks([json.dumps(task).encode() for task in tasks])
    skipped = max(task["id"] for task in content.tasks()) - 1  # the last one with an image
    ls.request("POST", f"api/tasks/{skipped}/annotations/", json={"result": [], "was_cancelled": True})
    return made


@pytest.fixture
def one_backend() -> Iterator[str]:
    """The address of an ML backend that answers nothing to every task."""
    app = Flask("theirs")
    app.add_url_rule("/health", "health", lambda: {"status": "UP"})
    app.add_url_rule("/setup", "setup", lambda: {"model_version": "theirs-3"}, methods=["POST"])

    def predict():
        return {"results": [{"result": [], "score": 0.5} for _ in request.json["tasks"]]}

    app.add_url_rule("/predict", "predict", predict, methods=["POST"])
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def train(project: int, settings: Settings, score: float = 0.9) -> FitReport:
    with project_source(project, settings, Silent()) as source:
        return fit(source, FitOptions(), (settings, Silent()), trainer=constant_trainer(score, box=(17, 17, 45, 45)))


def predictions(ls: LabelStudio, project: int) -> dict[int, list[tuple[str, int]]]:
    """Return each task's predictions: (version, number of regions)."""
    found = {}
    for task in ls.tasks(project):
        found[task["id"]] = sorted((one["model_version"], len(one["result"])) for one in task["predictions"])
    return found


def test_what_was_learned_arrives_on_tasks_that_nobody_annotated_and_nowhere_else(
    ls: LabelStudio, project: int, settings: Settings
):
    with pytest.raises(UsageError, match="nothing predicts in project"):
        prelabel(project, None, (settings, Silent()))
    before = {task["id"]: task["annotations"] for task in ls.tasks(project)}
    first = train(project, settings)
    assert first.promoted and first.data["tasks"] == LABELLED
    assert first.data["labels"]["작은 고양이"]["holdout"] >= 1
    bare = sorted(number for number, given in before.items() if not given)
    theirs = {"task": bare[0], "result": [], "score": 0.1, "model_version": "somebody-elses"}
    import_predictions(ls, project, [theirs])

    report = prelabel(project, None, (settings, Silent()))
    gone = bare[-1]  # its image
    assert report.predicted == len(bare) - 1 == BARE - 1
    ((item, reason),) = report.skipped
    assert item == f"task {gone}" and reason
    found = predictions(ls, project)
    assert found[bare[0]] == [(first.version, 2), ("somebody-elses", 0)]
    assert all(found[number] == [(first.version, 2)] for number in bare[1:-1])
    assert not any(found[number] for number in before if number not in bare[:-1])

    again = prelabel(project, None, (settings, Silent()))
    assert (again.predicted, again.present, again.replaced) == (0, BARE - 1, 0)
    assert predictions(ls, project) == found

    ls.request("POST", f"api/tasks/{bare[1]}/annotations/", json={"result": [box(1, "너구리")]})
    second = train(project, settings)
    assert not second.promoted  # it is the same, and a tie keeps the old one
    models.promote(open_database(settings.database), project, second.version, who="kim")
    report = prelabel(project, None, (settings, Silent()))
    assert (report.predicted, report.replaced) == (BARE - 2, BARE - 2)
    found = predictions(ls, project)
    assert found[bare[0]] == [(second.version, 2), ("somebody-elses", 0)]
    assert found[bare[1]] == [(first.version, 2)]  # annotated meanwhile: left alone
    assert all(found[number] == [(second.version, 2)] for number in bare[2:-1])
    (one,) = [p for p in next(ls.tasks(project, ids=[bare[2]]))["predictions"]]
    assert 0 <= one["score"] <= 1 and one["result"][0]["value"]["rectanglelabels"] == ["너구리"]


def test_a_run_that_is_stopped_or_dies_at_any_moment_goes_on_without_doubling(
    ls: LabelStudio, project: int, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(flow, "BATCH", 3)
    version = train(project, settings).version

    class StopAfter:
        def update(self, phase, done, total=None):
            if phase == "pre-labelling" and done == 3:
                raise Cancelled(phase)

    with pytest.raises(Cancelled):
        prelabel(project, None, (settings, StopAfter()))
    assert sum(map(bool, predictions(ls, project).values())) == 3

    def dies_after(client, number, new):
        import_predictions(client, number, new)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(flow, "import_predictions", dies_after)
        with pytest.raises(KeyboardInterrupt):
            prelabel(project, None, (settings, Silent()))
    report = prelabel(project, None, (settings, Silent()))
    assert report.present + report.predicted == BARE - 1
    assert sorted(map(len, predictions(ls, project).values()))[-(BARE - 1) :] == [1] * (BARE - 1)

    def refuses(tasks):
        doomed = tasks[0]["id"]
        ProjectContent(ls, project).delete_tasks([doomed])  # somebody deletes a task while we look at it
        return real(tasks)

    second = train(project, settings)
    engine = open_database(settings.database)
    row = table.get_model(engine, second.version)
    _, real = flow._asking(flow.Predictor(settings, engine), ls, ls.project(project), row)
    report = prelabel(project, second.version, (settings, Silent()), answerer=refuses)
    assert "was deleted meanwhile" in dict(report.skipped).values() and report.predicted >= 2
    assert {v for found in predictions(ls, project).values() for v, _ in found} == {second.version}
    assert version != second.version


def test_a_worker_pre_labels_by_job_and_refuses_what_cannot_be(
    ls_account, project: int, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LABEL_STUDIO_URL", ls_account.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", ls_account.token)
    version = train(project, settings).version
    with Jobs(settings) as jobs, fleet(settings, tmp_path / "logs", 1, start) as workers:
        row = wait_for(jobs, jobs.submit("predict", {"project": project}, "kim").id)
        assert row.state == "done", (row, workers.told())
        assert row.result["model"] == version and row.result["counts"]["predicted"] == BARE - 1
        assert len(row.result["skipped"]) == 1
        row = wait_for(jobs, jobs.submit("fit", {"project": 999_999}, "kim").id)
        assert row.state == "failed" and "999999" in row.error


def test_a_fit_job_trains_and_then_pre_labels(
    ls: LabelStudio, project: int, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fit_flow, "_in_child", constant_trainer(box=(17, 17, 45, 45)))
    lines: list[str] = []
    tools = Tools(settings, Silent(), "job1", nullcontext, lines.append, "kim")
    kind = KINDS["fit"]
    result = kind.run(kind.parse({"project": project, "predict": True}), tools)
    assert result["promoted"] and result["predict"]["counts"]["predicted"] == BARE - 1
    assert [v for found in predictions(ls, project).values() for v, _ in found] == [result["model"]] * (BARE - 1)
    row = table.history(open_database(settings.database), project)[0]
    assert (row.version, row.who) == (result["model"], "kim")
    assert any(line.startswith("pre-labelled 7 tasks") for line in lines)
    again = kind.run(kind.parse({"project": project, "predict": True}), tools)  # the worker died before it could say so
    assert again["model"] == result["model"] and again["predict"]["counts"]["predicted"] == 0


def test_somebody_elses_backend_pre_labels_in_batches(ls: LabelStudio, project: int, settings: Settings, one_backend):
    engine = open_database(settings.database)
    models.choose_detector(engine, project, "proxy", {"url": one_backend})
    report = prelabel(project, None, (settings, Silent()))
    assert report.version == f"proxy-p{project}-theirs-3" and report.predicted == BARE  # it looks at no image
    again = prelabel(project, None, (settings, Silent()))
    assert (again.predicted, again.present) == (0, BARE)
    with pytest.raises(UsageError, match="does not learn"):
        train(project, settings)
    models.choose_detector(engine, project, "fewshot", {})
    train(project, settings)
    report = prelabel(project, None, (settings, Silent()))
    assert (report.predicted, report.replaced) == (BARE - 1, BARE - 1)


def test_a_project_without_annotations_is_refused(ls: LabelStudio, new_project, settings: Settings):
    made = new_project("leer", CONFIG, [{"data": {"image": "/data/upload/1/x.jpg"}}])
    with pytest.raises(LabelLoomError, match="nothing to learn from: 0 of 1 task: 1 unlabelled"):
        train(made, settings)
