"""Models, which of them predicts where, what they found, and the ML backends that ask for it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "models",
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("project", sa.Integer(), nullable=True),
        sa.Column("detector", sa.String(length=32), nullable=False),
        sa.Column("folder", sa.String(length=4096), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("version", name="pk_models"),
    )
    op.create_index("ix_models_project", "models", ["project"])
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(length=255), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_promotions"),
    )
    op.create_index("ix_promotions_project", "promotions", ["project"])
    op.create_table(
        "project_detectors",
        sa.Column("project", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("detector", sa.String(length=32), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project", name="pk_project_detectors"),
    )
    op.create_table(
        "predictions",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "version", name="pk_predictions"),
    )
    op.create_index("ix_predictions_at", "predictions", ["at"])
    op.create_table(
        "ml_backends",
        sa.Column("project", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("url", sa.String(length=1024), nullable=False),
        sa.Column("backend", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project", name="pk_ml_backends"),
    )
