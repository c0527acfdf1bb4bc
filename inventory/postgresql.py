"""What is particular to PostgreSQL (15 and newer, by psycopg)."""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


def options(timeout: float) -> dict[str, Any]:
    """A writer waits as long for another one as with SQLite. Reads see one moment."""
    return {
        "connect_args": {
            "connect_timeout": max(2, int(timeout)),
            "options": f"-c lock_timeout={int(timeout * 1000)}",
        },
        "isolation_level": "READ COMMITTED",
        "pool_pre_ping": True,
    }


def add_name_index(connection: Connection) -> None:
    """By trigrams, where this user may create the extension; else names are found by a scan."""
    savepoint = connection.begin_nested()
    try:
        connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        connection.exec_driver_sql(
            "CREATE INDEX name_index ON resource USING gin (name gin_trgm_ops)"
        )
    except DBAPIError:
        savepoint.rollback()
        return
    savepoint.commit()
