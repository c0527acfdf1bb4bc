"""Views for SQL and BI tools, one per resource type: ``base__name``, ``details__server__state``.

Documents are stored compressed, so the views stand on a plain copy of the current ones: in a file of its own beside a
SQLite inventory (``inventory-views.db``), in the schema ``views`` of a PostgreSQL one. Who does not use SQL has none.
``renew`` brings the copy up to date in a transaction of its own; it reads only the sources that were polled since, and
of these only what changed. What a field is called and which type it has is kept too, so that columns stay.

Tags and connections have views of their own, since their names are data. All times are RFC 3339 in UTC.
"""

import contextlib
import dataclasses
import datetime
import json
import re
import sqlite3
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import sqlalchemy
from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError

from inventory import database, sqlite
from inventory.entries import Filter, Reader
from inventory.errors import Damaged, InvalidQuestion, NotAnInventory, Unavailable
from inventory.flat import Path as Steps
from inventory.flat import flat
from inventory.model import written
from inventory.rows import chunks
from inventory.schema import Key, account, resource, run, scope, source

LAYOUT = "1"  # of the tables below: another one is made anew
SCHEMA = "views"  # in PostgreSQL
MOST_COLUMNS = 1000  # of a view; SQLite has 2,000 at most, PostgreSQL 1,600
LONGEST_NAME = 63  # of a column, in PostgreSQL
OWN = ("resources", "tags", "connections", "scopes", "renewed")  # views that are of no type
COMMON = ("account", "provider", "family", "scope", "id", "first_seen", "last_seen")
TEXT, NUMBER, BOOLEAN, JSON, NULL = "text", "number", "boolean", "json", "null"  # kinds of values
STEPS = 1_000_000  # of SQLite's machine, some ten milliseconds
READABLE_PRAGMAS = ("table_info", "table_xinfo", "table_list")

_READS = re.compile(r"(?is)(\s|--[^\n]*\n|/\*.*?\*/|\()*(select|with|values|table|show|explain)\b")

