"""The whole of an inventory into another database: a file into PostgreSQL, and back."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Union

from sqlalchemy import URL, Connection, func, insert, select
from sqlalchemy.schema import Table

from inventory import database, postgresql, sqlite
from inventory.check import check
from inventory.errors import Damaged, InvalidQuestion
from inventory.schema import metadata

AT_ONCE = 5000  # rows
PART = ".part"  # the end of the name of a file that is not finished


def copy(source: Union[str, Path], target: Union[str, Path]) -> "dict[str, int]":
    """Copies an inventory into a new file, or into a PostgreSQL database that holds none or an empty one.

    The copy is as of this moment; others may go on with the source. It is one transaction, which is committed when the
    rows are counted and check() finds nothing wrong; if it stops, nothing is there but perhaps empty tables. Returns how
    many rows of each table were copied. Raises the errors of opening an inventory, of both, and InvalidQuestion if the
    target holds something.
    """
    old, new = database.parsed(source), database.parsed(target)
    if new.drivername != "sqlite":
        return _copied(old, new)
    with new_file(Path(str(new.database))) as part:
        copied = _copied(old, new.set(database=str(part)))
        if old.drivername == "sqlite":
            part.chmod(Path(str(old.database)).stat().st_mode & 0o777)
        return copied


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A file beside the target, which takes the target's name if nothing is raised. Raises InvalidQuestion."""
    must_not_exist(target)
    with database.meaning(database.parsed(target)):
        number, name = tempfile.mkstemp(PART, target.name + ".", target.parent)
        os.close(number)
    part = Path(name)
    try:
        yield part
        must_not_exist(target)
        os.replace(part, target)
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            Path(name + end).unlink(missing_ok=True)


def must_not_exist(target: Path, action: str = "name another file, or remove it first") -> None:
    if target.exists():
        raise InvalidQuestion(f"{target} exists already", action)
    if not target.parent.is_dir():
        raise InvalidQuestion(f"there is no folder {target.parent}", "make it, or name another one")


def _copied(old_url: URL, new_url: URL) -> "dict[str, int]":
    with contextlib.ExitStack() as stack:
        old = database.opened(old_url, create=False)
        stack.callback(old.dispose)
        new = database.opened(new_url, create=True)
        stack.callback(new.dispose)
        with database.meaning(new_url):
            with database.reading(old) as reader, database.writing(new) as writer:
                _refuse_filled(writer, new_url)
                counts = {
                    table.name: _fill(writer, table, _rows(reader, table, old_url))
                    for table in metadata.sorted_tables
                }
                _verify(reader, writer, counts, old_url)
            if new_url.drivername == "sqlite":
                sqlite.after_bulk(new)
    return counts


def _refuse_filled(writer: Connection, url: URL) -> None:
    """From here on, nobody else writes into it."""
    if writer.dialect.name == "postgresql":
        postgresql.lock(writer, list(metadata.tables.values()))
    for table in metadata.tables.values():
        if writer.execute(select(*table.primary_key).limit(1)).first():
            raise InvalidQuestion(
                f"{database.name(url)} holds an inventory already", "name an empty database"
            )


def _rows(reader: Connection, table: Table, url: URL) -> Iterator[Sequence[Any]]:
    """In pieces. Errors are those of the source, whoever reads."""
    with database.meaning(url):
        statement = select(*table.c).order_by(*table.primary_key)
        result = reader.execute(statement.execution_options(yield_per=AT_ONCE))
        yield from result.partitions()


def _fill(writer: Connection, table: Table, rows: Iterator[Sequence[Any]]) -> int:
    count = 0
    for some in rows:
        if writer.dialect.name == "postgresql":
            postgresql.fill(writer, table, some)
        else:
            writer.execute(insert(table), [row._asdict() for row in some])
        count += len(some)
    if writer.dialect.name == "postgresql":
        postgresql.number_on(writer, table)
    return count


def _verify(reader: Connection, writer: Connection, counts: "dict[str, int]", url: URL) -> None:
    for table in metadata.sorted_tables:
        statement = select(func.count()).select_from(table)
        there, here = reader.execute(statement).scalar(), writer.execute(statement).scalar()
        if not there == here == counts[table.name]:
            raise Damaged(
                f"of {there} rows of {table.name} in {database.name(url)}, {here} were copied",
                "check the source; nothing was copied",
            )
    problems = check(writer)
    if problems:
        raise Damaged(
            f"{database.name(url)} breaks its own rules: {problems[0]}",
            "check the source; nothing was copied",
        )
