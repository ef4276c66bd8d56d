"""`/ml`: who may ask, what is answered, and that one task's trouble is no other's."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from ml_parts import CONFIG, PASSWORD, Pictures, ask, basic, give_model, give_password, task
from werkzeug.serving import make_server

from backend.detect.base import Detector, Predicted, Rgb, Runtime
from backend.flows.access import create_token
from backend.flows.loaded_models import open_folder
from backend.flows.predictor import Predictor
from backend.settings import Settings
from backend.store import models as table
from backend.store.jobs import list_jobs
from backend.store.tables import open_database
from backend.web.app import create_app


@pytest.fixture
def engine(settings: Settings) -> sa.Engine:
    return open_database(settings.database)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path / "pictures")


class Opener:
    """Opens models as usual, counts them, and lets the test look at each inference."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.during: Callable[[], None] = lambda: None
        self.inferences = 0

    def __call__(self, folder: Path, runtime: Runtime) -> Detector:
        self.opened.append(folder.name)
        return Watched(open_folder(folder, runtime), self)


class Watched:
    def __init__(self, detector: Detector, opener: Opener) -> None:
        self.labels, self._detector, self._opener = detector.labels, detector, opener

    def predict(self, images: list[Rgb]) -> list[Predicted]:
        self._opener.inferences += 1
        self._opener.during()
        return self._detector.predict(images)


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest.fixture
def ml(settings: Settings, engine: sa.Engine, pictures: Pictures, opener: Opener) -> Iterator[FlaskClient]:
    """A client of an app in which project 3 has a password."""
    give_password(engine)
    predictor = Predictor(settings, engine, opens=opener, locate=pictures.locate)
    yield create_app(settings, predictor).test_client()
    logging.getLogger("labelloom").handlers.clear()


def test_a_task_gets_the_boxes_of_its_projects_model(
    ml: FlaskClient, engine: sa.Engine, settings: Settings, pictures: Pictures
) -> None:
    give_model(engine, settings)
    (found,) = ask(ml, [task(1, pictures.add("/data/upload/3/사진 1.png"))])
    assert found["model_version"] == "fewshot-p3-v1"
    (region,) = found["result"]  # the second box's score is below the threshold
    assert region["value"] == {
        "x": 0, "y": 0, "width": 50, "height": 100, "rotation": 0, "rectanglelabels": ["고양이"],
    }  # fmt: skip
    assert (region["from_name"], region["to_name"], region["type"]) == ("label", "image", "rectanglelabels")
    assert (region["original_width"], region["original_height"], region["score"]) == (96, 48, 0.9)
    assert found["score"] == pytest.approx(1 - 0.5 * 0.8**2)  # the box of 0.4 is the least sure decision


def test_setup_tells_the_version_that_predictions_carry(ml: FlaskClient, engine: sa.Engine, settings: Settings) -> None:
    body = {"project": "3.1795429548", "schema": CONFIG, "hostname": "http://nowhere.invalid", "access_token": "x"}
    said = ml.post("/ml/setup", json=body, headers=basic()).get_json()["model_version"]
    assert said.startswith("untrained: ")
    give_model(engine, settings)
    assert ml.post("/ml/setup", json=body, headers=basic()).get_json() == {"model_version": "fewshot-p3-v1"}


def test_before_the_first_training_nothing_is_stored(ml: FlaskClient, pictures: Pictures) -> None:
    assert ask(ml, [task(1, pictures.add("a")), task(2, pictures.add("b"))]) == [[], []]


def test_each_task_that_cannot_be_predicted_stores_nothing_and_says_why(
    ml: FlaskClient, engine: sa.Engine, settings: Settings, pictures: Pictures, caplog: pytest.LogCaptureFixture
) -> None:
    give_model(engine, settings)
    pictures.known["corrupt"] = b"\x89PNG\r\n\x1a\n and then nothing"
    good = [pictures.add("good 1", 1), pictures.add("good 2", 2)]
    tasks = [task(1, good[0]), task(2, "gone"), task(3, "corrupt"), task(4, good[1]), {"id": 5, "data": {}}]
    with caplog.at_level(logging.WARNING, "labelloom.ml"):
        results = ask(ml, tasks)
    assert [bool(found) for found in results] == [True, False, False, True, False]
    assert [found for found in results if not found] == [[], [], []]
    said = " ".join(caplog.messages)
    assert "task 2 of project 3" in said and "no such file" in said and "task 3" in said and "task 5" in said
    figures = ml.get("/ml/metrics", headers=basic()).text
    assert 'labelloom_ml_tasks_total{outcome="image"} 3.0' in figures
    assert 'labelloom_ml_tasks_total{outcome="answered"} 2.0' in figures


