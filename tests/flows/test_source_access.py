"""Keys, addresses, acknowledgements and defaults of image sources, and what `doctor --sources` says of them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.core.errors import UsageError
from backend.flows.collect import access as module
from backend.flows.collect.access import accepted, acknowledge, default_sources, source_access
from backend.settings import Settings, load_settings
from connectors.sources import SOURCES
from tests.fakes.naver_api import NaverApi

ROOT = Path(__file__).parent.parent.parent
SECRET = "a-secret-77aa88bb"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("LABELLOOM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LABELLOOM_CACHE_DIR", str(tmp_path / "cache"))
    return load_settings()


def doctor(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["doctor", "--sources", *arguments])
    return result.exit_code, result.stdout


def test_settings_become_what_sources_may_use(settings, monkeypatch):
    monkeypatch.setenv("LABELLOOM_NAVER_CLIENT_ID", " an-id ")
    monkeypatch.setenv("LABELLOOM_NAVER_CLIENT_SECRET", SECRET)
    monkeypatch.setenv("LABELLOOM_OPENVERSE_CLIENT_ID", "")
    monkeypatch.setenv("LABELLOOM_NAVER_DIALECT", "legacy")
    monkeypatch.setenv("LABELLOOM_SOURCE_URLS", "openverse=https://ov.example/x?a=b, naver=http://localhost:1/n,")
    monkeypatch.setenv("LABELLOOM_CONTACT", "me@example.org")
    settings = load_settings()
    given = source_access(settings)
    assert given.keys == {"naver_client_id": "an-id", "naver_client_secret": SECRET}
    assert given.urls == {"openverse": "https://ov.example/x?a=b", "naver": "http://localhost:1/n"}
    assert (given.dialects["naver"], given.contact) == ("legacy", "me@example.org")
    assert given.folder == settings.data_dir / "sources"
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [("NAVER_DIALECT", "old"), ("SOURCE_URLS", "openverse"), ("SOURCE_URLS", "a=ftp://x"), ("CONTACT", "나@example")],
)
def test_settings_that_cannot_be_meant_are_named(settings, monkeypatch, name, value):
    monkeypatch.setenv(f"LABELLOOM_{name}", value)
    with pytest.raises(UsageError, match=name.lower()):
        load_settings()


def test_an_address_for_no_source_is_refused(settings):
    with pytest.raises(UsageError, match="no source 'flickr'") as caught:
        source_access(settings.model_copy(update={"source_urls": {"flickr": "https://x.example"}}))
    assert "openverse" in str(caught.value.fix)


def test_without_a_key_the_open_sources_are_asked_and_the_way_to_a_key_is_told(settings, monkeypatch):
    chosen = default_sources(source_access(settings))
    assert chosen.names == ("openverse", "wikimedia") and "NAVER API HUB" in str(chosen.note)
    monkeypatch.setenv("LABELLOOM_NAVER_CLIENT_ID", "id")
    assert default_sources(source_access(load_settings())).names == chosen.names  # half a key is none
    monkeypatch.setenv("LABELLOOM_NAVER_CLIENT_SECRET", SECRET)
    chosen = default_sources(source_access(load_settings()))
    assert chosen.names == ("naver",) and chosen.note is None


def test_terms_are_acknowledged_by_somebody_at_a_time_for_a_text(settings, monkeypatch):
    assert accepted(settings) == frozenset()
    acknowledge("naver-web", "김 <kim@example.org>", settings)
    assert accepted(settings) == source_access(settings).accepted == {"naver-web"}
    path = settings.data_dir / "sources" / "acknowledged.jsonl"
    line = json.loads(path.read_text(encoding="utf-8"))
    assert line["who"] == "김 <kim@example.org>" and line["source"] == "naver-web" and line["at"].endswith("+00:00")
    monkeypatch.setattr(module, "TERMS", {"naver-web": "other words"})
    assert accepted(settings) == frozenset()  # who agreed to the old text did not agree to the new one


def test_a_torn_acknowledgement_counts_for_nothing(settings):
    acknowledge("naver-web", "me", settings)
    path = settings.data_dir / "sources" / "acknowledged.jsonl"
    path.write_text(path.read_text()[:-20] + "\n[]\n", encoding="utf-8")
    assert accepted(settings) == frozenset()
    acknowledge("naver-web", "me", settings)
    assert accepted(settings) == {"naver-web"}


def test_what_needs_no_acknowledgement_gets_none(settings):
    with pytest.raises(UsageError, match="wikimedia"):
        acknowledge("wikimedia", "me", settings)


def test_doctor_tells_what_can_be_used_and_how_to_get_the_rest(settings):
    code, text = doctor()
    assert code == 0 and "no    naver: " in text and "ok    openverse: " in text
    assert "fix: Get a key of NAVER API HUB" in text
    checks = {check["name"]: check for check in json.loads(doctor("--json")[1])["checks"]}
    assert set(checks) == set(SOURCES)
    assert not checks["naver"]["ok"] and "LABELLOOM_NAVER_CLIENT_ID" in checks["naver"]["detail"]


def test_doctor_asks_nobody_and_shows_no_key(settings, monkeypatch):
    with NaverApi() as fake:
        monkeypatch.setenv("LABELLOOM_NAVER_CLIENT_ID", "an-id-3344")
        monkeypatch.setenv("LABELLOOM_NAVER_CLIENT_SECRET", SECRET)
        monkeypatch.setenv("LABELLOOM_SOURCE_URLS", f"naver={fake.url}/search/v1/image")
        _, text = doctor()
        assert "ok    naver: " in text and "0 of 25,000 calls" in text
        assert SECRET not in text and "an-id-3344" not in text and fake.requests == []


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_documented(name):
    assert f"`{name}`" in (ROOT / "docs/sources.md").read_text(encoding="utf-8")
    assert SOURCES[name].name == name and SOURCES[name].summary
