"""What differs between two times.

It is found by the changes that polls between them noticed. Where one poll changed a resource, its rows say what; where
several did, the documents at both times do: what changed and changed back is no difference. The laws that tests/test_inventory_history.py holds: a diff of a time with itself is empty, the
diff of two times swapped is the mirror image, and a diff applied to what there was gives what there is, but for
ignored fields and for scopes that were not polled.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Callable, Optional

from sqlalchemy import Connection, Select, Table, and_, func, null, or_, select

from inventory.changes import ABSENT, Change, apply, compare_documents
from inventory.entries import Filter, Reader
from inventory.fields import ROLE_DETAILS, ROLE_METADATA, SPECIFIC, steps
from inventory.model import (
    HIGH,
    LOW,
    MEDIUM,
    SEVERITIES,
    Bounds,
    Diff,
    Difference,
    Entry,
    Moved,
    When,
    microseconds,
)
from inventory.retention import (
    EVERY_STATE_SINCE,
    EVERY_VERSION_SINCE,
    every_version_since,
    since,
)
from inventory.rows import chunks, value_of
from inventory.schema import (
    account,
    change,
    kind,
    path,
    presence,
    reading,
    resource,
    run,
    scope,
    source,
)

ADDED, GONE, CHANGED, RECREATED = "added", "gone", "changed", "re-created"
MIRRORED = {ADDED: GONE, GONE: ADDED}
WHOLE = ""  # the JSON pointer of a document

Mark = tuple[
    int, Optional[int]
]  # a run that noticed something, and the last complete one before it


@dataclasses.dataclass
class _Marks:
    """What polls between the two times noticed of one resource."""

    changes: list[Mark] = dataclasses.field(default_factory=list)
    states: list[Mark] = dataclasses.field(default_factory=list)
    starts: list[Mark] = dataclasses.field(default_factory=list)
    ends: list[Mark] = dataclasses.field(default_factory=list)

    def of(self, what: str) -> list[Mark]:
        if what == CHANGED:
            return sorted([*self.changes, *self.starts, *self.ends])
        return sorted(self.starts if what == ADDED else self.ends)[-1:]


@dataclasses.dataclass(frozen=True)
class Seen:
    """A resource at one of the two times."""

    entry: Entry
    document: dict[str, Any]
    exact: bool  # false if retention has removed the version of that time


def diff(
    connection: Connection,
    before: When,
    after: When,
    wanted: Filter,
    fast: bool,
) -> Diff:
    """``fast``: also changes of states and counters."""
    old, new = Reader(connection, before), Reader(connection, after)
    assert old.as_of is not None and new.as_of is not None  # noqa: S101 - neither is now
    backward = new.as_of < old.as_of
    first, last = (new, old) if backward else (old, new)
    found: list[Difference] = []
    unpaired: list[tuple[Difference, Seen]] = []
    marks = _marks(connection, first, last, wanted)
    once = _changed_once(first, last, marks)
    for some in chunks(sorted(marks)):
        rows = _rows(connection, {key: once[key] for key in some if key in once})
        others = seen(last, some)
        ones = _before(first, others, rows)
        ones.update(seen(first, [key for key in some if key not in ones]))
        for key in some:
            one, other = ones.get(key), others.get(key)
            if one and other:
                changes = rows.get(key) or compare_documents(one.document, other.document)
                changes = [each for each in changes if fast or not each.fast]
                if changes:
                    when = _when(first, marks[key], CHANGED)
                    found.append(_difference(CHANGED, one.entry, other.entry, when, changes))
            elif one or other:
                unpaired.append(_one_sided(first, marks[key], one, other))
    found.extend(_recreated(unpaired))
    if backward:
        found = [_mirrored(each) for each in found]
    return Diff(
        tuple(sorted(found, key=_order)),
        old.coverage(wanted),
        new.coverage(wanted),
        every_version_since(connection),
    )


def _order(each: Difference) -> tuple[Any, ...]:
    entry = each.entry
    return SEVERITIES.index(each.severity), entry.account, entry.type, entry.name, entry.key


# --- which ---


def _marks(
    connection: Connection, first: Reader, last: Reader, wanted: Filter
) -> dict[int, _Marks]:
    """Of all resources of which a poll in between noticed something."""
    between = _between(first, last)
    found: dict[int, _Marks] = {}
    noticed: list[tuple[str, Table, Any, Any]] = [
        ("changes", change, change.c.run_id, change.c.after_run),
        ("starts", presence, presence.c.from_run, presence.c.after_run),
        ("ends", presence, presence.c.to_run, presence.c.to_after_run),
    ]
    if _lacks_states(first):  # whose changes are no longer there; those that snapshots show are
        noticed.append(("states", reading, reading.c.from_run, null()))
        noticed.append(("states", reading, reading.c.to_run, null()))
    for name, row, number, after in noticed:
        statement = select(row.c.resource_id, number, after).join(run, run.c.id == number)
        conditions = wanted.resources()
        if conditions:
            statement = (
                statement.join(resource, resource.c.id == row.c.resource_id)
                .join(source, source.c.id == run.c.source_id)
                .join(account, account.c.id == source.c.account_id)
                .join(scope, scope.c.id == resource.c.scope_id)
                .join(kind, kind.c.id == resource.c.kind_id)
                .where(*conditions)
            )
        for key, *mark in connection.execute(between(statement).distinct()):
            getattr(found.setdefault(key, _Marks()), name).append((mark[0], mark[1]))
    return found


def _between(first: Reader, last: Reader) -> Callable[[Select[Any]], Select[Any]]:
    """Limits a statement with runs to those that the one side has and the other has not."""
    assert first.as_of is not None and last.as_of is not None  # noqa: S101 - diff's own readers
    if first.snapshot is None and last.snapshot is None:
        times = microseconds(first.as_of), microseconds(last.as_of)
        return lambda statement: statement.where(
            run.c.ended_at > times[0], run.c.ended_at <= times[1]
        )
    assert first.at is not None and last.at is not None  # noqa: S101 - both are of a time
    one, other = first.at.alias("one_side"), last.at.alias("other_side")
    had, has = func.coalesce(one.c.run_id, 0), func.coalesce(other.c.run_id, 0)
    # a snapshot does not name a poll that was stored after it, though it had ended before
    either = or_(
        and_(run.c.id > had, run.c.id <= has),
        and_(run.c.id > has, run.c.id <= had),
    )
    return lambda statement: (
        statement.join(one, one.c.source_id == run.c.source_id)
        .join(other, other.c.source_id == run.c.source_id)
        .where(either)
    )


def _lacks_states(first: Reader) -> bool:
    """Whether retention has removed changes of states after that time."""
    assert first.as_of is not None  # noqa: S101 - of a time
    known = since(first.connection, EVERY_STATE_SINCE)
    return known is not None and microseconds(first.as_of) < known


def seen(reader: Reader, keys: Collection[int]) -> dict[int, Seen]:
    there = sorted(reader.there(keys))
    documents = reader.documents_of(there)
    return {
        entry.key: Seen(entry, *documents[entry.key]) for entry in reader.entries(there, documents)
    }


# --- what ---


def _changed_once(first: Reader, last: Reader, marks: Mapping[int, _Marks]) -> dict[int, int]:
    """The poll of each resource that one poll changed, and none else; of times of which all rows are still there."""
    if first.snapshot is not None or last.snapshot is not None or _lacks_rows(first):
        return {}
    found = {}
    for key, noticed in marks.items():
        runs = {number for number, _ in noticed.changes}
        if len(runs) == 1 and not (noticed.starts or noticed.ends):
            found[key] = runs.pop()
    return found


def _lacks_rows(first: Reader) -> bool:
    """Whether retention has removed versions or states after that time."""
    assert first.as_of is not None  # noqa: S101 - of a time
    known = since(first.connection, EVERY_VERSION_SINCE)
    return _lacks_states(first) or (known is not None and microseconds(first.as_of) < known)


def _rows(connection: Connection, runs: Mapping[int, int]) -> dict[int, list[Change]]:
    """What the run changed of each resource, sorted by path."""
    if not runs:
        return {}
    found: dict[int, list[Change]] = {key: [] for key in runs}
    columns = (change.c.before, change.c.after, change.c.fast)
    statement = (
        select(change.c.resource_id, change.c.run_id, path.c.pointer, *columns)
        .join(path, path.c.id == change.c.path_id)
        .where(change.c.resource_id.in_(list(runs)))
        .where(change.c.run_id.between(min(runs.values()), max(runs.values())))
    )
    for key, number, pointer, before, after, fast in connection.execute(statement):
        if number == runs[key]:
            found[key].append(Change(pointer, value_of(before), value_of(after), fast))
    return {key: sorted(each, key=lambda one: one.path) for key, each in found.items()}


def _before(
    reader: Reader, after: Mapping[int, Seen], rows: Mapping[int, Sequence[Change]]
) -> dict[int, Seen]:
    """The resources before these rows, by taking back what changed; not those that were elsewhere then."""
    documents = {
        key: (apply(after[key].document, [each.mirrored() for each in changes]), True)
        for key, changes in rows.items()
        if key in after
    }
    return {
        entry.key: Seen(entry, *documents[entry.key])
        for entry in reader.entries(sorted(documents), documents)
        if entry.present
    }


def _one_sided(
    first: Reader, marks: _Marks, one: Optional[Seen], other: Optional[Seen]
) -> tuple[Difference, Seen]:
    """What is there at one of the times only; its change is the whole document."""
    if one:
        whole = Change(WHOLE, one.document, ABSENT)
        found = _difference(GONE, one.entry, None, _when(first, marks, GONE), [whole])
        return found, one
    assert other  # noqa: S101 - at one of both
    whole = Change(WHOLE, ABSENT, other.document)
    return _difference(ADDED, None, other.entry, _when(first, marks, ADDED), [whole]), other


def _difference(
    what: str,
    before: Optional[Entry],
    after: Optional[Entry],
    when: Optional[Bounds],
    changes: Sequence[Change],
) -> Difference:
    moved = tuple(_moved(changes))
    return Difference(what, severity(what, changes), before, after, when, tuple(changes), moved)


def _when(reader: Reader, marks: _Marks, what: str) -> Optional[Bounds]:
    found = marks.of(what)
    return reader.times.bounds(found[0][1], found[-1][0]) if found else None


def _mirrored(each: Difference) -> Difference:
    what = MIRRORED.get(each.what, each.what)
    changes = [one.mirrored() for one in each.changes]
    return _difference(what, each.after, each.before, each.when, changes)


def _moved(changes: Iterable[Change]) -> Iterable[Moved]:
    for each in changes:
        where = steps(each.path)
        if where[:1] != ["connections"]:
            continue
        if len(where) == 2:
            pairs = [(where[1], each.before, each.after)]
        else:  # all of them
            old, new = (_mapping(each.before), _mapping(each.after))
            pairs = [(name, old.get(name), new.get(name)) for name in sorted({*old, *new})]
        for name, before, after in pairs:
            had, has = _ids(before), _ids(after)
            if had != has:
                yield Moved(name, tuple(sorted(had - has)), tuple(sorted(has - had)))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _ids(targets: Any) -> set[str]:
    return {target["id"] for target in targets} if isinstance(targets, list) else set()


def _recreated(unpaired: list[tuple[Difference, Seen]]) -> list[Difference]:
    """What is gone and what is new, in pairs where one of each has the same place, role and name."""
    places: dict[Any, list[tuple[Difference, Seen]]] = {}
    for each, side in unpaired:
        entry = side.entry
        place = (entry.account, entry.family, entry.type, entry.name, *_role(side.document))
        places.setdefault(place, []).append((each, side))
    found = []
    for pair in places.values():
        by_what = {each.what: side for each, side in pair}
        if len(pair) == 2 and len(by_what) == 2:
            old, new = by_what[GONE], by_what[ADDED]
            bounds = [each.when for each, _ in pair if each.when]
            starts = [each.after for each in bounds]
            after = None if None in starts else min(filter(None, starts), default=None)
            when = Bounds(after, max(each.before for each in bounds)) if bounds else None
            changes = compare_documents(old.document, new.document)
            found.append(_difference(RECREATED, old.entry, new.entry, when, changes))
        else:
            found.extend(each for each, _ in pair)
    return found


def _role(document: Mapping[str, Any]) -> tuple[str, ...]:
    details = _mapping(document["details"].get(document["type"]))
    specific = _mapping(document["metadata"].get(SPECIFIC))
    values = [details.get(name) for name in ROLE_DETAILS]
    values += [specific.get(name) for name in ROLE_METADATA]
    return tuple(map(str, values))


def severity(what: str, changes: Sequence[Change]) -> str:
    """High: something is gone, no longer runs, or lost a connection. Medium: it is something else than it was, or has
    a connection more. Low: what is new, tags, and what only its provider knows."""
    moved = list(_moved(changes))
    if what == GONE or any(each.before for each in moved):
        return HIGH
    if what == ADDED:
        return LOW
    if any(each.path.endswith("/state") and each.before == "running" for each in changes):
        return HIGH
    if what == RECREATED or moved:
        return MEDIUM
    described = ("/base/", "/details/", "/connections")
    if any(each.path.startswith(described) and not each.fast for each in changes):
        return MEDIUM
    return MEDIUM if any(each.path.endswith("/state") for each in changes) else LOW
