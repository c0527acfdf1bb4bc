"""Backups: a file, whatever the inventory is kept in."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Union

from sqlalchemy import URL, Engine

from inventory import copying, database
from inventory.errors import InvalidQuestion


def backup(engine: Engine, url: URL, file: Union[str, Path]) -> None:
    """Writes a copy as of this moment; others may go on reading and writing."""
    if url.drivername != "sqlite":
        copying.copy(url.render_as_string(hide_password=False), file)
        return
    with copying.new_file(Path(file)) as part, database.meaning(url):
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM INTO ?", (str(part),))
            part.chmod(Path(str(url.database)).stat().st_mode & 0o777)
        finally:
            connection.close()


def restore(file: Union[str, Path], url: Union[str, Path], replace: bool = False) -> None:
    """Puts a backup back: into a new file or an empty PostgreSQL database, or with ``replace`` into a file instead of
    what it holds.

    The backup must be whole, and an inventory of this release, or into a file, of an older one, which is then brought up
    to date. It is one transaction: if it is stopped, what was there is still there. Raises the errors of opening an inventory, of both.
    """
    source_url, target_url = database.parsed(file), database.parsed(url)
    if source_url.drivername != "sqlite":
        raise InvalidQuestion("a backup is a file", "name a file, or copy the inventory")
    if target_url.drivername != "sqlite":
        if replace:
            raise InvalidQuestion(
                "an inventory in PostgreSQL is not replaced",
                "restore into a new database, and name that one from then on",
            )
        copying.copy(file, url)
        return
    target = Path(str(target_url.database))
    database.opened(source_url, create=False, older=True).dispose()
    if target.exists() and replace:
        database.opened(
            target_url, create=False, older=True
        ).dispose()  # nothing but an inventory is replaced
    else:
        copying.must_not_exist(
            target, "replace it (--replace, in Python replace=True), or name another"
        )
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
    database.opened(target_url, create=True).dispose()
