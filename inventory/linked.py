"""All resources at once in narrow rows, for a graph of them: no document is read."""

from collections.abc import Mapping
from typing import Any, Optional

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.sql.selectable import FromClause

from inventory.entries import Reader
from inventory.extract import HOST, unpacked
from inventory.fields import steps
from inventory.model import Linked, Narrow, Shared, Status, When, moment
from inventory.rows import chunks, covers, value_of
from inventory.schema import (
    account,
    address,
    change,
    edge,
    former_name,
    identifier,
    kind,
    path,
    presence,
    resource,
    scope,
    source,
    status_point,
    trait,
)

LEVELS = ("ok", "unknown", "warning", "error")  # the worst last
Key = tuple[str, str, str]


def linked(connection: Connection, as_of: Optional[When]) -> Linked:
    at = Reader(connection, as_of).at
    accounts: dict[int, str] = dict(_pairs(connection, account))
    kinds: dict[int, str] = dict(_pairs(connection, kind))
    scopes: dict[int, str] = dict(_pairs(connection, scope))
    sources: dict[int, tuple[str, str, str]] = {}
    statement = select(source.c.id, account.c.name, account.c.provider, source.c.family)
    for number, name, provider, family in connection.execute(statement.join(account)):
        sources[number] = (name, provider, family)
    names = _names(connection, at)
    states = _states(connection, at)
    found: dict[int, Narrow] = {}
    for number, source_id, scope_id, kind_id, id, name, state in connection.execute(_there(at)):
        found[number] = Narrow(
            number,
            *sources[source_id],
            scopes[scope_id],
            kinds[kind_id],
            id,
            names.get(number, name),
            states.get(number, state),
        )
    connections: dict[int, list[int]] = {}
    elsewhere: set[int] = set()
    for one, other in connection.execute(_open(edge, at, edge.c.resource_id, edge.c.target_id)):
        connections.setdefault(one, []).append(other)
        if other not in found:
            elsewhere.add(other)
    absent: dict[int, Key] = {}
    columns = (resource.c.id, resource.c.account_id, resource.c.kind_id, resource.c.external_id)
    for some in chunks(sorted(elsewhere)):
        for number, account_id, kind_id, id in connection.execute(
            select(*columns).where(resource.c.id.in_(some))
        ):
            absent[number] = (accounts[account_id], kinds[kind_id], id)
    return Linked([*found.values()], connections, absent, _traits(connection, at))


def _pairs(connection: Connection, table: Any) -> "list[tuple[int, str]]":
    return [(number, name) for number, name in connection.execute(select(table.c.id, table.c.name))]


def _there(at: Optional[FromClause]) -> Select[Any]:
    statement = select(
        resource.c.id,
        resource.c.source_id,
        resource.c.scope_id,
        resource.c.kind_id,
        resource.c.external_id,
        resource.c.name,
        resource.c.state,
    ).order_by(resource.c.id)
    if at is None:
        return statement.where(resource.c.present)
    return (
        statement.join(at, at.c.source_id == resource.c.source_id)
        .join(presence, presence.c.resource_id == resource.c.id)
        .where(covers(presence, at))
    )


def _open(table: Any, at: Optional[FromClause], *columns: Any) -> Select[Any]:
    """The rows that hold at the time."""
    statement = select(*columns).where(covers(table, at))
    if at is None:
        return statement
    return statement.join(resource, resource.c.id == table.c.resource_id).join(
        at, at.c.source_id == resource.c.source_id
    )


def _names(connection: Connection, at: Optional[FromClause]) -> dict[int, str]:
    """Names that were others then."""
    if at is None:
        return {}
    statement = _open(former_name, at, former_name.c.resource_id, former_name.c.name)
    statement = statement.where(former_name.c.to_run.is_not(None))
    return {row[0]: row[1] for row in connection.execute(statement)}


