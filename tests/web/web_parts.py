"""Logging in, and small datasets as zip files."""

import io
import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flask.testing import FlaskClient
from PIL import Image


@dataclass
class Browser:
    """A client that is logged in by a link, and the CSRF token of its pages."""

    client: FlaskClient
    csrf: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-CSRF-Token": self.csrf}


def log_in(client: FlaskClient, link: str) -> Browser:
    page = client.get("/login").text
    field = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert field
    answer = client.post("/login", data={"csrf_token": field[1], "code": link.partition("#")[2]})
    assert answer.status_code == 303, answer.text
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/").text)
    assert found
    return Browser(client, found[1])


def picture(seed: int, size: tuple[int, int] = (96, 72)) -> bytes:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 255, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def yolo_files(count: int = 3) -> dict[str, bytes]:
    """A YOLO dataset as names and bytes."""
    files = {"data.yaml": b"train: images/train\nval: images/train\nnames: [raccoon]\n"}
    for number in range(count):
        files[f"images/train/{number}.jpg"] = picture(number)
        files[f"labels/train/{number}.txt"] = b"0 0.5 0.5 0.4 0.4\n"
    return files


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def shot(page: Any, name: str) -> None:
    """Keep a picture of the page where LABELLOOM_TEST_SHOTS names a folder."""
    folder = os.environ.get("LABELLOOM_TEST_SHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def check_accessible(page: Any) -> None:
    """Have axe-core look at the page as it is now: nothing serious may be wrong with it."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in {"serious", "critical"}]
    assert not serious, [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in serious]