def test_a_password_opens_its_own_project_only_and_an_api_token_any(
    ml: FlaskClient, engine: sa.Engine, settings: Settings
) -> None:
    give_password(engine, 4, "another password")
    body = {"project": "4.1795429548", "schema": CONFIG}
    allowed = {
        "own": basic("another password"),
        "a token": basic(create_token(settings, "a script"), user="anybody"),
    }
    refused = {
        401: [{}, basic("wrong"), basic(""), basic(PASSWORD, user="admin"), {"Authorization": "Basic %%%"},
              {"Authorization": f"Bearer {PASSWORD}"}],
        403: [basic()],
    }  # fmt: skip
    assert all(ml.post("/ml/setup", json=body, headers=h).status_code == 200 for h in allowed.values())
    for status, headers in refused.items():
        for given in headers:
            answer = ml.post("/ml/setup", json=body, headers=given)
            assert answer.status_code == status, given
            assert (status == 401) == answer.headers.get("WWW-Authenticate", "").startswith("Basic ")
    predicting = {"project": "4.1", "tasks": [], "label_config": CONFIG}
    training = {"action": "START_TRAINING", "project": {"id": 4}}
    assert ml.post("/ml/predict", json=predicting, headers=basic()).status_code == 403
    assert ml.post("/ml/webhook", json=training, headers=basic()).status_code == 403
    assert list_jobs(engine, limit=9) == []
    table.forget_backends(engine, [4])
    app = create_app(settings).test_client()  # a password that was taken away; another process has not seen it yet
    assert app.post("/ml/setup", json=body, headers=allowed["own"]).status_code == 401


def test_start_training_starts_one_job_and_events_of_annotations_start_none(ml: FlaskClient, engine: sa.Engine) -> None:
    event = {"action": "ANNOTATION_CREATED", "project": {"id": 3}, "annotation": {"id": 1}}
    assert ml.post("/ml/webhook", json=event).status_code == 401  # as Label Studio's automatic webhook sends them
    assert ml.post("/ml/webhook", json=event, headers=basic()).status_code == 202
    assert list_jobs(engine, limit=9) == []
    body = {"action": "START_TRAINING", "project": {"id": 3, "title": "고양이", "token": "secret"}}
    first = ml.post("/ml/webhook", json=body, headers=basic())
    again = ml.post("/ml/webhook", json=body, headers=basic())
    assert first.status_code == again.status_code == 201
    (job,) = list_jobs(engine, limit=9)
    assert first.get_json() == {"job": job.id, "status": "queued"} and again.get_json()["job"] == job.id
    assert (job.kind, job.params, job.who) == ("fit", {"project": 3}, "Label Studio project 3")


def test_versions_begin_with_the_one_that_predicts(ml: FlaskClient, engine: sa.Engine, settings: Settings) -> None:
    assert ml.get("/ml/versions", headers=basic()).get_json()["versions"][0].startswith("untrained: ")
    for number in (1, 2):
        give_model(engine, settings, version=f"fewshot-p3-v{number}")
    give_model(engine, settings, project=4, version="fewshot-p4-v1")
    table.promote(engine, 3, "fewshot-p3-v1", who="a test", why="rolled back")
    assert ml.get("/ml/versions", headers=basic()).get_json() == {"versions": ["fewshot-p3-v1", "fewshot-p3-v2"]}


@pytest.mark.parametrize(
    "config",
    [
        '<View><Text name="t" value="$text"/></View>',
        '<View><Image name="a" value="$a"/><Image name="b" value="$b"/></View>',
        '<View><Image name="a" valueList="$all"/></View>',
        "<View>",
        "",
    ],
)
def test_a_config_without_one_image_stores_nothing(
    ml: FlaskClient, engine: sa.Engine, settings: Settings, pictures: Pictures, config: str
) -> None:
    give_model(engine, settings)
    assert ask(ml, [task(1, pictures.add("a")), task(2, pictures.add("b"))], config=config) == [[], []]
    assert 'outcome="config"} 2.0' in ml.get("/ml/metrics", headers=basic()).text


def test_labels_that_were_added_removed_or_renamed_after_the_training_cost_only_themselves(
    ml: FlaskClient, engine: sa.Engine, settings: Settings, pictures: Pictures
) -> None:
    give_model(engine, settings, scores=[[0.9, 0.0], [0.0, 0.8]])
    renamed = CONFIG.replace("red blood cell", "RBC").replace("고양이", "새 라벨")
    first = task(1, pictures.add("a"))
    assert ask(ml, [first], config=renamed)[0]["result"] == []
    table.set_detector(engine, 3, "fewshot", {"label_map": {"red blood cell": "RBC"}})
    (region,) = ask(ml, [first], config=renamed)[0]["result"]
    assert region["value"]["rectanglelabels"] == ["RBC"]


