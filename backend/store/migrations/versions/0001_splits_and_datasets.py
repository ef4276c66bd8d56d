"""Sticky splits and the register of datasets; databases from before migrations have these tables already."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply."""
    present = set(sa.inspect(op.get_bind()).get_table_names())
    if "splits" not in present:
        op.create_table(
            "splits",
            sa.Column("project", sa.String(120), nullable=False),
            sa.Column("sha256", sa.String(64), nullable=False),
            sa.Column("split", sa.String(8), nullable=False),
            sa.PrimaryKeyConstraint("project", "sha256", name="pk_splits"),
        )
    if "datasets" not in present:
        op.create_table(
            "datasets",
            sa.Column("path", sa.String(4096), nullable=False),
            sa.Column("name", sa.String(255), nullable=False),
            sa.Column("source", sa.String(255), nullable=False),
            sa.Column("images", sa.Integer, nullable=False),
            sa.Column("created", sa.DateTime(timezone=True), nullable=False),
            sa.Column("label_studio", sa.String(1024)),
            sa.Column("project", sa.Integer),
            sa.PrimaryKeyConstraint("path", name="pk_datasets"),
        )
