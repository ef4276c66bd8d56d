"""Who gets in, from where, and what is told about it."""

import json
import logging
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from web_parts import log_in

from backend.core.errors import UsageError
from backend.flows.access import create_token, hashed, list_tokens, login_link, revoke_token
from backend.settings import Settings
from backend.store.tables import login_links, open_database, sessions, tokens
from backend.web.app import create_app

OPEN = {"/healthz", "/readyz", "/login", "/ml/", "/ml/health"}
PROBLEM = {"type", "title", "status", "detail", "instance"}


def _routes(app):
    for rule in app.url_map.iter_rules():
        if "static" in rule.endpoint:
            continue
        path = rule.rule.replace("<string:job>", "abc").replace("<string:name>", "abc").replace("<path:name>", "abc")
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, path


def test_every_route_but_health_and_login_needs_a_caller(app, anyone):
    seen = set()
    for method, path in _routes(app):
        answer = anyone.open(path, method=method)
        if path in OPEN:
            assert answer.status_code in {200, 403}, path
        elif path == "/language" or path.startswith("/messages/"):  # the login page has a language too
            assert answer.status_code in {404, 422}, path
        elif path.startswith("/hooks/"):  # has secrets of its own
            assert answer.status_code == 401, path
        elif path.startswith("/ml/"):
            assert answer.status_code == 401, path
            assert "Basic" in answer.headers["WWW-Authenticate"]
        elif path.startswith("/api/") or path == "/metrics":
            assert answer.status_code == 401, path
            assert answer.mimetype == "application/problem+json" and answer.json.keys() >= PROBLEM
            assert "Bearer" in answer.headers["WWW-Authenticate"]
        else:
            back = f"?next={quote(path, safe='')}" if method == "GET" and path != "/" else ""
            assert (answer.status_code, answer.location) == (303, f"/login{back}"), path
        seen.add(path)
    assert len(seen) > 25


def test_no_route_fails_for_a_caller(app, client):
    for method, path in _routes(app):
        if path in {"/login", "/logout"}:
            continue
        answer = client.open(path, method=method)
        assert answer.status_code < 500 or (path == "/api/v1/projects" and answer.status_code == 502), (method, path)
        if path.startswith("/api/") and answer.status_code >= 400:
            assert answer.mimetype == "application/problem+json", path
            assert answer.json["status"] == answer.status_code


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer x", "Bearer loom_" + "A" * 43, "Basic YTpi", "Bearer é"])
def test_wrong_tokens_are_refused(anyone, given):
    answer = anyone.get("/api/v1/jobs", headers={"Authorization": given})
    assert answer.status_code == 401


def test_a_token_works_until_it_is_revoked_and_is_stored_as_a_hash(settings, anyone):
    token = create_token(settings, "nightly", "n@example.org")
    headers = {"Authorization": f"Bearer {token}"}
    assert anyone.get("/api/v1/jobs", headers=headers).status_code == 200
    (row,) = list_tokens(settings)
    assert (row.name, row.email, row.revoked) == ("nightly", "n@example.org", None)
    assert row.last_used and datetime.now(UTC) - row.last_used < timedelta(minutes=1)
    with open_database(settings.database).connect() as connection:
        stored = connection.execute(sa.select(tokens)).one()
    assert token not in str(stored) and stored.sha256 == hashed(token)
    revoke_token(settings, "nightly")
    assert anyone.get("/api/v1/jobs", headers=headers).status_code == 401
    with pytest.raises(UsageError, match="no valid tokens are called 'nightly'"):
        revoke_token(settings, "nightly")


@pytest.mark.parametrize(("name", "email"), [("", None), ("x" * 101, None), ("a\nb", None), ("a", "not mail")])
def test_tokens_without_a_usable_name_are_refused(settings, name, email):
    with pytest.raises(UsageError):
        create_token(settings, name, email)


def test_a_login_link_works_once_and_not_for_long(settings, app):
    link = login_link(settings, "admin")
    code = link.partition("#")[2]
    assert link.startswith("http://localhost:9090/login#")
    log_in(app.test_client(), link)
    with pytest.raises(AssertionError, match="used already"):
        log_in(app.test_client(), link)
    late = login_link(settings, "admin")
    engine = open_database(settings.database)
    with engine.begin() as connection:
        assert code not in str(connection.execute(sa.select(login_links)).all())
        connection.execute(sa.update(login_links).values(expires=datetime.now(UTC) - timedelta(seconds=1)))
    with pytest.raises(AssertionError, match="older than 15 minutes"):
        log_in(app.test_client(), late)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("/export?project=1&tasks=2,3", "/export?project=1&tasks=2,3"),
        ("/jobs?job=%0d%0a", "/jobs?job=%0d%0a"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
        ("/" + "x" * 3000, "/"),
    ],
)
def test_logging_in_leads_to_the_page_asked_for_and_never_elsewhere(settings, app, asked, shown):
    client = app.test_client()
    client.get("/login", query_string={"next": asked})
    page = client.get("/login").text  # the link opens without ?next=
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    assert client.post("/login", data={"csrf_token": token, "code": "wrong"}).status_code == 403
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.post("/login").text)[1]
    code = login_link(settings, "admin").partition("#")[2]
    assert client.post("/login", data={"csrf_token": token, "code": code}).location == shown
    assert client.get_cookie("loom_next") is None


def test_a_page_without_a_session_asks_to_log_in_and_come_back(anyone):
    assert anyone.get("/export?project=1").location == "/login?next=%2Fexport%3Fproject%3D1"
    assert anyone.get("/%5Cevil.example").location == "/login"


def test_logging_in_needs_the_pages_own_token(settings, app):
    code = login_link(settings, "admin").partition("#")[2]
    client = app.test_client()
    client.get("/login")
    answer = client.post("/login", data={"csrf_token": "x", "code": code})
    assert answer.status_code == 403 and "loom_session" not in answer.headers.get("Set-Cookie", "")


