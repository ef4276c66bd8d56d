"""The tables, and how to open them."""

from pathlib import Path

import sqlalchemy as sa

from backend.core.errors import UsageError

metadata = sa.MetaData(
    naming_convention={  # named constraints from the first day: SQLite can alter nothing else later
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

splits = sa.Table(
    "splits",
    metadata,
    sa.Column("project", sa.String(120), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("split", sa.String(8), nullable=False),
)

datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("path", sa.String(4096), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("source", sa.String(255), nullable=False),
    sa.Column("images", sa.Integer, nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    sa.Column("label_studio", sa.String(1024)),
    sa.Column("project", sa.Integer),
)


jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("params", sa.Text, nullable=False),
    sa.Column("who", sa.String(255), nullable=False),
    sa.Column("key", sa.String(255)),
    sa.Column("state", sa.String(12), nullable=False, index=True),
    sa.Column("runs", sa.Integer, nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("started", sa.DateTime(timezone=True)),
    sa.Column("finished", sa.DateTime(timezone=True)),
    sa.Column("phase", sa.String(64)),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer),
    sa.Column("phase_since", sa.DateTime(timezone=True)),
    sa.Column("error", sa.Text),
    sa.Column("fix", sa.Text),
    sa.Column("result", sa.Text),
)

job_lines = sa.Table(
    "job_lines",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("job", sa.String(32), nullable=False, index=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("place", sa.String(255), nullable=False),
    sa.Column("started", sa.DateTime(timezone=True), nullable=False),
    sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("email", sa.String(254)),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    sa.Column("last_used", sa.DateTime(timezone=True)),
    sa.Column("revoked", sa.DateTime(timezone=True)),
)

login_links = sa.Table(
    "login_links",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("who", sa.String(255), nullable=False),
    sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("who", sa.String(255), nullable=False),
    sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("request", sa.String(64), nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("status", sa.Integer),
    sa.Column("location", sa.String(1024)),
    sa.Column("body", sa.Text),
)


def open_database(url: str) -> sa.Engine:
    """Return an engine whose tables exist; a SQLite file's folder is made.

    Raises:
        UsageError: the URL cannot be read, or the database cannot be opened.
    """
    try:
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, connect_args={"timeout": 30} if url.startswith("sqlite") else {})
        metadata.create_all(engine)
    except (sa.exc.SQLAlchemyError, ImportError, OSError) as error:
        msg = f"the database cannot be opened: {str(error).splitlines()[0]}"
        raise UsageError(msg, fix="correct LABELLOOM_DATABASE_URL, or make LABELLOOM_DATA_DIR writable") from error
    return engine
