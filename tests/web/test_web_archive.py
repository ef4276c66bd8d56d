"""Uploads of strangers' zip files, and downloads that are written while they are sent."""

import io
import stat
import struct
import threading
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from web_parts import picture, yolo_files, zipped

from backend.core.errors import UsageError
from backend.web import archive
from backend.web.archive import stream_zip, unpack
from backend.web.guard import UPLOAD_LIMIT


def _send(client, data: bytes, name: str = "street", **more):
    return client.post(f"/api/v1/datasets?name={name}", data=data, **{"content_type": "application/zip"} | more)


def _odd(name: str, mode: int = 0, data: bytes = b"x") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        info.external_attr = mode << 16
        made.writestr(info, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/x", "a\\..\\x", "C:/x", "a//b", "./x", "a/..", "con", "aux.txt", "x ", "x.", "a\x01b",
     "n" * 300, "/".join("a" * 20), "a:b", "~/../x"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(client, settings, name, tmp_path):
    answer = _send(client, _odd(name))
    assert answer.status_code == 422, answer.text
    assert not list(settings.datasets_dir.iterdir()) and not (tmp_path / "x").exists()


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_refused(client, mode):
    answer = _send(client, _odd("images/a.jpg", mode, b"/etc/passwd"))
    assert answer.status_code == 422 and "is a link, a device" in answer.json["detail"]


def test_a_bomb_is_refused_before_it_is_unpacked(client, settings):
    bomb = zipped({f"{n}.txt": bytes(40_000_000) for n in range(3)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 200_000
    answer = _send(client, bomb)
    assert answer.status_code == 422 and "would unpack from" in answer.json["detail"]
    assert not list(settings.datasets_dir.iterdir())


def test_a_bomb_that_lies_about_its_size_is_stopped(tmp_path):
    data = bytearray(zipped({"a.txt": bytes(1_000_000)}, zipfile.ZIP_DEFLATED))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = struct.pack("<I", 10)
    with pytest.raises(UsageError):
        unpack(io.BytesIO(bytes(data)), tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10


def test_too_many_files_are_refused(client, monkeypatch):
    monkeypatch.setattr(archive, "MOST_FILES", 5)
    answer = _send(client, zipped(yolo_files()))
    assert answer.status_code == 422 and "7 entries" in answer.json["detail"]


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"no zip at all" * 100, zipped({}), zipped(yolo_files())[:-30], zipped({"a.txt": b"1", "A.TXT": b"2"}),
     zipped({"readme.txt": b"hello"}), zipped({"a": b"x", "a/b": b"y"}), zipped({"data.yaml": b"names: [a]\n"})],
)  # fmt: skip
def test_what_is_no_dataset_is_refused_and_leaves_nothing(client, settings, data):
    answer = _send(client, data)
    assert answer.status_code in {411, 422} and answer.mimetype == "application/problem+json", answer.text
    assert not settings.datasets_dir.exists() or not list(settings.datasets_dir.iterdir())
    assert str(settings.data_dir) not in answer.text


def test_broken_bytes_inside_are_noticed(client):
    data = bytearray(zipped(yolo_files()))
    at = data.index(b"0 0.5 0.5")
    data[at] ^= 0xFF
    assert "CRC" in _send(client, bytes(data)).json["detail"]


@pytest.mark.parametrize("name", ["..", "a/b", ".x", "-rf", "-", "a\\b", "x" * 101, "", "a:b", "con"])
def test_a_datasets_name_is_never_a_path(client, settings, name):
    answer = client.post("/api/v1/datasets", query_string={"name": name}, data=b"x", content_type="application/zip")
    assert answer.status_code == 422
    assert not settings.datasets_dir.exists()


def test_other_bodies_and_sizes_are_refused(client):
    assert _send(client, b"x", content_type="application/json").status_code == 415
    longer = {"CONTENT_LENGTH": str(UPLOAD_LIMIT + 1)}
    answer = _send(client, b"x", "big", environ_overrides=longer)
    assert answer.status_code == 413
    assert client.post("/api/v1/datasets?name=big", content_type="application/zip").status_code == 411


def test_one_folder_around_everything_is_taken_off(client, settings):
    files = {f"my set/{name}": data for name, data in yolo_files().items()}
    assert _send(client, zipped(files)).json["images"] == 3
    assert (settings.datasets_dir / "street" / "data.yaml").is_file()


def test_two_uploads_of_one_name_at_once_leave_one(app, token, settings):
    answers = []

    def send() -> None:
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        answers.append(_send(client, zipped(yolo_files(20))).status_code)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 409, 409]
    assert len(list((settings.datasets_dir / "street" / "images" / "train").iterdir())) == 20
    assert [path.name for path in settings.datasets_dir.iterdir()] == ["street"]


def test_a_repeated_upload_with_its_key_is_one(client):
    headers = {"Idempotency-Key": "up"}
    first, second = (_send(client, zipped(yolo_files()), headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201) and first.json == second.json


def test_a_download_holds_little_in_memory_and_follows_no_links(tmp_path: Path):
    folder = tmp_path / "big"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.bin").write_bytes(bytes([number]) * 2_000_000)
    (folder / "나.jpg").write_bytes(picture(1))
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "empty.txt").write_bytes(b"")
    tracemalloc.start()
    with (tmp_path / "out.zip").open("wb") as file:
        for part in stream_zip(folder):
            file.write(part)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
    with zipfile.ZipFile(tmp_path / "out.zip") as made:
        assert made.testzip() is None
        assert len(made.namelist()) == 42 and "big/link" not in made.namelist()
        assert made.read("big/나.jpg") == picture(1)
