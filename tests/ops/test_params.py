"""A job's parameters are judged when it is asked for, not when it runs."""

from typing import Any

import pytest

from backend.core.errors import UsageError
from backend.flows.jobs import check_params

EXPORT, AUGMENT = {"project": 1}, {"dataset": "cats", "recipe": "gentle"}
CONVERT = {"dataset": "cats", "to": "voc", "name": "cats-voc"}


@pytest.mark.parametrize("value", [True, "7", 1.0, 0, -1, 2**31, None])
def test_only_an_id_is_a_project(value: Any) -> None:
    with pytest.raises(UsageError, match="export: project"):
        check_params("export", {"project": value})
    with pytest.raises(UsageError, match="export: tasks"):
        check_params("export", {**EXPORT, "tasks": [3, value]})


@pytest.mark.parametrize(("kind", "params"), [("export", EXPORT), ("augment", AUGMENT), ("convert", CONVERT)])
@pytest.mark.parametrize("name", ["../evil", "a/b", "a\\b", "..", "", "x" * 101])
def test_a_name_that_leads_elsewhere_is_refused_at_once(kind: str, params: dict[str, Any], name: str) -> None:
    with pytest.raises(UsageError, match=f"{kind}: name") as refused:
        check_params(kind, {**params, "name": name})
    assert "--name" not in str(refused.value)


@pytest.mark.parametrize(("kind", "params"), [("export", EXPORT), ("augment", AUGMENT), ("convert", CONVERT)])
def test_a_usable_name_is_kept(kind: str, params: dict[str, Any]) -> None:
    assert check_params(kind, {**params, "name": "고양이 v1.2"})[1]["name"] == "고양이 v1.2"
