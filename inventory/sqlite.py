"""What is particular to SQLite."""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from sqlalchemy import Connection, Engine, event

from inventory import errors

OLDEST = (3, 24, 0)  # ON CONFLICT
TRIGRAM_SINCE = (3, 34, 0)
_MESSAGES = (
    (errors.Locked, ("locked", "busy")),
    (errors.DiskFull, ("disk is full", "no space left")),
    (errors.NotAnInventory, ("not a database", "file is encrypted")),
    (errors.Damaged, ("malformed", "corrupt")),
    (errors.ReadOnly, ("readonly", "read-only")),
    (errors.Unavailable, ("unable to open", "permission denied")),
)
WAIT_S = 0.02  # between two tries
WAL_LIMIT_B = 64 * 1024 * 1024  # to which the log is cut after a large poll


def options(timeout: float) -> dict[str, Any]:
    return {"connect_args": {"timeout": timeout}}


def check_file(file: Path, create: bool) -> None:
    if sqlite3.sqlite_version_info < OLDEST:
        raise errors.Unavailable(
            f"SQLite {sqlite3.sqlite_version} is too old", "use a Python with SQLite 3.24 or newer"
        )
    if file.is_dir():
        raise errors.WrongUrl(f"{file} is a folder", "name a file in it")
    if not create and not file.exists():
        raise errors.NoInventory(
            f"there is no inventory at {file}", "poll into it first, or check its name"
        )
    if not file.parent.is_dir():
        raise errors.WrongUrl(f"there is no folder {file.parent}", "make it, or name another one")


def prepare(engine: Engine, timeout: float) -> None:
    """Each connection begins its transactions itself: Python's sqlite3 would begin some of them too late."""

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(timeout * 1000)}")
        _set_up(cursor, timeout)
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_B}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_up(cursor: Any, timeout: float) -> None:
    """Settings that stay with a new file; one that holds something is not touched. Where two processes make one file,
    SQLite refuses the change of the journal at once instead of waiting for the other one."""
    until = time.monotonic() + timeout
    while not cursor.execute("PRAGMA page_count").fetchone()[0]:
        try:
            cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if kind_of(str(error)) is not errors.Locked or time.monotonic() > until:
                raise
            time.sleep(WAIT_S)


def kind_of(text: str) -> Optional[type[errors.InventoryError]]:
    """What SQLite or the operating system means by a message; None for others."""
    low = text.lower()
    for kind, parts in _MESSAGES:
        if any(part in low for part in parts):
            return kind
    return None


# --- names, by trigrams ---


def add_name_index(connection: Connection) -> None:
    """A trigram index of the resources' names, kept up to date by triggers; none where SQLite has no trigrams."""
    if has_name_index(connection) or sqlite3.sqlite_version_info < TRIGRAM_SINCE:
        return
    savepoint = connection.begin_nested()
    try:
        connection.exec_driver_sql(
            "CREATE VIRTUAL TABLE name_index USING fts5(name, content='resource', content_rowid='id', "
            "tokenize='trigram', detail=none, columnsize=0)"
        )
    except Exception:  # this SQLite was built without FTS5
        savepoint.rollback()
        return
    savepoint.commit()
    remove = "INSERT INTO name_index (name_index, rowid, name) VALUES ('delete', old.id, old.name);"
    add = "INSERT INTO name_index (rowid, name) VALUES (new.id, new.name);"
    for sql in (
        f"CREATE TRIGGER name_added AFTER INSERT ON resource WHEN new.name IS NOT NULL BEGIN {add} END",
        "CREATE TRIGGER name_first AFTER UPDATE OF name ON resource "
        f"WHEN old.name IS NULL AND new.name IS NOT NULL BEGIN {add} END",
        "CREATE TRIGGER name_changed AFTER UPDATE OF name ON resource "
        f"WHEN old.name IS NOT NULL AND old.name <> new.name BEGIN {remove} {add} END",
    ):
        connection.exec_driver_sql(sql)


def has_name_index(connection: Connection) -> bool:
    found = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'name_index'")
    return found.first() is not None


def match(text: str) -> Optional[str]:
    """The query of the name index whose rows may contain the text; None for texts that it can't look up."""
    if len(text) < 3 or "\0" in text:
        return None
    parts = {text[start : start + 3] for start in range(len(text) - 2)}
    return " AND ".join('"' + part.replace('"', '""') + '"' for part in sorted(parts))


# --- the file ---


def after_bulk(engine: Engine) -> None:
    """Writes the log back and cuts it; other readers may prevent that, which does no harm."""
    _without_transaction(engine, "PRAGMA wal_checkpoint(TRUNCATE)")


def shrink(engine: Engine) -> None:
    """Gives free pages back to the disk."""
    _without_transaction(engine, "PRAGMA incremental_vacuum")
    after_bulk(engine)


def _without_transaction(engine: Engine, statement: str) -> None:
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute(statement)
        cursor.fetchall()
        cursor.close()


def problems(connection: Connection) -> Sequence[str]:
    """What SQLite itself finds wrong."""
    found = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
    keys = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(20)
    return [
        *(f"SQLite: {text}" for text in found if text != "ok"),
        *(f"SQLite: a row of {row[0]} refers to no row of {row[2]}" for row in keys),
    ]