def _states(connection: Connection, at: Optional[FromClause]) -> dict[int, Optional[str]]:
    """States that were others then: what the first change after that time says was before."""
    if at is None:
        return {}
    statement = (
        select(change.c.resource_id, change.c.before)
        .join(path, path.c.id == change.c.path_id)
        .join(resource, resource.c.id == change.c.resource_id)
        .join(at, at.c.source_id == resource.c.source_id)
        .where(path.c.pointer.like("/details/%/state"), change.c.run_id > at.c.run_id)
        .order_by(change.c.run_id.desc())
    )
    found: dict[int, Optional[str]] = {}
    for number, before in connection.execute(statement):
        value = value_of(before)
        found[number] = value if isinstance(value, str) else None
    return found


def _traits(connection: Connection, at: Optional[FromClause]) -> dict[int, Mapping[str, str]]:
    """By the field's own name. Resources with the same traits share them."""
    fields = {
        number: steps(pointer)[-1]
        for number, pointer in connection.execute(
            select(path.c.id, path.c.pointer).where(
                path.c.id.in_(select(trait.c.path_id).distinct())
            )
        )
    }
    found: dict[int, Mapping[str, str]] = {}
    shared: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
    texts: dict[str, str] = {}

    def add(number: int, values: list[tuple[str, str]]) -> None:
        key = tuple(values)
        found[number] = shared.setdefault(key, dict(key))

    statement = _open(trait, at, trait.c.resource_id, trait.c.path_id, trait.c.value)
    last = 0
    values: list[tuple[str, str]] = []
    for number, path_id, value in connection.execute(
        statement.order_by(trait.c.resource_id, trait.c.path_id)
    ):
        if number != last:
            if values:
                add(last, values)
            last, values = number, []
        values.append((fields[path_id], texts.setdefault(value, value)))
    if values:
        add(last, values)
    return found


def shared(connection: Connection, as_of: Optional[When]) -> list[Shared]:
    """Addresses and identifiers that resources of several accounts have in some field."""
    at = Reader(connection, as_of).at
    found: list[Shared] = []
    for table, column, more in (
        (address, address.c.ip, [address.c.prefix == HOST]),
        (identifier, identifier.c.value, []),
    ):
        several = select(column).join(resource, resource.c.id == table.c.resource_id)
        if at is not None:
            several = several.join(at, at.c.source_id == resource.c.source_id)
        several = (
            several.where(covers(table, at), *more)
            .group_by(column)
            .having(func.count(resource.c.account_id.distinct()) > 1)
        )
        values = list(connection.execute(several).scalars())
        for some in chunks(values):
            statement = _open(table, at, table.c.resource_id, column, path.c.pointer)
            statement = statement.join(path, path.c.id == table.c.path_id)
            for number, value, pointer in connection.execute(
                statement.where(column.in_(some), *more)
            ):
                text = value if isinstance(value, str) else unpacked(bytes(value), HOST)
                found.append(Shared(number, text, pointer))
    return found


def statuses(connection: Connection, as_of: Optional[When]) -> list[Status]:
    """The newest status of each resource that has one; the worst of several of the same moment."""
    at = Reader(connection, as_of)
    newest = select(status_point.c.resource_id, func.max(status_point.c.time).label("time"))
    if at._as_of is not None:
        newest = newest.where(status_point.c.time <= at._as_of)
    last = newest.group_by(status_point.c.resource_id).subquery("newest")
    statement = (
        select(
            account.c.name,
            kind.c.name,
            resource.c.external_id,
            status_point.c.level,
            status_point.c.time,
            status_point.c.message,
        )
        .join(
            last,
            (last.c.resource_id == status_point.c.resource_id)
            & (last.c.time == status_point.c.time),
        )
        .join(resource, resource.c.id == status_point.c.resource_id)
        .join(account, account.c.id == resource.c.account_id)
        .join(kind, kind.c.id == resource.c.kind_id)
    )
    found: dict[Key, Status] = {}
    for *key, level, time, message in connection.execute(statement):
        new = Status(key[0], key[1], key[2], level, moment(time), message)
        known = found.setdefault(new[:3], new)
        if _rank(new) > _rank(known):
            found[new[:3]] = new
    return [found[each] for each in sorted(found)]


def _rank(status: Status) -> tuple[int, str]:
    level = LEVELS.index(status.level) if status.level in LEVELS else 1
    return level, status.message
