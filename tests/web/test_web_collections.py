"""Collections over HTTP: counts, entries, files, decisions, import, deletion; and the jobs that make them."""

import io
import json
from urllib.parse import quote

import pytest
from collection_parts import NAME, drawing, keep, line, make_collection, write_collection
from PIL import Image

from backend.flows.collect.collection import find_collection

HERE = f"/api/v1/collections/{quote(NAME)}"


@pytest.fixture
def folder(settings):
    return settings.collections_dir / NAME


@pytest.fixture
def lines(folder):
    return make_collection(folder)


def test_a_collection_tells_its_counts_labels_and_reasons(client, lines):
    listed = client.get("/api/v1/collections").json
    assert listed["total"] == 1 and listed["collections"][0]["name"] == NAME
    found = client.get(HERE).json
    assert found["counts"] == {"found": 15, "kept": 10, "rejected": 5, "accepted": 10}
    assert [(one["label"], one["kept"], one["wanted"]) for one in found["labels"]] == [("고양이", 5, 5), ("개", 5, 5)]
    assert [(one["code"], one["count"]) for one in found["reasons"]] == [
        ("http-404", 3),
        ("duplicate", 1),
        ("near-duplicate", 1),
    ]
    assert found["reasons"][0]["text"] == "The host answered with HTTP status 404."


def test_entries_come_in_pages_with_their_repeats(client, lines):
    first = client.get(f"{HERE}/entries?limit=3").json
    assert first["total"] == 10 and [one["rank"] for one in first["entries"]] == [1, 2, 3]
    twins = first["entries"][0]["twins"]
    assert [one["reason"]["code"] for one in twins] == ["duplicate", "near-duplicate"]
    assert not first["entries"][1]["twins"]
    last = client.get(f"{HERE}/entries?limit=3&offset=9").json
    assert [one["rank"] for one in last["entries"]] == [5]
    dogs = client.get(f"{HERE}/entries?label={quote('개')}&state=rejected&reason=http-404").json
    assert dogs["total"] == 3 and dogs["entries"][0]["reason"]["detail"] == "the host answered with 404"
    assert dogs["entries"][0]["links"] == {} and dogs["entries"][0]["sha256"] is None
    assert client.get(f"{HERE}/entries?state=maybe").status_code == 422


def test_what_is_appended_is_seen_and_a_line_being_written_is_not(client, folder, lines):
    assert client.get(HERE).json["counts"]["found"] == 15
    more = json.dumps(keep(folder, 9, "개", drawing(77)), ensure_ascii=False).encode()
    with (folder / "manifest.jsonl").open("ab") as file:
        file.write(more[:40])
    assert client.get(HERE).json["counts"]["found"] == 15
    with (folder / "manifest.jsonl").open("ab") as file:
        file.write(more[40:] + b"\n")
    assert client.get(HERE).json["counts"]["kept"] == 11
    (folder / "manifest.jsonl").unlink()
    write_collection(folder, lines[:2], ("고양이",), 5)
    assert client.get(HERE).json["counts"]["found"] == 2
    (folder / "manifest.jsonl").write_bytes(b"{broken\n")
    answer = client.get(HERE)
    assert answer.status_code == 409 and "line 1 is damaged" in answer.json["detail"]


def test_an_image_and_its_thumbnail_are_served_by_sha256(client, folder, lines, settings):
    sha = lines[0]["sha256"]
    answer = client.get(f"{HERE}/images/{sha}")
    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.data == (folder / lines[0]["file"]).read_bytes()
    small = client.get(f"{HERE}/thumbnails/{sha}")
    assert small.mimetype == "image/jpeg" and max(Image.open(io.BytesIO(small.data)).size) <= 320
    made = list((settings.cache_dir / "thumbnails").rglob("*.jpg"))
    assert [path.stem for path in made] == [sha]
    before = made[0].stat().st_mtime_ns
    assert client.get(f"{HERE}/thumbnails/{sha}").data == small.data and made[0].stat().st_mtime_ns == before


def test_a_large_image_gets_a_small_thumbnail(client, folder):
    one = keep(folder, 1, None, drawing(5, (1200, 900)))
    write_collection(folder, [one], ("x",), 1)
    small = client.get(f"{HERE}/thumbnails/{one['sha256']}").data
    assert Image.open(io.BytesIO(small)).size == (320, 240)


