"""Brings a database's tables up to date, once, however many processes ask at the same moment."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

MIGRATIONS = Path(__file__).with_name("migrations")
HEAD = "0003"  # the newest file there; what a database must say so that nothing is to be done
_LOCK = 0x6C6F6F6D  # PostgreSQL's advisory lock of this program


def migrate(engine: sa.Engine) -> None:
    """Apply what is missing. A newer database than this program is left as it is.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses.
    """
    if version_of(engine) == HEAD:
        return
    from alembic import command

    with _alone(engine), engine.connect() as connection:
        known = {path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("0*.py")}
        if (version := version_of(engine)) == HEAD or (version and version not in known):
            return
        command.upgrade(config(connection), "head")
        connection.commit()


def config(connection: sa.Connection) -> Any:
    """Return Alembic's configuration for a connection."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.attributes["connection"] = connection
    return made


def version_of(engine: sa.Engine) -> str | None:
    """Return the newest change that a database has, or None where it has none."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("select version_num from alembic_version")).scalar()


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[None]:
    """Hold a lock that other processes' migrations wait for."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execute(sa.text(f"select pg_advisory_lock({_LOCK})"))
            yield
            connection.execute(sa.text(f"select pg_advisory_unlock({_LOCK})"))
        return
    if not engine.url.database or engine.url.database == ":memory:":
        yield
        return
    with Path(f"{engine.url.database}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
