"""An app of its own for each test, with a token and a browser session."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from web_parts import Browser, log_in

from backend.flows.access import create_token, login_link
from backend.settings import Settings
from backend.web.app import create_app


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


@pytest.fixture
def app(settings: Settings) -> Iterator[Any]:
    yield create_app(settings)
    logger = logging.getLogger("labelloom")  # its handler holds this test's standard error
    logger.handlers.clear()


@pytest.fixture
def anyone(app: Any) -> FlaskClient:
    """A client that is nobody."""
    return app.test_client()


@pytest.fixture
def token(settings: Settings) -> str:
    return create_token(settings, "a script", "script@example.org")


@pytest.fixture
def client(app: Any, token: str) -> FlaskClient:
    """A client with an API token."""
    found = app.test_client()
    found.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return found


@pytest.fixture
def browser(app: Any, settings: Settings) -> Browser:
    return log_in(app.test_client(), login_link(settings, "admin@example.org"))
