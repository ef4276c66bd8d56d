"""Styles over HTTP: sent, listed, previewed, removed; and nothing else of the machine is ever read."""

import numpy as np
import pytest

from backend.imaging.decode import decode
from backend.imaging.encode import encode
from backend.style.base import Rgb
from backend.web import guard

ANY = {"Content-Type": "application/octet-stream"}


def picture(seed: int, height: int = 40, width: int = 60) -> bytes:
    rgb: Rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return encode(rgb, "png")


def send(client, name: str, data: bytes, **headers: str):
    return client.post("/api/v1/styles", query_string={"name": name}, data=data, headers=ANY | headers)


def test_a_style_is_sent_listed_fetched_and_removed(client):
    answer = send(client, "수련", picture(1))
    assert answer.status_code == 201 and answer.json["name"] == "수련" and not answer.json["made"]
    assert client.get(answer.headers["Location"]).data == picture(1)
    found = client.get("/api/v1/styles?limit=200").json
    assert found["total"] == 13 and found["styles"][0]["name"] == "수련"
    assert {one["name"] for one in found["engines"]} == {"compact", "vgg", "magenta"}
    made = client.get("/api/v1/styles/made/ink/image")
    assert made.mimetype == "image/png" and decode(made.data).rgb.shape == (512, 512, 3)
    assert send(client, "수련", picture(2)).status_code == 422
    assert client.delete("/api/v1/styles/수련").status_code == 204
    assert client.delete("/api/v1/styles/수련").status_code == 404
    assert client.delete("/api/v1/styles/made/ink").status_code == 422


def test_what_is_no_picture_is_refused(client, data_dir, monkeypatch):
    for path in sorted((data_dir / "edge").glob("bad_*")):
        answer = send(client, "x", path.read_bytes())
        assert answer.status_code in {411, 422}, path.name
        assert answer.mimetype == "application/problem+json"
    assert (
        client.post("/api/v1/styles?name=x", data=picture(1), headers={"Content-Type": "text/html"}).status_code == 415
    )
    monkeypatch.setitem(guard.UPLOADS, "/api/v1/styles", 1000)
    assert send(client, "x", picture(1)).status_code == 413


@pytest.mark.parametrize("name", ["../x", "a/b", ".x", "made", "made/ink", "sha256:x", "", "x" * 101, "가" * 100])
def test_names_that_are_none_are_refused(client, name, settings):
    assert send(client, name, picture(1)).status_code == 422
    assert not settings.styles_dir.exists()


@pytest.mark.parametrize(
    "name", ["../labelloom.db", "%2e%2e/labelloom.db", "..%2flabelloom.db", "/etc/passwd", "made/..", "x"]
)
def test_paths_lead_nowhere(client, name):
    send(client, "mine", picture(1))  # the data folder is there
    for call in (client.get(f"/api/v1/styles/{name}/image"), client.delete(f"/api/v1/styles/{name}")):
        assert call.status_code == 404


def test_a_preview_of_a_sent_picture_and_of_a_datasets(client, settings):
    sent = client.post("/api/v1/styles/contents", data=picture(5), headers=ANY)
    assert sent.status_code == 201 and (sent.json["width"], sent.json["height"]) == (60, 40)
    wish = {"content": sent.json["content"], "style": "made/impasto"}
    weak, strong = (client.post("/api/v1/styles/preview", json=wish | {"alpha": alpha}) for alpha in (0.1, 1))
    assert weak.mimetype == "image/jpeg" and decode(weak.data).rgb.shape == (40, 60, 3)
    assert weak.data != strong.data
    again = client.post("/api/v1/styles/preview", json=wish | {"alpha": 0.1})
    assert again.data == weak.data
    folder = settings.datasets_dir / "plain"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(picture(6, 600, 1200))
    for more in ({}, {"image": "a.png", "keep_color": True}):
        made = client.post("/api/v1/styles/preview", json={"dataset": "plain", "style": "made/ink"} | more)
        assert decode(made.data).rgb.shape == (256, 512, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 1.5},
        {"style": "monet"},
        {"style": "/etc/hostname"},
        {"engine": "other"},
        {"image": "../../labelloom.db"},
        {"image": "/etc/passwd"},
        {"dataset": ".."},
        {"dataset": "nothing"},
        {"dataset": None},
        {"content": "sha256:" + "0" * 64},
        {"dataset": None, "content": "sha256:" + "0" * 64},
        {"dataset": None, "content": "../labelloom.db"},
    ],
)
def test_what_cannot_be_previewed_is_refused(client, settings, wrong):
    (settings.datasets_dir / "plain").mkdir(parents=True)
    (settings.datasets_dir / "plain/a.png").write_bytes(picture(1))
    body = {"dataset": "plain", "style": "made/ink"} | wrong
    answer = client.post("/api/v1/styles/preview", json={k: v for k, v in body.items() if v is not None})
    assert answer.status_code == 422, answer.json


def test_a_style_deleted_after_it_was_chosen_is_told(client):
    send(client, "mine", picture(1))
    content = client.post("/api/v1/styles/contents", data=picture(5), headers=ANY).json["content"]
    wish = {"content": content, "style": "mine"}
    assert client.post("/api/v1/styles/preview", json=wish).status_code == 200
    client.delete("/api/v1/styles/mine")
    assert client.post("/api/v1/styles/preview", json=wish).status_code == 422


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("stylize", {"styles": []}),
        ("stylize", {"styles": ["~/paintings"]}),
        ("stylize", {"styles": ["monet"]}),
        ("stylize", {"alpha": 2}),
        ("stylize", {"dataset": "../elsewhere"}),
        ("stylize", {"name": "../x"}),
        ("style-sheet", {"styles": ["x.png"]}),
        ("style-sheet", {"detail": -1}),
    ],
)
def test_jobs_are_judged_before_they_are_queued(client, settings, kind, wrong):
    (settings.datasets_dir / "plain").mkdir(parents=True)
    (settings.datasets_dir / "plain/a.png").write_bytes(picture(1))
    answer = client.post(f"/api/v1/{kind}", json={"dataset": "plain", "styles": ["made/ink"]} | wrong)
    assert answer.status_code == 422
    assert client.get("/api/v1/jobs").json["totals"].get("queued", 0) == 0


def test_strangers_and_other_sites_get_nothing(anyone, browser):
    assert anyone.get("/api/v1/styles").status_code == 401
    assert send(anyone, "x", picture(1)).status_code == 401
    assert send(browser.client, "x", picture(1), **{"X-CSRF-Token": "wrong"}).status_code == 403
