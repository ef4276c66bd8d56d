"""Models over HTTP."""

from datetime import UTC, datetime

import pytest
from tiny_model import write_tiny

from backend.store import models as table
from backend.store.tables import open_database


@pytest.fixture
def versions(settings):
    """Two models of project 7."""
    engine = open_database(settings.database)
    for number, version in enumerate(("v1", "v2"), start=1):
        folder = settings.models_dir / version
        write_tiny(folder, ["너구리"], [(1, 1, 9, 9)], [(0.9,)], version=version)
        created = datetime(2026, 1, number, tzinfo=UTC)
        table.add_model(engine, table.ModelRow(version, 7, "fewshot", folder, created, {"ap": 0.5}, "first"))
    return engine


def test_models_are_listed_promoted_and_rolled_back(client, versions):
    for version in ("v1", "v2"):
        made = client.post(f"/api/v1/models/{version}/promote", json={})
        assert (made.status_code, made.json["project"], made.json["version"]) == (200, 7, version)
    assert made.json["who"] == "a script <script@example.org>"
    listed = client.get("/api/v1/models?project=7").json["models"]
    assert [(one["version"], one["predicts_in"]) for one in listed] == [("v2", [7]), ("v1", [])]
    assert "folder" not in listed[0] and listed[0]["metrics"] == {"ap": 0.5}
    assert client.post("/api/v1/projects/7/models/rollback").json["version"] == "v1"
    again = client.post("/api/v1/projects/7/models/rollback")
    assert again.status_code == 409 and "no earlier model" in again.json["detail"]
    assert client.post("/api/v1/models/v9/promote", json={}).status_code == 404
    assert client.post("/api/v1/models/v2/promote", json={"project": 8}).json["project"] == 8
    assert client.get("/api/v1/models?project=99").json == {"models": []}


def test_a_projects_detector_is_shown_and_chosen(client, versions):
    shown = client.get("/api/v1/projects/7/detector").json
    assert shown == {"detector": "fewshot", "options": {}, "version": None}
    put = client.put("/api/v1/projects/7/detector", json={"detector": "similar", "options": {"neighbours": 5}})
    assert put.status_code == 200
    assert client.get("/api/v1/projects/7/detector").json["options"] == {"neighbours": 5}
    assert client.put("/api/v1/projects/7/detector", json={"detector": "yolo"}).status_code == 422
    long = {"detector": "proxy", "options": {"x": "y" * 30_000}}
    assert client.put("/api/v1/projects/7/detector", json=long).status_code == 422


def test_fit_and_predict_are_jobs_and_invalid_orders_are_refused_at_once(client):
    placed = client.post("/api/v1/fit", json={"project": 7, "predict": True, "fast": True})
    assert placed.status_code == 202 and placed.json["kind"] == "fit"
    assert client.post("/api/v1/fit", json={"project": 7}).status_code == 409
    assert client.post("/api/v1/predict", json={"project": 7}).status_code == 202
    for body in ({}, {"project": 7, "dataset": "x"}, {"project": 7, "detector": "proxy"}, {"project": True}):
        assert client.post("/api/v1/fit", json=body).status_code == 422
    assert client.post("/api/v1/fit", json={"dataset": "no such"}).status_code == 422
    assert client.post("/api/v1/predict", json={}).status_code == 422


def test_nobody_gets_in_without_a_token(anyone):
    for path in ("/api/v1/models", "/api/v1/projects/7/detector"):
        assert anyone.get(path).status_code == 401
