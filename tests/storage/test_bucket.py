"""Images in a bucket, through a real Label Studio: written back, imported, shown, and exported again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from emulator import KEY, SECRET
from made import noise_dataset
from PIL import Image
from shell import Shell

from backend.core.model import Sample
from backend.core.progress import Silent
from backend.flows.export import check_storage
from backend.flows.label_studio_source import open_project
from backend.flows.write_back import write_back
from backend.settings import Settings
from connectors.errors import Refused
from connectors.label_studio import LabelStudio
from connectors.label_studio_images import Images
from connectors.label_studio_s3 import Place, check_s3_storage
from connectors.label_studio_upload import ProjectContent

pytestmark = pytest.mark.e2e

Make = Callable[..., int]


def stamps(bucket: str) -> dict[str, Any]:
    """When each object was last written."""
    listed = boto3.client("s3").list_objects_v2(Bucket=bucket.removeprefix("s3://"))
    return {entry["Key"]: entry["LastModified"] for entry in listed.get("Contents", ())}


def test_written_back_images_lie_in_the_bucket_and_are_shown(
    ls: LabelStudio, new_project: Make, tmp_path: Path, bucket: str
) -> None:
    folder = noise_dataset(tmp_path / "d", 5)
    source, storage = new_project(), f"{bucket}/loom/images"
    report = write_back(ls, source, folder, "in a bucket", storage=storage)
    assert (report.tasks, report.created) == (5, 5)
    tasks = list(ls.tasks(report.project_id))
    for task in tasks:
        assert task["data"]["image"].startswith(f"{storage}/")
        data = (folder / "yolo/images/train" / task["data"]["loom_file"]).read_bytes()
        assert Images(ls).fetch(task["data"]["image"], task["id"]) == data  # by Label Studio's signed address
    shown = ls.request("GET", f"api/tasks/{tasks[0]['id']}/").json()["data"]["image"]
    assert f"/tasks/{tasks[0]['id']}/resolve/" in shown
    (told,) = ls.request("GET", "api/storages/s3/", params={"project": report.project_id}).json()
    assert (told["presign"], told["prefix"]) == (True, "loom/images")
    before = stamps(bucket)
    assert len(before) == 6  # five images and the mark
    again = write_back(ls, source, folder, "in a bucket", storage=storage)
    assert (again.project_id, again.created) == (report.project_id, 0)
    other = write_back(ls, new_project(), folder, "the same images", storage=storage)
    assert other.project_id != report.project_id
    assert stamps(bucket) == before  # nothing was sent a second time
    assert len(ls.request("GET", "api/storages/s3/", params={"project": report.project_id}).json()) == 1
    ls.request("POST", f"api/storages/s3/{told['id']}/sync")
    assert len(list(ls.tasks(report.project_id))) == 5  # pressing Sync makes no task of our images


def test_where_browsers_do_not_reach_the_bucket_label_studio_passes_images_on(
    ls: LabelStudio, new_project: Make, tmp_path: Path, bucket: str
) -> None:
    folder = noise_dataset(tmp_path / "d", 1)
    report = write_back(ls, new_project(), folder, "passed on", storage=f"{bucket}/loom=proxy")
    (task,) = ls.tasks(report.project_id)
    shown = ls.request("GET", f"api/tasks/{task['id']}/").json()["data"]["image"]
    answer = ls.request("GET", shown, follow_redirects=False)  # a redirect would be an error
    assert answer.content == (folder / "yolo/images/train" / task["data"]["loom_file"]).read_bytes()
    assert Images(ls).fetch(task["data"]["image"], task["id"]) == answer.content


def test_a_project_in_a_bucket_is_exported_like_any_other(
    ls: LabelStudio, new_project: Make, tmp_path: Path, bucket: str
) -> None:
    folder = noise_dataset(tmp_path / "d", 3)
    report = write_back(ls, new_project(), folder, "to be exported", storage=bucket)
    settings = Settings(
        label_studio_url=ls.url,
        label_studio_api_key=ls.auth._token,
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "cache",
    )
    with open_project(report.project_id, settings, Silent()) as source:
        items = list(source.dataset.samples)
    samples = [item for item in items if isinstance(item, Sample)]
    assert len(samples) == 3, items
    for sample in samples:
        assert Path(sample.path).read_bytes() == (folder / "yolo/images/train" / sample.name).read_bytes()


def test_import_and_export_by_the_command_line_keep_the_keys_to_themselves(
    ls: LabelStudio, new_project: Make, tmp_path: Path, bucket: str
) -> None:
    shell = Shell(ls, tmp_path)
    (tmp_path / "photos").mkdir()
    for shade, name in enumerate(("a b#.png", "사진?.png", "c.png")):
        Image.new("RGB", (64, 48), (shade * 40, 9, 9)).save(tmp_path / "photos" / name)
    run = ("import", tmp_path / "photos", "--new", "By bucket")
    answer = shell(*run, LABELLOOM_STORAGE=bucket)
    assert answer["counts"]["created"] == 3
    tasks = list(ls.tasks(answer["project"]))
    sent = {Images(ls).fetch(task["data"]["image"], task["id"]) for task in tasks}
    assert sent == {path.read_bytes() for path in (tmp_path / "photos").iterdir()}
    assert shell(*run, LABELLOOM_STORAGE=bucket)["counts"] == {"created": 0, "present": 3, "skipped": 0}
    wrong = shell(*run[:2], "--new", "Nowhere", code=1, LABELLOOM_STORAGE="s3://not-there-at-all")
    assert "not-there-at-all" in wrong["error"] and wrong["fix"]
    seen = json.dumps(wrong) + "".join(path.read_text() for path in (tmp_path / "data" / "logs").iterdir())
    assert SECRET not in seen and KEY not in seen
    doctor = {check["name"]: check for check in shell("doctor", LABELLOOM_STORAGE=bucket)["checks"]}
    assert doctor["storage"]["ok"] and doctor["storage"]["detail"] == bucket


def test_when_label_studio_cannot_open_the_bucket_the_error_says_what_to_set(
    ls: LabelStudio, new_project: Make, bucket: str
) -> None:
    content = ProjectContent(ls, new_project())
    with pytest.raises(Refused) as caught:  # an endpoint that only we can reach
        check_storage(content, f"{bucket}=http://127.0.0.1:9")
    assert SECRET not in f"{caught.value} {caught.value.fix}"
    assert "http://127.0.0.1:9" in str(caught.value.fix)
    listed = ls.request("GET", "api/storages/s3/", params={"project": content.project}).json()
    assert listed == []
    nothing_to_hand_on = Place(bucket.removeprefix("s3://"), "", None, "us-east-1")
    with pytest.raises(Refused) as caught:
        check_s3_storage(content, nothing_to_hand_on)
    assert "AWS_ACCESS_KEY_ID" in str(caught.value.fix) and "keys of its own" in str(caught.value.fix)