def test_a_session_ends_by_itself_and_by_logging_out(settings, browser):
    assert browser.client.get("/api/v1/jobs").status_code == 200
    assert browser.client.post("/logout").status_code == 403
    assert browser.client.post("/logout", data={"csrf_token": browser.csrf}).location == "/login"
    assert browser.client.get("/api/v1/jobs").status_code == 401


def test_an_old_session_is_over(settings, browser):
    with open_database(settings.database).begin() as connection:
        cookie = browser.client.get_cookie("loom_session").value
        assert cookie not in str(connection.execute(sa.select(sessions)).all())
        connection.execute(sa.update(sessions).values(expires=datetime.now(UTC) - timedelta(seconds=1)))
    assert browser.client.get("/jobs").status_code == 303


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/v1/recipes/validate"), ("PUT", "/api/v1/recipes/mine"), ("DELETE", "/api/v1/recipes/mine")],
)
def test_changes_by_cookie_need_the_csrf_token(browser, method, path):
    body = {"text": "name: mine\nvariants: 1\nsteps: [HorizontalFlip]\n"}
    body = None if method == "DELETE" else body
    ask = browser.client.open
    assert ask(path, method=method, json=body).status_code == 403
    assert ask(path, method=method, json=body, headers={"X-CSRF-Token": "0" * 64}).status_code == 403
    elsewhere = browser.headers | {"Origin": "http://evil.example"}
    assert ask(path, method=method, json=body, headers=elsewhere).status_code == 403
    cross = browser.headers | {"Sec-Fetch-Site": "cross-site"}
    assert ask(path, method=method, json=body, headers=cross).status_code == 403
    assert ask(path, method=method, json=body, headers=browser.headers).status_code in {200, 404}


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1@evil.example", "[::2]:9090"])
def test_other_host_names_are_refused(client, host):
    answer = client.get("/api/v1/jobs", headers={"Host": host})
    assert answer.status_code == 400 and "LABELLOOM_ALLOWED_HOSTS" in answer.json["fix"]
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_named_hosts_are_answered(tmp_path):
    settings = Settings(data_dir=tmp_path, allowed_hosts="loom.example, Web", base_url="https://labels.example:8443/x")
    client = create_app(settings).test_client()
    for host in ("loom.example:9090", "web", "labels.example:8443", "localhost", "127.0.0.1:1", "[::1]:9090"):
        assert client.get("/login", headers={"Host": host}).status_code == 200, host


def test_headers_and_cookies_behind_tls(tmp_path):
    settings = Settings(data_dir=tmp_path, base_url="https://labels.example")
    client = create_app(settings).test_client()
    answer = client.get("/login", headers={"Host": "labels.example"})
    assert "; Secure;" in answer.headers["Set-Cookie"] and "HttpOnly" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"]
    assert login_link(settings, "me").startswith("https://labels.example/login#")


def test_every_answer_carries_the_security_headers(client, browser, anyone):
    pages = [browser.client.get(path) for path in ("/", "/export", "/jobs", "/nowhere")]
    for answer in [client.get("/api/v1/jobs"), client.get("/api/v1/nowhere"), anyone.get("/login"), *pages]:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Request-Id"]
    for answer in pages:
        assert "<script>" not in answer.text and "style=" not in answer.text and " on" + "click" not in answer.text
        assert "http://" not in answer.text.replace("http://www.w3.org", "") and "https://" not in answer.text


def test_request_ids_are_taken_if_sane(client):
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1.2"}).headers["X-Request-Id"] == "abc-1.2"
    made = client.get("/api/v1/nowhere", headers={"X-Request-Id": "a b{}"})
    assert made.headers["X-Request-Id"] == made.json["request_id"] != "a b{}"


def test_logs_are_json_and_hold_no_secret(settings, app, token, caplog):
    caplog.set_level(logging.INFO, "labelloom.web")
    link = login_link(settings, "admin")
    code = link.partition("#")[2]
    browser = log_in(app.test_client(), link)
    cookie = browser.client.get_cookie("loom_session").value
    browser.client.post("/api/v1/recipes/validate", json={"text": "secret-text"}, headers=browser.headers)
    app.test_client().get(f"/api/v1/jobs?token={token}", headers={"Authorization": f"Bearer {token}"})
    app.test_client().get(f"/login?code={code}")
    lines = [record.getMessage() for record in caplog.records if record.name == "labelloom.web"]
    assert len(lines) >= 5
    found = json.loads(lines[-2])
    assert found["who"] == "a script <script@example.org>" and found["status"] == 422 and found["request_id"]
    for secret in (token, code, cookie, browser.csrf, "secret-text"):
        assert not any(secret in line for line in lines)


def test_ready_says_why_not(tmp_path):
    (tmp_path / "file").write_text("")
    client = create_app(Settings(data_dir=tmp_path, database_url=f"sqlite:///{tmp_path}/file/x.db")).test_client()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["reason"]) == (503, "the database does not answer")
    assert client.get("/healthz").status_code == 200
    refused = client.get("/api/v1/jobs", headers={"Authorization": "Bearer loom_" + "A" * 43})
    assert refused.status_code == 503 and str(tmp_path) not in refused.text


def test_metrics_count_requests_jobs_and_workers(client):
    client.get("/api/v1/jobs/none")
    text = client.get("/metrics").text
    assert 'labelloom_requests_total{method="GET",route="/api/v1/jobs/<string:job>",status="404"} 1.0' in text
    assert 'labelloom_jobs{state="failed"} 0.0' in text and "labelloom_workers 0.0" in text
    assert "labelloom_request_seconds_bucket" in text
