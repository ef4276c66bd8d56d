"""The live preview: over HTTP equal to what a run draws, and on the page in Chromium."""

import io
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from web_parts import check_accessible, shot, yolo_files, zipped

from backend.augment.pipeline import Drawn, Pipeline
from backend.core.model import Box, Sample
from backend.core.recipe import parse_recipe
from backend.flows import live_preview
from backend.formats.recognise import open_dataset
from backend.imaging.decode import decode
from backend.imaging.hashes import sha256
from backend.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

TURNED = {"name": "turned", "variants": 2, "steps": [{"Rotate": {"limit": 40, "p": 1}}]}
HOSTILE = "<img src=x onerror=alert(1)>"


def send(client: Any, files: dict[str, bytes], name: str = "street") -> None:
    headers = {"Content-Type": "application/zip"}
    assert client.post(f"/api/v1/datasets?name={name}", data=zipped(files), headers=headers).status_code == 201


def ask(client: Any, **body: Any) -> Any:
    return client.post("/api/v1/previews", json={"dataset": "street", "recipe": TURNED, **body})


def pixels(picture: str) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(b64decode(picture.removeprefix("data:image/jpeg;base64,")))))


def test_variants_are_those_that_a_run_draws(client: Any, settings: Settings) -> None:
    send(client, yolo_files(3))
    answer = ask(client, image=1, variants=3)
    assert answer.status_code == 200, answer.text
    sample = [one for one in open_dataset(settings.datasets_dir / "street").samples if isinstance(one, Sample)][1]
    data = Path(sample.path).read_bytes()
    rgb = decode(data).rgb
    pipeline = Pipeline(parse_recipe(TURNED))
    assert (answer.json["name"], answer.json["image"], answer.json["images"]) == (sample.name, 1, 3)
    assert [one["number"] for one in answer.json["variants"]] == [1, 2, 3]
    for seen in answer.json["variants"]:
        drawn = pipeline.draw(rgb, sample.regions, sha256(data), seen["number"])
        assert isinstance(drawn, Drawn)
        assert (seen["height"], seen["width"]) == drawn.rgb.shape[:2]
        assert np.abs(pixels(seen["picture"]).astype(int) - drawn.rgb).mean() < 8  # JPEG
        (region,) = drawn.regions
        assert isinstance(region.shape, Box)
        (outline,) = seen["outlines"]
        xs, ys = np.array(outline["rings"][0]).T
        box = (region.shape.x0, region.shape.y0, region.shape.x1, region.shape.y1)
        assert (xs.min(), ys.min(), xs.max(), ys.max()) == pytest.approx(box, abs=0.06)
        assert seen["ledger"] == [entry.to_json() for entry in drawn.ledger]
        assert seen["steps"] == ["Rotate"]
    after = ask(client, image=1, variants=3, shuffle=1).json["variants"]
    assert [one["number"] for one in after] == [4, 5, 6]
    assert ask(client, image=4, variants=1).json["image"] == 1  # round and round


def test_the_worst_come_first_and_what_is_refused_says_why(client: Any) -> None:
    send(client, yolo_files(1))
    crop = {"name": "crop", "variants": 1, "steps": [{"RandomCrop": {"height": 40, "width": 40, "p": 1}}]}
    lenient = {**crop, "boxes": {"min_visibility": 0.05, "on_violation": "drop-region"}}
    worst = ask(client, recipe=lenient, worst=True, variants=4).json["variants"]
    seen = [one["ledger"][0]["visibility"] for one in worst]
    assert len(seen) == 4 and seen == sorted(seen)
    first = ask(client, recipe=lenient, variants=4).json["variants"]
    assert seen[0] <= min(one["ledger"][0]["visibility"] for one in first)
    strict = {**crop, "steps": [{"CenterCrop": {"height": 8, "width": 8, "p": 1}}], "boxes": {"min_visibility": 0.9}}
    refused = ask(client, recipe=strict, variants=2).json["variants"]
    assert [one["picture"] for one in refused] == [None, None] and all(one["reasons"] for one in refused)


