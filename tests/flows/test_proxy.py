"""Predictions of somebody else's ML backend, a real label-studio-ml 1.0.9, behind our cache and batches."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from old_backend import running

from backend.core.errors import Cancelled, LabelLoomError, UsageError
from backend.core.progress import Silent
from backend.flows.proxy import BATCH, open_backend, predict_tasks, version_of
from backend.store.tables import open_database
from connectors.label_studio_server import free_port
from connectors.ml_backend import MLBackend

CONFIG = (
    '<View><Image name="그림" value="$image"/><RectangleLabels name="상자" toName="그림">'
    '<Label value="너구리"/><Label value="cat"/></RectangleLabels></View>'
)
PROJECT = ("3.1700000000", CONFIG)


@pytest.fixture(scope="module")
def old_backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real label-studio-ml 1.0.9 server with a model class of our own."""
    with running(tmp_path_factory.mktemp("old backend")) as url:
        yield url


def tasks(*names: str) -> list[dict[str, Any]]:
    return [{"id": number, "data": {"image": name}, "annotations": []} for number, name in enumerate(names)]


class Counting(MLBackend):
    """The real client, which remembers how many tasks each request held."""

    asked: list[int]

    def predict(self, project: str, label_config: str, tasks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        self.asked.append(len(tasks))
        return super().predict(project, label_config, tasks)


def counting(url: str) -> Counting:
    backend = Counting(url)
    backend.asked = []
    return backend


def test_a_real_1_0_9_backend_predicts_in_batches_and_is_not_asked_twice(old_backend: str, tmp_path: Path) -> None:
    engine, backend = open_database(f"sqlite:///{tmp_path / 'loom.db'}"), counting(old_backend)
    wanted = tasks(*(f"너구리 {n}.jpg" for n in range(BATCH + 3)))
    answers = predict_tasks(backend, engine, PROJECT, wanted, Silent())
    assert backend.asked == [BATCH, 3]
    prediction = answers[0].prediction
    assert prediction is not None
    (region,) = prediction["result"]
    assert (region["from_name"], region["to_name"]) == ("상자", "그림")
    assert region["value"] == {"x": 10, "y": 20, "width": 30, "height": 40, "rectanglelabels": ["너구리"]}
    assert prediction["score"] == pytest.approx(0.25 + BATCH / 100)
    assert prediction["model_version"] == "proxy-p3-INITIAL"
    again = predict_tasks(backend, engine, PROJECT, [*wanted, *tasks("new.jpg")], Silent())
    assert backend.asked == [BATCH, 3, 1]
    assert [a.prediction for a in again[:-1]] == [a.prediction for a in answers]
    assert [a.cached for a in again] == [True] * (BATCH + 3) + [False]
    other = (PROJECT[0], CONFIG.replace("cat", "dog"))
    predict_tasks(backend, engine, other, wanted[:1], Silent())
    assert backend.asked[-1] == 1


def test_a_task_that_the_model_fails_on_costs_no_other_its_prediction(old_backend: str, tmp_path: Path) -> None:
    engine, backend = open_database(f"sqlite:///{tmp_path / 'loom.db'}"), counting(old_backend)
    first, broken, last = predict_tasks(backend, engine, PROJECT, tasks("a.jpg", "broken.jpg", "c.jpg"), Silent())
    assert backend.asked == [3, 1, 1, 1]
    assert first.prediction and last.prediction
    assert broken.prediction is None
    assert "이 그림은 안 됩니다" in broken.reason


def test_a_cancel_keeps_what_was_predicted(old_backend: str, tmp_path: Path) -> None:
    engine, backend = open_database(f"sqlite:///{tmp_path / 'loom.db'}"), counting(old_backend)
    wanted = tasks(*(f"{n}.jpg" for n in range(2 * BATCH)))

    class Stop:
        def update(self, _phase: str, done: int, total: int | None = None) -> None:
            assert total == 2 * BATCH
            if done == BATCH:
                raise Cancelled("stop")

    with pytest.raises(Cancelled):
        predict_tasks(backend, engine, PROJECT, wanted, Stop())
    predict_tasks(backend, engine, PROJECT, wanted, Silent())
    assert backend.asked == [BATCH, BATCH]


def test_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'loom.db'}")
    with open_unreachable() as backend, pytest.raises(LabelLoomError, match="no ML backend answers"):
        predict_tasks(backend, engine, PROJECT, tasks("a.jpg"), Silent())


def open_unreachable() -> Any:
    from contextlib import closing

    return closing(open_backend({"url": f"http://127.0.0.1:{free_port(9750)}", "user": "곰", "password": "x"}))


def test_versions_tell_projects_and_odd_names_apart() -> None:
    assert version_of("3.17", "1700000123") == "proxy-p3-1700000123"
    assert version_of("3.17", None) == "proxy-p3-unnamed"
    odd = {version_of("3.17", name) for name in ("my model", "my/model", "my-model", "곰" * 300, "고" * 300)}
    assert len(odd) == 5
    assert all(len(version) <= 100 and version.isascii() for version in odd)


@pytest.mark.parametrize("options", [{}, {"url": "http://x", "pasword": "y"}, {"url": "http://x", "timeout": 0}])
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="of the detector proxy"):
        open_backend(options)
