"""Labels drawn by a hand in the real editor, in headless Chromium, on a photograph that EXIF turns."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from made import noise_dataset
from PIL import Image, ImageDraw

from backend.core.model import Box, Sample
from backend.core.progress import Silent
from backend.flows.label_studio_source import open_project
from backend.flows.write_back import write_back
from backend.settings import Settings
from connectors.label_studio import LabelStudio

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.browser]


def turned_photo() -> bytes:
    """A 400 x 200 JPEG that is shown as 200 x 400, with a red square at 40-120 x 100-220 as displayed."""
    shown = Image.new("RGB", (200, 400), "gray")
    ImageDraw.Draw(shown).rectangle((40, 100, 119, 219), fill="red")
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    shown.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


@pytest.mark.timeout(120)
def test_a_box_drawn_by_hand_lies_where_it_was_drawn(
    page: "Page", ls: LabelStudio, new_project: Callable[..., int], tmp_path: Path
) -> None:
    project = new_project("drawn by hand")
    ls.request("POST", f"api/projects/{project}/import", files={"f": ("turned.jpg", turned_photo())})
    (task,) = ls.task_ids(project)
    page.goto(f"{ls.url}/projects/{project}/data?task={task}")
    canvas = page.wait_for_selector(".konvajs-content canvas", timeout=60_000)
    assert canvas is not None
    page.wait_for_timeout(2500)
    area = page.locator(".konvajs-content").bounding_box()
    assert area is not None
    scale = area["height"] / 400  # the picture fills the height and starts at the left
    page.keyboard.press("1")
    page.mouse.move(area["x"] + 40 * scale, area["y"] + 100 * scale)
    page.mouse.down()
    page.mouse.move(area["x"] + 120 * scale, area["y"] + 220 * scale, steps=8)
    page.mouse.up()
    page.wait_for_timeout(500)
    with page.expect_response(lambda r: r.request.method == "POST" and "/annotations" in r.url):
        page.click('button:has-text("Submit")')
    settings = Settings(
        data_dir=tmp_path, cache_dir=tmp_path, label_studio_url=ls.url, label_studio_api_key=ls.auth._token
    )
    with open_project(project, settings, Silent()) as source:
        (sample,) = source.dataset.samples
    assert isinstance(sample, Sample)
    assert (sample.width, sample.height) == (200, 400)
    (region,) = sample.regions
    assert region.label == "raccoon"
    assert isinstance(region.shape, Box)
    drawn = [getattr(region.shape, name) for name in Box.__slots__]
    assert drawn == pytest.approx([40, 100, 120, 220], abs=3)


def test_the_new_projects_columns_begin_with_what_one_looks_for(
    page: "Page", ls: LabelStudio, new_project: Callable[..., int], tmp_path: Path
) -> None:
    made = write_back(ls, new_project(), noise_dataset(tmp_path / "d", 3), "columns")
    page.goto(made.url)
    page.wait_for_selector("text=loom_visibility")
    cells = page.locator("[class*=table-head] [class*=cell]").all_inner_texts()
    titles = list(dict.fromkeys(cell.partition("\n")[0] for cell in cells))
    assert titles[titles.index("image") :][:4] == ["image", "loom_visibility", "loom_fate", "loom_split"]
