"""Rows that several parts read and write: numbers of shared texts, and documents at a time."""

import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Optional, TypeVar

from sqlalchemy import Column, Connection, Table, and_, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from inventory.changes import ABSENT
from inventory.documents import unpack
from inventory.errors import Damaged
from inventory.fields import encode_text, put, remove
from inventory.schema import (
    account,
    dictionary,
    kind,
    path,
    reading,
    resource,
    run,
    scope,
    snapshot_run,
    source,
    version,
)

AT_ONCE = 500  # values in one statement: SQLite had a limit of 999
T = TypeVar("T")


def chunks(items: Iterable[T], size: int = AT_ONCE) -> Iterator[list[T]]:
    listed = list(items)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]


def add(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def add_missing(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> int:
    """Adds the rows that are not there yet; returns how many. Sorted, so that two writers can't wait for each other."""
    if not rows:
        return 0
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table).on_conflict_do_nothing()
    ordered = sorted(rows, key=lambda row: [str(value) for value in row.values()])
    if dialect is postgresql:  # psycopg does not count rows of many statements
        returned = statement.returning(*table.primary_key)
        return len(connection.execute(returned, ordered).all())
    return connection.execute(statement, ordered).rowcount


def put_row(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Adds the row, or replaces the one with its key."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    keys = [column.name for column in table.primary_key]
    statement = dialect.insert(table).values(row)
    values = {name: statement.excluded[name] for name in row if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))


class Numbers:
    """The numbers of texts in a table (kind, path): those that it lacks are added."""

    def __init__(self, connection: Connection, table: Table, column: str):
        self._connection, self._table, self._column = connection, table, column
        self._known: dict[str, int] = {}

    def of(self, texts: Collection[str]) -> dict[str, int]:
        missing = [text for text in set(texts) if text not in self._known]
        if missing:
            self._find(missing)
            unknown = [text for text in missing if text not in self._known]
            if unknown:
                add_missing(self._connection, self._table, [{self._column: t} for t in unknown])
                self._find(unknown)
        return {text: self._known[text] for text in texts}

    def one(self, text: str) -> int:
        return self._known[text] if text in self._known else self.of([text])[text]

    def _find(self, texts: list[str]) -> None:
        column = self._table.c[self._column]
        for some in chunks(texts):
            for text, number in self._connection.execute(
                select(column, self._table.c.id).where(column.in_(some))
            ):
                self._known[text] = number


def add_resources(
    connection: Connection, account_id: int, keys: Collection[tuple[int, str]]
) -> dict[tuple[int, str], int]:
    """The numbers of resources by (kind, external id); those not known yet get a row without a source."""
    found = find_resources(connection, account_id, keys)
    missing = [key for key in keys if key not in found]
    if missing:
        add_missing(
            connection,
            resource,
            [
                {"external_id": key, "kind_id": kind, "account_id": account_id, "present": False}
                for kind, key in missing
            ],
        )
        found.update(find_resources(connection, account_id, missing))
    return found


def find_resources(
    connection: Connection, account_id: int, keys: Collection[tuple[int, str]]
) -> dict[tuple[int, str], int]:
    by_kind: dict[int, list[str]] = {}
    for kind_id, key in keys:
        by_kind.setdefault(kind_id, []).append(key)
    found = {}
    for kind_id, ids in by_kind.items():
        for some in chunks(ids):
            statement = select(resource.c.external_id, resource.c.id).where(
                resource.c.external_id.in_(some),
                resource.c.kind_id == kind_id,
                resource.c.account_id == account_id,
            )
            for key, number in connection.execute(statement):
                found[kind_id, key] = number
    return found


def add_account(connection: Connection, name: str, provider: str) -> int:
    add_missing(connection, account, [{"name": name, "provider": provider}])
    connection.execute(
        account.update()
        .where(account.c.name == name, account.c.provider != provider)
        .values(provider=provider)
    )
    return int(connection.execute(select(account.c.id).where(account.c.name == name)).scalar_one())


def add_source(connection: Connection, account_id: int, family: str) -> int:
    """The source's number. Its row is locked, so that one poll at a time is stored."""
    add_missing(connection, source, [{"account_id": account_id, "family": family}])
    statement = select(source.c.id).where(
        source.c.account_id == account_id, source.c.family == family
    )
    return int(connection.execute(statement.with_for_update()).scalar_one())


# Resources that were ever there, with what says where each of them is.
placed = (
    resource.join(source, source.c.id == resource.c.source_id)
    .join(account, account.c.id == source.c.account_id)
    .join(scope, scope.c.id == resource.c.scope_id)
    .join(kind, kind.c.id == resource.c.kind_id)
)


# --- times ---


def at_time(as_of: int) -> FromClause:
    """Each source with the number of its last poll that ended by then (NULL: there was none)."""
    last = (
        select(run.c.id)
        .where(run.c.source_id == source.c.id, run.c.ended_at <= as_of)
        .order_by(run.c.ended_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    return select(source.c.id.label("source_id"), last.label("run_id")).subquery("at_time")


def at_run(number: int) -> FromClause:
    """Each source with the number of its last poll up to that one (NULL: there was none)."""
    last = (
        select(func.max(run.c.id))
        .where(run.c.source_id == source.c.id, run.c.id <= number)
        .scalar_subquery()
    )
    return select(source.c.id.label("source_id"), last.label("run_id")).subquery("at_run")


def at_snapshot(number: int) -> FromClause:
    """Each source with the poll that the snapshot names (NULL: none)."""
    named = and_(snapshot_run.c.source_id == source.c.id, snapshot_run.c.snapshot_id == number)
    return (
        select(source.c.id.label("source_id"), snapshot_run.c.last_run.label("run_id"))
        .outerjoin(snapshot_run, named)
        .subquery("at_snapshot")
    )


def covers(table: FromClause, at: Optional[FromClause]) -> ColumnElement[bool]:
    """The condition that an interval holds the time; ``at`` None: it holds now."""
    if at is None:
        return table.c.to_run.is_(None)
    return and_(
        table.c.from_run <= at.c.run_id,
        or_(table.c.to_run.is_(None), table.c.to_run > at.c.run_id),
    )


# --- names ---


def contains(column: "Column[Any]", part: str) -> ColumnElement[bool]:
    """The condition for texts that may have the part in them, in any case; the caller compares."""
    if not part.isascii():
        return column.is_not(None)  # SQLite's LIKE knows the case of ASCII only
    return column.icontains(part, autoescape=True)


# --- documents ---


class Documents:
    """Reads documents of resources, as of now or of an earlier poll of each resource's source."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._dictionaries: dict[int, bytes] = {}

    def unpack(self, body: bytes, dictionary_id: Optional[int]) -> dict[str, Any]:
        known = None
        if dictionary_id is not None:
            if dictionary_id not in self._dictionaries:
                self._dictionaries[dictionary_id] = self._connection.execute(
                    select(dictionary.c.body).where(dictionary.c.id == dictionary_id)
                ).scalar_one()
            known = self._dictionaries[dictionary_id]
        try:
            return unpack(body, known)
        except (zlib.error, ValueError) as error:
            raise Damaged(f"a version can't be read ({error})", "restore a backup") from None

    def of_version(self, number: int) -> dict[str, Any]:
        """As it was when the version began."""
        statement = select(version.c.body, version.c.dictionary_id).where(version.c.id == number)
        body, dictionary_id = self._connection.execute(statement).one()
        return self.unpack(body, dictionary_id)

    def now(self, keys: Collection[int], before: Optional[int] = None) -> dict[int, dict[str, Any]]:
        """The newest document of each resource that ever had one, also of those that are gone.

        ``before``: the newest of those that are older than this run.
        """
        return {key: each for key, (each, _) in self._read(keys, None, before).items()}

    def at(
        self, keys: Collection[int], as_of: FromClause
    ) -> dict[int, tuple[dict[str, Any], bool]]:
        """The documents of that time, each with whether it is exactly that one (see retention)."""
        return self._read(keys, as_of)

    def _read(
        self, keys: Collection[int], as_of: Optional[FromClause], before: Optional[int] = None
    ) -> dict[int, tuple[dict[str, Any], bool]]:
        found = {}
        for some in chunks(sorted(keys)):
            ends = {}
            inner = version.alias("other")
            latest = select(func.max(inner.c.from_run)).where(
                inner.c.resource_id == version.c.resource_id
            )
            if before is not None:
                latest = latest.where(inner.c.from_run < before)
            columns = [version.c.resource_id, version.c.body, version.c.dictionary_id]
            if as_of is None:
                statement = select(*columns, version.c.to_run, version.c.to_run)
                statement = statement.where(version.c.from_run == latest.scalar_subquery())
            else:
                latest = latest.where(inner.c.from_run <= as_of.c.run_id).correlate(version, as_of)
                statement = (
                    select(*columns, version.c.to_run, as_of.c.run_id)
                    .join(resource, resource.c.id == version.c.resource_id)
                    .join(as_of, as_of.c.source_id == resource.c.source_id)
                    .where(version.c.from_run == latest.scalar_subquery())
                )
            statement = statement.where(version.c.resource_id.in_(some))
            for key, body, dictionary_id, to_run, run_id in self._connection.execute(statement):
                exact = as_of is None or to_run is None or to_run > run_id
                found[key] = (self.unpack(body, dictionary_id), exact)
                ends[key] = to_run
            for key, pointer, value, to_run in self._fast(some, as_of):
                if key in ends and (as_of is not None or to_run == ends[key]):
                    document = found[key][0]
                    if value is ABSENT:
                        remove(document, pointer)
                    else:
                        put(document, pointer, value)
        return found

    def _fast(
        self, keys: list[int], as_of: Optional[FromClause]
    ) -> Iterator[tuple[int, str, Any, Optional[int]]]:
        """What was read of fast fields after the version; without a time, of all times."""
        statement = select(
            reading.c.resource_id, path.c.pointer, reading.c.value, reading.c.to_run
        ).join(path, path.c.id == reading.c.path_id)
        if as_of is not None:
            statement = statement.join(resource, resource.c.id == reading.c.resource_id).join(
                as_of, as_of.c.source_id == resource.c.source_id
            )
            statement = statement.where(covers(reading, as_of))
        statement = statement.where(reading.c.resource_id.in_(keys))
        for key, pointer, value, to_run in self._connection.execute(statement):
            yield key, pointer, value_of(value), to_run


def value_of(text: Optional[str]) -> Any:
    return ABSENT if text is None else json.loads(text)


def text_of(value: Any) -> Optional[str]:
    return None if value is ABSENT else encode_text(value)
