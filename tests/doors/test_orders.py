"""Orders without a browser: which tasks, who may, what is stored, and what the file in Label Studio does alone."""

import importlib.util
import json
import stat
from pathlib import Path

import pytest
from doors_kit import Loom

from backend.core.errors import UsageError
from backend.core.progress import Silent
from backend.flows.chosen import Chosen
from backend.flows.connect import action_environment, action_text, announce, install_action, link_project, with_link
from backend.flows.control import read_order
from backend.flows.jobs import check_params
from backend.flows.label_studio_source import open_project
from backend.flows.orders import NotAllowed, Order, check_allowed, job_of
from backend.settings import Settings
from connectors.label_studio import LabelStudio
from connectors.label_studio_server import Account, write_account

GREATER = {"filter": "filter:tasks:id", "operator": "greater", "type": "Number"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


def order(**more: object) -> Order:
    return Order.model_validate({"project": 7, "user": "me@example.org", **more})


def test_an_order_becomes_a_job_that_jobs_take(settings: Settings) -> None:
    filters = {"conjunction": "and", "items": [{**GREATER, "value": 3}]}
    some = order(selection={"all": False, "included": [3, 5]}, filters=filters, recipe="gentle", title="new one")
    assert job_of(some, settings) == (
        "export",
        {"project": 7, "recipe": "gentle", "tasks": [3, 5], "write_back": "new one"},
    )
    rest = order(selection={"all": True, "excluded": [9]}, filters=filters, recipe="gentle", variants=3)
    kind, params = job_of(rest, settings)
    assert (params["exclude"], params["filters"], params["recipe"]["variants"]) == ([9], filters, 3)
    check_params(kind, params)
    everything = order(filters={"conjunction": "and", "items": []})
    assert job_of(everything, settings) == ("export", {"project": 7, "recipe": None})
    sheet = job_of(order(recipe="gentle", variants=40, do="preview", title="unused"), settings)
    assert (sheet[0], sheet[1]["variants"]) == ("preview", 12)
    check_params(*sheet)
    with pytest.raises(UsageError, match="no recipe file 'nothing'"):
        job_of(order(recipe="nothing"), settings)


def test_an_order_to_train_needs_no_recipe_and_pre_labels_afterwards(settings: Settings) -> None:
    def chosen(name: str, value: str) -> dict[str, object]:
        return {"from_name": name, "to_name": "status", "type": "choices", "value": {"choices": [value]}}

    given = read_order(7, "me@example.org", [chosen("do", "train")])
    kind, params = job_of(given, settings)
    assert (kind, params) == ("fit", {"project": 7, "predict": True})
    check_params(kind, params)
    with pytest.raises(UsageError, match="choose a recipe"):
        read_order(7, "me@example.org", [chosen("do", "export")])


def test_only_those_on_the_list_may_order(settings: Settings) -> None:
    with pytest.raises(NotAllowed):
        check_allowed(settings, "me@example.org")
    (settings.data_dir / "label-studio").mkdir(parents=True)
    write_account(settings.data_dir / "label-studio", Account("http://localhost:1", "admin@labelloom.local", "x", "y"))
    check_allowed(settings, "Admin@LabelLoom.local")
    with pytest.raises(NotAllowed, match=r"me@example\.org may not"):
        check_allowed(settings, "me@example.org")
    listed = settings.model_copy(update={"allowed_emails": ("me@example.org",)})
    check_allowed(listed, "me@example.org")
    with pytest.raises(NotAllowed):
        check_allowed(listed, "admin@labelloom.local")
    check_allowed(settings.model_copy(update={"allowed_emails": ("*",)}), "anybody@example.org")


def test_instructions_keep_what_people_wrote() -> None:
    own = "<p>Label every cat.</p>"
    first = with_link(own, "http://one:9090", 3)
    assert first.startswith(own) and "http://one:9090/export?project=3" in first
    assert with_link(first, "http://one:9090", 3) == first
    moved = with_link(first + "<p>Thanks.</p>", "https://two", 3)
    assert "http://one" not in moved and moved.startswith(own) and moved.endswith("<p>Thanks.</p>")
    assert with_link("", "https://two", 3).startswith("<p><a")


def test_the_file_for_the_entry_is_secret_and_its_token_stays(settings: Settings) -> None:
    path = Path(action_environment(settings)["LABELLOOM_CONNECTION"])
    first = json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert announce(settings, "http://localhost:9999") == path
    second = json.loads(path.read_text())
    assert second == {"url": "http://localhost:9999", "token": first["token"]}
    path.write_text('{"url": "x", "token": "loom_forged"}')
    announce(settings, "http://localhost:9999")
    assert json.loads(path.read_text())["token"] not in {"loom_forged", first["token"]}


def test_the_entry_is_installed_once_and_brought_up_to_date(tmp_path: Path) -> None:
    folder = tmp_path / "lib/python3.11/site-packages/label_studio/data_manager/actions"
    folder.mkdir(parents=True)
    target = install_action(tmp_path / "bin/label-studio")
    before = target.stat().st_mtime_ns
    assert install_action(tmp_path / "bin/label-studio") == target and target.stat().st_mtime_ns == before
    target.write_text("old")
    install_action(tmp_path / "bin/label-studio")
    assert target.read_text() == action_text()
    assert [path.name for path in folder.iterdir()] == [target.name]


@pytest.mark.parametrize("configured", [False, True])
def test_without_an_address_the_file_adds_nothing(
    configured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LABELLOOM_URL", "LABELLOOM_TOKEN", "LABELLOOM_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "labelloom_action.py"
    file.write_text(action_text())
    if configured:
        (tmp_path / "labelloom.json").write_text('{"url": "http://localhost:1", "token": "loom_x"}')
    spec = importlib.util.spec_from_file_location("labelloom_action", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert len(module.actions) == (1 if configured else 0)


@pytest.mark.e2e
def test_filters_and_exclusions_choose_in_label_studio(ls: LabelStudio, loom: Loom, labelled: int) -> None:
    ids = ls.task_ids(labelled)
    filters = {"conjunction": "and", "items": [{**GREATER, "value": ids[0]}]}
    chosen = Chosen(exclude=frozenset({ids[1]}), filters=filters)
    with open_project(labelled, loom.settings, Silent(), chosen) as source:
        assert [sample.origin.task for sample in source.dataset.samples] == ids[2:]
    nothing = Chosen(exclude=frozenset(ids))
    with pytest.raises(UsageError, match="no task"), open_project(labelled, loom.settings, Silent(), nothing):
        pass


@pytest.mark.e2e
def test_a_project_links_to_labelloom_once(ls: LabelStudio, loom: Loom, labelled: int) -> None:
    ls.request("PATCH", f"api/projects/{labelled}/", json={"expert_instruction": "<p>Label every cat.</p>"})
    assert link_project(loom.settings, labelled)[1] and not link_project(loom.settings, labelled)[1]
    text = ls.request("GET", f"api/projects/{labelled}/").json()["expert_instruction"]
    assert text.startswith("<p>Label every cat.</p>") and text.count("/export?project=") == 1
