"""`labelloom connect`: options of detectors as people write them, and requests that make no sense."""

import json

import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.commands.connect import parse_options
from backend.core.errors import UsageError


def test_values_are_json_where_they_can_be_read_as_such() -> None:
    given = ["threshold=0.4", 'label_map={"cat": "고양이"}', "url=http://a/b?c=d", "path=내 모델.onnx", "fast=true"]
    assert parse_options(given) == {
        "threshold": 0.4,
        "label_map": {"cat": "고양이"},
        "url": "http://a/b?c=d",
        "path": "내 모델.onnx",
        "fast": True,
    }
    for wrong in ("threshold", "=1", " =1"):
        with pytest.raises(UsageError, match="key=value"):
            parse_options([wrong])


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