@pytest.mark.parametrize("body", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html><script>1</script>", b""])
def test_what_is_no_picture_is_saved_and_never_shown(client, folder, body):
    one = keep(folder, 1, None, drawing(5))
    (folder / one["file"]).write_bytes(body)
    write_collection(folder, [one], ("x",), 1)
    answer = client.get(f"{HERE}/images/{one['sha256']}")
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert client.get(f"{HERE}/thumbnails/{one['sha256']}").status_code == 409


def test_nothing_outside_the_collection_is_ever_served(client, folder, settings, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(drawing(1))
    lines = [keep(folder, n, None, drawing(n)) for n in (1, 2, 3)]
    lines[0]["file"] = "../../../secret.jpg"
    lines[1]["file"] = str(tmp_path / "secret.jpg")
    inside = folder / lines[2]["file"]
    inside.unlink()
    inside.symlink_to(tmp_path / "secret.jpg")
    write_collection(folder, lines, ("x",), 3)
    for one in lines:
        for what in ("images", "thumbnails"):
            assert client.get(f"{HERE}/{what}/{one['sha256']}").status_code == 404
    shas = ("..%2f..%2fcollection.json", "0" * 64, lines[0]["sha256"].upper(), "x")
    for sha in shas:
        assert client.get(f"{HERE}/images/{sha}").status_code == 404
    make_collection(settings.data_dir / "elsewhere")
    for name in ("..%2felsewhere", "..", ".", "", "a" * 300, "nothing", "%2e%2e%2felsewhere", str(folder)):
        for path in ("", "/entries", f"/images/{lines[0]['sha256']}"):
            assert client.get(f"/api/v1/collections/{name}{path}").status_code in {404, 308}, name
        assert client.delete(f"/api/v1/collections/{name}").status_code in {404, 405}
    assert (settings.data_dir / "elsewhere" / "collection.json").exists()


def test_decisions_are_taken_and_taken_back(client, settings, lines):
    shas = [one["sha256"] for one in lines[:3]]
    answer = client.post(f"{HERE}/decisions", json={"reject": shas})
    assert answer.json["changed"] == 3 and answer.json["counts"]["accepted"] == 7
    assert [one["accepted"] for one in client.get(f"{HERE}/entries").json["entries"]][:4] == [False] * 3 + [True]
    answer = client.post(f"{HERE}/decisions", json={"accept": shas[:1], "reject": shas[1:2]})
    assert answer.json["changed"] == 1 and answer.json["labels"][0]["accepted"] == 3
    assert find_collection(settings, NAME).rejected() == set(shas[1:])
    assert client.post(f"{HERE}/decisions", json={"all": "reject", "label": "개"}).json["counts"]["accepted"] == 3
    assert client.post(f"{HERE}/decisions", json={"all": "accept"}).json["counts"]["accepted"] == 10
    for body in ({}, {"all": "accept", "reject": shas}, {"accept": shas, "reject": shas}, {"reject": ["0" * 64]}):
        assert client.post(f"{HERE}/decisions", json=body).status_code == 422, body


def test_an_import_is_queued_and_a_collection_in_use_is_not_deleted(client, folder, lines):
    assert client.post(f"{HERE}/import", json={}).status_code == 422
    assert client.post(f"{HERE}/import", json={"project": 1, "title": "고양이들"}).status_code == 422
    answer = client.post(f"{HERE}/import", json={"title": "고양이들", "prelabel": True})
    assert answer.status_code == 202 and answer.json["kind"] == "import-collection"
    assert answer.json["params"] == {"collection": NAME, "title": "고양이들", "prelabel": True}
    refused = client.delete(HERE)
    assert (refused.status_code, refused.json["job"]) == (409, answer.json["id"])
    client.post(f"/api/v1/jobs/{answer.json['id']}/cancel")
    assert client.delete(HERE).json["name"] == NAME
    assert not folder.exists() and not list(folder.parent.iterdir())
    assert client.get(HERE).status_code == 404


def test_changes_need_the_pages_own_token_and_reading_a_caller(anyone, browser, lines):
    assert anyone.get(HERE).status_code == 401
    assert anyone.get(f"{HERE}/images/{lines[0]['sha256']}").status_code == 401
    body = {"reject": [lines[0]["sha256"]]}
    assert browser.client.post(f"{HERE}/decisions", json=body).status_code == 403
    assert browser.client.delete(HERE).status_code == 403
    assert browser.client.post(f"{HERE}/decisions", json=body, headers=browser.headers).status_code == 200


def test_the_document_describes_every_route(client):
    paths = client.get("/api/v1/openapi.json").json["paths"]
    for path in ("", "/{name}", "/{name}/entries", "/{name}/decisions", "/{name}/import", "/{name}/images/{sha256}"):
        assert f"/api/v1/collections{path}" in paths
    assert {"/api/v1/sources", "/api/v1/collect", "/api/v1/import-collection"} <= paths.keys()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"keywords": [""]}, "keywords.0"),
        ({"keywords": ["  "]}, ""),
        ({"keywords": ["고양이"], "count": 0}, "count"),
        ({"keywords": ["고양이"], "sources": ["google"]}, "sources.0"),
        ({"keywords": ["고양이"], "licenses": ["free"]}, "licenses.0"),
        ({"keywords": ["고양이"], "allow_hosts": ["10.0.0.1"]}, "allow_hosts"),
        ({"keywords": ["고양이"], "options": {"allow_hosts": ["10.0.0.1"]}}, "options.allow_hosts"),
        ({"keywords": ["고양이"], "options": {"robots": False}}, "options.robots"),
        ({"keywords": ["고양이"], "name": "../x"}, "name"),
        ({"keywords": ["고양이"], "name": "-rf"}, "name"),
        ({"keywords": ["고양이"], "project": 1, "title": "고양이들"}, ""),
        ({"keywords": ["고양이"], "prelabel": True}, ""),
        ({"labels": [{"label": "a"}, {"label": "a"}]}, ""),
        ({"labels": [{"queries": []}]}, ""),
        ({"keywords": ["/etc"], "sources": ["folder"]}, "labels"),
        ({"keywords": ["../../etc/passwd"], "sources": ["urls"]}, "labels"),
        ({"keywords": ["nothing.txt"], "sources": ["urls"]}, "labels"),
        ({"keywords": ["고양이"], "sources": ["openverse", "folder"]}, "labels"),
        ({"keywords": ["고양이"], "sources": ["naver-web"]}, "sources"),
        ({"keywords": ["고양이"], "sources": ["naver"]}, "sources"),
    ],
)
def test_what_cannot_be_collected_is_refused_before_it_is_queued(client, body, field):
    answer = client.post("/api/v1/collect", json=body)
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json["errors"]], answer.json
    assert client.get("/api/v1/jobs").json["totals"] == {}


