"""How long history is kept.

Every version stays for some days. Of older ones, those stay that were valid at the end of a day (UTC); of still older
ones, the first and the last of each resource. Versions that were valid at a pinned moment, and versions and states
that a snapshot shows, stay for good; scheduled snapshots themselves are removed after some time. Where versions are
left out, the next one says what changed since the one before, with the bounds of all of it, and a question about such
a time is answered by the version before, and says so.
"""

import contextlib
import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any, Callable, Optional

from sqlalchemy import Connection, delete, func, select, tuple_, update

from inventory.changes import compare_documents
from inventory.errors import InvalidQuestion
from inventory.model import MICROSECOND, SCHEDULED, microseconds, moment
from inventory.rows import Documents, Numbers, add, chunks, put_row, text_of
from inventory.schema import (
    change,
    change_window,
    log_event,
    metadata,
    metric_point,
    path,
    pin,
    reading,
    resource,
    run,
    scope_run,
    setting,
    snapshot,
    snapshot_run,
    snapshot_scope,
    status_point,
    version,
)

EVERY_VERSION_SINCE = "every_version_since"  # settings: from when on nothing was thinned
EVERY_STATE_SINCE = "every_state_since"
EVERY_POLL_SINCE = "every_poll_since"
BATCH = 5000  # rows that one transaction removes
DAY = datetime.timedelta(days=1) // MICROSECOND

Writing = Callable[[], "contextlib.AbstractContextManager[Connection]"]


@dataclasses.dataclass(frozen=True)
class Retention:
    """Days for which is kept: every version; the last version of a day; every change of states and counters; status,
    metrics and logs; polls in which nothing changed; scheduled snapshots that are not pinned."""

    every_version: int = 30
    daily_version: int = 365
    fast: int = 90
    points: int = 30
    polls: int = 30
    snapshots: int = 365


@dataclasses.dataclass
class Thinned:
    """How many rows were removed."""

    versions: int = 0
    fast: int = 0
    points: int = 0
    polls: int = 0
    snapshots: int = 0


def every_version_since(connection: Connection) -> Optional[datetime.datetime]:
    """From when on every version is kept; None: all are."""
    value = since(connection, EVERY_VERSION_SINCE)
    return None if value is None else moment(value)


def every_poll_since(connection: Connection) -> Optional[int]:
    """From when on every poll is kept; None: all are. An inventory that an older release thinned does not know: then
    as for versions, whose default is the same."""
    found = since(connection, EVERY_POLL_SINCE)
    return since(connection, EVERY_VERSION_SINCE) if found is None else found


def since(connection: Connection, name: str) -> Optional[int]:
    value = connection.execute(select(setting.c.value).where(setting.c.name == name)).scalar()
    return None if value is None else int(value)


def thin(writing: Writing, retention: Retention, now: datetime.datetime) -> Thinned:
    """In transactions of some thousand rows each, so that polls can be stored in between; may be stopped at any time."""
    for name, days in dataclasses.asdict(retention).items():
        if days < 1:
            raise InvalidQuestion(f"retention of {name} is {days} days", "keep at least one day")
    at = microseconds(now)
    every = at - retention.every_version * DAY
    daily = min(every, at - retention.daily_version * DAY)
    thinned = Thinned()
    with writing() as connection:
        thinned.snapshots = _thin_snapshots(connection, at - retention.snapshots * DAY)
        # first of all: no answer may claim that all is there
        _raise_to(connection, EVERY_VERSION_SINCE, every)
        _raise_to(connection, EVERY_POLL_SINCE, at - retention.polls * DAY)
        fast_at = at - retention.fast * DAY
        ended = select(reading.c.to_run).join(run, run.c.id == reading.c.to_run)
        if connection.execute(ended.where(run.c.ended_at <= fast_at).limit(1)).first():
            _raise_to(connection, EVERY_STATE_SINCE, fast_at)
    after: Optional[int] = 0
    while after is not None:
        with writing() as connection:
            after, count = _thin_versions(connection, after, every, daily)
            thinned.versions += count
    thinned.fast = _thin_fast(writing, fast_at)
    thinned.points = _thin_points(writing, at - retention.points * DAY)
    thinned.polls = _thin_polls(writing, at - retention.polls * DAY)
    return thinned


def _raise_to(connection: Connection, name: str, value: int) -> None:
    known = since(connection, name)
    if known is None or known < value:
        put_row(connection, setting, {"name": name, "value": str(value)})


# --- versions ---


