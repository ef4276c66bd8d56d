"""Where DBOS keeps its state: beside our own tables, never among them."""

import contextlib
import sqlite3
from contextlib import closing

import sqlalchemy as sa


def system_database(database: str) -> str:
    """Return DBOS's database URL for ours: a file of its own on SQLite, the same PostgreSQL (another schema) else."""
    url = sa.make_url(database)
    if url.get_backend_name() != "sqlite" or not url.database:
        return database
    stem = url.database.removesuffix(".db")
    return url.set(database=f"{stem}-jobs.db").render_as_string(hide_password=False)


def let_readers_pass(address: str) -> None:
    """Put a SQLite file into WAL mode, for good: on a slow disk, workers that poll would else keep writers waiting."""
    url = sa.make_url(address)
    if url.get_backend_name() == "sqlite" and url.database:
        with contextlib.suppress(sqlite3.OperationalError), closing(sqlite3.connect(url.database)) as file:
            file.execute("PRAGMA journal_mode=WAL")  # refused while somebody writes: then the next start does it
