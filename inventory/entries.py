"""Answers which resources there are, and what they are, now or at an earlier time."""

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Optional, Union

from sqlalchemy import Connection, ScalarSelect, Select, or_, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from inventory.errors import AmbiguousResource, InvalidQuestion, UnknownResource
from inventory.model import (
    AfterRun,
    Bounds,
    Coverage,
    Entry,
    Resource,
    ScopeStatus,
    Snapshot,
    When,
    microseconds,
    moment,
    written,
)
from inventory.retention import EVERY_STATE_SINCE, since
from inventory.rows import (
    AT_ONCE,
    Documents,
    at_run,
    at_snapshot,
    at_time,
    chunks,
    contains,
    covers,
    placed,
)
from inventory.schema import (
    account,
    kind,
    label,
    presence,
    resource,
    run,
    scope,
    scope_run,
    snapshot_scope,
    source,
    tag,
)

Read = dict[
    int, tuple[dict[str, Any], bool]
]  # documents, each with whether it is exactly that time's


Accounts = Union[str, Collection[str], None]  # one, some, or all


def of_accounts(wanted: Accounts) -> list[ColumnElement[bool]]:
    """The condition on accounts; none for all."""
    if wanted is None:
        return []
    if isinstance(wanted, str):
        return [account.c.name == wanted]
    return [account.c.name.in_(sorted(wanted))]


@dataclasses.dataclass(frozen=True)
class Filter:
    """Which resources; None: all. ``account`` may be several; ``name`` is a part of it, in any case; ``tag`` is
    ``key=value``, or a key."""

    account: Accounts = None
    provider: Optional[str] = None
    family: Optional[str] = None
    scope: Optional[str] = None
    type: Optional[str] = None
    state: Optional[str] = None
    name: Optional[str] = None
    tag: Optional[str] = None

    def sources(self) -> list[ColumnElement[bool]]:
        """Conditions on accounts, sources and scopes."""
        found = of_accounts(self.account)
        if self.provider is not None:
            found.append(account.c.provider == self.provider)
        if self.family is not None:
            found.append(source.c.family == self.family)
        if self.scope is not None:
            found.append(scope.c.name == self.scope)
        return found

    def resources(self) -> list[ColumnElement[bool]]:
        """Those, and one on types."""
        return [*self.sources(), *([] if self.type is None else [kind.c.name == self.type])]


@dataclasses.dataclass(frozen=True)
class ScopeRuns:
    """A scope, its last complete poll, and the first failed one after that."""

    scope_id: int
    account: str
    family: str
    name: str
    complete_run: Optional[int]
    failed_run: Optional[int]


