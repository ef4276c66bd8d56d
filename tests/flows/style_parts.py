"""A recipe with `Style`, how it is run, and what came of it: shared by the tests of the step and of its styles."""

import hashlib
import json
from pathlib import Path
from typing import Any

from backend.core.progress import Silent
from backend.core.recipe import parse_recipe
from backend.flows.augment import Options, run_build
from backend.flows.builder.model import Report
from backend.formats.recognise import open_dataset
from backend.imaging.encode import encode
from backend.settings import Settings
from tests.style_pictures import noise


def write_styles(folder: Path) -> Path:
    """Write three small pictures."""
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(encode(noise(64, 64, 20 + number), "png"))
    return folder


def recipe(folder: Path, **step: Any) -> Any:
    given = {"styles": [str(folder)], "alpha": [0.4, 0.9], "p": 1.0} | step
    return parse_recipe(
        {"name": "painted", "variants": 2, "steps": [{"Style": given}], "output": {"formats": ["yolo"]}}
    )


def run(source: Path, out: Path, settings: Settings, document: Any, workers: int = 1) -> Report:
    dataset = open_dataset(source)
    request = Options(out=out, workers=workers).request(dataset, document, "a test", settings)
    return run_build(request, settings, Silent())


def tree(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
