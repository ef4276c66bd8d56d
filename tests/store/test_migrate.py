"""Databases of every age become today's, once, and lose nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from backend.store.migrate import HEAD, MIGRATIONS, version_of
from backend.store.splits import remember_splits, sticky_splits
from backend.store.tables import metadata, open_database
from benchmarks import postgres

OLD = """
CREATE TABLE splits (project VARCHAR(120) NOT NULL, sha256 VARCHAR(64) NOT NULL, split VARCHAR(8) NOT NULL,
  CONSTRAINT pk_splits PRIMARY KEY (project, sha256));
CREATE TABLE datasets (path VARCHAR(4096) NOT NULL, name VARCHAR(255) NOT NULL, source VARCHAR(255) NOT NULL,
  images INTEGER NOT NULL, created {datetime} NOT NULL, label_studio VARCHAR(1024), project INTEGER,
  CONSTRAINT pk_datasets PRIMARY KEY (path));
INSERT INTO splits VALUES ('7@2026', 'abc', 'val')
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'db' / 'labelloom.db'}"
        return
    if not postgres.installed():
        pytest.skip("no PostgreSQL server is installed (initdb, pg_ctl, psql)")
    with postgres.running() as server:
        yield server.database("labelloom").replace("postgresql:", "postgresql+psycopg:")


def differences(engine: sa.Engine) -> list[object]:
    with engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), metadata)


def test_a_new_database_has_exactly_the_tables_that_the_code_knows(url: str) -> None:
    engine = open_database(url)
    assert version_of(engine) == HEAD
    assert differences(engine) == []
    engine.dispose()


def test_a_database_from_before_migrations_keeps_its_rows(url: str) -> None:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir()
    old = sa.create_engine(url)
    with old.begin() as connection:
        kind = "DATETIME" if url.startswith("sqlite") else "TIMESTAMP WITH TIME ZONE"
        for statement in OLD.format(datetime=kind).split(";"):
            connection.execute(sa.text(statement))
    engine = open_database(url)
    assert sticky_splits(engine, "7@2026", ["abc"]) == {"abc": "val"}
    assert differences(engine) == []
    open_database(url)  # again: nothing to do
    for one in (old, engine):
        one.dispose()


def test_the_newest_file_is_the_version_that_is_looked_for() -> None:
    assert max(path.stem for path in (MIGRATIONS / "versions").glob("0*.py")).partition("_")[0] == HEAD


def test_a_database_of_a_newer_program_is_left_as_it_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'labelloom.db'}"
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
    remember_splits(open_database(url), "p", {"a": "val"})
    assert version_of(engine) == "9999"


def test_many_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'labelloom.db'}"
    code = f"from backend.store.tables import open_database; open_database({url!r})"
    running = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(process.communicate()[1], process.returncode) for process in running] == [("", 0)] * 4
    assert differences(open_database(url)) == []
