"""Opening a database: which one, whether it holds an inventory of this release, and what its errors mean."""

import contextlib
import importlib.util
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union

import sqlalchemy
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError

from inventory import errors, postgresql, sqlite
from inventory.schema import REVISION

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
TIMEOUT_S = 30.0  # for which a writer waits for another one


def parsed(url: Union[str, Path]) -> URL:
    """The URL of a file or of a database. Raises WrongUrl."""
    text = str(url)
    if "://" not in text:
        if not text.strip():
            raise errors.WrongUrl(
                "the inventory's address is empty", "name a file, such as inventory.db"
            )
        return URL.create("sqlite", database=text)
    try:
        address = sqlalchemy.make_url(text)
        if address.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
            return address.set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        # not the text itself, which may hold a password
        raise errors.WrongUrl(
            "the inventory's address is not a URL that can be read",
            "write sqlite:///inventory.db, or postgresql://user:password@host/database",
        ) from None
    if address.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise errors.WrongUrl(
            f"{address.drivername!r} is not a database that an inventory can be kept in",
            "name a file, or a URL that begins with sqlite:/// or postgresql://",
        )
    if address.host or not address.database or address.database == ":memory:" or address.query:
        raise errors.WrongUrl(
            "the SQLite URL names no file",
            "write three slashes and the path: sqlite:///inventory.db, sqlite:////var/lib/inventory.db",
        )
    return address.set(drivername="sqlite")


def name(url: URL) -> str:
    """For messages: a file's path, or the URL without its password."""
    if url.drivername == "sqlite":
        return str(url.database)
    return url.set(drivername="postgresql").render_as_string()


def opened(url: URL, create: bool, timeout: float = TIMEOUT_S, older: bool = False) -> Engine:
    """The engine of a database that holds an inventory of this release.

    With ``create``, a new or empty database gets the tables, and one of an older release is brought up to date, in
    one transaction; with ``older``, it may stay as it is. Raises the database's errors of inventory/errors.py.
    """
    if url.drivername == "sqlite":
        sqlite.check_file(Path(str(url.database)), create)
    elif importlib.util.find_spec("psycopg") is None:
        raise errors.Unavailable(
            "the PostgreSQL driver is not installed",
            "install it, the extra [postgresql]: pip install 'psycopg[binary]'",
        )
    # no parameters in errors: they are what is stored
    engine = sqlalchemy.create_engine(url, hide_parameters=True, **_options(url, timeout))
    if url.drivername == "sqlite":
        sqlite.prepare(engine, timeout)
    else:
        postgresql.prepare(engine, timeout)
    try:
        with meaning(url):
            _check_schema(engine, url, create, older)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _options(url: URL, timeout: float) -> dict[str, Any]:
    return postgresql.options(timeout) if url.drivername != "sqlite" else sqlite.options(timeout)


def _check_schema(engine: Engine, url: URL, create: bool, older: bool) -> None:
    with reading(engine) as connection:
        found = _revision(connection, url)
    if found == REVISION:
        return
    if found is not None and found > REVISION:
        raise errors.NewerSchema(
            f"{name(url)} was written by a newer release (schema {found}, this one knows {REVISION})",
            "use that release; nothing was changed",
        )
    if not create:
        if found is None:
            raise errors.NoInventory(
                f"{name(url)} is empty", "poll into it first, or check its name"
            )
        if older:
            return
        raise errors.OlderSchema(
            f"{name(url)} is of an older release (schema {found}, this one has {REVISION})",
            "copy it as a backup, then poll into it, or open it with create=True, which brings it up to date",
        )
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            postgresql.wait_for_migration(connection)
        if _revision(connection, url) != REVISION:  # else another process was faster
            _migrate(connection)


def _revision(connection: Connection, url: URL) -> Union[str, None]:
    """The schema's revision; None if there are no tables. Raises NotAnInventory."""
    tables = set(sqlalchemy.inspect(connection).get_table_names())
    if not tables:
        return None
    found = None
    if {"alembic_version", "scope_run", "version"} <= tables:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if found is None:
        raise errors.NotAnInventory(
            f"{name(url)} is a database, but not an inventory",
            "name another file or database; this one was not touched",
        )
    return str(found)


def check_current(connection: Connection, url: URL) -> None:
    """That no other release has changed the schema since this one opened the database. Raises NewerSchema."""
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if found != REVISION:
        raise errors.NewerSchema(
            f"{name(url)} has the schema {found} now, this release knows {REVISION}",
            "stop this process, and start that of the other release; nothing of this call was stored",
        )


def _migrate(connection: Connection) -> None:
    """In the connection's transaction, so that a migration which stops half-way leaves the old schema."""
    from alembic import command  # half a second, which only a new or an old database pays
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        sqlite.add_name_index(connection)
    else:
        postgresql.add_name_index(connection)


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one moment of the database."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(**postgresql.ONE_MOMENT)
        with connection.begin():
            yield connection


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction: everything is stored, or nothing."""
    with engine.connect() as connection:
        connection = connection.execution_options(writes=True)
        with connection.begin():
            yield connection


@contextlib.contextmanager
def meaning(url: URL) -> Iterator[None]:
    """Turns the database's errors into those of inventory/errors.py."""
    try:
        yield
    except DBAPIError as error:
        raise _meaning(error.orig, name(url)) from None
    except (sqlite3.Error, OSError) as error:
        raise _meaning(error, name(url)) from None


def _meaning(error: Union[BaseException, None], where: str) -> errors.InventoryError:
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    kind = postgresql.ERRORS.get(getattr(error, "sqlstate", None) or "") or sqlite.kind_of(text)
    if kind in (errors.Locked, errors.Deadlock):
        return kind(
            f"another process is writing to {where}",
            "try again when it has finished; nothing of this call was stored",
        )
    if kind is errors.DiskFull:
        return kind(
            f"there is no space left for {where}",
            "free some, or thin old versions; nothing of this call was stored",
        )
    if kind is errors.NotAnInventory:
        return kind(f"{where} is not a database", "name another file; this one was not touched")
    if kind is errors.Damaged:
        return kind(f"{where} is damaged", "restore a backup")
    if kind is errors.ReadOnly:
        return kind(f"{where} can't be written", "check its owner and permissions")
    if kind is errors.Unavailable:
        return kind(f"{where} can't be opened", "check its permissions, and those of its folder")
    return errors.Unavailable(f"{where}: {text}", "check that the database can be reached")
