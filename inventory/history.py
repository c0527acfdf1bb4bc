"""What happened to one resource."""

from collections.abc import Sequence
from typing import Optional

from sqlalchemy import Connection, select

from inventory.changes import Change
from inventory.diff import ADDED, severity
from inventory.entries import Reader
from inventory.errors import UnknownResource
from inventory.model import Bounds, Event, History, When
from inventory.retention import every_version_since
from inventory.rows import value_of
from inventory.schema import change, path, presence


def history(connection: Connection, key: int, fast: bool, as_of: Optional[When] = None) -> History:
    """All events up to a time, the oldest first. ``fast``: also changes of nothing but states and counters.

    Raises UnknownResource if it had not come yet.
    """
    reader = Reader(connection, as_of)
    entries = reader.entries([key])
    if not entries:
        raise UnknownResource("the resource had not come yet", "ask for a later time")
    until = reader.last_run_of(key)
    changes = _changes(connection, key, fast)
    reader.times.load([number for run, (after, _) in changes.items() for number in (run, after)])
    spans = connection.execute(
        select(
            presence.c.from_run, presence.c.after_run, presence.c.to_run, presence.c.to_after_run
        )
        .where(presence.c.resource_id == key)
        .order_by(presence.c.from_run)
    ).all()
    events: list[tuple[int, Event]] = []
    for number, (start, after, end, end_after) in enumerate(spans):
        _, found = changes.pop(start, (None, ()))
        what = "came back" if number else "appeared"
        when = reader.times.bounds(after, start)
        events.append((start, Event(what, when, tuple(found), severity(ADDED, found))))
        if end is not None:
            events.append((end, _event("gone", reader.times.bounds(end_after, end), ())))
    for run, (after, found) in changes.items():
        events.append((run, _event("changed", reader.times.bounds(after, run), found)))
    events.sort(key=lambda each: each[0])
    known = tuple(event for number, event in events if until is None or number <= until)
    return History(entries[0], known, every_version_since(connection))


def _event(what: str, when: Bounds, changes: Sequence[Change]) -> Event:
    return Event(what, when, tuple(changes), severity(what, changes))


def _changes(
    connection: Connection, key: int, fast: bool
) -> "dict[int, tuple[Optional[int], list[Change]]]":
    """By run: the last complete run before, and the fields."""
    statement = (
        select(
            change.c.run_id,
            change.c.after_run,
            path.c.pointer,
            change.c.before,
            change.c.after,
            change.c.fast,
        )
        .join(path, path.c.id == change.c.path_id)
        .where(change.c.resource_id == key)
        .order_by(change.c.run_id, path.c.pointer)
    )
    if not fast:
        statement = statement.where(change.c.fast.is_(False))
    found: dict[int, tuple[Optional[int], list[Change]]] = {}
    for run, after_run, pointer, before, after, is_fast in connection.execute(statement):
        one = Change(pointer, value_of(before), value_of(after), is_fast)
        found.setdefault(run, (after_run, []))[1].append(one)
    return found
