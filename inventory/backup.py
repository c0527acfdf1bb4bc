"""Backups of SQLite files. Of PostgreSQL, its own pg_dump makes them."""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Union

from sqlalchemy import URL, Engine

from inventory import database
from inventory.errors import InvalidQuestion

PART = ".part"  # the end of the name of a backup that is not finished


def backup(engine: Engine, url: URL, file: Union[str, Path]) -> None:
    """Writes a copy as of this moment; others may go on reading and writing."""
    _only_sqlite(url)
    target = Path(file)
    _must_not_exist(target)
    part = target.with_name(target.name + PART)
    part.unlink(missing_ok=True)
    with database.meaning(url):
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM INTO ?", (str(part),))
            part.chmod(Path(str(url.database)).stat().st_mode & 0o777)
            os.replace(part, target)
        finally:
            connection.close()
            part.unlink(missing_ok=True)


def restore(file: Union[str, Path], url: Union[str, Path], replace: bool = False) -> None:
    """Puts a backup back: into a new file, or with ``replace`` instead of what an inventory holds.

    The backup must be an inventory of this release or an older one, and whole. It is one transaction: if it is
    stopped, what was there is still there. Raises the errors of opening an inventory, of both files.
    """
    target_url = database.parsed(url)
    _only_sqlite(target_url)
    target = Path(str(target_url.database))
    source_url = database.parsed(file)
    database.opened(source_url, create=False).dispose()
    if target.exists() and replace:
        database.opened(target_url, create=False).dispose()  # nothing but an inventory is replaced
    else:
        _must_not_exist(target)
    with database.meaning(target_url), contextlib.ExitStack() as stack:
        old = stack.enter_context(contextlib.closing(sqlite3.connect(str(source_url.database))))
        with database.meaning(source_url):
            (whole,) = old.execute("PRAGMA quick_check").fetchone()
            if whole != "ok":
                raise sqlite3.DatabaseError("the backup is malformed")
        new = stack.enter_context(
            contextlib.closing(sqlite3.connect(str(target), timeout=database.TIMEOUT_S))
        )
        old.backup(new)
        new.execute("PRAGMA journal_mode = WAL").fetchone()


def _only_sqlite(url: URL) -> None:
    if url.drivername != "sqlite":
        raise InvalidQuestion(
            "this inventory is in PostgreSQL", "use pg_dump and pg_restore, which PostgreSQL brings"
        )


def _must_not_exist(target: Path) -> None:
    if target.exists():
        raise InvalidQuestion(f"{target} exists already", "name another file, or remove it first")
    if not target.parent.is_dir():
        raise InvalidQuestion(f"there is no folder {target.parent}", "make it, or name another one")
