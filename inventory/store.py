"""Stores polls. Each call writes one transaction; the caller has checked what comes in (inventory/poll.py)."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.schema import Table

from inventory.changes import Change, compare_documents
from inventory.documents import FEWEST_SAMPLES, LARGEST_DICTIONARY, make_dictionary, pack
from inventory.errors import InvalidResource, StalePoll
from inventory.extract import NOTHING, Extract, extract
from inventory.fields import SLOW_BYTES, encode
from inventory.model import COMPLETE, FAILED, PARTIAL, Stored, moment, written
from inventory.points import keep_state
from inventory.poll import Item, Poll
from inventory.rows import (
    Documents,
    Numbers,
    add,
    add_account,
    add_missing,
    add_resources,
    add_source,
    chunks,
    find_resources,
    text_of,
)
from inventory.schema import (
    address,
    change,
    dictionary,
    edge,
    former_name,
    identifier,
    kind,
    label,
    path,
    presence,
    reading,
    resource,
    run,
    scope,
    scope_run,
    source,
    tag,
    trait,
    version,
)

GREW = 4  # times the samples of a dictionary: it is made anew from so many documents


@dataclasses.dataclass
class Known:
    """A resource that is there, as of the last poll."""

    key: int
    hash: bytes
    scope_id: int


@dataclasses.dataclass
class Step:
    """What one poll does to one resource. ``known`` None: it appears, or comes back."""

    key: int
    item: Item
    scope_id: int
    known: Optional[Known]


def store(connection: Connection, poll: Poll, state: Optional[Mapping[str, Any]] = None) -> Stored:
    """``state``: all of ``context.state``, for the next poll."""
    account_id = add_account(connection, poll.account, poll.provider)
    source_id = add_source(connection, account_id, poll.family)
    _check_order(connection, poll, source_id)
    scopes = _add_scopes(connection, source_id, [*poll.complete, *poll.failed])
    previous = _last_complete(connection, source_id)
    writer = _Writer(connection, poll, account_id, source_id, previous)
    writer.run_id = _add_run(connection, poll, source_id)
    retired = set()
    if poll.all_scopes and poll.complete:
        retired = _retire(connection, source_id, set(scopes.values()), writer.run_id)
    add(
        connection,
        scope_run,
        [
            {"scope_id": scopes[name], "run_id": writer.run_id, "error": poll.failed.get(name)}
            for name in scopes
        ],
    )
    complete = {scopes[name] for name in poll.complete}
    result = writer.write(scopes, complete | retired) if complete else (0, 0, 0)
    if state is not None:
        keep_state(connection, source_id, state)
    stored = Stored(writer.run_id, outcome(poll), len(poll.items), *result)
    connection.execute(
        update(run)
        .where(run.c.id == stored.run)
        .values(added=stored.added, changed=stored.changed, gone=stored.gone)
    )
    return stored


def store_failure(connection: Connection, poll: Poll, error: str) -> Stored:
    """A poll that failed as a whole: all scopes that are known failed. It changes nothing but its own records."""
    account_id = add_account(connection, poll.account, poll.provider)
    source_id = add_source(connection, account_id, poll.family)
    _check_order(connection, poll, source_id)
    statement = select(scope.c.id).where(
        scope.c.source_id == source_id, scope.c.retired_run.is_(None)
    )
    scopes = list(connection.execute(statement).scalars())
    if not scopes:
        scopes = [*_add_scopes(connection, source_id, [""]).values()]
    run_id = _add_run(connection, poll, source_id, error)
    add(
        connection,
        scope_run,
        [{"scope_id": each, "run_id": run_id, "error": error} for each in scopes],
    )
    return Stored(run_id, FAILED, 0)


def outcome(poll: Poll) -> str:
    if not poll.failed:
        return COMPLETE
    return PARTIAL if poll.complete else FAILED


def _check_order(connection: Connection, poll: Poll, source_id: int) -> None:
    """Raises StalePoll. Nor may polls overlap: what the one read last, the other may have read first."""
    last = connection.execute(
        select(func.max(run.c.ended_at)).where(run.c.source_id == source_id)
    ).scalar()
    if last is not None and (poll.started_at < last or poll.ended_at <= last):
        raise StalePoll(
            f"a poll of {poll.account} {poll.family} began at {written(moment(poll.started_at))}, but one "
            f"that ended at {written(moment(last))} is stored already",
            "poll again, one poll of an account and family at a time; if the clock was wrong, wait until it has "
            "passed that time",
        )


def _add_run(
    connection: Connection, poll: Poll, source_id: int, error: Optional[str] = None
) -> int:
    statement = run.insert().values(
        source_id=source_id,
        started_at=poll.started_at,
        ended_at=poll.ended_at,
        outcome=FAILED if error is not None else outcome(poll),
        error=error or ("; ".join(f"{k}: {v}" for k, v in poll.failed.items()) or None),
        resources=len(poll.items),
        added=0,
        changed=0,
        gone=0,
        calls=poll.calls,
        retries=poll.retries,
    )
    built = connection.execute(statement).inserted_primary_key
    assert built is not None  # noqa: S101 - it is a single row
    return int(built[0])


def _add_scopes(connection: Connection, source_id: int, names: Iterable[str]) -> dict[str, int]:
    wanted = list(names)
    add_missing(connection, scope, [{"source_id": source_id, "name": name} for name in wanted])
    found = connection.execute(
        select(scope.c.name, scope.c.id).where(scope.c.source_id == source_id)
    )
    numbers = {name: number for name, number in found if name in wanted}
    connection.execute(
        update(scope)
        .where(scope.c.source_id == source_id, scope.c.name.in_(wanted))
        .where(scope.c.retired_run.is_not(None))
        .values(retired_run=None)
    )
    return numbers


def _retire(connection: Connection, source_id: int, kept: set[int], run_id: int) -> set[int]:
    """The scopes that the provider no longer has."""
    statement = select(scope.c.id).where(
        scope.c.source_id == source_id, scope.c.retired_run.is_(None)
    )
    gone = set(connection.execute(statement).scalars()) - kept
    for some in chunks(gone):
        connection.execute(update(scope).where(scope.c.id.in_(some)).values(retired_run=run_id))
    return gone


def _last_complete(connection: Connection, source_id: int) -> dict[int, int]:
    """The last complete run of each scope."""
    last = (
        select(scope_run.c.run_id)
        .where(scope_run.c.scope_id == scope.c.id, scope_run.c.error.is_(None))
        .order_by(scope_run.c.run_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = select(scope.c.id, last).where(scope.c.source_id == source_id)
    return {key: number for key, number in connection.execute(statement) if number is not None}


class _Writer:
    """Compares a poll with what is stored, and writes the difference."""

    run_id: int

    def __init__(
        self,
        connection: Connection,
        poll: Poll,
        account_id: int,
        source_id: int,
        previous: dict[int, int],
    ):
        self._connection, self._poll = connection, poll
        self._account_id, self._source_id = account_id, source_id
        self._previous = previous  # of each scope: the last complete run
        self._kinds = Numbers(connection, kind, "name")
        self._paths = Numbers(connection, path, "pointer")
        self._documents = Documents(connection)
        self._dictionaries: dict[str, tuple[Optional[int], Optional[bytes]]] = {}

    def write(self, scopes: dict[str, int], complete: set[int]) -> tuple[int, int, int]:
        """How many were added, changed, and are gone."""
        known = self._known()
        kinds = self._kinds.of({item.type for item in self._poll.items})
        new: list[Item] = []
        slow: list[Step] = []
        fast: list[Step] = []
        moved: list[dict[str, Any]] = []
        for item in self._poll.items:
            was = known.pop((kinds[item.type], item.id), None)
            if was is None:
                new.append(item)
                continue
            if was.hash != item.hash:
                step = Step(was.key, item, scopes[item.scope], was)
                same_slow = was.hash[:SLOW_BYTES] == item.hash[:SLOW_BYTES]
                (fast if same_slow else slow).append(step)
            elif was.scope_id != scopes[item.scope]:
                moved.append({"key": was.key, "scope": scopes[item.scope]})
        gone = [each for each in known.values() if each.scope_id in complete]
        if moved:
            self._connection.execute(
                update(resource)
                .where(resource.c.id == bindparam("key"))
                .values(scope_id=bindparam("scope")),
                moved,
            )
        self._appear(new, scopes)
        changed = self._change(slow, fast)
        self._go(gone)
        return len(new), changed, len(gone)

    def _known(self) -> dict[tuple[int, str], Known]:
        statement = select(
            resource.c.kind_id,
            resource.c.external_id,
            resource.c.id,
            resource.c.hash,
            resource.c.scope_id,
        ).where(resource.c.source_id == self._source_id, resource.c.present)
        found = self._connection.execute(statement)
        return {(row[0], row[1]): Known(row[2], row[3], row[4]) for row in found}

    # --- what appears ---

    def _appear(self, items: list[Item], scopes: dict[str, int]) -> None:
        kinds = self._kinds.of({item.type for item in items})
        keys = [(kinds[item.type], item.id) for item in items]
        known = find_resources(self._connection, self._account_id, keys)
        # whole rows: short ones that grow later leave half-empty pages behind
        rows = [
            {
                "account_id": self._account_id,
                "kind_id": kinds[item.type],
                "external_id": item.id,
                **self._resource_row(item, scopes[item.scope], self.run_id),
            }
            for item in items
            if (kinds[item.type], item.id) not in known
        ]
        all_new = add_missing(self._connection, resource, rows) == len(rows)
        numbers = find_resources(self._connection, self._account_id, keys)
        earlier = set(known.values()) if all_new else set(numbers.values())
        before = self._before(earlier)
        steps = [
            Step(numbers[key], item, scopes[item.scope], None) for key, item in zip(keys, items)
        ]
        self._refuse_owned(steps, before)
        documents = [(step, step.item.document()) for step in steps]
        self._write_versions(documents)
        self._compare_with_earlier(documents, before)
        add(
            self._connection,
            presence,
            [
                {
                    "resource_id": step.key,
                    "from_run": self.run_id,
                    "after_run": self._previous.get(step.scope_id),
                }
                for step in steps
            ],
        )
        back = [step for step in steps if step.key in before]
        self._write_former_names(
            [(step.key, before[step.key][2], step.item.name, before[step.key][3]) for step in back]
        )
        self._write_resources(back, before)

    def _compare_with_earlier(
        self, documents: list[tuple[Step, dict[str, Any]]], before: dict[int, tuple[Any, ...]]
    ) -> None:
        """What changed in resources while they were away."""
        back = [
            (step, new)
            for step, new in documents
            if step.key in before and before[step.key][3] is not None
        ]
        old = self._documents.now([step.key for step, _ in back], before=self.run_id)
        rows: list[dict[str, Any]] = []
        for step, new in back:
            if step.key in old:
                rows.extend(self._change_rows(step, compare_documents(old[step.key], new)))
        add(self._connection, change, rows)

    def _before(self, keys: set[int]) -> dict[int, tuple[Any, ...]]:
        """Source, presence, name and first run of resources, as of the poll before."""
        found = {}
        for some in chunks(sorted(keys)):
            statement = select(
                resource.c.id,
                resource.c.source_id,
                resource.c.present,
                resource.c.name,
                resource.c.first_run,
            ).where(resource.c.id.in_(some))
            for key, *rest in self._connection.execute(statement):
                found[key] = tuple(rest)
        return found

    def _refuse_owned(self, steps: list[Step], before: dict[int, tuple[Any, ...]]) -> None:
        for step in steps:
            owner, present = before.get(step.key, (None, False))[:2]
            if present and owner != self._source_id:
                family = self._connection.execute(
                    select(source.c.family).where(source.c.id == owner)
                ).scalar_one()
                raise InvalidResource(
                    f"{step.item.type} {step.item.id!r} belongs to family {family} of {self._poll.account} "
                    f"already, and now {self._poll.family} has it too",
                    "each resource is of one family: poll that one again if it no longer has it",
                )

    def _write_resources(self, steps: list[Step], before: dict[int, tuple[Any, ...]]) -> None:
        rows = [
            {
                "b_id": step.key,
                **{
                    "b_" + name: value
                    for name, value in self._resource_row(
                        step.item, step.scope_id, before[step.key][3] or self.run_id
                    ).items()
                },
            }
            for step in steps
        ]
        if rows:
            names = [name for name in rows[0] if name != "b_id"]
            self._connection.execute(
                update(resource)
                .where(resource.c.id == bindparam("b_id"))
                .values({name[2:]: bindparam(name) for name in names}),
                rows,
            )

    def _resource_row(self, item: Item, scope_id: int, first_run: int) -> dict[str, Any]:
        return {
            "source_id": self._source_id,
            "scope_id": scope_id,
            "present": True,
            "name": item.name.replace("\0", ""),
            "state": _state(item),
            "hash": item.hash,
            "first_run": first_run,
            "changed_run": self.run_id,
        }

    # --- what changes ---

    def _change(self, slow: list[Step], fast: list[Step]) -> int:
        """How many differ in more than fast fields."""
        old = self._documents.now([step.key for step in (*slow, *fast)])
        written: list[tuple[Step, dict[str, Any]]] = []
        readings: list[tuple[Step, list[Change]]] = []
        rows: list[dict[str, Any]] = []
        for step in (*slow, *fast):
            new = step.item.document()
            changes = compare_documents(old[step.key], new)
            rows.extend(self._change_rows(step, changes))
            if not all(each.fast for each in changes):
                written.append((step, new))
            elif changes:  # else a release ignores more fields than the one before
                readings.append((step, changes))
        self._close(version, [step.key for step, _ in written])
        self._close(reading, [step.key for step, _ in written])
        self._write_versions(written, old)
        self._write_readings(readings)
        add(self._connection, change, rows)
        steps = [*slow, *fast]
        before = self._before({step.key for step in steps})
        self._write_former_names(
            [(step.key, before[step.key][2], step.item.name, before[step.key][3]) for step in steps]
        )
        self._write_resources(steps, before)
        return len(written)

    def _change_rows(self, step: Step, changes: list[Change]) -> list[dict[str, Any]]:
        return [
            {
                "resource_id": step.key,
                "run_id": self.run_id,
                "after_run": self._after(step),
                "path_id": self._paths.one(each.path),
                "fast": each.fast,
                "before": text_of(each.before),
                "after": text_of(each.after),
            }
            for each in changes
        ]

    def _after(self, step: Step) -> Optional[int]:
        """The last complete poll of the scope that it was in."""
        return self._previous.get(step.known.scope_id if step.known else step.scope_id)

    def _write_readings(self, readings: list[tuple[Step, list[Change]]]) -> None:
        closed, opened = [], []
        for step, changes in readings:
            for each in changes:
                row = {"resource_id": step.key, "path_id": self._paths.one(each.path)}
                closed.append({"b_" + name: value for name, value in row.items()})
                opened.append({**row, "from_run": self.run_id, "value": text_of(each.after)})
        if closed:
            self._connection.execute(
                update(reading)
                .where(reading.c.resource_id == bindparam("b_resource_id"))
                .where(reading.c.path_id == bindparam("b_path_id"), reading.c.to_run.is_(None))
                .values(to_run=self.run_id),
                closed,
            )
        add(self._connection, reading, opened)

    def _write_former_names(
        self, names: list[tuple[int, Optional[str], str, Optional[int]]]
    ) -> None:
        """Of resources whose name changed: key, the name before, the name now, the first run ever."""
        rows = []
        for key, before, now, first in names:
            if before is None or before == now.replace("\0", ""):
                continue
            last = self._connection.execute(
                select(func.max(former_name.c.to_run)).where(former_name.c.resource_id == key)
            ).scalar()
            rows.append(
                {
                    "resource_id": key,
                    "from_run": last or first,
                    "to_run": self.run_id,
                    "name": before,
                }
            )
        add(self._connection, former_name, rows)

    # --- what is gone ---

    def _go(self, gone: list[Known]) -> None:
        keys = [each.key for each in gone]
        old = self._documents.now(keys)
        rows = [{"key": each.key, "after": self._previous.get(each.scope_id)} for each in gone]
        if rows:
            self._connection.execute(
                update(presence)
                .where(presence.c.resource_id == bindparam("key"), presence.c.to_run.is_(None))
                .values(to_run=self.run_id, to_after_run=bindparam("after")),
                rows,
            )
        self._close(version, keys)
        self._close(reading, keys)
        for some in chunks(keys):
            self._connection.execute(
                update(resource)
                .where(resource.c.id.in_(some))
                .values(present=False, changed_run=self.run_id)
            )
        self._write_extracts([(key, extract(old[key]), NOTHING) for key in keys])

    def _close(self, table: Table, keys: list[int]) -> None:
        for some in chunks(keys):
            self._connection.execute(
                update(table)
                .where(table.c.resource_id.in_(some), table.c.to_run.is_(None))
                .values(to_run=self.run_id)
            )

    # --- versions, and what is derived from them ---

    def _write_versions(
        self,
        documents: list[tuple[Step, dict[str, Any]]],
        old: Optional[dict[int, dict[str, Any]]] = None,
    ) -> None:
        """The documents as new versions; ``old`` has those before, of resources that were there."""
        by_type: dict[str, list[bytes]] = {}
        encoded = []
        for step, document in documents:
            text = encode(document)
            encoded.append(text)
            by_type.setdefault(step.item.type, []).append(text)
        for name, texts in by_type.items():
            self._choose_dictionary(name, texts)
        rows, extracts = [], []
        for (step, document), text in zip(documents, encoded):
            number, body = self._dictionaries[step.item.type]
            rows.append(
                {
                    "resource_id": step.key,
                    "from_run": self.run_id,
                    "after_run": self._after(step),
                    "dictionary_id": number,
                    "body": pack(text, body),
                }
            )
            before = extract(old[step.key]) if old is not None else NOTHING
            extracts.append((step.key, before, extract(document)))
        add(self._connection, version, rows)
        self._write_extracts(extracts)

    def _choose_dictionary(self, name: str, texts: list[bytes]) -> None:
        """The newest of the provider and type; a new one where there is none, or only one of few documents."""
        kind_id = self._kinds.one(name)
        statement = (
            select(dictionary.c.id, dictionary.c.body, dictionary.c.samples)
            .where(dictionary.c.provider == self._poll.provider, dictionary.c.kind_id == kind_id)
            .order_by(dictionary.c.id.desc())
            .limit(1)
        )
        row = self._connection.execute(statement).first()
        number, body, samples = row if row else (None, None, 0)
        small = body is None or len(body) < LARGEST_DICTIONARY
        if small and len(texts) >= max(FEWEST_SAMPLES, GREW * samples):
            body = make_dictionary(texts)
            values = {"provider": self._poll.provider, "kind_id": kind_id, "samples": len(texts)}
            built = self._connection.execute(dictionary.insert().values(body=body, **values))
            assert built.inserted_primary_key is not None  # noqa: S101 - it is a single row
            number = built.inserted_primary_key[0]
        self._dictionaries[name] = (number, body)

    def _write_extracts(self, extracts: list[tuple[int, Extract, Extract]]) -> None:
        """Closes the rows of what a resource no longer has, and adds those of what it has now."""
        changes: dict[str, tuple[list[Any], list[Any]]] = {
            name: ([], []) for name in ("addresses", "identifiers", "tags", "connections", "traits")
        }
        for key, before, after in extracts:
            for name, (closed, opened) in changes.items():
                old, new = getattr(before, name), getattr(after, name)
                if old != new:
                    closed.extend((key, *value) for value in old - new)
                    opened.extend((key, *value) for value in new - old)
        paths = self._paths.of(
            {
                row[-1]
                for name in ("addresses", "identifiers", "traits")
                for rows in changes[name]
                for row in rows
            }
        )
        labels = self._labels({row[1:] for rows in changes["tags"] for row in rows})
        targets = self._targets({row[1:] for rows in changes["connections"] for row in rows})
        for name, table, columns in (
            ("addresses", address, lambda r: {"ip": r[1], "prefix": r[2], "path_id": paths[r[3]]}),
            ("identifiers", identifier, lambda r: {"value": r[1], "path_id": paths[r[2]]}),
            ("tags", tag, lambda r: {"label_id": labels[r[1:]]}),
            ("connections", edge, lambda r: {"target_id": targets[r[1:]]}),
            ("traits", trait, lambda r: {"path_id": paths[r[2]], "value": r[1]}),
        ):
            closed, opened = changes[name]
            if closed:
                rows = [{"resource_id": row[0], **columns(row)} for row in closed]
                statement = update(table).where(table.c.to_run.is_(None)).values(to_run=self.run_id)
                for column in rows[0]:
                    statement = statement.where(table.c[column] == bindparam("b_" + column))
                self._connection.execute(
                    statement, [{"b_" + name: value for name, value in row.items()} for row in rows]
                )
            add(
                self._connection,
                table,
                [
                    {"resource_id": row[0], "from_run": self.run_id, **columns(row)}
                    for row in opened
                ],
            )

    def _labels(self, tags: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
        rows = [{"key": key, "value": value} for key, value in tags]
        add_missing(self._connection, label, rows)
        by_key: dict[str, list[str]] = {}
        for key, value in tags:
            by_key.setdefault(key, []).append(value)
        found = {}
        for key, values in by_key.items():
            for some in chunks(values):
                statement = select(label.c.value, label.c.id)
                statement = statement.where(label.c.key == key, label.c.value.in_(some))
                for value, number in self._connection.execute(statement):
                    found[key, value] = number
        return found

    def _targets(self, targets: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
        kinds = self._kinds.of({name for name, _ in targets})
        numbers = add_resources(
            self._connection, self._account_id, [(kinds[name], key) for name, key in targets]
        )
        return {(name, key): numbers[kinds[name], key] for name, key in targets}


def _state(item: Item) -> Optional[str]:
    value = item.fast.get(f"/details/{item.type}/state")
    return value.replace("\0", "") if isinstance(value, str) else None
