"""While one process polls a family of an account, no other one does.

Two polls at once could not both be stored: inventory/store.py refuses the second one. A claim spares that one its calls,
and says so at once. It ends with the process that has it, however that ends. For a SQLite inventory it is a lock of the
operating system, on an empty file beside it (``inventory.db-poll-...``) that is removed afterwards; a file that a killed process left
locks nothing. In PostgreSQL it is a lock of the server's, in a transaction that does nothing else.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import sqlalchemy
from sqlalchemy import URL, Connection, NullPool, func, select

from inventory import database, postgresql
from inventory.errors import BeingPolled


@contextlib.contextmanager
def claimed(url: URL, account: str, family: str, timeout: float) -> Iterator[None]:
    """Raises BeingPolled if another process has the claim, and the errors of opening a database."""
    if url.drivername == "sqlite":
        claim = _of_file(url, _path(url, account, family))
    else:
        claim = _of_server(url, _number(account, family), timeout)
    with claim as free:
        if not free:
            raise being_polled(url, account, family)
        yield


def being_polled(url: URL, account: str, family: str) -> BeingPolled:
    return BeingPolled(
        f"another process is polling {account} {family} into {database.name(url)}",
        "nothing was polled here; let one process poll it, or wait until that one has ended",
    )


def is_free(connection: Connection, url: URL, account: str, family: str) -> bool:
    """Whether no process has the claim. In PostgreSQL none can get it before the connection's transaction has ended."""
    if url.drivername != "sqlite":
        lock = select(func.pg_try_advisory_xact_lock(_number(account, family)))
        return bool(connection.execute(lock).scalar())
    path = _path(url, account, family)
    if not os.path.exists(path):
        return True
    with _of_file(url, path) as free:
        return free


def _digest(account: str, family: str) -> bytes:
    name = f"{account}\0{family}".encode(errors="backslashreplace")
    return hashlib.blake2b(name, digest_size=8).digest()


def _number(account: str, family: str) -> int:
    return int.from_bytes(_digest(account, family), "big", signed=True)


def _path(url: URL, account: str, family: str) -> str:
    return f"{os.path.realpath(str(url.database))}-poll-{_digest(account, family).hex()}"


@contextlib.contextmanager
def _of_file(url: URL, path: str) -> Iterator[bool]:
    with database.meaning(url):
        number = _locked(path)
    if number is None:
        yield False
        return
    try:
        yield True
    finally:
        Path(path).unlink(missing_ok=True)
        os.close(number)


def _locked(path: str) -> Optional[int]:
    """The file, open and locked; None if another process has locked it."""
    while True:
        number = os.open(path, os.O_RDONLY | os.O_CREAT, 0o666)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(number), os.stat(path)):
                return number
        except BlockingIOError:
            os.close(number)
            return None
        except FileNotFoundError:
            pass
        os.close(number)  # another process has removed it since it was opened


@contextlib.contextmanager
def _of_server(url: URL, number: int, timeout: float) -> Iterator[bool]:
    # a connection of its own: those of the pool are for statements
    options = postgresql.options(timeout)
    engine = sqlalchemy.create_engine(url, hide_parameters=True, poolclass=NullPool, **options)
    with database.meaning(url):
        connection = engine.connect()
    try:
        with database.meaning(url):
            free = connection.execute(select(func.pg_try_advisory_xact_lock(number))).scalar()
        yield bool(free)
    finally:
        connection.invalidate()  # without a word to the server, which may be gone
        connection.close()
