"""Rules over HTTP, against a real Label Studio."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from backend.flows.access import create_token
from backend.settings import Settings
from backend.web.app import create_app
from connectors.label_studio import LabelStudio
from connectors.label_studio_webhooks import list_webhooks


def client_of(settings: Settings) -> FlaskClient:
    client = create_app(settings).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {create_token(settings, 'a script', 'script@example.org')}"
    return client


@pytest.mark.e2e
def test_a_rule_is_added_tried_changed_and_removed(
    ls: LabelStudio, new_project: Callable[..., int], tmp_path: Path
) -> None:
    key = SecretStr(ls.auth._token)
    settings = Settings(data_dir=tmp_path, label_studio_url=ls.url, label_studio_api_key=key)
    client, project = client_of(settings), new_project(tasks=[{"image": "x.jpg"}])
    rule = {"name": "watch", "project": project, "when": {"annotations": 1}, "quiet": 0}
    made = client.post("/api/v1/rules", json=rule)
    assert made.status_code == 201, made.text
    assert made.json["who"] == "a script <script@example.org>" and "LABELLOOM_BASE_URL" in made.json["warnings"][0]
    assert client.post("/api/v1/rules", json=rule).status_code == 409
    assert [row["name"] for row in client.get(f"/api/v1/rules?project={project}").json["rules"]] == ["watch"]
    assert client.post("/api/v1/rules/watch/test").json["why"] == "0 of 1 new annotations"
    (task,) = ls.task_ids(project)
    ls.request("POST", f"api/tasks/{task}/annotations/", json={"result": []})
    tried = client.post("/api/v1/rules/watch/test").json
    assert (tried["would_run"], tried["job"]) == (True, {"kind": "export", "params": {"project": project}})
    changed = client.patch("/api/v1/rules/watch", json={"when": {"annotations": 2}, "enabled": False}).json
    assert (changed["spec"]["when"]["annotations"], changed["spec"]["quiet"], changed["enabled"]) == (2, 0, False)
    assert "it is off" in client.post("/api/v1/rules/watch/test").json["why"]
    assert client.get("/api/v1/rules/watch/runs").json == {"runs": []}
    assert len(list_webhooks(ls, project)) == 1
    assert client.delete("/api/v1/rules/watch").status_code == 204
    assert list_webhooks(ls, project) == []


def test_errors_name_the_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    client = client_of(Settings(data_dir=tmp_path))
    rule = {"name": "watch", "project": 1, "when": {"at": "02:30", "zone": "Mars/Base"}}
    answer = client.post("/api/v1/rules", json=rule)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "when.zone")
    answer = client.post("/api/v1/rules", json={**rule, "when": {"annotations": 2}, "do": {"kind": "dream"}})
    assert answer.status_code == 422 and "'dream' is nothing a rule can do" in answer.json["detail"]
    answer = client.post("/api/v1/rules", json={**rule, "when": {"annotations": 2}})
    assert answer.status_code == 422 and "no Label Studio is configured" in answer.json["detail"]
    for name in ("none", "9" * 30, "1"):
        assert client.get(f"/api/v1/rules/{name}").status_code == 404
        assert client.delete(f"/api/v1/rules/{name}").status_code == 404
    assert create_app(Settings(data_dir=tmp_path)).test_client().get("/api/v1/rules").status_code == 401
