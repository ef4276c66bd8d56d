"""Tagged tasks of a real project get a score that says how typical they are of their tag."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from fit_kit import picture, similar

from backend.core.progress import Silent
from backend.flows.outliers import outliers
from backend.settings import Settings
from connectors.label_studio import LabelStudio

CONFIG = (
    '<View><Image name="image" value="$image"/><Choices name="때" toName="image">'
    '<Choice value="낮"/><Choice value="밤"/></Choices></View>'
)


@pytest.mark.e2e
def test_scores_are_written_to_annotated_tasks_and_replaced(
    ls: LabelStudio, ls_account, new_project: Callable[..., int], tmp_path: Path
) -> None:
    settings = Settings(
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "cache",
        label_studio_url=ls_account.url,
        label_studio_api_key=ls_account.token,
    )
    project = new_project("낮과 밤", CONFIG)
    images = [picture(number)[0] for number in range(11)]
    for number, image in enumerate(images):
        ls.request("POST", f"api/projects/{project}/import", files={"f": (f"{number:02d}.jpg", image)})
    ids = ls.task_ids(project)
    for number, task in enumerate(ls.tasks(project, ids=ids)):
        tag = {
            "from_name": "때",
            "to_name": "image",
            "type": "choices",
            "value": {"choices": ["밤" if number > 5 else "낮"]},
        }
        ls.request("POST", f"api/tasks/{task['id']}/annotations/", json={"result": [tag]})
    shas = [hashlib.sha256(image).hexdigest() for image in images]
    version = similar(settings, project, shas)
    for _ in range(2):
        found = outliers(version, (settings, Silent()), write=True)
        assert found.written == 11 and found.images[0].task == ids[5] and "05.jpg" in found.images[0].item
    told = {task["id"]: task["predictions"] for task in ls.tasks(project, ids=ids)}
    assert all(len(rows) == 1 and rows[0]["model_version"] == f"outliers-p{project}" for rows in told.values())
    assert min(told, key=lambda task: told[task][0]["score"]) == ids[5]
