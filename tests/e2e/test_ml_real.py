"""A real Label Studio and our `/ml` beside it: connect, open a task, see the box, train, see the new box."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from PIL import Image
from pydantic import SecretStr
from tiny_model import write_tiny
from werkzeug.serving import make_server

from backend.commands.connect import _project
from backend.core.errors import LabelLoomError, UsageError
from backend.core.progress import Silent
from backend.flows.access import create_token
from backend.flows.ml_connect import connect_ml, disconnect_ml
from backend.flows.prelabel import prelabel
from backend.flows.rules import HEADER
from backend.settings import Settings
from backend.store import jobs
from backend.store import models as table
from backend.store.models import ModelRow
from backend.store.tables import open_database
from backend.web.app import create_app
from connectors.label_studio import LabelStudio
from connectors.label_studio_ml import list_backends, put_backend
from connectors.label_studio_server import Account
from connectors.label_studio_webhooks import list_webhooks

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

CONFIG = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image" smart="true">'
    '<Label value="고양이"/><Label value="red blood cell"/></RectangleLabels></View>'
)
SIZE = (400, 200)  # a 64 x 64 letterbox shows it at 6.25 pixels a pixel, 16 rows down


@dataclass
class Loom:
    """Our service beside the session's Label Studio."""

    settings: Settings
    engine: sa.Engine

    def give_model(self, project: int, number: int, box: tuple[float, float, float, float]) -> str:
        """Let a model predict one box, in pixels of the picture."""
        version = f"fewshot-p{project}-v{number}"
        folder = self.settings.models_dir / version
        x0, y0, x1, y1 = box
        inside = [x0 / 6.25, y0 / 6.25 + 16, x1 / 6.25, y1 / 6.25 + 16]
        write_tiny(folder, ["고양이", "red blood cell"], [inside], [[0.9, 0.0]], version=version)
        table.add_model(self.engine, ModelRow(version, project, "fewshot", folder, datetime.now(UTC)))
        table.promote(self.engine, project, version, who="a test", why="a test")
        return version


@pytest.fixture(scope="module")
def loom(ls_account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loom]:
    home = tmp_path_factory.mktemp("ml")
    settings = Settings(
        data_dir=home / "data",
        cache_dir=home / "cache",
        label_studio_url=ls_account.url,
        label_studio_api_key=SecretStr(ls_account.token),
    )
    server = make_server("127.0.0.1", 0, create_app(settings), threaded=True)
    settings.base_url = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Loom(settings, open_database(settings.database))
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def project(ls: LabelStudio, new_project: Callable[..., int], tmp_path: Path) -> int:
    """A project of two plain pictures."""
    made = new_project("예측 받는 프로젝트", CONFIG)
    for number in range(2):
        path = tmp_path / f"사진 {number}.png"
        Image.new("RGB", SIZE, (200 - 60 * number, 200, 200)).save(path)
        ls.request("POST", f"api/projects/{made}/import", files={"f": (path.name, path.read_bytes())})
    return made


def predictions(ls: LabelStudio, task: int) -> list[dict[str, Any]]:
    return ls.request("GET", f"api/tasks/{task}/").json()["predictions"]


def box_of(prediction: dict[str, Any]) -> tuple[float, ...]:
    (region,) = prediction["result"]
    value = region["value"]
    return tuple(value[name] * SIZE[i % 2] / 100 for i, name in enumerate(("x", "y", "width", "height")))


def retrieve(ls: LabelStudio, project: int) -> None:
    body = {"selectedItems": {"all": True, "excluded": []}, "project": str(project)}
    ls.request("POST", f"api/dm/actions?id=retrieve_tasks_predictions&project={project}", json=body)


