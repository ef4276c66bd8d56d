"""A PostgreSQL server of the test session's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.postgres import Postgres, installed, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    if not installed():
        pytest.skip("no PostgreSQL server is installed (initdb, pg_ctl, psql)")
    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'labelloom.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database(f"t{abs(hash(str(tmp_path))):x}")
