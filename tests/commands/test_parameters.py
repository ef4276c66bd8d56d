"""NAME=VALUE texts of the command line."""

import pytest

from backend.commands.rules import parameters


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("0.5", 0.5),
        ("true", True),
        ("[0.8, 1.2]", [0.8, 1.2]),
        ('{"one": "하나"}', {"one": "하나"}),
        ("{tvmonitor: 화면}", {"tvmonitor": "화면"}),
        ("2026-01-01", "2026-01-01"),
        ("내 모델.onnx", "내 모델.onnx"),
        ("http://localhost:9091", "http://localhost:9091"),
        ("{broken", "{broken"),
        ("", None),
    ],
)
def test_values_are_json_yaml_or_text(text: str, value: object) -> None:
    assert parameters([f"x={text}"], "--option") == {"x": value}