def test_connecting_predicting_training_and_a_new_version(ls: LabelStudio, loom: Loom, project: int) -> None:
    made = connect_ml(loom.settings, project)
    assert made.changed and made.new and made.version.startswith("untrained: ")
    (backend,) = list_backends(ls, project)
    assert (backend.title, backend.url, backend.state) == ("LabelLoom", f"{loom.settings.base_url}/ml", "CO")
    assert backend.interactive and backend.user == "labelloom"
    (hook,) = list_webhooks(ls, project)  # the one that Label Studio made of itself is gone
    assert hook.url == f"{loom.settings.base_url}/hooks/label-studio" and hook.headers.get(HEADER)
    again = connect_ml(loom.settings, project)
    assert not again.changed and not again.new
    assert [one.id for one in list_backends(ls, project)] == [backend.id]

    first, second = ls.task_ids(project)
    assert predictions(ls, first) == []  # untrained: opening a task stores nothing, not even an empty prediction
    version = loom.give_model(project, 1, (50, 25, 150, 125))
    (found,) = predictions(ls, first)
    assert found["model_version"] == version and found["score"] == pytest.approx(0.9, abs=1e-3)
    assert box_of(found) == pytest.approx((50, 25, 100, 100), abs=0.1)

    drawn = {"x": 15, "y": 15, "width": 25, "height": 50, "rotation": 0, "rectanglelabels": ["red blood cell"]}
    entry = {"id": "rough", "from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": drawn,
             "original_width": 400, "original_height": 200, "image_rotation": 0}  # fmt: skip
    answer = ls.request(
        "POST", f"api/ml/{backend.id}/interactive-annotating", json={"task": first, "context": {"result": [entry]}}
    ).json()
    (snapped,) = answer["data"]["result"]
    assert snapped["value"]["rectanglelabels"] == ["red blood cell"]  # the label that was drawn
    assert box_of(answer["data"]) == pytest.approx((55, 27.5, 100, 100), abs=0.1)

    ls.request("POST", f"api/ml/{backend.id}/train", json={})
    (job,) = jobs.list_jobs(loom.engine, limit=10)
    assert (job.kind, job.params, job.state) == ("fit", {"project": project}, "queued")
    assert job.who == f"Label Studio project {project}"

    newer = loom.give_model(project, 2, (200, 50, 300, 150))
    retrieve(ls, project)
    found = {one["model_version"]: box_of(one) for one in predictions(ls, second)}
    assert found == {newer: pytest.approx((200, 50, 100, 100), abs=0.1)}
    assert ls.request("GET", f"api/ml/{backend.id}/versions").json()["versions"] == [newer, version]

    assert disconnect_ml(loom.settings, project) and not disconnect_ml(loom.settings, project)
    assert list_backends(ls, project) == [] and list_webhooks(ls, project) == []


def test_connect_says_what_predicts_once_another_detector_was_chosen(ls: LabelStudio, loom: Loom, project: int) -> None:
    connect_ml(loom.settings, project)
    version = loom.give_model(project, 1, (50, 25, 150, 125))
    made = connect_ml(loom.settings, project, "onnx")
    assert made.changed and not made.new and made.version == version
    add = f"`labelloom models add onnx --project {project} --option path=...`"
    assert made.predicts == f"{version}, until the detector onnx has a model: {add}"

    made = connect_ml(loom.settings, project, "proxy", {"url": "http://127.0.0.1:9"})
    assert made.version.startswith("away: ") and made.predicts.startswith(
        "nothing: the ML backend at http://127.0.0.1:9"
    )
    assert any("no ML backend answers at http://127.0.0.1:9" in note for note in made.notes)
    with pytest.raises(UsageError, match=r"nothing predicts in project \d+ now .away: no ML backend") as stopped:
        prelabel(project, None, (loom.settings, Silent()))
    assert str(stopped.value.fix).startswith("start that ML backend, or choose another")

    (backend,) = list_backends(ls, project)
    ls.request("POST", f"api/ml/{backend.id}/train", json={})
    assert all(job.params != {"project": project} for job in jobs.list_jobs(loom.engine, limit=10))

    said = [_project(loom.settings, project, (name, [])).text[1:] for name in ("fewshot", None)]
    url, now = f"its ML backend {loom.settings.base_url}/ml", f"what predicts there now: {version}"
    dones = ("was brought up to date", "is unchanged")
    assert said == [[f"{url} {done}: the detector fewshot", now] for done in dones]


