"""The real command line against the session's Label Studio, with a data folder of its own."""

import json
import os
from pathlib import Path
from typing import Any

from quick_cli import Ended, Running, labelloom, start

from connectors.label_studio import LabelStudio

RECIPE = """
name: e2e
variants: 2
split: {train: 0.7, val: 0.3, test: 0, near_duplicates: off}
steps:
  - HorizontalFlip: {p: 0.5}
  - Affine: {rotate: [-12, 12], scale: [0.8, 1.2], p: 0.9}
  - RandomBrightnessContrast: {p: 0.5}
output: {formats: [yolo, voc, coco]}
"""


class Shell:
    """Runs `labelloom` with its own data folder against the session's Label Studio."""

    def __init__(self, ls: LabelStudio, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "LABELLOOM_DATA_DIR": str(folder / "data"),
            "LABELLOOM_CACHE_DIR": str(folder / "cache"),
            "LABEL_STUDIO_URL": ls.url,
            "LABEL_STUDIO_API_KEY": ls.auth._token,
        }
        self.recipe = folder / "e2e.yaml"
        self.recipe.write_text(RECIPE)

    def start(self, *arguments: object) -> Running:
        return start([*map(str, arguments)], self.environment, self.folder / "started.log")

    def say(self, *arguments: object) -> Ended:
        """Run a command as people do, without --json."""
        return labelloom([*map(str, arguments)], self.environment)

    def __call__(self, *arguments: object, code: int = 0, **environment: str) -> Any:
        ended = labelloom([*map(str, arguments), "--json"], self.environment | environment)
        assert ended.code == code, f"{arguments}: exit {ended.code}\n{ended.err}\n{ended.out}"
        return json.loads(ended.out)
