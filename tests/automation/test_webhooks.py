"""What the receiver takes, refuses, and counts once."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from backend.imaging.hashes import sha256
from backend.settings import Settings
from backend.store.rules import Hook, save_hook
from backend.store.tables import open_database
from backend.web.app import create_app

SECRET = "s" * 43
PATH = "/hooks/label-studio"
Rows = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, cache_dir=tmp_path / "cache")


@pytest.fixture
def engine(settings: Settings) -> sa.Engine:
    made = open_database(settings.database)
    save_hook(made, Hook(5, sha256(SECRET.encode()), "http://here" + PATH, 1))
    return made


@pytest.fixture
def client(settings: Settings, engine: sa.Engine) -> FlaskClient:
    return create_app(settings).test_client()


@pytest.fixture
def stored(engine: sa.Engine) -> Rows:
    def rows() -> list[dict[str, Any]]:
        with engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(sa.text("select * from deliveries order by id"))]

    return rows


def send(client: FlaskClient, body: Any, secret: str | None = SECRET) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {} if secret is None else {"X-LabelLoom-Secret": secret}
    return client.post(PATH, data=data, headers=headers, content_type="application/json").status_code


def created(annotation: int = 2, at: str = "2026-03-02T09:00:00.000001Z", project: int = 5) -> dict[str, Any]:
    return {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": annotation, "task": 5, "updated_at": at, "result": [{"value": {"x": 1}}]},
        "task": {"id": 5, "updated_at": at},
        "project": {"id": project, "token": "an invitation", "task_data_password": "hunter2"},
    }


def test_a_delivery_is_stored_once_without_its_payload(client: FlaskClient, stored: Rows, tmp_path: Path) -> None:
    again = created()
    again["project"]["total_annotations_number"] = 7  # other counters, the same event
    assert [send(client, created()), send(client, created()), send(client, again)] == [204, 204, 204]
    (row,) = stored()
    assert (row["project"], row["action"], row["state"], row["repeats"]) == (5, "ANNOTATION_CREATED", "new", 2)
    assert send(client, created(at="2026-03-02T09:00:01Z")) == 204
    assert send(client, created(annotation=3)) == 204
    assert len(stored()) == 3
    held = b"".join(path.read_bytes() for path in tmp_path.glob("labelloom.db*"))
    assert b"hunter2" not in held and b"an invitation" not in held and SECRET.encode() not in held


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], SECRET + "s", sha256(SECRET.encode()), "\xff" * 43])
def test_a_wrong_secret_is_refused_whatever_the_body(client: FlaskClient, stored: Rows, secret: str | None) -> None:
    assert send(client, created(), secret) == 401
    assert send(client, created(project=999), secret) == 401
    assert send(client, b"no JSON", secret) == 401
    assert stored() == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"{}", b'{"action": 5}', b'{"action": ""}', b"\xff\xfe", b"[" * 100_000,
     json.dumps({"action": "A" * 65}).encode(), b'{"action": "\\u0000"}', b'{"action": "\\ud800"}'],
)  # fmt: skip
def test_what_is_no_delivery_is_refused(client: FlaskClient, stored: Rows, body: bytes) -> None:
    assert send(client, body) == 400
    assert stored() == []


def test_ten_megabytes_are_refused(client: FlaskClient, stored: Rows) -> None:
    assert send(client, b'{"action": "' + b"A" * 10_000_000 + b'"}') == 413
    assert send(client, created()) == 204
    assert len(stored()) == 1


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ({"action": "REVIEW_CREATED", "project": {"id": 5}}, "unknown action"),
        (created(project=6), "another project than the webhook's own"),
        ({**created(), "project": {"id": "5; drop table rules"}}, "another project than the webhook's own"),
        ({**created(), "project": {"id": 10**30}}, "another project than the webhook's own"),
        ({**created(), "project": [5]}, "another project than the webhook's own"),
    ],
)
def test_what_concerns_nobody_is_stored_and_ignored(
    client: FlaskClient, stored: Rows, body: dict[str, Any], note: str
) -> None:
    assert send(client, body) == 202
    (row,) = stored()
    assert (row["state"], row["note"], row["project"]) == ("ignored", note, 5)


@pytest.mark.parametrize(
    "body",
    [
        {"action": "ANNOTATION_CREATED"},  # send_payload was switched off
        {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 2}], "project": {"id": 5}},
        {"action": "TASKS_CREATED", "tasks": [], "project": {"id": 5}},
        {"action": "ANNOTATION_UPDATED", "annotation": "odd", "task": [1, None], "project": 5},
    ],
)
def test_any_hint_of_the_webhooks_own_project_counts(client: FlaskClient, stored: Rows, body: dict[str, Any]) -> None:
    assert send(client, body) == 204
    assert [row["state"] for row in stored()] == ["new"]


def test_a_locked_database_is_said_at_once_and_nothing_breaks(
    client: FlaskClient, stored: Rows, settings: Settings
) -> None:
    assert send(client, created()) == 204
    with open_database(settings.database).connect() as blocker:
        blocker.exec_driver_sql("begin immediate")
        assert send(client, created(annotation=3)) == 503
        blocker.exec_driver_sql("rollback")
    assert send(client, created(annotation=4)) == 204
    assert len(stored()) == 2


def test_a_secret_that_is_new_opens_soon(client: FlaskClient, engine: sa.Engine) -> None:
    assert send(client, created()) == 204
    save_hook(engine, Hook(6, sha256(b"other"), "http://here", 2))
    time.sleep(0.6)
    assert send(client, created(project=6), "other") == 204


def test_deliveries_of_many_threads_are_each_stored_once(client: FlaskClient, stored: Rows) -> None:
    bodies = [created(annotation=number) for number in range(40)] * 2
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda body: send(client.application.test_client(), body), bodies))
    assert answers == [204] * 80
    assert [row["repeats"] for row in stored()] == [1] * 40