class Times:
    """The times of polls, each read once."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._known: dict[int, tuple[int, int]] = {}
        self._bounds: dict[tuple[Optional[int], int], Bounds] = {}

    def load(self, runs: Collection[Optional[int]]) -> None:
        missing = [number for number in set(runs) if number and number not in self._known]
        for some in chunks(missing):
            statement = select(run.c.id, run.c.started_at, run.c.ended_at).where(run.c.id.in_(some))
            for number, started, ended in self._connection.execute(statement):
                self._known[number] = (started, ended)

    def bounds(self, after: Optional[int], before: int) -> Bounds:
        """Of what the run ``before`` noticed, and the run ``after`` did not yet see."""
        found = self._bounds.get((after, before))
        if found is None:
            self.load([after, before])
            started = moment(self._known[after][0]) if after in self._known else None
            found = self._bounds[after, before] = Bounds(started, self.ended(before))
        return found

    def ended(self, number: int) -> datetime.datetime:
        if number not in self._known:
            self.load([number])
        return moment(self._known[number][1])


class Reader:
    """Reads entries, within one transaction, as of one time (None: now)."""

    def __init__(self, connection: Connection, as_of: Optional[When] = None):
        self.connection = connection
        self.snapshot = as_of if isinstance(as_of, Snapshot) else None
        self.as_of = as_of if as_of is None or isinstance(as_of, datetime.datetime) else as_of.at
        self._as_of = None if self.as_of is None else _microseconds(self.as_of)
        self.at: Optional[FromClause] = None
        if self.snapshot is not None:
            self.at = at_snapshot(self.snapshot.key)
        elif isinstance(as_of, AfterRun):
            self.at = at_run(as_of.number)
        elif self._as_of is not None:
            self.at = at_time(self._as_of)
        self.times = Times(connection)
        self.documents = Documents(connection)
        self._complete: dict[int, Optional[int]] = {}

    # --- which ---

    def keys(self, wanted: Filter, after: int = 0, limit: Optional[int] = None) -> list[int]:
        """The keys of the resources that were there, in order; those after ``after``."""
        found: list[int] = []
        while limit is None or len(found) < limit:
            some = self._some_keys(wanted, after, AT_ONCE if limit is None else max(limit, 100))
            if not some:
                break
            after = some[-1]
            found.extend(self._filtered(some, wanted))
        return found[:limit]

    def _some_keys(self, wanted: Filter, after: int, limit: int) -> list[int]:
        statement = (
            select(resource.c.id)
            .select_from(placed)
            .where(resource.c.id > after, *wanted.resources())
            .order_by(resource.c.id)
            .limit(limit)
        )
        if self.at is None:
            statement = statement.where(resource.c.present)
            if wanted.state is not None:
                statement = statement.where(resource.c.state == wanted.state)
            if wanted.name is not None:
                statement = statement.where(contains(resource.c.name, wanted.name))
        else:
            statement = statement.join(self.at, self.at.c.source_id == resource.c.source_id)
            there = select(presence.c.resource_id).where(
                presence.c.resource_id == resource.c.id, covers(presence, self.at)
            )
            statement = statement.where(there.correlate(resource, self.at).exists())
        if wanted.tag is not None:
            key, equals, value = wanted.tag.partition("=")
            tagged = (
                select(tag.c.resource_id)
                .join(label, label.c.id == tag.c.label_id)
                .where(tag.c.resource_id == resource.c.id, label.c.key == key)
            )
            if equals:
                tagged = tagged.where(label.c.value == value)
            if self.at is None:
                tagged = tagged.where(tag.c.to_run.is_(None)).correlate(resource)
            else:
                tagged = tagged.where(covers(tag, self.at)).correlate(resource, self.at)
            statement = statement.where(tagged.exists())
        return list(self.connection.execute(statement).scalars())

    def _filtered(self, keys: list[int], wanted: Filter) -> Iterator[int]:
        """By name, and of earlier times by state: what they were then is in the documents."""
        if wanted.name is None and (wanted.state is None or self.at is None):
            yield from keys
            return
        for entry in self.entries(keys):
            if wanted.name is not None and wanted.name.lower() not in entry.name.lower():
                continue
            if wanted.state is None or entry.state == wanted.state:
                yield entry.key

    def find(
        self, external_id: str, account_name: Accounts, type_name: Optional[str]
    ) -> Sequence[int]:
        """The keys of resources with that id that were ever there."""
        statement = (
            select(resource.c.id)
            .join(account, account.c.id == resource.c.account_id)
            .join(kind, kind.c.id == resource.c.kind_id)
            .where(resource.c.external_id == external_id, resource.c.first_run.is_not(None))
            .where(*of_accounts(account_name))
            .order_by(resource.c.id)
        )
        if type_name is not None:
            statement = statement.where(kind.c.name == type_name)
        return list(self.connection.execute(statement).scalars())

    def one(self, external_id: str, account_name: Accounts, type_name: Optional[str]) -> int:
        """Raises UnknownResource or AmbiguousResource."""
        found = self.find(external_id, account_name, type_name)
        if not found:
            raise UnknownResource(
                f"no resource with the id {external_id!r} was ever stored",
                "search for a part of its name",
            )
        if len(found) > 1:
            entries = self.entries(found[:10])
            names = ", ".join(f"{each.account} {each.type}" for each in entries)
            raise AmbiguousResource(
                f"{len(found)} resources have the id {external_id!r}: {names}",
                "name the account and the type too",
            )
        return found[0]

    def there(self, keys: Collection[int]) -> set[int]:
        """Those of the resources that were there at the time."""
        found: set[int] = set()
        for some in chunks(keys):
            statement = select(presence.c.resource_id).where(
                presence.c.resource_id.in_(some), covers(presence, self.at)
            )
            if self.at is not None:
                statement = statement.join(resource, resource.c.id == presence.c.resource_id).join(
                    self.at, self.at.c.source_id == resource.c.source_id
                )
            found.update(self.connection.execute(statement).scalars())
        return found

    # --- what ---

    def documents_of(self, keys: Collection[int]) -> Read:
        """As of the reader's time."""
        if self.at is None:
            return {key: (each, True) for key, each in self.documents.now(keys).items()}
        return self._then(self.documents.at(keys, self.at))

    def _then(self, read: Read) -> Read:
        """Of times whose states retention has removed, no document is exact. Those of a snapshot are kept."""
        if self.snapshot is not None and self.snapshot.exact:
            return read
        known = since(self.connection, EVERY_STATE_SINCE)
        if known is None or self._as_of is None or self._as_of >= known:
            return read
        return {key: (document, False) for key, (document, _) in read.items()}

    def entries(self, keys: Collection[int], documents: Optional[Read] = None) -> list[Entry]:
        """In the order of the keys; as of the reader's time. ``documents``: if they are read already."""
        built: dict[int, Entry] = {}
        for some in chunks(keys):
            if documents is None:
                then = {} if self.at is None else self.documents_of(some)
            else:
                then = documents
            for entry in self._entries(some, then):
                built[entry.key] = entry
        return [built[key] for key in keys if key in built]

    def _entries(self, keys: list[int], then: Read) -> Iterator[Entry]:
        statement = (
            select(
                resource.c.id,
                account.c.name,
                account.c.provider,
                source.c.family,
                scope.c.name,
                kind.c.name,
                resource.c.external_id,
                resource.c.name,
                resource.c.state,
                resource.c.scope_id,
                resource.c.source_id,
            )
            .select_from(placed)
            .where(resource.c.id.in_(keys))
        )
        rows = self.connection.execute(statement).all()
        spans = self._spans(keys)
        last_runs = self._last_runs({row[-1] for row in rows})
        self._load_complete({row[-2] for row in rows})
        for key, *where, type_name, id, name, state, scope_id, source_id in rows:
            if key in then:
                name, state = name_and_state(then[key][0])
            last = last_runs.get(source_id)
            seen = [span for span in spans[key] if last is None or span[0] <= last]
            if not seen:
                continue  # it came later
            first, now = seen[0], seen[-1]
            gone = now[2] is not None and (last is None or now[2] <= last)
            last_complete = now[3] if gone else self._complete[scope_id]
            account_name, provider, family, scope_name = where
            yield Entry(
                key,
                account_name,
                provider,
                family,
                scope_name,
                type_name,
                id,
                name,
                state,
                not gone,
                self.times.bounds(first[1], first[0]),
                self.times.ended(last_complete or now[0]),
                self.times.bounds(now[3], now[2]) if gone else None,
            )

    def _last_runs(self, sources: set[int]) -> dict[int, int]:
        """Of earlier times: each source's last run by then."""
        if self.at is None:
            return {}
        statement = select(self.at.c.source_id, self.at.c.run_id)
        statement = statement.where(self.at.c.source_id.in_(sources))
        return {key: number or 0 for key, number in self.connection.execute(statement)}

    def last_run_of(self, key: int) -> Optional[int]:
        """The last run by then of the resource's source; None: now."""
        if self.at is None:
            return None
        of = select(resource.c.source_id).where(resource.c.id == key)
        return next(iter(self._last_runs({self.connection.execute(of).scalar_one()}).values()), 0)

    def _spans(self, keys: list[int]) -> dict[int, list[Any]]:
        """When each resource was there: from_run, after_run, to_run, to_after_run; in order."""
        statement = (
            select(
                presence.c.resource_id,
                presence.c.from_run,
                presence.c.after_run,
                presence.c.to_run,
                presence.c.to_after_run,
            )
            .where(presence.c.resource_id.in_(keys))
            .order_by(presence.c.resource_id, presence.c.from_run)
        )
        found: dict[int, list[Any]] = {key: [] for key in keys}
        runs: set[Optional[int]] = set()
        for key, *span in self.connection.execute(statement):
            found[key].append(tuple(span))
            runs.update(span)
        self.times.load(runs)
        return found

    def _load_complete(self, scopes: set[int]) -> None:
        """The last complete run of each scope."""
        for some in chunks(scopes - self._complete.keys()):
            statement = self._by_scope(select(scope.c.id, self._last_run(complete=True)))
            for scope_id, number in self.connection.execute(statement.where(scope.c.id.in_(some))):
                self._complete[scope_id] = number
        self.times.load(list(self._complete.values()))

    def _by_scope(self, statement: Select[Any]) -> Select[Any]:
        """The statement with the run up to which is looked."""
        if self.at is None:
            return statement
        return statement.join(self.at, self.at.c.source_id == scope.c.source_id)

    def _last_run(self, complete: bool) -> ScalarSelect[Any]:
        """Of a scope: its last complete run, or the last one."""
        statement = select(scope_run.c.run_id).where(scope_run.c.scope_id == scope.c.id)
        if complete:
            statement = statement.where(scope_run.c.error.is_(None))
        if self.at is not None:
            statement = statement.where(scope_run.c.run_id <= self.at.c.run_id)
            statement = statement.correlate(scope, self.at)
        return statement.order_by(scope_run.c.run_id.desc()).limit(1).scalar_subquery()

    def resources(self, keys: Sequence[int]) -> Iterator[Resource]:
        """With their documents, in the order of the keys."""
        for some in chunks(keys):
            read = self.documents_of(some)
            for entry in self.entries(some, read):
                if entry.key in read:
                    document, exact = read[entry.key]
                    base = {**document["base"], "last_seen_at": written(entry.last_seen)}
                    yield Resource(entry, {**document, "base": base}, exact)

    # --- how sure ---

    def coverage(self, wanted: Filter) -> Coverage:
        """The scopes in which resources like these could be."""
        scopes = self._named_scopes(wanted) if self.snapshot else self.scopes(wanted)
        self.times.load([run for each in scopes for run in (each.complete_run, each.failed_run)])
        found = []
        for each in scopes:
            failed = each.failed_run
            found.append(
                ScopeStatus(
                    each.account,
                    each.family,
                    each.name,
                    None if each.complete_run is None else self.times.ended(each.complete_run),
                    None if failed is None else self.times.ended(failed),
                    None if failed is None else self._error(each.scope_id, failed),
                )
            )
        return Coverage(tuple(found))

    def scopes(self, wanted: Filter) -> list[ScopeRuns]:
        """Each scope that there was, with its last complete poll and the first failed one after that."""
        statement = self._by_scope(
            select(
                scope.c.id,
                scope.c.source_id,
                account.c.name,
                source.c.family,
                scope.c.name,
                self._last_run(complete=True),
                self._last_run(complete=False),
            )
            .join(source, source.c.id == scope.c.source_id)
            .join(account, account.c.id == source.c.account_id)
            .where(*wanted.sources())
            .order_by(account.c.name, source.c.family, scope.c.name)
        )
        there: ColumnElement[bool] = scope.c.retired_run.is_(None)
        if self.at is not None:
            there = or_(there, scope.c.retired_run > self.at.c.run_id)
        rows = [row for row in self.connection.execute(statement.where(there)) if row[-1]]
        named = {row[1] for row in rows if row[4]}
        found = []
        for scope_id, source_id, account_name, family, name, complete, last in rows:
            if not name and complete is None and source_id in named:
                continue  # polls failed before any scope was known
            failed = self._first_failure(scope_id, complete) if complete != last else None
            found.append(ScopeRuns(scope_id, account_name, family, name, complete, failed))
        return found

    def _named_scopes(self, wanted: Filter) -> list[ScopeRuns]:
        """As ``scopes``, by what the snapshot says: later polls, and retention, change nothing of it."""
        assert self.snapshot is not None  # noqa: S101 - called for snapshots only
        statement = (
            select(
                scope.c.id,
                account.c.name,
                source.c.family,
                scope.c.name,
                snapshot_scope.c.complete_run,
                snapshot_scope.c.failed_run,
            )
            .join(scope, scope.c.id == snapshot_scope.c.scope_id)
            .join(source, source.c.id == scope.c.source_id)
            .join(account, account.c.id == source.c.account_id)
            .where(snapshot_scope.c.snapshot_id == self.snapshot.key, *wanted.sources())
            .order_by(account.c.name, source.c.family, scope.c.name)
        )
        return [ScopeRuns(*row) for row in self.connection.execute(statement)]

    def _first_failure(self, scope_id: int, after: Optional[int]) -> Optional[int]:
        statement = (
            select(scope_run.c.run_id)
            .where(scope_run.c.scope_id == scope_id, scope_run.c.run_id > (after or 0))
            .order_by(scope_run.c.run_id)
            .limit(1)
        )
        return self.connection.execute(statement).scalar()

    def _error(self, scope_id: int, run_id: int) -> Optional[str]:
        statement = select(scope_run.c.error)
        statement = statement.where(scope_run.c.scope_id == scope_id, scope_run.c.run_id == run_id)
        return self.connection.execute(statement).scalar()


def name_and_state(document: dict[str, Any]) -> tuple[str, Optional[str]]:
    details = document["details"].get(document["type"])
    state = details.get("state") if isinstance(details, dict) else None
    return document["base"]["name"], state if isinstance(state, str) else None


def _microseconds(as_of: datetime.datetime) -> int:
    try:
        return microseconds(as_of)
    except (ValueError, AttributeError, TypeError):
        raise InvalidQuestion(
            f"{as_of!r} is no time that can be searched", "pass a datetime with a time zone"
        ) from None
