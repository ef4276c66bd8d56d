"""`labelloom connect`: options of detectors as people write them, and requests that make no sense."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.settings import Settings
from backend.store import models as table
from backend.store.tables import open_database


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give one of"),
        (["--project", "3", "--control"], "give one of"),
        (["--control", "--print-action"], "give one of"),
        (["--control", "--remove"], "about a --project"),
        (["--print-action", "--detector", "onnx"], "about a --project"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(arguments: list[str], said: str) -> None:
    answer = CliRunner().invoke(app, ["connect", *arguments, "--json"])
    assert answer.exit_code == 2 and said in json.loads(answer.stdout)["error"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--detector", "proxy"], "url"),
        (["--detector", "proxy", "--option", "url=ftp://a/b"], "no address"),
        (["--detector", "proxy", "--option", "url=http://localhost:9", "--option", "threshold=0.4"], "threshold"),
        (["--detector", "yolo"], "no detector"),
        (["--option", "foo=bar"], "foo"),
        (["--detector", "onnx", "--option", "path=내 모델.onnx", "--option", "foo=bar"], "foo"),
        (["--option", "threshold"], "has no value"),
        (["--option", "threshold=2"], "from 0 to 1"),
        (["--option", "label_map=고양이"], "label_map"),
    ],
)
def test_options_that_a_detector_cannot_use_are_refused_before_anything_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    for name in ("DATA", "CACHE"):
        monkeypatch.setenv(f"LABELLOOM_{name}_DIR", str(tmp_path / name))
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")  # never asked
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "none")
    engine = open_database(Settings(data_dir=tmp_path / "DATA").database)
    table.set_detector(engine, 3, "fewshot", {"steps": 200})
    answer = CliRunner().invoke(app, ["connect", "--project", "3", *arguments, "--json"])
    assert answer.exit_code == 2 and said in json.loads(answer.stdout)["error"]
    assert table.detector_of(engine, 3) == ("fewshot", {"steps": 200})
