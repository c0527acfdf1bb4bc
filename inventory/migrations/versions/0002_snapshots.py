"""Snapshots and change windows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _key(name: str, nullable: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "snapshot",
        _key("id"),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("pinned_at", sa.BigInteger(), nullable=True),
        sa.Column("resources", sa.Integer(), nullable=False),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("label"),
    )
    op.create_table(
        "snapshot_run",
        _key("snapshot_id"),
        _key("source_id"),
        _key("last_run"),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshot.id"]),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"]),
        sa.ForeignKeyConstraint(["last_run"], ["run.id"]),
        sa.PrimaryKeyConstraint("snapshot_id", "source_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("snapshot_run_by_source", "snapshot_run", ["source_id", "last_run"])
    op.create_table(
        "snapshot_scope",
        _key("snapshot_id"),
        _key("scope_id"),
        _key("complete_run", nullable=True),
        _key("failed_run", nullable=True),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshot.id"]),
        sa.ForeignKeyConstraint(["scope_id"], ["scope.id"]),
        sa.ForeignKeyConstraint(["complete_run"], ["run.id"]),
        sa.ForeignKeyConstraint(["failed_run"], ["run.id"]),
        sa.PrimaryKeyConstraint("snapshot_id", "scope_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "change_window",
        _key("id"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        _key("before_id"),
        _key("after_id", nullable=True),
        _key("baseline_id", nullable=True),
        sa.Column("concerns", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["before_id"], ["snapshot.id"]),
        sa.ForeignKeyConstraint(["after_id"], ["snapshot.id"]),
        sa.ForeignKeyConstraint(["baseline_id"], ["snapshot.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "explanation",
        _key("id"),
        _key("window_id"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["window_id"], ["change_window.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("explanation_by_window", "explanation", ["window_id"])