def test_another_threshold_and_the_same_picture_again_need_no_inference(
    ml: FlaskClient, engine: sa.Engine, settings: Settings, pictures: Pictures, opener: Opener
) -> None:
    give_model(engine, settings)
    tasks = [task(1, pictures.add("a", 1)), task(2, pictures.add("the same bytes", 1)), task(3, pictures.add("b", 2))]
    assert [len(found["result"]) for found in ask(ml, tasks)] == [1, 1, 1]
    assert opener.inferences == 2
    lower = CONFIG.replace('toName="image"', 'toName="image" model_score_threshold="0.3"')
    assert [len(found["result"]) for found in ask(ml, tasks, config=lower)] == [2, 2, 2]
    assert opener.inferences == 2
    assert "labelloom_ml_cached_total 3.0" in ml.get("/ml/metrics", headers=basic()).text
    give_model(engine, settings, version="fewshot-p3-v2")
    assert {found["model_version"] for found in ask(ml, tasks)} == {"fewshot-p3-v2"}
    assert opener.inferences == 4


def test_a_model_that_raises_costs_its_own_task_only_and_one_that_cannot_be_opened_none_but_its_own(
    ml: FlaskClient, engine: sa.Engine, settings: Settings, pictures: Pictures, opener: Opener
) -> None:
    give_model(engine, settings)
    tasks = [task(n, pictures.add(f"{n}", n)) for n in range(1, 4)]

    def fails_once() -> None:
        if opener.inferences == 2:
            msg = "a model's own trouble"
            raise ZeroDivisionError(msg)

    opener.during = fails_once
    assert [bool(found) for found in ask(ml, tasks)] == [True, False, True]
    assert all(ask(ml, tasks))  # what failed is tried again, the others are remembered
    give_model(engine, settings, version="fewshot-p3-v2")
    (settings.models_dir / "fewshot-p3-v2" / "model.onnx").write_bytes(b"not a model")
    assert ask(ml, tasks) == [[], [], []]
    table.promote(engine, 3, "fewshot-p3-v1", who="a test", why="rolled back")
    assert all(ask(ml, tasks))


def test_a_batch_of_a_whole_project_is_taken_and_nonsense_is_refused(
    ml: FlaskClient, engine: sa.Engine, settings: Settings, pictures: Pictures, opener: Opener
) -> None:
    give_model(engine, settings)
    url = pictures.add("/data/upload/3/a.png")
    drawn = [{"result": [{"id": f"b{n}", "value": {"x": 10.0, "y": 10.0}, "pad": "x" * 900} for n in range(5)]}]
    results = ask(ml, [task(n, url, annotations=drawn) for n in range(770)])  # 3.6 MB, above the limit of other routes
    assert len(results) == 770 and all(found["result"] for found in results) and opener.inferences == 1
    for body in (b"", b"[]", b"{", b"\xff", b'{"tasks": []}', b'{"project": "3.1", "tasks": {}}',
                 b'{"project": "x", "tasks": []}', b'{"project": "3.1", "tasks": [1]}'):  # fmt: skip
        answer = ml.post("/ml/predict", data=body, headers=basic(), content_type="application/json")
        assert answer.status_code == 400, body
    too_much = {"CONTENT_LENGTH": "50000001"}
    assert ml.post("/ml/predict", headers=basic(), environ_overrides=too_much).status_code == 413


def test_eight_requests_at_once_lose_nothing_and_load_the_model_once_while_health_answers(
    settings: Settings, ml: FlaskClient, engine: sa.Engine, pictures: Pictures, opener: Opener
) -> None:
    give_model(engine, settings)
    tasks = [task(n, pictures.add(f"{n}", n)) for n in range(8)]
    held, entered = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert held.wait(30)

    opener.during = hold
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(ask, ml.application.test_client(), [one]) for one in tasks]
        assert entered.wait(30)
        assert not any(answer.done() for answer in waiting)
        health = ml.application.test_client().get("/ml/health")  # answered while every prediction is held
        setup = ml.application.test_client().post("/ml/setup", json={"project": "3.1"}, headers=basic())
        assert (health.status_code, health.get_json()["status"]) == (200, "UP")
        assert setup.get_json() == {"model_version": "fewshot-p3-v1"}
        held.set()
        answers = [answer.result(timeout=60) for answer in waiting]
    assert all(len(found) == 1 and found[0]["result"] for found in answers)
    assert opener.opened == ["fewshot-p3-v1"] and opener.inferences == 8


