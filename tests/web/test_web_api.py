"""The API's verbs, lists, recipes and datasets; errors and repeated requests."""

import io
import json
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from web_parts import yolo_files, zipped

from backend.core.progress import Silent
from backend.flows.access import create_token
from backend.flows.job_kinds import KINDS
from backend.store import jobs as table
from backend.store.datasets import list_datasets, record_dataset
from backend.store.jobs import JobRow
from backend.store.tables import idempotency, open_database
from backend.store.workers import beat


@pytest.fixture
def engine(settings):
    return open_database(settings.database)


@pytest.fixture
def street(client):
    """An uploaded dataset."""
    answer = client.post("/api/v1/datasets?name=street", data=zipped(yolo_files()), content_type="application/zip")
    assert answer.status_code == 201, answer.text
    return "street"


def test_a_job_is_submitted_seen_cancelled_and_resumed(client, street):
    answer = client.post("/api/v1/augment", json={"dataset": street, "recipe": "gentle"})
    assert answer.status_code == 202
    job = client.get(answer.location).json
    assert (job["kind"], job["state"], job["who"]) == ("augment", "queued", "a script <script@example.org>")
    assert client.get("/api/v1/jobs").json["totals"] == {"queued": 1}
    again = client.post("/api/v1/jobs", json={"kind": "augment", "params": {"dataset": street, "recipe": "gentle"}})
    assert (again.status_code, again.json["job"]) == (409, job["id"])
    assert client.post(f"{answer.location}/resume").status_code == 409
    assert client.post(f"{answer.location}/cancel").json["state"] == "cancelled"
    assert client.post(f"{answer.location}/resume").json["state"] == "queued"
    assert client.get(f"{answer.location}/sheet").status_code == 404
    assert client.get(f"{answer.location}/lines").json == {"lines": [], "next": 0}


def test_each_kind_of_job_has_a_route_whose_schema_is_its_parameters(client):
    document = client.get("/api/v1/openapi.json").json
    assert document["openapi"].startswith("3.1")
    for name, kind in KINDS.items():
        body = document["paths"][f"/api/v1/{name}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body["$ref"] == f"#/components/schemas/{kind.params.__name__}"
        fields = document["components"]["schemas"][kind.params.__name__]["properties"]
        assert fields.keys() == kind.params.model_fields.keys()
    answers = document["paths"]["/api/v1/jobs"]["post"]["responses"]
    assert list(answers["409"]["content"]) == ["application/problem+json"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("export", {}, "project"),
        ("export", {"project": 0}, "project"),
        ("export", {"project": 1, "formats": ["yolo", "x"]}, "formats.1"),
        ("export", {"project": 1, "colour": 2}, "colour"),
        ("export", {"project": 1, "recipe": {"steps": ["HorizontalFlip"], "variants": "many"}}, "recipe"),
        ("preview", {"recipe": "gentle"}, ""),
        ("augment", {"dataset": "nothing", "recipe": "gentle"}, "dataset"),
        ("augment", {"dataset": "../../etc", "recipe": "gentle"}, "dataset"),
        ("augment", {"dataset": "x" * 900, "recipe": "gentle"}, "dataset"),
        ("jobs", {"kind": "dig"}, "kind"),
        ("jobs", {"kind": "export", "params": {"project": "x"}}, "params.project"),
    ],
)
def test_an_invalid_body_is_refused_with_the_field_named(client, path, body, field):
    answer = client.post(f"/api/v1/{path}", json=body)
    assert answer.status_code == 422 and answer.mimetype == "application/problem+json", answer.text
    assert field in [error["field"] for error in answer.json["errors"]]
    assert client.get("/api/v1/jobs").json["totals"] == {}


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"project": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"project": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b'{"project": "\\ud800"}', "application/json", 400),
        (b"\xff\xfe\x00", "application/json", 400),
        (b"[1]", "application/json", 422),
        (b'"{}"', "application/json", 422),
        (b'{"project": 1, "name": "a\\u0000"}', "application/json", 422),
        (b"", "application/json", 422),
        (b"project=1", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
        (b'{"project": 1, "name": "' + b"x" * 1_100_000 + b'"}', "application/json", 413),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client, data, kind, status):
    answer = client.post("/api/v1/export", data=data, content_type=kind)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    assert answer.json["instance"] == "/api/v1/export"


