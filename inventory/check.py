"""Whether an inventory keeps its own rules."""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from inventory import sqlite
from inventory.changes import compare_documents
from inventory.entries import Reader
from inventory.errors import Damaged
from inventory.extract import extract
from inventory.fields import SLOW_BYTES, fingerprint, split
from inventory.rows import Documents, chunks, text_of
from inventory.schema import (
    address,
    change,
    edge,
    identifier,
    kind,
    label,
    path,
    presence,
    reading,
    resource,
    run,
    scope_run,
    snapshot_run,
    tag,
    trait,
    version,
)
from inventory.snapshots import count_resources, snapshots

MOST = 100  # problems that are listed


def check(connection: Connection) -> list[str]:
    """What is wrong, in sentences; empty if nothing is. It reads everything."""
    found: list[str] = []
    try:
        for problem in _problems(connection):
            found.append(problem)
            if len(found) == MOST:
                return [*found, "there may be more"]
    except Damaged as error:
        found.append(str(error))
    return found


def _problems(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        yield from sqlite.problems(connection)
    yield from _runs(connection)
    yield from _intervals(connection)
    yield from _snapshots(connection)
    keys = list(
        connection.execute(select(resource.c.id).where(resource.c.first_run.is_not(None))).scalars()
    )
    for some in chunks(keys):
        yield from _resources(connection, some)
        yield from _versions(connection, some)


def _runs(connection: Connection) -> Iterator[str]:
    without = select(run.c.id).where(
        ~select(scope_run.c.run_id).where(scope_run.c.run_id == run.c.id).exists()
    )
    for number in connection.execute(without).scalars():
        yield f"poll {number} has no scope"
    backwards = select(run.c.id).where(run.c.ended_at < run.c.started_at)
    for number in connection.execute(backwards).scalars():
        yield f"poll {number} ends before it starts"


def _snapshots(connection: Connection) -> Iterator[str]:
    """Each still shows as many resources as when it was taken, and names polls of its sources."""
    for each in snapshots(connection):
        count = count_resources(Reader(connection, each))
        if count != each.resources:
            yield f"snapshot {each.label!r} shows {count} resources, not the {each.resources} of when it was taken"
    wrong = (
        select(snapshot_run.c.last_run)
        .join(run, run.c.id == snapshot_run.c.last_run)
        .where(run.c.source_id != snapshot_run.c.source_id)
    )
    for number in connection.execute(wrong).scalars():
        yield f"a snapshot names poll {number} as one of another family"


def _intervals(connection: Connection) -> Iterator[str]:
    """Each ends after it begins, and one at most is open; nothing of a resource that is gone is."""
    for table, name in (
        (presence, "presence"),
        (version, "version"),
        (reading, "reading"),
        (address, "address"),
        (identifier, "identifier"),
        (tag, "tag"),
        (edge, "edge"),
        (trait, "trait"),
    ):
        empty = select(func.count()).select_from(table).where(table.c.to_run <= table.c.from_run)
        if connection.execute(empty).scalar():
            yield f"a row of {name} ends before it begins"
        left = (
            select(table.c.resource_id)
            .join(resource, resource.c.id == table.c.resource_id)
            .where(table.c.to_run.is_(None), ~resource.c.present)
            .distinct()
        )
        for key in connection.execute(left).scalars():
            yield f"resource {key} is gone, but has an open {name}"
    for table, name in ((presence, "presence"), (version, "version")):
        open_rows = (
            select(table.c.resource_id).where(table.c.to_run.is_(None)).subquery("open_rows")
        )
        wrong = (
            select(resource.c.id, func.count(open_rows.c.resource_id))
            .outerjoin(open_rows, open_rows.c.resource_id == resource.c.id)
            .where(resource.c.present)
            .group_by(resource.c.id)
            .having(func.count(open_rows.c.resource_id) != 1)
        )
        for key, count in connection.execute(wrong):
            yield f"resource {key} is there, and has {count} open rows of {name}"


def _resources(connection: Connection, keys: list[int]) -> Iterator[str]:
    """The newest documents, and what is derived from them for searches."""
    documents = Documents(connection).now(keys)
    statement = select(resource.c.id, resource.c.present, resource.c.hash, resource.c.name)
    rows = connection.execute(statement.where(resource.c.id.in_(keys))).all()
    held = _held(connection, keys)
    for key, present, hashed, name in rows:
        if key not in documents:
            yield f"resource {key} has no version"
            continue
        document = documents[key]
        if present and fingerprint(*split(document)) != hashed:
            same = fingerprint(*split(document))[:SLOW_BYTES] == hashed[:SLOW_BYTES]
            yield f"the {'states' if same else 'document'} of resource {key} differ from the hash"
        if document["base"]["name"].replace("\0", "") != name:
            yield f"the name of resource {key} is not that of its document"
        found = extract(document)
        expected = {
            *(("address", *each) for each in found.addresses),
            *(("identifier", *each) for each in found.identifiers),
            *(("tag", *each) for each in found.tags),
            *(("edge", *each) for each in found.connections),
            *(("trait", *each) for each in found.traits),
        }
        if present and expected != held.get(key, set()):
            yield f"what resource {key} can be found by is not what its document says"


def _held(connection: Connection, keys: list[int]) -> "dict[int, set[tuple[object, ...]]]":
    target = resource.alias("target")
    found: dict[int, set[tuple[object, ...]]] = {}
    for name, table, statement in (
        (
            "address",
            address,
            select(address.c.resource_id, address.c.ip, address.c.prefix, path.c.pointer).join(
                path, path.c.id == address.c.path_id
            ),
        ),
        (
            "identifier",
            identifier,
            select(identifier.c.resource_id, identifier.c.value, path.c.pointer).join(
                path, path.c.id == identifier.c.path_id
            ),
        ),
        (
            "tag",
            tag,
            select(tag.c.resource_id, label.c.key, label.c.value).join(
                label, label.c.id == tag.c.label_id
            ),
        ),
        (
            "edge",
            edge,
            select(edge.c.resource_id, kind.c.name, target.c.external_id)
            .join(target, target.c.id == edge.c.target_id)
            .join(kind, kind.c.id == target.c.kind_id),
        ),
        (
            "trait",
            trait,
            select(trait.c.resource_id, trait.c.value, path.c.pointer).join(
                path, path.c.id == trait.c.path_id
            ),
        ),
    ):
        rows = connection.execute(
            statement.where(table.c.resource_id.in_(keys), table.c.to_run.is_(None))
        )
        for key, *values in rows:
            found.setdefault(key, set()).add((name, *values))
    return found


def _versions(connection: Connection, keys: list[int]) -> Iterator[str]:
    """Every version can be read, and the rows of changes say how it differs from the one before."""
    documents = Documents(connection)
    statement = (
        select(
            version.c.resource_id,
            version.c.from_run,
            version.c.to_run,
            version.c.dictionary_id,
            version.c.body,
        )
        .where(version.c.resource_id.in_(keys))
        .order_by(version.c.resource_id, version.c.from_run)
    )
    rows = _changes(connection, keys)
    last: tuple[int, object, object] = (0, None, None)
    for key, start, end, dictionary_id, body in connection.execute(statement).all():
        document = documents.unpack(body, dictionary_id)
        if last[0] == key:
            before, last_end = last[1], last[2]
            assert isinstance(before, dict)  # noqa: S101 - of the row before
            if last_end is None or (isinstance(last_end, int) and last_end > start):
                yield f"two versions of resource {key} overlap"
            expected = {
                (each.path, text_of(each.before), text_of(each.after))
                for each in compare_documents(before, document)
                if not each.fast
            }
            if expected != rows.get((key, start), set()):
                yield f"the changes of resource {key} at poll {start} are not those of its versions"
        last = (key, document, end)


def _changes(
    connection: Connection, keys: list[int]
) -> "dict[tuple[int, int], set[tuple[object, ...]]]":
    statement = (
        select(
            change.c.resource_id, change.c.run_id, path.c.pointer, change.c.before, change.c.after
        )
        .join(path, path.c.id == change.c.path_id)
        .where(change.c.resource_id.in_(keys), change.c.fast.is_(False))
    )
    found: dict[tuple[int, int], set[tuple[object, ...]]] = {}
    for key, number, *values in connection.execute(statement):
        found.setdefault((key, number), set()).add(tuple(values))
    return found
