"""Reading from a real Label Studio: tokens, tasks in pages, images from every place it serves."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.errors import FetchError, NotLabelStudio, Refused, Unauthorized, Unreachable
from connectors.label_studio import LabelStudio
from connectors.label_studio_images import Images
from connectors.label_studio_server import LabelStudioServer

pytestmark = pytest.mark.e2e

Make = Callable[..., int]


def test_both_kinds_of_token_open_the_door(ls: LabelStudio, ls_server: LabelStudioServer) -> None:
    assert ls.check().version == "1.23.2"
    personal = LabelStudio(ls.url, ls_server.personal_token())
    assert personal.auth.personal
    assert personal.check() == ls.check()
    assert personal.users() == ls.users()  # through the SDK as well


def test_a_wrong_token_is_named(ls: LabelStudio) -> None:
    with pytest.raises(Unauthorized, match="does not accept the token") as caught:
        LabelStudio(ls.url, "0" * 40).check()
    assert caught.value.fix is not None
    assert "LABEL_STUDIO_API_KEY" in caught.value.fix


def test_legacy_tokens_switched_off_is_named(ls: LabelStudio, ls_server: LabelStudioServer) -> None:
    personal = LabelStudio(ls.url, ls_server.personal_token())
    settings = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": False}
    personal.request("POST", "api/jwt/settings", json=settings)
    try:
        with pytest.raises(Unauthorized, match="legacy tokens switched off"):
            ls.check()
        assert personal.check().email
    finally:
        personal.request("POST", "api/jwt/settings", json={**settings, "legacy_api_tokens_enabled": True})


def test_a_missing_project_is_refused(ls: LabelStudio) -> None:
    with pytest.raises(Refused, match="HTTP 404"):
        ls.project(987654)


def test_tasks_stream_in_pages(ls: LabelStudio, new_project: Make) -> None:
    tasks = [{"data": {"image": f"https://example.org/{i}.jpg", "n": i}} for i in range(230)]
    project = new_project(tasks=tasks)
    ids = ls.task_ids(project)
    assert len(ids) == 230
    got = list(ls.tasks(project))
    assert [task["data"]["n"] for task in got] == list(range(230))
    assert got[0]["annotations"] == []
    assert [task["id"] for task in ls.tasks(project, ids=[ids[5], ids[1]])] == [ids[1], ids[5]]
    only_many = {
        "conjunction": "and",
        "items": [{"filter": "filter:tasks:data.n", "operator": "greater", "type": "Number", "value": 219}],
    }
    view = ls.create_view(project, {"title": "Many", "filters": only_many})
    assert [task["data"]["n"] for task in ls.tasks(project, view=view)] == list(range(220, 230))
    assert {"id": view, "title": "Many"} in ls.views(project)


def test_images_come_from_uploads_local_files_and_inline(
    ls: LabelStudio, ls_server: LabelStudioServer, new_project: Make, data_dir: Path
) -> None:
    photo = next((data_dir / "raccoon" / "JPEGImages").iterdir())
    data = photo.read_bytes()
    project = new_project()
    uploaded = ls.request("POST", f"api/projects/{project}/import", files={"a": ("사진 1.jpg", data)}).json()
    assert uploaded["task_count"] == 1
    folder = ls_server.document_root / "shared"
    folder.mkdir(exist_ok=True)
    (folder / "a b#.jpg").write_bytes(data)
    storage = {"project": project, "path": str(folder), "use_blob_urls": True}
    ls.request("POST", "api/storages/localfiles/", json=storage)
    inline = "data:image/jpeg;base64," + base64.b64encode(data).decode()
    local = "/data/local-files/?d=shared/a%20b%23.jpg"
    ls.request("POST", f"api/projects/{project}/import", json=[{"image": local}, {"image": inline}])
    images = Images(ls)
    got = [images.fetch(task["data"]["image"], task["id"]) for task in ls.tasks(project)]
    assert [hashlib.sha256(one).digest() for one in got] == [hashlib.sha256(data).digest()] * 3
    with pytest.raises(FetchError, match="no longer has this file"):
        images.fetch("/data/upload/1/none.jpg", 1)
    with pytest.raises(FetchError, match="names no image"):
        images.fetch("", 1)
    with pytest.raises(FetchError, match="limit"):
        Images(ls, limit=1000).fetch(local, 1)


def test_a_cloud_address_without_its_storage_is_one_failed_image(ls: LabelStudio, new_project: Make) -> None:
    project = new_project(tasks=[{"image": "s3://bucket/key.jpg"}])
    (task,) = ls.tasks(project)
    assert task["data"]["image"] == "s3://bucket/key.jpg"
    with pytest.raises(FetchError, match="s3://bucket"):
        Images(ls).fetch(task["data"]["image"], task["id"])


def test_a_wrong_address_is_named(ls: LabelStudio) -> None:
    with pytest.raises(NotLabelStudio):
        LabelStudio(f"{ls.url}/static", "x" * 40).check()
    with pytest.raises(Unreachable, match="cannot be reached"):
        LabelStudio("http://localhost:9", "x" * 40).check()
    with pytest.raises(Unreachable, match="is not an address"):
        LabelStudio("localhost", "x" * 40)