@pytest.mark.parametrize(("padding", "status"), [(900_000, 202), (1_000_000, 413), (3_000_000, 413)])
def test_a_body_in_chunks_is_limited_too_and_never_cut(client, padding, status):
    body = b'{"project": 1, "recipe": "gentle"}' + b" " * padding
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    stream = io.BytesIO(body)
    answer = client.post(
        "/api/v1/preview", input_stream=stream, content_type="application/json", environ_overrides=chunked
    )
    assert answer.status_code == status, answer.text
    assert stream.closed or stream.tell() <= 1_000_000


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "offset=-1", "offset=99999999999999999999", "state=x", "u=1"]
)
def test_queries_are_checked(client, query):
    assert client.get(f"/api/v1/jobs?{query}").status_code == 422
    assert client.get("/api/v1/jobs?kind=%00").status_code == 400


def test_the_same_request_twice_is_one_job(client, app, settings, engine):
    body = {"project": 1, "recipe": "gentle"}
    first = client.post("/api/v1/preview", json=body, headers={"Idempotency-Key": "k1"})
    second = client.post("/api/v1/preview", json=body, headers={"Idempotency-Key": "k1"})
    assert first.status_code == second.status_code == 202 and first.json == second.json
    assert first.location == second.location and second.headers["Idempotent-Replay"] == "true"
    other = client.post("/api/v1/preview", json=body | {"images": 2}, headers={"Idempotency-Key": "k1"})
    assert other.status_code == 422 and "another request" in other.json["detail"]
    somebody = {"Authorization": f"Bearer {create_token(settings, 'b')}", "Idempotency-Key": "k1"}
    assert app.test_client().post("/api/v1/preview", json=body, headers=somebody).json["id"] != first.json["id"]
    assert client.post("/api/v1/preview", json=body, headers={"Idempotency-Key": "é"}).status_code == 400
    with engine.begin() as connection:
        connection.execute(sa.update(idempotency).values(created=datetime.now(UTC) - timedelta(hours=25)))
    late = client.post("/api/v1/preview", json=body, headers={"Idempotency-Key": "k1"})
    assert late.status_code == 202 and late.json["id"] != first.json["id"]


def test_a_failed_request_may_be_tried_again_with_its_key(client):
    headers = {"Idempotency-Key": "again"}
    body = {"kind": "preview", "params": {"dataset": "street", "recipe": "gentle"}}
    assert client.post("/api/v1/jobs", json=body, headers=headers).status_code == 422
    client.post("/api/v1/datasets?name=street", data=zipped(yolo_files()), content_type="application/zip")
    assert client.post("/api/v1/jobs", json=body, headers=headers).status_code == 202


def test_ten_thousand_jobs_do_not_slow_the_list(client, engine):
    client.get("/api/v1/jobs")
    now = datetime.now(UTC)
    result = json.dumps({"dataset": "street-v1", "counts": {"images": 3}, "skipped": [], "ledger": {"kept": 5}})
    params = json.dumps({"project": 7, "recipe": {"name": "x", "steps": [{"HorizontalFlip": {"p": 0.5}}] * 20}})
    rows = [
        {"id": f"{number:012x}", "kind": "export", "params": params, "who": "me", "state": "done", "runs": 1,
         "created": now - timedelta(seconds=number), "done": 0, "result": result}
        for number in range(10_000)
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(table.jobs), rows)
    took = []  # processor time: the wall clock of a busy test machine measures its other work
    for number in range(40):
        query = ("", "?state=done", "?limit=25&offset=5000", "?kind=export&state=done&state=failed")[number % 4]
        began = time.thread_time()
        answer = client.get(f"/api/v1/jobs{query}")
        took.append(time.thread_time() - began)
        assert answer.json["totals"] == {"done": 10_000} and len(answer.json["jobs"]) in {25, 50}
    assert sorted(took)[37] < 0.1, took
    assert client.get("/api/v1/jobs?limit=1").json["jobs"][0]["id"] == "0" * 12


def test_the_list_of_jobs_tells_how_many_workers_live(client, engine):
    assert client.get("/api/v1/jobs").json["workers"] == 0
    beat(engine, "w1", "here")
    assert client.get("/api/v1/jobs").json["workers"] == 1


def test_a_datasets_time_has_a_zone(client, street):
    (listed,) = client.get("/api/v1/datasets").json["datasets"]
    assert datetime.now(UTC) - datetime.fromisoformat(listed["created"]) < timedelta(minutes=1)


