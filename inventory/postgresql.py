"""What is particular to PostgreSQL (15 and newer, by psycopg)."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, event, func, select
from sqlalchemy.exc import DBAPIError

from inventory import errors

ONE_MOMENT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}  # of readers
MIGRATION = 0x696E76656E746F72  # the number of a lock: "inventor"
EXTENSION = "pg_trgm"
# by SQLSTATE: messages are in the server's language
ERRORS: "dict[str, type[errors.InventoryError]]" = {
    "25006": errors.ReadOnly,  # read_only_sql_transaction
    "40P01": errors.Deadlock,
    "42501": errors.ReadOnly,  # insufficient_privilege
    "53100": errors.DiskFull,
    "55P03": errors.Locked,  # lock_not_available
    "XX001": errors.Damaged,
    "XX002": errors.Damaged,
}


def options(timeout: float) -> dict[str, Any]:
    """Nothing that outlives a transaction: behind PgBouncer, the next one may get another connection of the server's."""
    return {
        "connect_args": {"connect_timeout": max(2, int(timeout))},
        "isolation_level": "READ COMMITTED",
        "pool_pre_ping": True,
    }


def prepare(engine: Engine, timeout: float) -> None:
    """A writer waits as long for another one as with SQLite, and then sees what that one stored.

    A transaction that does nothing for that long is ended by the server: a process that was paused, or a host that is gone,
    would keep its locks for hours otherwise.
    """

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        """Prepared statements outlive a transaction. They save a third of the time of storing, so only a pooler goes
        without: it is one if it does not give the number of the server's process."""
        with connection.cursor() as cursor:
            (number,) = cursor.execute("SELECT pg_backend_pid()").fetchone()
        connection.rollback()
        if number != connection.info.backend_pid:
            connection.prepare_threshold = None

    names = ("lock_timeout", "idle_in_transaction_session_timeout")
    milliseconds = int(timeout * 1000)
    limits = "; ".join(f"SET LOCAL {name} = {milliseconds}" for name in names)

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql(limits)


def wait_for_migration(connection: Connection) -> None:
    """Until no other process makes or changes the tables. The lock ends with the transaction."""
    connection.execute(select(func.pg_advisory_xact_lock(MIGRATION)))


def add_name_index(connection: Connection) -> None:
    """By trigrams, where this user may create the extension; else names are found by a scan."""
    savepoint = connection.begin_nested()
    try:
        connection.exec_driver_sql(f"CREATE EXTENSION IF NOT EXISTS {EXTENSION}")
        connection.exec_driver_sql(
            "CREATE INDEX name_index ON resource USING gin (name gin_trgm_ops)"
        )
    except DBAPIError:
        savepoint.rollback()
        return
    savepoint.commit()


# --- copies ---


def lock(connection: Connection, tables: Sequence[Table]) -> None:
    """Others may read them, and write once the transaction has ended."""
    names = ", ".join(f'"{table.name}"' for table in tables)
    connection.exec_driver_sql(f"LOCK TABLE {names} IN EXCLUSIVE MODE")


def fill(connection: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Adds rows, with a value for each column, by COPY: some times as fast as INSERT."""
    import psycopg

    columns = ", ".join(f'"{column.name}"' for column in table.c)
    statement = f'COPY "{table.name}" ({columns}) FROM STDIN'
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        raise DBAPIError(statement, None, error) from None


def number_on(connection: Connection, table: Table) -> None:
    """New rows get numbers after the greatest one that is there."""
    if "id" not in table.c:
        return
    sequence = func.pg_get_serial_sequence(table.name, "id")
    greatest = select(func.max(table.c.id)).scalar_subquery()
    connection.execute(select(func.setval(sequence, greatest)).where(greatest.is_not(None)))
