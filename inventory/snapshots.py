"""Snapshots: labels on polls.

A snapshot names the last poll of each account's family, and of each scope the last complete one. Nothing is copied:
what those polls saw is read from the versions, which retention keeps for as long as a snapshot names them. So the
answer to a question about a snapshot is the same whatever is polled later.
"""

import datetime
from collections.abc import Sequence
from typing import Optional

from sqlalchemy import Connection, case, delete, func, or_, select, update

from inventory.entries import Filter, Reader
from inventory.errors import InvalidQuestion, UnknownSnapshot
from inventory.model import BY_HAND, SCHEDULED, Snapshot, microseconds, moment, written
from inventory.retention import EVERY_STATE_SINCE, since
from inventory.rows import add, covers
from inventory.schema import (
    change_window,
    presence,
    resource,
    snapshot,
    snapshot_run,
    snapshot_scope,
)

RESERVED = ("now", "last", "baseline")  # how the command line names others
LONGEST_LABEL = 200  # characters


def take(
    connection: Connection,
    label: Optional[str],
    at: datetime.datetime,
    now: datetime.datetime,
    how: str = BY_HAND,
) -> Snapshot:
    """Without a label, the time is the label. Raises InvalidQuestion if it is in use, or if nothing had been polled."""
    if at > now:
        raise InvalidQuestion(
            f"{written(at)} has not come yet", "take a snapshot of now, or of an earlier time"
        )
    reader = Reader(connection, at)
    assert reader.at is not None  # noqa: S101 - of a time
    runs = connection.execute(
        select(reader.at.c.source_id, reader.at.c.run_id).where(reader.at.c.run_id.is_not(None))
    ).all()
    if not runs:
        raise InvalidQuestion(f"nothing had been polled at {written(at)}", "poll first")
    states_since = since(connection, EVERY_STATE_SINCE)
    values = {
        "label": _free_label(connection, label, at),
        "at": microseconds(at),
        "taken_at": microseconds(now),
        "how": how,
        "resources": 0,
        "exact": states_since is None or microseconds(at) >= states_since,
    }
    built = connection.execute(snapshot.insert().values(**values)).inserted_primary_key
    assert built is not None  # noqa: S101 - it is a single row
    key = int(built[0])
    add(
        connection,
        snapshot_run,
        [{"snapshot_id": key, "source_id": source, "last_run": run} for source, run in runs],
    )
    # from here on by the polls that it names: another one may have been stored meanwhile
    reader = Reader(connection, _one(connection, snapshot.c.id == key))
    add(
        connection,
        snapshot_scope,
        [
            {
                "snapshot_id": key,
                "scope_id": each.scope_id,
                "complete_run": each.complete_run,
                "failed_run": each.failed_run,
            }
            for each in reader.scopes(Filter())
        ],
    )
    count = count_resources(reader)
    connection.execute(update(snapshot).where(snapshot.c.id == key).values(resources=count))
    return _one(connection, snapshot.c.id == key)


def _free_label(connection: Connection, label: Optional[str], at: datetime.datetime) -> str:
    if label is None:
        for time in (at.replace(microsecond=0), at):
            if not _taken(connection, written(time)):
                return written(time)
        raise InvalidQuestion(
            f"there is a snapshot of {written(at)} already", "give this one a label"
        )
    printable = label.strip() == label and label.isprintable()
    if not label or not printable or len(label) > LONGEST_LABEL:
        raise InvalidQuestion(
            f"{label!r} is no label",
            f"choose up to {LONGEST_LABEL} printable characters, without blanks at the ends",
        )
    if label in RESERVED:
        raise InvalidQuestion(
            f"{label!r} means another snapshot", f"choose another label than {', '.join(RESERVED)}"
        )
    if _taken(connection, label):
        raise InvalidQuestion(f"there is a snapshot {label!r} already", "choose another label")
    return label


def _taken(connection: Connection, label: str) -> bool:
    statement = select(snapshot.c.id).where(snapshot.c.label == label)
    return connection.execute(statement).first() is not None


def count_resources(reader: Reader) -> int:
    """How many there were, at a time."""
    assert reader.at is not None  # noqa: S101 - of a time
    statement = (
        select(func.count(presence.c.resource_id.distinct()))
        .join(resource, resource.c.id == presence.c.resource_id)
        .join(reader.at, reader.at.c.source_id == resource.c.source_id)
        .where(covers(presence, reader.at))
    )
    return int(reader.connection.execute(statement).scalar_one())


# --- which there are ---


def snapshots(connection: Connection) -> list[Snapshot]:
    """In the order of their times."""
    return _read(connection, None)


def by_label(connection: Connection, label: str) -> Snapshot:
    """Raises UnknownSnapshot."""
    found = _read(connection, snapshot.c.label == label)
    if not found:
        raise UnknownSnapshot(f"there is no snapshot {label!r}", "list them")
    return found[0]


