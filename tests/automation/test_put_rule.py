"""Adding a rule: whose name it is, what an update shows, where its webhook goes, and what a wrong time is told."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pretend import Desk, PretendLabelStudio

from backend.core.errors import UsageError
from backend.flows import rules
from backend.flows.access import note_url
from backend.store.rules import Hook, all_hooks, change_rule, save_hook


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, studio: PretendLabelStudio) -> list[str]:
    """Label Studio in memory; the addresses that its webhooks were given."""
    addresses: list[str] = []

    def set_webhook(_client: Any, _project: int, url: str, *_: Any, **__: Any) -> int:
        addresses.append(url)
        return 1

    monkeypatch.setattr(rules, "connect", lambda _: studio)
    monkeypatch.setattr(rules, "Changes", lambda client: client)
    monkeypatch.setattr(rules, "find_project", lambda *_: SimpleNamespace(description=""))
    monkeypatch.setattr(rules, "list_webhooks", lambda *_: [])
    monkeypatch.setattr(rules, "set_webhook", set_webhook)
    return addresses


def put(desk: Desk, project: int = 1, annotations: int = 3) -> rules.Added:
    document = {"name": "x", "project": project, "when": {"annotations": annotations}}
    return rules.put_rule(desk.engine, desk.settings, document, "me")


def test_a_name_of_another_projects_rule_is_refused(desk: Desk, told: list[str]) -> None:
    assert not put(desk).updated
    with pytest.raises(UsageError, match="'x' is one of project 1"):
        put(desk, project=2)
    assert len(told) == 1


def test_an_update_tells_the_new_rules_count(desk: Desk, studio: PretendLabelStudio, told: list[str]) -> None:
    change_rule(desk.engine, put(desk).rule.id, reason="0 of 3 new annotations")
    studio.now += timedelta(minutes=1)
    studio.annotate(1, studio.add_task(1))
    made = put(desk, annotations=5)
    assert made.updated and made.rule.reason == "1 of 5 new annotations"
    rules.switch_rule(desk.engine, "x", on=False)
    assert put(desk, annotations=7).rule.reason == "switched off"


def test_the_webhook_goes_where_the_service_answers(desk: Desk, told: list[str]) -> None:
    put(desk)
    note_url(desk.settings, "http://localhost:9191")
    put(desk)
    (hook,) = all_hooks(desk.engine)
    save_hook(desk.engine, Hook(1, hook.sha256, "http://loom.example/hooks/label-studio", hook.webhook))
    put(desk)  # an address that somebody gave stays
    assert [url.removesuffix(rules.PATH) for url in told] == [
        "http://localhost:9090", "http://localhost:9191", "http://loom.example",
    ]  # fmt: skip


@pytest.mark.parametrize("at", ["25:99", "2:30", "night"])
def test_a_wrong_time_is_told_how_to_write_it(at: str) -> None:
    with pytest.raises(UsageError, match=r"^rule: when.at: give a time such as 02:30$"):
        rules.parse_rule({"name": "x", "project": 1, "when": {"at": at}})