def test_the_catalog_names_parameters(client):
    found = {one["name"]: one for one in client.get("/api/v1/catalog").json["transforms"]}
    assert "p" in [parameter["name"] for parameter in found["HorizontalFlip"]["parameters"]]


def test_label_studio_away_is_said(app, client, settings):
    answer = client.get("/api/v1/projects")
    assert answer.status_code == 502 and "LABEL_STUDIO_URL" in answer.json["fix"]
    settings.label_studio_url, settings.label_studio_api_key = "http://127.0.0.1:9", _secret("not-to-be-shown")
    answer = client.get("/api/v1/projects")
    assert answer.status_code == 502 and "cannot be reached" in answer.json["detail"]
    assert "not-to-be-shown" not in answer.text


def _secret(text):
    from pydantic import SecretStr

    return SecretStr(text)


def test_a_dataset_is_uploaded_seen_and_downloaded(client, street, settings, engine):
    item = client.get("/api/v1/datasets").json["datasets"][0]
    assert (item["name"], item["images"]) == ("street", 3)
    assert item["source"] == "uploaded by a script <script@example.org>"
    assert client.get(item["links"]["self"]).json["description"] is None
    assert client.get(item["links"]["manifest"]).status_code == 404
    answer = client.get(item["links"]["download"])
    assert answer.is_streamed and "filename=street.zip" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        got = {name.removeprefix("street/"): archive.read(name) for name in archive.namelist()}
    assert got == yolo_files()
    again = client.post("/api/v1/datasets?name=street", data=zipped(yolo_files()), content_type="application/zip")
    assert again.status_code == 409
    assert [path.name for path in settings.datasets_dir.iterdir()] == ["street"]


def test_what_the_engine_makes_can_be_read(client, street, settings, engine):
    from backend.flows.augment import Options, run_build
    from backend.flows.recipes import load_recipe
    from backend.formats.recognise import open_dataset

    dataset = open_dataset(settings.datasets_dir / street)
    request = Options(None, "made").request(dataset, load_recipe("gentle", settings), "a test", settings)
    folder = run_build(request, settings, Silent()).folder
    assert folder.parent == settings.datasets_dir
    found = client.get(f"/api/v1/datasets/{folder.name}").json
    assert found["description"]["labels"] == ["raccoon"]
    lines = client.get(found["links"]["manifest"])
    assert lines.is_streamed and len(lines.text.splitlines()) == found["images"]
    page = client.get("/api/v1/datasets?limit=1&offset=1").json
    assert page["total"] == 2 and [one["name"] for one in page["datasets"]] == [street]


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2F..%2Fetc", "elsewhere", "%2Fetc", "nothing", "x" * 300])
@pytest.mark.parametrize("what", ["", "/manifest", "/download"])
def test_nothing_outside_the_datasets_folder_is_served(client, engine, tmp_path, name, what):
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    record_dataset(engine, outside, source="made by hand", images=1)
    assert list_datasets(engine) and client.get(f"/api/v1/datasets/{name}{what}").status_code == 404


def test_a_result_leads_to_its_files(client, engine, settings):
    done = JobRow("ab12", "preview", {"project": 1, "recipe": "gentle"}, "me", "queued", datetime.now(UTC))
    table.add_job(engine, done)
    table.finish_job(engine, "ab12", "done", result={"sheet": "ab12.jpg", "images": 4, "skipped": []})
    table.add_line(engine, "ab12", "one")
    settings.sheets_dir.mkdir(parents=True)
    (settings.sheets_dir / "ab12.jpg").write_bytes(b"\xff\xd8\xff")
    job = client.get("/api/v1/jobs/ab12").json
    answer = client.get(job["links"]["sheet"])
    assert (answer.data, answer.mimetype) == (b"\xff\xd8\xff", "image/jpeg")
    first = client.get(job["links"]["lines"]).json
    assert [line["text"] for line in first["lines"]] == ["one"]
    assert client.get(f"{job['links']['lines']}?after={first['next']}").json["lines"] == []
    assert "skipped" not in client.get("/api/v1/jobs").json["jobs"][0]["result"]


def test_importing_the_app_is_light():
    import subprocess
    import sys

    heavy = {"albumentations", "cv2", "label_studio_sdk", "dbos", "torch"}
    code = f"import backend.web.app, sys; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert found.stdout.strip() == "[]"
