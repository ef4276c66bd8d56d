"""Where DBOS keeps its state: beside our own tables, never among them."""

import sqlalchemy as sa


def system_database(database: str) -> str:
    """Return DBOS's database URL for ours: a file of its own on SQLite, the same PostgreSQL (another schema) else."""
    url = sa.make_url(database)
    if url.get_backend_name() != "sqlite" or not url.database:
        return database
    stem = url.database.removesuffix(".db")
    return url.set(database=f"{stem}-jobs.db").render_as_string(hide_password=False)