def test_at_most_two_models_stay_in_memory(
    settings: Settings, ml: FlaskClient, engine: sa.Engine, pictures: Pictures, opener: Opener
) -> None:
    for number in (1, 2, 3):
        give_model(engine, settings, version=f"fewshot-p3-v{number}")
    order = [1, 2, 1, 3, 1, 2]  # 3 takes the place of 2, which was used longest ago; 2 then that of 3
    for turn, number in enumerate(order):
        table.promote(engine, 3, f"fewshot-p3-v{number}", who="a test", why="in turn")
        assert ask(ml, [task(1, pictures.add(f"{turn}", turn))])[0]["model_version"] == f"fewshot-p3-v{number}"
    assert opener.opened == [f"fewshot-p3-v{number}" for number in (1, 2, 3, 2)]


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def advance(self) -> None:
        self.now += 50


def test_a_request_that_would_take_too_long_ends_in_time_with_what_is_done(
    settings: Settings, engine: sa.Engine, pictures: Pictures, opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_model(engine, settings)
    predictor = Predictor(settings, engine, opens=opener, locate=pictures.locate)
    clock = Clock()
    monkeypatch.setattr("backend.flows.predictor.time", clock)
    opener.during = clock.advance  # each inference takes 50 of the 80 seconds that there are
    tasks = [task(n, pictures.add(f"{n}", n)) for n in range(4)]
    answers = predictor.answers(3, tasks, CONFIG)
    assert [answer.kind for answer in answers] == ["answered", "answered", "late", "late"]
    assert answers[3].prediction is None and "job" in answers[3].reason
    assert [answer.kind for answer in predictor.answers(3, tasks, CONFIG)] == ["answered"] * 4
    assert opener.inferences == 4  # what was done in time was kept


def drawn(kind: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
    size = {"original_width": 96, "original_height": 48, "image_rotation": 0}
    return {"id": "drawn", "from_name": "label", "to_name": "image", "type": kind, "value": value, **size, **more}


def test_smart_tools_snap_to_what_the_model_found(
    ml: FlaskClient, engine: sa.Engine, settings: Settings, pictures: Pictures, opener: Opener
) -> None:
    give_model(engine, settings)
    one = [task(1, pictures.add("a"))]

    def use(entry: dict[str, Any], config: str = CONFIG) -> list[dict[str, Any]]:
        (found,) = ask(ml, one, context={"result": [entry]}, config=config)
        assert found["model_version"] == "fewshot-p3-v1"
        result: list[dict[str, Any]] = found["result"]
        return result

    rough = {"x": 10, "y": 0, "width": 50, "height": 90, "rotation": 0, "rectanglelabels": ["red blood cell"]}
    (snapped,) = use(drawn("rectanglelabels", rough))
    assert snapped["value"] == {**rough, "x": 5, "y": 0, "width": 50, "height": 95}  # the mean of both; its own label
    assert snapped["id"] != "drawn" and snapped["score"] == pytest.approx(0.9)
    corner = {**rough, "x": 80, "y": 80, "width": 5, "height": 5}
    (kept,) = use(drawn("rectanglelabels", corner))
    assert kept["value"] == corner  # nothing fits: it stays as it was drawn
    turned = {**rough, "rotation": 20}
    assert use(drawn("rectanglelabels", turned))[0]["value"] == turned
    assert use(drawn("rectanglelabels", {"x": "?"}))[0]["value"] == {"x": "?"}

    point = {"x": 75, "y": 25, "width": 0.3, "keypointlabels": ["고양이"], "labels": ["고양이"]}
    (clicked,) = use(drawn("keypointlabels", point, from_name="kp", is_positive=True))
    assert clicked["type"] == "rectanglelabels" and clicked["from_name"] == "label"
    assert clicked["value"] == {"x": 50, "y": 0, "width": 50, "height": 50, "rotation": 0,
                                "rectanglelabels": ["고양이"]}  # fmt: skip
    assert use(drawn("keypointlabels", point, is_positive=False)) == []
    assert use(drawn("keypointlabels", {**point, "y": 90})) == []
    names = '<Label value="고양이"/>'
    ellipses = CONFIG.replace("</View>", f'<EllipseLabels name="round" toName="image">{names}</EllipseLabels></View>')
    bare = '<View><Image name="image" value="$image"/><Rectangle name="box" toName="image"/>' + (
        '<Labels name="names" toName="image"><Label value="고양이"/></Labels></View>'
    )
    shape = {key: value for key, value in rough.items() if key != "rectanglelabels"}
    found = use(drawn("rectangle", shape, from_name="box"), bare)
    assert [(e["type"], e["from_name"]) for e in found] == [("rectangle", "box"), ("labels", "names")]
    assert found[1]["value"]["labels"] == ["고양이"]
    round_one = {"x": 35, "y": 45, "radiusX": 25, "radiusY": 45, "rotation": 0, "ellipselabels": ["고양이"]}
    (ellipse,) = use(drawn("ellipselabels", round_one, from_name="round"), ellipses)
    assert ellipse["type"] == "ellipselabels" and ellipse["from_name"] == "round"
    assert ellipse["value"] == {**round_one, "x": 30, "y": 47.5, "radiusX": 25, "radiusY": 47.5}
    assert opener.inferences == 1  # the picture was looked at once


def test_before_the_first_training_a_smart_tool_leaves_what_was_drawn(ml: FlaskClient, pictures: Pictures) -> None:
    value = {"x": 10, "y": 0, "width": 50, "height": 90, "rotation": 0, "rectanglelabels": ["고양이"]}
    (found,) = ask(ml, [task(1, pictures.add("a"))], context={"result": [drawn("rectanglelabels", value)]})
    assert found["result"][0]["value"] == value
    gone = ask(ml, [task(1, "gone")], context={"result": [drawn("rectanglelabels", value)]})
    assert gone[0]["result"][0]["value"] == value


class Remote:
    """Somebody else's ML backend, as small as one can be."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.up = True

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0)) or b"{}")
        self.asked.append((environ["PATH_INFO"], body))
        region = {"id": "r", "from_name": "label", "to_name": "image", "type": "rectanglelabels",
                  "value": {"x": 1, "y": 2, "width": 3, "height": 4, "rectanglelabels": ["고양이"]}}  # fmt: skip
        results = [{"result": [region], "score": 0.7} for _ in body.get("tasks") or ()]
        start("200 OK" if self.up else "500 Oh No", [("Content-Type", "application/json")])
        return [json.dumps({"model_version": "yolo 8", "results": results}).encode()]


@pytest.fixture
def remote() -> Iterator[tuple[Remote, str]]:
    app = Remote()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield app, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_somebody_elses_backend_answers_behind_our_password(
    ml: FlaskClient, engine: sa.Engine, remote: tuple[Remote, str]
) -> None:
    app, url = remote
    table.set_detector(engine, 3, "proxy", {"url": url})
    setup = {"project": "3.1795429553", "schema": CONFIG}
    version = ml.post("/ml/setup", json=setup, headers=basic()).get_json()["model_version"]
    assert version.startswith("proxy-p3-yolo-8")
    tasks = [task(1, "s3://no/matter.png"), task(2, "s3://no/matter2.png")]
    results = ask(ml, tasks)
    assert [(found["model_version"], found["score"]) for found in results] == [(version, 0.7)] * 2
    context = {"result": [drawn("rectanglelabels", {"x": 1, "y": 1, "width": 9, "height": 9})]}
    assert ask(ml, tasks[:1], context=context)[0]["result"][0]["id"] == "r"
    assert app.asked[-1][1]["params"]["context"] == context  # what was drawn reaches it as it is
    app.up = False
    assert ml.post("/ml/setup", json=setup, headers=basic()).get_json() == {"model_version": version}
    assert ask(ml, tasks) == [[], []]
    table.set_detector(engine, 4, "proxy", {"url": "http://127.0.0.1:9", "threshold": 0.4})
    give_password(engine, 4, "another password")
    other = {"project": "4.1795429553", "schema": CONFIG}
    away = ml.post("/ml/setup", json=other, headers=basic("another password")).get_json()["model_version"]
    assert away.startswith("away: no ML backend answers at http://127.0.0.1:9")


@pytest.mark.parametrize("detector", ["proxy", "onnx"])
def test_a_detector_that_does_not_learn_starts_no_training_and_says_so(
    ml: FlaskClient, engine: sa.Engine, detector: str, caplog: pytest.LogCaptureFixture
) -> None:
    table.set_detector(engine, 3, detector, {"url": "http://127.0.0.1:9"})
    body = {"action": "START_TRAINING", "project": {"id": 3}}
    answer = ml.post("/ml/webhook", json=body, headers=basic())
    assert answer.status_code == 409 and f"the detector {detector} of project 3 does not learn" in caplog.text
    assert "--detector fewshot" in answer.get_json()["fix"] and list_jobs(engine, limit=9) == []
