"""`/ml`: who may ask, what is answered, and that one task's trouble is no other's."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from ml_parts import CONFIG, PASSWORD, Pictures, ask, basic, give_model, give_password, task

from backend.detect.base import Detector, Predicted, Rgb, Runtime
from backend.flows.loaded_models import open_folder
from backend.flows.predictor import Predictor
from backend.settings import Settings
from backend.store import models as table
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