def test_what_cannot_be_drawn_is_said(client: Any, settings: Settings) -> None:
    send(client, yolo_files(2))
    wrong = ask(client, recipe={"variants": 1, "steps": ["Rotat"]})
    assert wrong.status_code == 422 and "Rotate" in wrong.text
    assert ask(client, dataset="../../etc").status_code == 422
    assert ask(client, dataset="gone").status_code == 422
    assert ask(client, project=1).status_code == 422  # and a dataset
    assert ask(client, variants=13).status_code == 422
    away = client.post("/api/v1/previews", json={"project": 1, "recipe": TURNED})
    assert away.status_code in {409, 422} and "Label Studio" in away.text
    for path in (settings.datasets_dir / "street" / "images" / "train").iterdir():
        path.write_bytes(b"not a picture")
    broken = ask(client)
    assert broken.status_code == 409 and broken.json["fix"]


def test_what_is_kept_is_bounded(client: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    send(client, yolo_files(12))
    read: list[int] = []
    monkeypatch.setattr(live_preview, "decode", lambda data: read.append(len(data)) or decode(data))
    for image in (*range(12), 11):
        assert ask(client, image=image, variants=1).status_code == 200
    assert len(read) == 12  # the last one was kept
    ask(client, image=0, variants=1)
    assert len(read) == 13  # the first was not


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_preview_follows_the_recipe(page: "Page", server: str) -> None:
    from playwright.sync_api import expect

    csrf = page.locator('meta[name="csrf-token"]').get_attribute("content") or ""
    files = yolo_files(3)
    files["data.yaml"] = f"train: images/train\nval: images/train\nnames: ['{HOSTILE}']\n".encode()
    answer = page.request.post(
        f"{server}/api/v1/datasets?name=street",
        data=zipped(files),
        headers={"Content-Type": "application/zip", "X-CSRF-Token": csrf},
    )
    assert answer.status == 201, answer.text()
    page.goto(f"{server}/export?dataset=street")
    cards = page.locator("#live-grid figure")
    expect(cards).to_have_count(9, timeout=60_000)
    expect(page.locator("#live-status")).to_contain_text("picture 1 of 3")
    assert page.locator("#live-labels").inner_text() == HOSTILE
    page.fill("#text", "name: mirrored\nvariants: 1\nsteps:\n  - VerticalFlip: {p: 1}\n")
    expect(cards.nth(1)).to_contain_text("VerticalFlip", timeout=30_000)
    expect(cards.nth(1)).to_contain_text("1 kept")
    before = cards.nth(0).locator("img").get_attribute("src")
    page.get_by_role("button", name="Next picture").click()
    expect(page.locator("#live-status")).to_contain_text("picture 2 of 3")
    assert cards.nth(0).locator("img").get_attribute("src") != before
    page.get_by_role("button", name="Other variants").press("Enter")
    expect(cards.nth(1)).to_contain_text("variant 9")
    page.get_by_text("Worst cases").click()
    expect(cards).to_have_count(9)
    shot(page, "live")
    page.fill("#text", "name: broken\nsteps: [Nothing]\n")
    expect(page.locator("#live-grid")).to_have_class("live-grid stale")
    check_accessible(page)


@pytest.mark.e2e
@pytest.mark.slow
def test_a_project_shows_its_labelled_pictures(client: Any, settings: Settings, labelled: int) -> None:
    answer = client.post("/api/v1/previews", json={"project": labelled, "recipe": TURNED, "variants": 2})
    assert answer.status_code == 200, answer.text
    assert answer.json["images"] == 4 and answer.json["original"]["outlines"][0]["label"] == "raccoon"
    assert client.post("/api/v1/previews", json={"project": 987_654, "recipe": TURNED}).status_code in {409, 422}