def by_key(connection: Connection, key: int) -> Snapshot:
    return _one(connection, snapshot.c.id == key)


def baseline(connection: Connection) -> Optional[Snapshot]:
    """The one that was pinned last."""
    pinned = [each for each in snapshots(connection) if each.pinned_at is not None]
    return max(pinned, key=lambda each: (each.pinned_at, each.key), default=None)


def pin(connection: Connection, label: str, now: datetime.datetime) -> Snapshot:
    """From now on it is the baseline, "as designed", unless another one is named."""
    key = by_label(connection, label).key
    connection.execute(
        update(snapshot).where(snapshot.c.id == key).values(pinned_at=microseconds(now))
    )
    return by_key(connection, key)


def remove(connection: Connection, label: str) -> Snapshot:
    """Of what it kept, retention decides from then on. Raises UnknownSnapshot, or InvalidQuestion if it is in use."""
    found = by_label(connection, label)
    known = baseline(connection)
    if known is not None and known.key == found.key:
        raise InvalidQuestion(f"{label!r} is the baseline", "pin another snapshot first")
    used = select(change_window.c.name).where(
        or_(
            change_window.c.before_id == found.key,
            change_window.c.after_id == found.key,
            change_window.c.baseline_id == found.key,
        )
    )
    name = connection.execute(used.order_by(change_window.c.id)).scalar()
    if name is not None:
        raise InvalidQuestion(
            f"the change window {name!r} compares with {label!r}", "it stays as long as the window"
        )
    for table in (snapshot_run, snapshot_scope):
        connection.execute(delete(table).where(table.c.snapshot_id == found.key))
    connection.execute(delete(snapshot).where(snapshot.c.id == found.key))
    return found


def _one(connection: Connection, condition: object) -> Snapshot:
    (found,) = _read(connection, condition)
    return found


def _read(connection: Connection, condition: object) -> list[Snapshot]:
    statement = select(snapshot).order_by(snapshot.c.at, snapshot.c.id)
    if condition is not None:
        statement = statement.where(condition)  # type: ignore[arg-type]
    rows = connection.execute(statement).all()
    keys = [row.id for row in rows]
    runs = _runs(connection, keys if condition is not None else None)
    scopes = _scopes(connection, keys if condition is not None else None)
    return [
        Snapshot(
            row.id,
            row.label,
            moment(row.at),
            moment(row.taken_at),
            row.how,
            None if row.pinned_at is None else moment(row.pinned_at),
            row.resources,
            *scopes.get(row.id, (0, 0)),
            tuple(sorted(runs.get(row.id, ()))),
            row.exact,
        )
        for row in rows
    ]


def _runs(connection: Connection, keys: Optional[Sequence[int]]) -> dict[int, list[int]]:
    statement = select(snapshot_run.c.snapshot_id, snapshot_run.c.last_run)
    if keys is not None:
        statement = statement.where(snapshot_run.c.snapshot_id.in_(keys))
    found: dict[int, list[int]] = {}
    for key, run in connection.execute(statement):
        found.setdefault(key, []).append(run)
    return found


def _scopes(connection: Connection, keys: Optional[Sequence[int]]) -> dict[int, tuple[int, int]]:
    """How many scopes each has, and how many of them were complete."""
    failed = or_(snapshot_scope.c.failed_run.is_not(None), snapshot_scope.c.complete_run.is_(None))
    statement = select(
        snapshot_scope.c.snapshot_id, func.count(), func.sum(case((failed, 0), else_=1))
    ).group_by(snapshot_scope.c.snapshot_id)
    if keys is not None:
        statement = statement.where(snapshot_scope.c.snapshot_id.in_(keys))
    return {
        key: (int(count), int(complete)) for key, count, complete in connection.execute(statement)
    }


# --- by schedule ---


def take_if_due(
    connection: Connection, every: datetime.timedelta, now: datetime.datetime
) -> Optional[Snapshot]:
    """A scheduled snapshot, if the last one is older than the interval and something was polled since then."""
    last = select(func.max(snapshot.c.taken_at)).where(snapshot.c.how == SCHEDULED)
    taken_at = connection.execute(last).scalar()
    if taken_at is not None and microseconds(now - every) < taken_at:
        return None
    reader = Reader(connection, now)
    assert reader.at is not None  # noqa: S101 - of a time
    runs = set(connection.execute(select(reader.at.c.run_id)).scalars()) - {None}
    newest = select(snapshot.c.id).where(snapshot.c.how == SCHEDULED)
    newest = newest.order_by(snapshot.c.taken_at.desc()).limit(1)
    key = connection.execute(newest).scalar()
    if not runs or (key is not None and set(by_key(connection, key).runs) == runs):
        return None
    return take(connection, None, now, now, SCHEDULED)
