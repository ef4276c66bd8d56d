"""The tables, and how to open them."""

from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from backend.core.errors import UsageError
from backend.store.migrate import migrate

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


rules = sa.Table(
    "rules",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(60), nullable=False, unique=True),
    sa.Column("project", sa.Integer, nullable=False, index=True),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("who", sa.String(255), nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("mark", sa.Integer, nullable=False),
    sa.Column("fired", sa.DateTime(timezone=True), nullable=False),
    sa.Column("due_since", sa.DateTime(timezone=True)),
    sa.Column("not_before", sa.DateTime(timezone=True)),
    sa.Column("failures", sa.Integer, nullable=False),
)

rule_runs = sa.Table(
    "rule_runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("rule", sa.Integer, nullable=False, index=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("job", sa.String(32)),
    sa.Column("outcome", sa.String(12), index=True),
    sa.Column("detail", sa.Text),
    sa.Column("started", sa.DateTime(timezone=True)),
    sa.Column("finished", sa.DateTime(timezone=True)),
    sa.Column("wrote", sa.Integer, index=True),
    sa.Column("cause", sa.Integer),
    sa.Column("mark_before", sa.Integer, nullable=False),
    sa.Column("fired_before", sa.DateTime(timezone=True), nullable=False),
)

hooks = sa.Table(
    "hooks",
    metadata,
    sa.Column("project", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("url", sa.String(1024), nullable=False),
    sa.Column("webhook", sa.Integer, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("project", sa.Integer, nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("received", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("state", sa.String(8), nullable=False, index=True),
    sa.Column("note", sa.String(255)),
    sa.Column("repeats", sa.Integer, nullable=False),
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("project", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("label_studio", sa.String(1024), nullable=False),
    sa.Column("updated", sa.DateTime(timezone=True)),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("events", sa.Text, nullable=False),
    sa.Column("facts", sa.String(64), nullable=False),
    sa.Column("derived", sa.Boolean, nullable=False),
    sa.Column("changed", sa.DateTime(timezone=True)),
    sa.Column("checked", sa.DateTime(timezone=True)),
    sa.Column("listed", sa.DateTime(timezone=True)),
    sa.Column("error", sa.Text),
)

seen_tasks = sa.Table(
    "seen_tasks",
    metadata,
    sa.Column("project", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("task", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("updated", sa.String(40), nullable=False),
    sa.Column("annotations", sa.Integer, nullable=False),
    sa.Column("read", sa.Boolean, nullable=False),
)

seen_annotations = sa.Table(
    "seen_annotations",
    metadata,
    sa.Column("project", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("annotation", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("task", sa.Integer, nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    sa.Column("updated", sa.String(40), nullable=False),
    sa.Column("born", sa.Integer, nullable=False),
    sa.Column("changed", sa.Integer, nullable=False),
    sa.Index("ix_seen_annotations_task", "project", "task"),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(60), primary_key=True),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
)

models = sa.Table(
    "models",
    metadata,
    sa.Column("version", sa.String(100), primary_key=True),
    sa.Column("project", sa.Integer, index=True),
    sa.Column("detector", sa.String(32), nullable=False),
    sa.Column("folder", sa.String(4096), nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    sa.Column("metrics", sa.Text, nullable=False),
    sa.Column("note", sa.Text),
)

promotions = sa.Table(  # the last row of a project says which model predicts there
    "promotions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("project", sa.Integer, nullable=False, index=True),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("who", sa.String(255), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
)

project_detectors = sa.Table(
    "project_detectors",
    metadata,
    sa.Column("project", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("detector", sa.String(32), nullable=False),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
)

predictions = sa.Table(  # by image and model: whatever the threshold, no image is looked at twice
    "predictions",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("version", sa.String(100), primary_key=True),
    sa.Column("found", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
)

ml_backends = sa.Table(  # the ML backend that we added to a project, and the password that Label Studio sends
    "ml_backends",
    metadata,
    sa.Column("project", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("url", sa.String(1024), nullable=False),
    sa.Column("backend", sa.Integer, nullable=False),
)


def as_utc(moment: datetime) -> datetime:
    """Return a stored moment with its zone: SQLite forgets it, and all we store is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _arguments(url: str) -> dict[str, int]:
    """Return how long to wait for a locked SQLite file, or for a PostgreSQL that does not answer."""
    return {"timeout": 30} if url.startswith("sqlite") else {"connect_timeout": 10}


def open_database(url: str) -> sa.Engine:
    """Return an engine whose tables are up to date; a SQLite file's folder is made.

    Raises:
        UsageError: the URL cannot be read, or the database cannot be opened.
    """
    try:
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, pool_pre_ping=True, connect_args=_arguments(url))
        migrate(engine)
    except (sa.exc.SQLAlchemyError, ImportError, OSError) as error:
        msg = f"the database cannot be opened: {str(error).splitlines()[0]}"
        raise UsageError(msg, fix="correct LABELLOOM_DATABASE_URL, or make LABELLOOM_DATA_DIR writable") from error
    return engine
