"""Narrow rows of what a resource is to others, filled from all versions that are kept."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from inventory.documents import unpack
from inventory.extract import traits

revision = "0003"
down_revision = "0002"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT_ONCE = 5000  # rows


def upgrade() -> None:
    op.create_table(
        "trait",
        sa.Column("resource_id", KEY, nullable=False),
        sa.Column("path_id", KEY, nullable=False),
        sa.Column("from_run", KEY, nullable=False),
        sa.Column("to_run", KEY, nullable=True),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["from_run"], ["run.id"]),
        sa.ForeignKeyConstraint(["path_id"], ["path.id"]),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"]),
        sa.ForeignKeyConstraint(["to_run"], ["run.id"]),
        sa.PrimaryKeyConstraint("resource_id", "path_id", "from_run"),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    dictionaries = _pairs(connection, "SELECT id, body FROM dictionary")
    statement = sa.text(
        "SELECT resource_id, from_run, to_run, dictionary_id, body FROM version "
        "WHERE resource_id > :after AND resource_id <= :last ORDER BY resource_id, from_run"
    )
    greatest = connection.execute(sa.text("SELECT max(resource_id) FROM version")).scalar() or 0
    paths = _pairs(connection, "SELECT pointer, id FROM path")
    for after in range(0, greatest, AT_ONCE):
        rows: dict[tuple[int, int], list[dict[str, Any]]] = {}
        values = {"after": after, "last": after + AT_ONCE}
        for key, start, end, number, body in connection.execute(statement, values):
            for value, pointer in traits(unpack(body, dictionaries.get(number))):
                if pointer not in paths:
                    paths[pointer] = _path(connection, pointer)
                known = rows.setdefault((key, paths[pointer]), [])
                if known and known[-1]["to_run"] == start and known[-1]["value"] == value:
                    known[-1]["to_run"] = end  # the version changed, and this did not
                else:
                    known.append({"from_run": start, "to_run": end, "value": value})
        found = [
            {"resource_id": key, "path_id": path, **each}
            for (key, path), spans in rows.items()
            for each in spans
        ]
        if found:
            connection.execute(
                sa.text(
                    "INSERT INTO trait (resource_id, path_id, from_run, to_run, value) "
                    "VALUES (:resource_id, :path_id, :from_run, :to_run, :value)"
                ),
                found,
            )


def _pairs(connection: sa.Connection, statement: str) -> dict[Any, Any]:
    return {row[0]: row[1] for row in connection.execute(sa.text(statement))}


def _path(connection: sa.Connection, pointer: str) -> int:
    row = {"pointer": pointer}
    connection.execute(sa.text("INSERT INTO path (pointer) VALUES (:pointer)"), row)
    number = connection.execute(sa.text("SELECT id FROM path WHERE pointer = :pointer"), row)
    return int(number.scalar_one())