def test_the_same_request_is_the_same_collection(client):
    body = {"labels": [{"label": "고양이", "queries": ['"아기" 고양이 🐱', "x" * 300]}], "count": 3}
    first = client.post("/api/v1/collect", json=body)
    assert first.status_code == 202, first.text
    again = client.post("/api/v1/collect", json=body | {"review": True, "title": "고양이들"})
    other = client.post("/api/v1/collect", json=body | {"count": 4})
    assert (again.status_code, again.json["job"]) == (409, first.json["id"])
    assert other.status_code == 202
    assert first.json["links"]["collection"].startswith(f"/api/v1/collections/{quote('고양이-')}")
    assert other.json["links"]["collection"] != first.json["links"]["collection"]


def test_sources_are_listed_with_what_they_need(client):
    found = {one["name"]: one for one in client.get("/api/v1/sources").json["sources"]}
    assert list(found) == ["naver", "naver-web", "openverse", "wikimedia", "webpage", "urls", "folder"]
    assert found["openverse"]["ready"] and found["openverse"]["licensed"]
    assert not found["naver"]["ready"] and found["naver"]["fix"]
    assert not found["naver-web"]["ready"]
    assert client.get("/api/v1/sources").json["default"] == ["openverse", "wikimedia"]


def test_lines_without_a_picture_have_no_file(client, folder):
    write_collection(folder, [line(1, None, reason={"code": "of-tomorrow", "detail": ""})], ("x",), 1)
    assert client.get(HERE).json["reasons"] == [{"code": "of-tomorrow", "text": "of-tomorrow", "count": 1}]
    assert client.get(f"{HERE}/entries?state=rejected&label=").json["total"] == 1


def test_no_list_leads_to_the_secrets_beside_it(client, settings):
    secret = settings.data_dir / "label-studio" / "server.json"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text('{"token": "secret"}')
    settings.lists_dir.mkdir()
    (settings.lists_dir / "link.txt").symlink_to(secret)
    (settings.lists_dir / "good.txt").write_text("https://example.org/a.jpg")
    for path in ("label-studio/server.json", "../label-studio/server.json", "link.txt", str(secret), "."):
        answer = client.post("/api/v1/collect", json={"keywords": [path], "sources": ["urls"]})
        assert answer.status_code == 422, path
    assert client.post("/api/v1/collect", json={"keywords": ["good.txt"], "sources": ["urls"]}).status_code == 202