metadata = MetaData()
_resource = Table(
    "_resource",
    metadata,
    Column("key", Key, primary_key=True, autoincrement=False),
    Column("source_id", Key, nullable=False, index=True),
    Column("scope_id", Key, nullable=False),
    Column("type", Text, nullable=False, index=True),
    Column("id", Text, nullable=False, index=True),  # views are joined by it
    Column("hash", LargeBinary, nullable=False),
    Column("first_seen", Text, nullable=False),
    Column("document", Text().with_variant(JSONB, "postgresql"), nullable=False),
)
_scope = Table(
    "_scope",
    metadata,
    Column("scope_id", Key, primary_key=True, autoincrement=False),
    Column("account", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("complete_at", Text),
    Column("failed_since", Text),
    Column("error", Text),
)
_column = Table(
    "_column",
    metadata,
    Column("type", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("path", Text, nullable=False),  # JSON
    Column("kind", Text, nullable=False),
)
_renewed = Table(
    "_renewed",
    metadata,
    Column("layout", Text, primary_key=True),
    Column("at", Text, nullable=False),
    Column("run_id", Key),
    Column("run_ended_at", Key),
)


@dataclasses.dataclass(frozen=True)
class Renewal:
    """``at``: when the views were last brought up to date; ``changed``: how many resources that wrote or removed."""

    at: datetime.datetime
    changed: int = 0


@dataclasses.dataclass(frozen=True)
class Answer:
    """The rows of a query. ``at``: the views are as of then."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    at: datetime.datetime


def file_of(url: URL) -> Path:
    """Where the views of a SQLite inventory are."""
    file = Path(str(url.database))
    return file.with_name(f"{file.stem}-views{file.suffix}")


def exist(engine: Engine, url: URL) -> bool:
    if url.drivername == "sqlite":
        return file_of(url).exists()
    with database.reading(engine) as connection:
        return sqlalchemy.inspect(connection).has_table("_renewed", schema=SCHEMA)


@contextlib.contextmanager
def meaning(url: URL) -> Iterator[None]:
    """Errors of the file that the views are in say so: it can be removed."""
    if url.drivername != "sqlite":
        with database.meaning(url):
            yield
        return
    file = file_of(url)
    try:
        with database.meaning(url.set(database=str(file))):
            yield
    except (Damaged, NotAnInventory) as error:
        if not error.message.startswith(str(file)):
            raise
        raise type(error)(
            error.message, "move it away; the views are made anew from the inventory"
        ) from None


@contextlib.contextmanager
def writing(engine: Engine, url: URL, timeout: float) -> Iterator[Connection]:
    """A transaction on the views."""
    if url.drivername == "sqlite":
        file = file_of(url)
        if not file.exists():
            file.touch(mode=Path(str(url.database)).stat().st_mode & 0o777)
        own = sqlalchemy.create_engine(
            URL.create("sqlite", database=str(file)),
            hide_parameters=True,
            **sqlite.options(timeout),
        )
        sqlite.prepare(own, timeout)
        try:
            with database.writing(own) as connection:
                yield connection
        finally:
            own.dispose()
        return
    with database.writing(engine) as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({0x1E4E17})")  # one at a time
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        connection.exec_driver_sql(f"SET LOCAL search_path TO {SCHEMA}")
        yield connection


# --- renewing ---


def renew(inventory: Connection, views: Connection, now: datetime.datetime) -> Renewal:
    """``inventory`` sees one moment; ``views`` is a transaction."""
    runs = select(run.c.id, run.c.ended_at).order_by(run.c.id.desc()).limit(1)
    newest: Any = inventory.execute(runs).first()
    known = _known(inventory, views)
    if known is None:
        _start(views)
    elif known.run_id == newest.id:
        return Renewal(moment_of(known.at))  # nothing was stored since
    _write_scopes(inventory, views)
    since = known.run_id if known else 0
    columns = _Columns(views)
    changed = sum(
        _renew_source(inventory, views, each, columns) for each in _polled(inventory, since)
    )
    columns.write()
    views.execute(delete(_renewed))
    row = {"layout": LAYOUT, "at": written(now), "run_id": None, "run_ended_at": None}
    if newest is not None:
        row.update(run_id=newest.id, run_ended_at=newest.ended_at)
    views.execute(insert(_renewed), row)
    return Renewal(now, changed)


def moment_of(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def _known(inventory: Connection, views: Connection) -> Any:
    """The last renewal; None if there was none, of another layout, or of what a restored inventory no longer has."""
    schema = None if views.dialect.name == "sqlite" else SCHEMA
    tables = set(sqlalchemy.inspect(views).get_table_names(schema=schema))
    if foreign := tables - metadata.tables.keys():
        file = views.engine.url.database if schema is None else f"the schema {schema}"
        raise NotAnInventory(f"{file} holds something else ({min(foreign)})", "move it away")
    if "_renewed" not in tables:
        if names := sqlalchemy.inspect(views).get_view_names(schema=schema):
            raise NotAnInventory(f"views such as {names[0]} are there already", "move them away")
        return None
    found = views.execute(select(_renewed).where(_renewed.c.layout == LAYOUT)).first()
    if found is None or found.run_id is None:
        return None
    still = select(run.c.id).where(run.c.id == found.run_id, run.c.ended_at == found.run_ended_at)
    return found if inventory.execute(still).first() else None


def _start(views: Connection) -> None:
    """Empty tables, and the views that are of no type."""
    if views.dialect.name == "sqlite":
        listed = "SELECT name FROM sqlite_master WHERE type = 'view'"
        for (name,) in views.exec_driver_sql(listed).all():
            views.exec_driver_sql(f"DROP VIEW {quoted(name)}")
        metadata.drop_all(views)
    else:
        views.exec_driver_sql(f"DROP SCHEMA {SCHEMA} CASCADE")
        views.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
    metadata.create_all(views)
    for name, body in _own_views(views.dialect.name).items():
        views.exec_driver_sql(f"CREATE VIEW {name} AS {body}")


def _own_views(dialect: str) -> dict[str, str]:
    common = _common()
    source_of = "FROM _resource r JOIN _scope s ON s.scope_id = r.scope_id"
    if dialect == "sqlite":
        tags = (
            f"SELECT {common}, r.type, t.key, t.value {source_of}, "
            "json_each(r.document, '$.metadata.provider_metadata') t"
        )
        connections = (
            f"SELECT {common}, r.type, c.key AS target_type, json_extract(t.value, '$.id') AS target_id "
            f"{source_of}, json_each(r.document, '$.connections') c, json_each(c.value) t"
        )
    else:
        tags = (
            f"SELECT {common}, r.type, t.key, t.value {source_of}, LATERAL jsonb_each_text("
            "CASE jsonb_typeof(r.document #> '{metadata,provider_metadata}') WHEN 'object' "
            "THEN r.document #> '{metadata,provider_metadata}' ELSE '{}' END) t"
        )
        connections = (
            f"SELECT {common}, r.type, c.key AS target_type, t.value ->> 'id' AS target_id {source_of}, "
            "LATERAL jsonb_each(r.document -> 'connections') c, LATERAL jsonb_array_elements(c.value) t"
        )
    name = value_of(dialect, ("base", "name"), TEXT)
    return {
        "resources": f"SELECT {common}, r.type, {name} AS name, r.document {source_of}",
        "tags": tags,
        "connections": connections,
        "scopes": "SELECT account, provider, family, scope, complete_at, failed_since, error FROM _scope",
        "renewed": "SELECT at FROM _renewed",
    }


def _common() -> str:
    places = ", ".join(f"s.{name}" for name in COMMON[:4])
    return f"{places}, r.id, r.first_seen, s.complete_at AS last_seen"


def _write_scopes(inventory: Connection, views: Connection) -> None:
    status = {
        (each.account, each.family, each.scope): each
        for each in Reader(inventory).coverage(Filter()).scopes
    }
    statement = (
        select(scope.c.id, account.c.name, account.c.provider, source.c.family, scope.c.name)
        .join(source, source.c.id == scope.c.source_id)
        .join(account, account.c.id == source.c.account_id)
    )
    rows = []
    for number, account_name, provider, family, name in inventory.execute(statement):
        found = status.get((account_name, family, name))
        if found is None:
            continue  # the provider no longer has it
        rows.append(
            {
                "scope_id": number,
                "account": account_name,
                "provider": provider,
                "family": family,
                "scope": name,
                "complete_at": written(found.complete_at) if found.complete_at else None,
                "failed_since": written(found.failed_since) if found.failed_since else None,
                "error": found.error,
            }
        )
    views.execute(delete(_scope))
    if rows:
        views.execute(insert(_scope), rows)


def _polled(inventory: Connection, since: int) -> list[int]:
    """The sources that have a poll after this one."""
    statement = select(run.c.source_id).where(run.c.id > since)
    # not DISTINCT, for which SQLite would read an index of all polls
    return sorted(set(inventory.execute(statement).scalars()))


def _renew_source(
    inventory: Connection, views: Connection, source_id: int, columns: "_Columns"
) -> int:
    """How many resources changed."""

    def rows_of(connection: Connection, table: Table, key: Any) -> dict[int, tuple[bytes, int]]:
        statement = select(key, table.c.hash, table.c.scope_id)
        statement = statement.where(table.c.source_id == source_id)
        if table is resource:
            statement = statement.where(resource.c.present)
        return {row[0]: (bytes(row[1]), row[2]) for row in connection.execute(statement)}

    there = rows_of(inventory, resource, resource.c.id)
    known = rows_of(views, _resource, _resource.c.key)
    written_anew = [key for key, row in there.items() if known.get(key) != row]
    removed = [key for key in known if key not in there]
    for some in chunks([*removed, *(key for key in written_anew if key in known)]):
        views.execute(delete(_resource).where(_resource.c.key.in_(some)))
    reader = Reader(inventory)
    as_text = views.dialect.name == "sqlite"
    for some in chunks(written_anew):
        documents = reader.documents_of(some)
        rows = []
        for entry in reader.entries(some, documents):
            document = documents[entry.key][0]
            columns.add(entry.type, document)
            digest, scope_id = there[entry.key]
            rows.append(
                {
                    "key": entry.key,
                    "source_id": source_id,
                    "scope_id": scope_id,
                    "type": entry.type,
                    "id": entry.id,
                    "hash": digest,
                    "first_seen": written(entry.first_seen.before),
                    "document": json.dumps(document, ensure_ascii=False) if as_text else document,
                }
            )
        # of another family before: its own row
        views.execute(delete(_resource).where(_resource.c.key.in_([row["key"] for row in rows])))
        views.execute(insert(_resource), rows)
    return len(written_anew) + len(removed)


# --- columns ---


class _Columns:
    """The columns of each type. They are only added: a view that a report uses keeps what it has."""

    def __init__(self, views: Connection):
        self._views = views
        self._kinds: dict[str, dict[Steps, str]] = {}
        self._stored: dict[str, dict[Steps, str]] = {}
        statement = select(_column).order_by(_column.c.type, _column.c.position)
        for row in views.execute(statement):
            steps = tuple(json.loads(row.path))
            self._kinds.setdefault(row.type, {})[steps] = row.kind
            self._stored.setdefault(row.type, {})[steps] = row.kind

    def add(self, type: str, document: Mapping[str, Any]) -> None:
        kinds = self._kinds.setdefault(type, {})
        for steps, value in _fields(document):
            kind, known = _kind(value), kinds.get(steps)
            if known == kind:
                continue
            if known is None:
                if len(kinds) < MOST_COLUMNS:
                    kinds[steps] = kind
            elif known == NULL:
                kinds[steps] = kind
            elif kind != NULL:
                kinds[steps] = TEXT

    def write(self) -> None:
        """Views whose columns are others than they were."""
        for type, kinds in self._kinds.items():
            if kinds == self._stored.get(type):
                continue
            self._views.execute(delete(_column).where(_column.c.type == type))
            rows = [
                {
                    "type": type,
                    "position": number,
                    "name": name,
                    "path": json.dumps(steps),
                    "kind": kind,
                }
                for number, (name, steps, kind) in enumerate(named(kinds))
            ]
            if rows:
                self._views.execute(insert(_column), rows)
            self._write_view(type, rows)

    def _write_view(self, type: str, rows: Sequence[Mapping[str, Any]]) -> None:
        dialect = self._views.dialect.name
        name = quoted(view_of(type))
        columns = [
            f"{value_of(dialect, json.loads(row['path']), row['kind'])} AS {quoted(row['name'])}"
            for row in rows
        ]
        body = (
            f"VIEW {name} AS SELECT {', '.join([_common(), *columns])} "  # noqa: S608 - quoted
            "FROM _resource r JOIN _scope s ON s.scope_id = r.scope_id "
            f"WHERE r.type = {literal(type)}"
        )
        if dialect == "sqlite":
            self._views.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
            self._views.exec_driver_sql(f"CREATE {body}")
            return
        body = body.replace("%", "%%")
        try:  # columns were added, and none became another type: what others built on the view stays
            with self._views.begin_nested():
                self._views.exec_driver_sql(f"CREATE OR REPLACE {body}")
        except DBAPIError:
            self._drop(name)
            self._views.exec_driver_sql(f"CREATE {body}")

    def _drop(self, name: str) -> None:
        try:
            self._views.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
        except DBAPIError as error:
            if "depend" not in str(error.orig):
                raise
            raise Unavailable(
                f"a column of the view {name} becomes another type, and other views depend on it",
                "drop those, renew the views, and make them again",
            ) from None


def view_of(type: str) -> str:
    return f"type_{type}" if type in OWN or type.startswith(("_", "sqlite_")) else type


def _fields(document: Mapping[str, Any]) -> Iterable[tuple[Steps, Any]]:
    for steps, value in flat(document):
        if steps[0] in ("id", "type", "connections") or steps[:2] == (
            "metadata",
            "provider_metadata",
        ):
            continue
        if not any(
            '"' in step or "\0" in step for step in steps
        ):  # which no path of SQLite can have
            yield steps, value


def _kind(value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, (int, float)):
        return NUMBER
    return TEXT if isinstance(value, str) else JSON


def named(kinds: Mapping[Steps, str]) -> Iterator[tuple[str, Steps, str]]:
    """A name for each path: no two may differ by case only, and PostgreSQL cuts long ones."""
    used = set(COMMON)
    for steps, kind in kinds.items():
        name = whole = "__".join(steps)
        number = 1
        while len(name.encode()) > LONGEST_NAME or name.lower() in used:
            if len(name.encode()) > LONGEST_NAME:
                whole = whole.encode()[: LONGEST_NAME - 3].decode(errors="ignore")
            if whole.lower() in used:
                number += 1
                name = f"{whole}_{number}"
            else:
                name = whole
        used.add(name.lower())
        yield name, steps, kind


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def value_of(dialect: str, steps: Sequence[str], kind: str) -> str:
    """The SQL of a field's value. Lists are JSON."""
    if dialect == "sqlite":
        path = "$" + "".join(f'."{step}"' for step in steps)
        return f"json_extract(r.document, {literal(path)})"
    path = f"ARRAY[{', '.join(map(literal, steps))}]"
    if kind == JSON:
        return f"r.document #> {path}"
    cast = {NUMBER: "::numeric", BOOLEAN: "::boolean"}.get(kind, "")
    return f"(r.document #>> {path}){cast}"


# --- asking ---


def ask(engine: Engine, url: URL, statement: str, timeout: float) -> Answer:
    """Runs one SELECT, which can't write. Raises InvalidQuestion."""
    if url.drivername == "sqlite":
        return _ask_sqlite(file_of(url), statement, timeout)
    return _ask_postgresql(engine, statement)


def _ask_sqlite(file: Path, statement: str, timeout: float) -> Answer:
    address = f"file:{urllib.parse.quote(str(file.absolute()))}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=timeout)) as connection:
        connection.execute("BEGIN")  # one moment for the answer and its age
        (at,) = connection.execute("SELECT at FROM renewed").fetchone()
        names = _views_of(connection)
        connection.set_progress_handler(lambda: _go_on(), STEPS)
        connection.set_authorizer(_allowed)  # Python below 3.11 can't take it back
        try:
            cursor = connection.execute(statement)
            rows = [tuple(map(_plain, row)) for row in cursor]
        except (sqlite3.Warning, sqlite3.Error, ValueError) as error:
            if str(error) == "interrupted":
                raise KeyboardInterrupt from None
            raise _wrong(str(error), names) from None
        return _answer(cursor.description, rows, at)


def _go_on() -> int:
    """Python notices Ctrl-C when it is called: without, a query that takes an hour could not be stopped."""
    return 0


def _allowed(action: int, first: Optional[str], second: Optional[str], *_: Any) -> int:
    """Reading only: ATTACH would open other files for writing."""
    reading = (
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_RECURSIVE,
    )
    if action in reading:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and second != "load_extension":
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and first in READABLE_PRAGMAS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _views_of(connection: Any) -> list[str]:
    listed = "SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name"
    return [name for (name,) in connection.execute(listed)]


def _ask_postgresql(engine: Engine, statement: str) -> Answer:
    import psycopg

    if not _READS.match(
        statement
    ):  # COPY writes files, which a read-only transaction does not refuse
        raise InvalidQuestion("the SQL is no question", "write a SELECT")
    with contextlib.closing(engine.raw_connection()) as pooled:
        connection: Any = pooled.driver_connection
        connection.read_only = True
        try:
            cursor = connection.cursor()
            cursor.execute(f"SET LOCAL search_path TO {SCHEMA}")
            (at,) = cursor.execute("SELECT at FROM renewed").fetchone()
            listed = "SELECT viewname FROM pg_views WHERE schemaname = %s ORDER BY viewname"
            names = [name for (name,) in cursor.execute(listed, (SCHEMA,))]
            try:
                # a prepared statement is one statement: none that ends the transaction can come before another
                cursor.execute(statement, prepare=True)
                rows = [tuple(map(_plain, row)) for row in cursor] if cursor.description else []
            except (psycopg.Error, ValueError) as error:
                raise _wrong(str(error), names) from None
            return _answer(cursor.description, rows, at)
        finally:
            connection.rollback()
            connection.read_only = None


def _wrong(text: str, names: Iterable[str]) -> InvalidQuestion:
    text = " ".join(text.split())
    low = text.lower()
    if "not authorized" in low or "prohibited" in low or "read-only" in low or "vacuum" in low:
        return InvalidQuestion("the SQL would write", "only SELECT is possible here; polls write")
    if "one statement" in low or "multiple commands" in low:
        return InvalidQuestion("there is more than one statement", "write one SELECT")
    return InvalidQuestion(f"the SQL can't be run ({text})", f"there are views {', '.join(names)}")


def _answer(description: Any, rows: Iterable[tuple[Any, ...]], at: str) -> Answer:
    if not description:
        raise InvalidQuestion("the SQL asks for nothing", "write a SELECT")
    columns: list[str] = []
    for each in description:
        name, number = each[0], 1
        while name in columns:
            number += 1
            name = f"{each[0]}_{number}"
        columns.append(name)
    return Answer(tuple(columns), tuple(rows), moment_of(at))


def _plain(value: Any) -> Any:
    """What JSON has: PostgreSQL's numeric as a number, bytes as hexadecimal text, times as text."""
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    if value is None or isinstance(value, (str, bool, int, float, list, dict)):
        return value
    if hasattr(value, "as_integer_ratio"):
        return int(value) if value == int(value) else float(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