@dataclasses.dataclass
class _Version:
    key: int
    from_run: int
    after_run: Optional[int]
    source_id: int
    from_at: int
    to_at: Optional[int]


def _thin_versions(
    connection: Connection, after: int, every: int, daily: int
) -> tuple[Optional[int], int]:
    """Of the next resources: the last one's key (None: there are no more), and how many versions were removed."""
    old = (
        select(version.c.resource_id)
        .join(run, run.c.id == version.c.to_run)
        .where(version.c.to_run.is_not(None), run.c.ended_at <= every)
        .where(version.c.resource_id > after)
        .distinct()
        .order_by(version.c.resource_id)
        .limit(200)
    )
    keys = list(connection.execute(old).scalars())
    if not keys:
        return None, 0
    pins = list(connection.execute(select(pin.c.at)).scalars())
    named = _named_runs(connection)
    count = 0
    for key, versions in _versions(connection, keys).items():
        shown = _shown(versions, named.get(versions[0].source_id, ()))
        kept = _kept(versions, every, daily, pins, shown)
        if len(kept) < len(versions):
            count += len(versions) - len(kept)
            _remove(connection, key, versions, kept)
        if count >= BATCH:
            return key, count
    return keys[-1], count


def _versions(connection: Connection, keys: list[int]) -> dict[int, list[_Version]]:
    start, end = run.alias("start"), run.alias("end")
    statement = (
        select(
            version.c.resource_id,
            version.c.id,
            version.c.from_run,
            version.c.after_run,
            resource.c.source_id,
            start.c.ended_at,
            end.c.ended_at,
        )
        .join(resource, resource.c.id == version.c.resource_id)
        .join(start, start.c.id == version.c.from_run)
        .outerjoin(end, end.c.id == version.c.to_run)
        .where(version.c.resource_id.in_(keys))
        .order_by(version.c.resource_id, version.c.from_run)
    )
    found: dict[int, list[_Version]] = {}
    for key, *row in connection.execute(statement):
        found.setdefault(key, []).append(_Version(*row))
    return found


def _named_runs(connection: Connection) -> dict[int, list[int]]:
    """Of each source, the polls that snapshots name; in order."""
    statement = select(snapshot_run.c.source_id, snapshot_run.c.last_run).distinct()
    found: dict[int, list[int]] = {}
    for source_id, number in connection.execute(statement.order_by(snapshot_run.c.last_run)):
        found.setdefault(source_id, []).append(number)
    return found


def _shown(versions: list[_Version], runs: Sequence[int]) -> set[int]:
    """The keys of the versions that snapshots show: of each of their polls, the last one by then."""
    found = set()
    for number in runs:
        earlier = [each for each in versions if each.from_run <= number]
        if earlier:
            found.add(earlier[-1].key)
    return found


def _kept(
    versions: list[_Version], every: int, daily: int, pins: list[int], shown: set[int]
) -> list[_Version]:
    def stays(each: _Version) -> bool:
        if each.to_at is None or each.to_at > every or each.key in shown:
            return True
        if any(each.from_at <= at < each.to_at for at in pins):
            return True
        midnight = each.to_at // DAY * DAY  # the last one before it ended
        return each.to_at > daily and each.from_at < midnight

    return [each for each in versions if each in (versions[0], versions[-1]) or stays(each)]


def _remove(
    connection: Connection, key: int, versions: list[_Version], kept: list[_Version]
) -> None:
    """Removes the others. What is kept after a gap says what changed since the one before it."""
    numbers = [each.key for each in versions if each not in kept]
    for some in chunks(numbers):
        connection.execute(delete(version).where(version.c.id.in_(some)))
    documents, paths = Documents(connection), Numbers(connection, path, "pointer")
    for before, after in zip(kept, kept[1:]):
        first = versions[versions.index(before) + 1]
        if first is after:
            continue
        between = (change.c.run_id > before.from_run, change.c.run_id <= after.from_run)
        connection.execute(
            delete(change).where(change.c.resource_id == key, change.c.fast.is_(False), *between)
        )
        connection.execute(
            delete(reading).where(
                reading.c.resource_id == key,
                reading.c.from_run > first.from_run,
                reading.c.to_run <= after.from_run,
            )
        )
        connection.execute(
            update(version).where(version.c.id == after.key).values(after_run=first.after_run)
        )
        old = documents.of_version(before.key)
        changes = compare_documents(old, documents.of_version(after.key))
        rows = [
            {
                "resource_id": key,
                "run_id": after.from_run,
                "after_run": first.after_run,
                "path_id": paths.one(each.path),
                "fast": False,
                "before": text_of(each.before),
                "after": text_of(each.after),
            }
            for each in changes
            if not each.fast
        ]
        add(connection, change, rows)


