"""A project with a tiny model, and requests as Label Studio sends them."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from flask.testing import FlaskClient
from PIL import Image
from tiny_model import write_tiny

from backend.flows.access import hashed
from backend.imaging.hashes import sha256
from backend.settings import Settings
from backend.store import models as table
from backend.store.models import BackendRow, ModelRow
from connectors.errors import FetchError

PASSWORD = "a password of project 3"
CONFIG = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    '<Label value="고양이"/><Label value="red blood cell"/></RectangleLabels></View>'
)
BOXES = [[0, 16, 32, 48], [32, 16, 64, 32]]  # of 64 x 64: in a 96 x 48 picture 0-48 x 0-48 and 48-96 x 0-24
SCORES = [[0.9, 0.0], [0.0, 0.4]]


@dataclass
class Pictures:
    """Images by address; an address that is none cannot be had."""

    folder: Path
    known: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, url: str, seed: int = 0) -> str:
        pixels = np.random.default_rng(seed).integers(0, 255, (48, 96, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        self.known[url] = buffer.getvalue()
        return url

    def locate(self, url: str, task: int) -> Path:
        self.asked.append(url)
        if url not in self.known:
            msg = f"{url or 'the task'}: there is no such file"
            raise FetchError(msg, status=404)
        path = self.folder / sha256(self.known[url])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.known[url])
        return path


def give_model(
    engine: sa.Engine, settings: Settings, project: int = 3, version: str = "fewshot-p3-v1", **tiny: Any
) -> None:
    """Put a tiny model where the project's model is looked for, and let it predict."""
    given = {"labels": ["고양이", "red blood cell"], "boxes": BOXES, "scores": SCORES} | tiny
    folder = settings.models_dir / version
    write_tiny(folder, **given, version=version)
    table.add_model(engine, ModelRow(version, project, "fewshot", folder, datetime.now(UTC)))
    table.promote(engine, project, version, who="a test", why="first")


def give_password(engine: sa.Engine, project: int = 3, password: str = PASSWORD) -> None:
    table.set_backend(engine, BackendRow(project, hashed(password), "http://localhost/ml", 1))


def basic(password: str = PASSWORD, user: str = "labelloom") -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def task(number: int, url: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "data": {"image": url},
        "meta": {},
        "annotations": [],
        "predictions": [],
        "project": 3,
        **more,
    }


def ask(
    client: FlaskClient,
    tasks: list[dict[str, Any]],
    *,
    project: int = 3,
    config: str = CONFIG,
    context: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Return the results that `/ml/predict` gives."""
    params = {"login": None, "password": None, "context": context}
    body = {"tasks": tasks, "project": f"{project}.1795429553", "label_config": config, "params": params}
    answer = client.post("/ml/predict", json=body, headers=basic())
    assert answer.status_code == 200, answer.text
    results: list[Any] = answer.get_json()["results"]
    return results
