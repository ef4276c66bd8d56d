"""The page that lists datasets, in Chromium."""

import zipfile
from typing import TYPE_CHECKING

import pytest
from web_parts import check_accessible, shot, yolo_files, zipped

from backend.settings import Settings
from backend.store.datasets import record_dataset
from backend.store.tables import open_database

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_datasets_are_listed_and_downloaded(page: "Page", server: str, settings: Settings) -> None:
    from playwright.sync_api import expect

    page.goto(f"{server}/datasets")
    expect(page.locator("#status")).to_have_text("No dataset was made yet.")
    csrf = page.locator('meta[name="csrf-token"]').get_attribute("content") or ""
    answer = page.request.post(
        f"{server}/api/v1/datasets?name=너구리_밤",
        data=zipped(yolo_files(3)),
        headers={"Content-Type": "application/zip", "X-CSRF-Token": csrf},
    )
    assert answer.status == 201, answer.text()
    engine = open_database(settings.database)
    for number in range(100):
        folder = settings.datasets_dir.resolve() / f"made-{number}"
        folder.mkdir()
        record_dataset(engine, folder, source=HOSTILE, images=1200)
    engine.dispose()
    page.reload()
    expect(page.locator("#status")).to_have_text("100 of 101 shown, newest first")
    row = page.locator("#datasets tr").first
    expect(row).to_contain_text("made-99")
    expect(row).to_contain_text(HOSTILE)
    expect(row).to_contain_text("1,200")
    check_accessible(page)
    page.get_by_role("button", name="Show more").press("Enter")
    expect(page.locator("#datasets tr")).to_have_count(101)
    expect(page.locator("#more")).to_be_hidden()
    shot(page, "datasets")
    with page.expect_download() as found:
        page.get_by_role("link", name="Download 너구리_밤").click()
    assert found.value.suggested_filename == "너구리_밤.zip"
    with zipfile.ZipFile(found.value.path()) as archive:
        assert sum(name.endswith(".jpg") for name in archive.namelist()) == 3
    page.get_by_role("link", name="Augment 너구리_밤").click()
    expect(page.locator("#source")).to_have_value("dataset:너구리_밤")