def test_a_task_whose_image_is_gone_stores_nothing_and_the_others_get_theirs(
    ls: LabelStudio, loom: Loom, project: int
) -> None:
    connect_ml(loom.settings, project)
    version = loom.give_model(project, 1, (50, 25, 150, 125))
    ls.request("POST", f"api/projects/{project}/import", json=[{"data": {"image": f"{ls.url}/nowhere/gone.png"}}])
    retrieve(ls, project)
    stored = [[one["model_version"] for one in predictions(ls, task)] for task in ls.task_ids(project)]
    assert stored == [[version], [version], []]


def test_another_backend_that_would_predict_instead_is_told(
    ls: LabelStudio, loom: Loom, project: int, new_project: Callable[..., int]
) -> None:
    url = str(loom.settings.base_url).replace("localhost", "127.0.0.1") + "/ml"
    refused = ls.http.post(f"{ls.url}/api/ml/", json={"url": url, "project": project, "title": "YOLO"})
    assert refused.status_code == 400 and "401" in refused.text  # without a password nobody gets in
    login = ("anybody", create_token(loom.settings, "YOLO"))  # our own address under another name
    put_backend(ls, project, url, login, title="YOLO", old=None)
    with pytest.raises(LabelLoomError, match=r"has the ML backend 'YOLO' .* asks only the first"):
        connect_ml(loom.settings, project)
    away = loom.settings.model_copy(update={"base_url": "http://localhost:9"})
    with pytest.raises(LabelLoomError, match="does not take http://localhost:9/ml as an ML backend"):
        connect_ml(away, new_project("another's"))
    assert all(row.project != project for row in table.all_backends(loom.engine))


def shown_at(page: "Page", shot: Callable[["Page", str], Path], name: str) -> Callable[[float, float], tuple[int, ...]]:
    """Open what the editor shows as a picture; return the colour at a point of the task's image."""
    page.wait_for_selector(".konvajs-content canvas", timeout=60_000)
    page.wait_for_selector("text=0.90")  # the predicted region, in the list of regions
    page.wait_for_timeout(1000)
    area = page.locator(".konvajs-content").bounding_box()
    assert area is not None
    scale = area["width"] / SIZE[0]
    picture = Image.open(shot(page, name)).convert("RGB")
    return lambda x, y: picture.getpixel((round(area["x"] + x * scale), round(area["y"] + y * scale)))  # type: ignore[return-value]


@pytest.mark.browser
def test_in_the_editor_one_sees_the_box_starts_a_training_and_sees_the_next_versions_box(
    page: "Page", ls: LabelStudio, loom: Loom, project: int, shot: Callable[["Page", str], Path]
) -> None:
    connect_ml(loom.settings, project)
    first, second = ls.task_ids(project)
    version = loom.give_model(project, 1, (50, 25, 150, 125))
    page.goto(f"{ls.url}/projects/{project}/data?task={first}")
    at = shown_at(page, shot, "ml-box")
    page.wait_for_selector(f"text={version}")
    assert at(60, 60) == at(140, 120) != at(160, 60) == at(60, 140)

    page.goto(f"{ls.url}/projects/{project}/settings/ml")
    page.click('button[aria-label="Machine learning model options"]')
    page.click('text="Start Training"')  # exactly: other sentences of the page hold these words
    with page.expect_response(lambda r: "/train" in r.url) as trained:
        page.click('button:has-text("Start Training")')
    assert trained.value.ok
    assert [job.params for job in jobs.list_jobs(loom.engine, limit=1)] == [{"project": project}]

    newer = loom.give_model(project, 2, (200, 50, 300, 150))
    page.goto(f"{ls.url}/projects/{project}/data?task={second}")
    at = shown_at(page, shot, "ml-new")
    page.wait_for_selector(f"text={newer}")
    assert at(210, 60) == at(290, 140) != at(60, 60)