# --- the rest ---


def _in_batches(writing: Writing, table: Any, condition: Any) -> int:
    keys = tuple_(*table.primary_key)
    count = 0
    while True:
        with writing() as connection:
            some = select(*table.primary_key).where(condition).limit(BATCH)
            removed = connection.execute(delete(table).where(keys.in_(some))).rowcount
        count += removed
        if removed < BATCH:
            return count


def _thin_fast(writing: Writing, at: int) -> int:
    old = select(run.c.id).where(run.c.ended_at <= at)
    count = _in_batches(writing, change, change.c.fast & change.c.run_id.in_(old))
    shown = (
        select(snapshot_run.c.last_run)
        .join(resource, resource.c.source_id == snapshot_run.c.source_id)
        .where(
            resource.c.id == reading.c.resource_id,
            snapshot_run.c.last_run >= reading.c.from_run,
            snapshot_run.c.last_run < reading.c.to_run,
        )
    )
    unseen = ~shown.correlate(reading).exists()
    return count + _in_batches(writing, reading, reading.c.to_run.in_(old) & unseen)


def _thin_snapshots(connection: Connection, at: int) -> int:
    """Scheduled ones, but for those that are pinned, or the baseline of a change window."""
    of_windows = select(change_window.c.baseline_id).where(change_window.c.baseline_id.is_not(None))
    old = select(snapshot.c.id).where(
        snapshot.c.how == SCHEDULED,
        snapshot.c.pinned_at.is_(None),
        snapshot.c.at < at,
        snapshot.c.id.not_in(of_windows),
    )
    keys = list(connection.execute(old).scalars())
    for some in chunks(keys):
        for table in (snapshot_run, snapshot_scope):
            connection.execute(delete(table).where(table.c.snapshot_id.in_(some)))
        connection.execute(delete(snapshot).where(snapshot.c.id.in_(some)))
    return len(keys)


def _thin_points(writing: Writing, at: int) -> int:
    tables = (status_point, metric_point, log_event)
    return sum(_in_batches(writing, table, table.c.time < at) for table in tables)


def _thin_polls(writing: Writing, at: int) -> int:
    """Polls that nothing refers to, but for the last and the last complete one of each scope."""
    with writing() as connection:
        unused = set(connection.execute(select(run.c.id).where(run.c.ended_at < at)).scalars())
        unused -= _used(connection)
    for some in chunks(sorted(unused)):
        with writing() as connection:
            unused.difference_update(_needed(connection))  # a poll may have been stored in between
            left = [number for number in some if number in unused]
            connection.execute(delete(scope_run).where(scope_run.c.run_id.in_(left)))
            connection.execute(delete(run).where(run.c.id.in_(left)))
    return len(unused)


def _used(connection: Connection) -> set[int]:
    found = _needed(connection)
    for table in metadata.tables.values():
        if table is scope_run:
            continue
        for column in table.c:
            if column.name.endswith("_run"):
                statement = select(column).where(column.is_not(None)).distinct()
                found.update(connection.execute(statement).scalars())
    found.update(connection.execute(select(change.c.run_id).distinct()).scalars())
    return found


def _needed(connection: Connection) -> set[int]:
    """The last and the last complete one of each scope, the last of each source, and what snapshots name."""
    last = select(func.max(scope_run.c.run_id)).group_by(scope_run.c.scope_id)
    found = set(connection.execute(last).scalars())
    found.update(connection.execute(last.where(scope_run.c.error.is_(None))).scalars())
    found.update(connection.execute(select(func.max(run.c.id)).group_by(run.c.source_id)).scalars())
    for column in (
        snapshot_run.c.last_run,
        snapshot_scope.c.complete_run,
        snapshot_scope.c.failed_run,
    ):  # a snapshot may have been taken in between, too
        found.update(connection.execute(select(column).distinct()).scalars())
    return found


def set_pin(connection: Connection, name: str, at: datetime.datetime) -> None:
    if not name:
        raise InvalidQuestion("the pin has no name", "name what the moment is kept for")
    put_row(connection, pin, {"name": name, "at": microseconds(at)})


def pins(connection: Connection) -> dict[str, datetime.datetime]:
    rows = connection.execute(select(pin.c.name, pin.c.at).order_by(pin.c.at, pin.c.name))
    return {name: moment(at) for name, at in rows}
