"""One question for everything: an id, an ARN, an address, a network, a MAC, a tag, a name, or any field."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, Optional

from sqlalchemy import Connection, Row, Select, and_, or_, select, text
from sqlalchemy.sql.selectable import FromClause

from inventory import sqlite
from inventory.entries import Filter, Reader
from inventory.errors import InvalidQuestion
from inventory.extract import HOST, address_of, identifier_of, packed, tag_value, unpacked
from inventory.fields import pointer
from inventory.model import Found, Hit, When
from inventory.rows import AT_ONCE, chunks, contains, covers, placed
from inventory.schema import (
    address,
    former_name,
    identifier,
    kind,
    label,
    path,
    resource,
    tag,
    version,
)

BY = ("id", "identifier", "address", "network", "tag", "name", "field")
NETWORK = "network"  # CMP's type of what addresses are in


def search(
    connection: Connection,
    question: str,
    wanted: Filter,
    as_of: Optional[When],
    by: Optional[str],
    limit: int,
) -> Found:
    """By what the text looks like; ``by`` says it instead."""
    if by is not None and by not in BY:
        raise InvalidQuestion(f"nothing is searched by {by!r}", f"choose one of {', '.join(BY)}")
    question = question.strip()
    if not question or "\0" in question:
        raise InvalidQuestion("the search is empty", "write an id, an address, a tag or a name")
    searcher = _Searcher(Reader(connection, as_of), wanted, limit)
    hits, scanned = searcher.search(question, by)
    return Found(tuple(hits[:limit]), searcher.reader.coverage(wanted), scanned, len(hits) > limit)


class _Searcher:
    def __init__(self, reader: Reader, wanted: Filter, limit: int):
        self.reader, self._wanted, self._limit = reader, wanted, limit
        self._connection = reader.connection

    def search(self, question: str, by: Optional[str]) -> tuple[list[Hit], bool]:
        """The hits, one more than the limit if there are more; and whether all documents were read."""
        if by is not None:
            return self._by(by, question)
        found = self._ids(question) or self._identifiers(question)
        if not found and question.startswith("arn:"):
            # the provider's id is the last part of most ARNs
            found = self._ids(question.rpartition("/")[2]) or self._ids(question.rpartition(":")[2])
        if found:
            return found, False
        if _network(question) is not None:
            return self._addresses(question), False
        if "=" in question:
            found = self._tags(question)
        return (found, False) if found else self._by("name", question)

    def _by(self, by: str, question: str) -> tuple[list[Hit], bool]:
        if by in ("address", "network"):
            if _network(question) is None:
                raise InvalidQuestion(
                    f"{question!r} is no address", "write 10.4.3.17, 10.4.0.0/16 or fd00::/64"
                )
            return [
                hit for hit in self._addresses(question) if by != NETWORK or hit.by == by
            ], False
        if by == "tag":
            return self._tags(question), False
        if by == "name":
            return self._names(question)
        if by == "field":
            return list(self._fields(question)), True
        return (self._ids if by == "id" else self._identifiers)(question), False

    # --- ids ---

    def _ids(self, question: str) -> list[Hit]:
        statement = self._statement(resource.c.id, resource.c.external_id).where(
            resource.c.external_id == question, resource.c.first_run.is_not(None)
        )
        keys = [key for key, _ in self._connection.execute(statement.limit(self._limit + 1))]
        # also what is gone: its page says since when
        return [Hit(entry, "id", question) for entry in self.reader.entries(keys)]

    def _identifiers(self, question: str) -> list[Hit]:
        value = identifier_of(question)
        if value is None:
            return []
        statement = self._held(identifier, path.c.pointer, identifier.c.value)
        statement = statement.join(path, path.c.id == identifier.c.path_id)
        return self._hits(statement.where(identifier.c.value == value), "identifier")

    # --- addresses ---

    def _addresses(self, question: str) -> list[Hit]:
        """Who has the address or addresses of the network; and which networks hold it."""
        network = _network(question)
        assert network is not None  # noqa: S101 - the caller has looked
        first, last = packed(network.network_address), packed(network.broadcast_address)
        prefix = HOST - network.max_prefixlen + network.prefixlen
        statement = self._held(address, path.c.pointer, address.c.ip, address.c.prefix)
        statement = statement.join(path, path.c.id == address.c.path_id)
        inside = statement.where(
            address.c.ip >= first, address.c.ip <= last, address.c.prefix >= prefix
        )
        hits = self._hits(inside.order_by(address.c.ip), "address")
        for base, length in self._holding(network, prefix):
            hits.extend(
                self._hits(
                    statement.where(
                        address.c.ip == base, address.c.prefix == length, kind.c.name == NETWORK
                    ),
                    NETWORK,
                )
            )
        return hits

    def _holding(self, network: Any, prefix: int) -> "Sequence[Row[Any]]":
        """The networks that anything ever named and that hold this one, the narrowest first."""
        offset = HOST - network.max_prefixlen
        # a default route (prefix length 0) holds everything, and says nothing
        lengths = range(offset + 1, prefix)
        pairs = [
            and_(
                address.c.prefix == length,
                address.c.ip
                == packed(network.supernet(new_prefix=length - offset).network_address),
            )
            for length in lengths
        ]
        if not pairs:
            return []
        statement = select(address.c.ip, address.c.prefix).where(or_(*pairs)).distinct()
        return self._connection.execute(statement.order_by(address.c.prefix.desc())).all()

    # --- tags and names ---

    def _tags(self, question: str) -> list[Hit]:
        key, equals, value = question.partition("=")
        statement = self._held(tag, label.c.key, label.c.value)
        statement = statement.join(label, label.c.id == tag.c.label_id).where(label.c.key == key)
        if equals:
            statement = statement.where(label.c.value == value)
        # the order of both indexes: nothing is sorted, and no more is read than is shown
        return self._hits(statement.order_by(label.c.value, tag.c.resource_id), "tag")

    def _names(self, question: str) -> tuple[list[Hit], bool]:
        """Those that have the text in their name; by the index from three letters on."""
        keys = list(self._name_keys(question))
        hits = [
            Hit(entry, "name", entry.name)
            for some in chunks(keys)
            for entry in self.reader.entries(some)
            if entry.present and question.lower() in entry.name.lower()
        ]
        return hits, False

    def _name_keys(self, question: str) -> Iterator[int]:
        statement = self._statement(resource.c.id, resource.c.name).where(
            resource.c.first_run.is_not(None)
        )
        index = self._name_index(question)
        if index is None:
            statement = statement.where(contains(resource.c.name, question))
            statement = statement.order_by(resource.c.id)
        else:
            statement = statement.join(index, index.c.rowid == resource.c.id)
            statement = statement.order_by(index.c.rowid)
        statement = statement.execution_options(yield_per=AT_ONCE)
        if self.reader.at is None:
            statement = statement.where(resource.c.present)
        seen = set()
        for key, name in self._connection.execute(statement):
            if question.lower() in name.lower():
                seen.add(key)
                yield key
                if self.reader.at is None and len(seen) > self._limit:
                    return
        if self.reader.at is not None:
            former = self._statement(resource.c.id, former_name.c.name).join(
                former_name, former_name.c.resource_id == resource.c.id
            )
            former = former.where(contains(former_name.c.name, question))
            for key, _ in self._connection.execute(former):
                if key not in seen:
                    seen.add(key)
                    yield key

    def _name_index(self, question: str) -> Optional[FromClause]:
        """What SQLite's index of names finds, in order; None where there is none, or for short texts."""
        if self._connection.dialect.name != "sqlite" or not sqlite.has_name_index(self._connection):
            return None
        query = sqlite.match(question)
        if query is None:
            return None
        rows = text("SELECT rowid FROM name_index WHERE name_index MATCH :query")
        return rows.bindparams(query=query).columns(rowid=resource.c.id.type).subquery("named")

    # --- any field ---

    def _fields(self, question: str) -> Iterator[Hit]:
        """Reads every document; ``field=value`` looks for the value in fields of that name."""
        matches = _matcher(question)
        count = 0
        keys = self.reader.keys(self._wanted)
        for some in chunks(keys):
            documents = self.reader.documents_of(some)
            found = {}
            for key, (document, _) in documents.items():
                hit = _field(document, matches)
                if hit:
                    found[key] = hit
            for entry in self.reader.entries(sorted(found), documents):
                where, leaf = found[entry.key]
                yield Hit(entry, "field", leaf, where)
                count += 1
                if count > self._limit:
                    return

    # --- rows ---

    def _statement(self, *columns: Any) -> Select[Any]:
        """Of resources that are wanted."""
        return select(*columns).select_from(placed).where(*self._wanted.resources())

    def _held(self, table: FromClause, *columns: Any) -> Select[Any]:
        """Rows of a table with intervals, of the reader's time."""
        since = (table.c.from_run, table.c.to_run)
        statement = self._statement(resource.c.id, *since, *columns)
        statement = statement.join(table, table.c.resource_id == resource.c.id)
        if self.reader.at is not None:
            at = self.reader.at
            statement = statement.join(at, at.c.source_id == resource.c.source_id)
        return statement.where(covers(table, self.reader.at))

    def _hits(self, statement: Select[Any], by: str) -> list[Hit]:
        rows = self._connection.execute(statement.limit(self._limit + 1)).all()
        keys = list(dict.fromkeys(row[0] for row in rows))
        entries = {entry.key: entry for entry in self.reader.entries(keys)}
        since = self._after({(row[0], row[1]) for row in rows})
        hits = []
        for key, from_run, _, where, value, *prefix in rows:
            if key in entries:
                if isinstance(value, bytes):
                    value = unpacked(value, prefix[0])
                bounds = self.reader.times.bounds(since.get((key, from_run)), from_run)
                where = pointer("metadata", "provider_metadata", where) if by == "tag" else where
                hits.append(Hit(entries[key], by, value, where, bounds))
        return hits

    def _after(self, starts: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
        """The last complete run before each run that wrote a version of a resource."""
        found = {}
        wanted = set(starts)
        for some in chunks({key for key, _ in wanted}):
            statement = select(version.c.resource_id, version.c.from_run, version.c.after_run)
            statement = statement.where(version.c.resource_id.in_(some))
            for key, start, after in self._connection.execute(statement):
                if (key, start) in wanted:
                    found[key, start] = after
        return found


def _network(question: str) -> Any:
    """The network that the text names, an address as one of its own; None for other texts."""
    if address_of(question) is None:
        return None
    return ipaddress.ip_network(question, strict=False)


def _matcher(question: str) -> Callable[[str, str], bool]:
    """Whether a field's name and value are what is searched."""
    name, equals, value = question.partition("=")
    if equals:
        return lambda field, text: field == name and text == value
    low = question.lower()
    return lambda _, text: low in text.lower()


def _field(
    value: Any, matches: Callable[[str, str], bool], *above: str
) -> Optional[tuple[str, str]]:
    """The first field whose name and value match, with its value as text."""
    if isinstance(value, dict):
        for key, below in value.items():
            found = _field(below, matches, *above, key)
            if found:
                return found
        return None
    if isinstance(value, list):
        for below in value:
            found = _field(below, matches, *above)
            if found:
                return found
        return None
    leaf = tag_value(value)
    return (pointer(*above), leaf) if above and matches(above[-1], leaf) else None
