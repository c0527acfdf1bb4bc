"""What is due, for workers that share the polls; what a poll cost in calls."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "due_account",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("at_once", sa.Integer(), nullable=False),
        sa.Column("provider_at_once", sa.Integer(), nullable=True),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "due",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("handler", sa.Text(), nullable=False),
        sa.Column("every_s", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("slot_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("served_at", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("claimed_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["due_account.account"]),
        sa.PrimaryKeyConstraint("account", "family", "handler"),
    )
    op.create_index("due_by_time", "due", ["next_at"])
    op.create_index("due_by_turn", "due", ["priority", "served_at", "next_at"])
    leased = sa.text("lease_until IS NOT NULL")
    op.create_index(
        "due_by_lease", "due", ["lease_until"], sqlite_where=leased, postgresql_where=leased
    )
    op.add_column("run", sa.Column("calls", sa.Integer(), nullable=True))
    op.add_column("run", sa.Column("retries", sa.Integer(), nullable=True))
