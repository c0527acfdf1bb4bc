"""The inventory's interface: ``with Inventory(url) as inventory``."""

import contextlib
import dataclasses
import datetime
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar, Union

from sqlalchemy import Connection

from inventory import (
    ages,
    backup,
    check,
    claims,
    comparison,
    cost,
    database,
    diff,
    due,
    errors,
    history,
    linked,
    neighbours,
    poll,
    retention,
    runs,
    schedule,
    search,
    snapshots,
    sqlite,
    store,
    views,
    windows,
)
from inventory import points as points_of
from inventory.due import Claim, Due
from inventory.entries import Accounts, Filter, Reader
from inventory.errors import InvalidQuestion, NoInventory
from inventory.model import (
    COMPLETE,
    FAILED,
    Comparison,
    Coverage,
    Deviation,
    Diff,
    Entry,
    Found,
    History,
    Linked,
    Neighbour,
    Resource,
    Run,
    ScopeRun,
    Scopes,
    ScopeStatus,
    Shared,
    Snapshot,
    Status,
    Stored,
    When,
    Window,
    WindowView,
)

BULK = 5000  # changed resources in one poll, after which SQLite's log is written back
LIMIT = 1000  # entries in one answer
DEADLOCKS = 5  # after which a writer gives up

T = TypeVar("T")
# Inventory.list hides the type within the class
Entries = list[Entry]
Resources = list[Resource]
Neighbours = list[Neighbour]
AllAges = list[ages.Ages]
Points = list[dict[str, Any]]
Dues = list[Due]
Problems = list[str]
Runs = list[Run]
ScopeRuns = list[ScopeRun]
Shareds = list[Shared]
Snapshots = list[Snapshot]
Statuses = list[Status]
Windows = list[Window]


class _MayNotClose(Exception):
    """Rolls back what closing a change window would have written."""

    def __init__(self, view: WindowView):
        super().__init__()
        self.view = view


def _closed(
    connection: Connection, name: str, only: Optional[Collection[comparison.Name]]
) -> WindowView:
    now = _now()
    window = windows.by_name(connection, name)
    after = windows.after_snapshot(connection, window, now)
    seen = windows.view(connection, window, after, only)
    if not seen.may_close:
        raise _MayNotClose(seen)
    return dataclasses.replace(seen, window=windows.close(connection, window, after, now))


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


class Inventory:
    """What polls brought in: current state, history, and the polls themselves.

    ``as_of``, and the sides of a diff, are times or snapshots.

    ``url`` is a file (SQLite) or a URL (``sqlite:///...``, ``postgresql://...``). ``create``: make the tables if there
    are none, and bring those of an older release up to date; without it, an inventory must be there. ``timeout`` is
    how many seconds a writer waits for another one.

    Every method raises errors of inventory/errors.py only, and then has written nothing. Objects may be shared by
    threads.
    """

    def __init__(
        self, url: Union[str, Path], create: bool = False, timeout: float = database.TIMEOUT_S
    ):
        self._url = database.parsed(url)
        self._timeout = timeout
        self._engine = database.opened(self._url, create, timeout)

    def __enter__(self) -> "Inventory":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[types.TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    @property
    def address(self) -> str:
        """The file, or the URL without its password."""
        return database.name(self._url)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with database.meaning(self._url), database.reading(self._engine) as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        with database.meaning(self._url), database.writing(self._engine) as connection:
            database.check_current(connection, self._url)  # a newer release may have come
            yield connection

    def _written(self, action: Callable[[Connection], T]) -> T:
        """What the action returns, in a transaction; once more if PostgreSQL gave it up for another one.

        Writers wait for each other where they add the same tag or the same connected resource.
        """
        for _ in range(DEADLOCKS):
            with contextlib.suppress(errors.Deadlock), self._writing() as connection:
                return action(connection)
        with self._writing() as connection:
            return action(connection)

    # --- storing ---

    @contextlib.contextmanager
    def polling(self, account: str, family: str) -> Iterator[None]:
        """Within it, no other process polls the account's family, if all of them use this.

        Raises BeingPolled if another one does already, or a worker that has claimed it. It also ends if the process
        is killed.
        """
        with claims.claimed(self._url, account, family, self._timeout):
            with self._reading() as connection:
                if due.is_claimed(connection, account, family):
                    raise claims.being_polled(self._url, account, family)
            yield

    def store(
        self,
        account: str,
        family: str,
        scopes: Scopes,
        *,
        provider: str,
        started_at: datetime.datetime,
        ended_at: datetime.datetime,
        all_scopes: bool = False,
        state: Optional[Mapping[str, Any]] = None,
        calls: Optional[int] = None,
        retries: Optional[int] = None,
        claim: Optional[Claim] = None,
    ) -> Stored:
        """Store a poll in one transaction, which ends its claim if a worker made it.

        ``scopes`` has the resources of each scope that was polled completely, and a ``Failure`` for each other one,
        whose resources stay as they are. Scopes that are not named stay as they are too; with ``all_scopes``, the
        provider no longer has them, and their resources are gone. ``state`` is all of ``context.state``, for the next
        poll; None: it stays as it is. ``calls``: the requests that it sent, ``retries`` among them; None: not counted.

        Raises InvalidPoll, InvalidResource, StalePoll or NotMine.
        """
        checked = poll.checked(
            account, provider, family, scopes, started_at, ended_at, all_scopes, calls, retries
        )

        def action(connection: Connection) -> Stored:
            if claim is not None:
                due.end(connection, claim, store.outcome(checked))
            return store.store(connection, checked, state)

        stored = self._written(action)
        if stored.added + stored.changed >= BULK and self._url.drivername == "sqlite":
            with database.meaning(self._url):
                sqlite.after_bulk(self._engine)
        return stored

    def store_failure(
        self,
        account: str,
        family: str,
        error: str,
        *,
        provider: str,
        started_at: datetime.datetime,
        ended_at: datetime.datetime,
        calls: Optional[int] = None,
        retries: Optional[int] = None,
        claim: Optional[Claim] = None,
    ) -> Stored:
        """Record that a poll failed as a whole; ``error`` says why, without secrets.

        Raises InvalidPoll, StalePoll or NotMine.
        """
        nothing = poll.checked(
            account, provider, family, {"": []}, started_at, ended_at, False, calls, retries
        )

        def action(connection: Connection) -> Stored:
            if claim is not None:
                due.end(connection, claim, FAILED)
            return store.store_failure(connection, nothing, poll.storable(error))

        return self._written(action)

    def store_points(
        self,
        account: str,
        family: str,
        handler: str,
        points: "Sequence[Mapping[str, Any]]",
        *,
        provider: str,
        last_update: Optional[str] = None,
        state: Optional[Mapping[str, Any]] = None,
        claim: Optional[Claim] = None,
    ) -> int:
        """Store what ``get_status``, ``get_metrics`` or ``get_logs`` returned; returns how many points are new.

        In the same transaction: ``last_update``, as the handler returned it, and all of ``context.state``; both are
        for the next poll, and stay as they are if None. Raises InvalidPoint or NotMine.
        """

        def action(connection: Connection) -> int:
            if claim is not None:
                due.end(connection, claim, COMPLETE)
            return points_of.store_points(
                connection, account, provider, family, handler, points, last_update, state
            )

        return self._written(action)

    def last_update(self, account: str, family: str, handler: str) -> Optional[str]:
        """What the event of the handler's next poll should have as ``last_update``; None: there was no poll."""
        with self._reading() as connection:
            return points_of.newest(connection, account, family, handler)

    def state(self, account: str, family: str) -> dict[str, Any]:
        """All of ``context.state`` that the last poll kept."""
        with self._reading() as connection:
            return points_of.kept(connection, account, family)

    # --- what is due, for workers (inventory/due.py) ---

    def plan(
        self,
        planned: Collection[schedule.Planned],
        limits: schedule.Limits = schedule.Limits(),  # noqa: B008 - it is frozen
        covers: Callable[[str, str], bool] = lambda account, family: True,
    ) -> schedule.Replanned:
        """Make these the polls that workers make. Of the accounts and families that it ``covers``, all others are
        removed; a poll of them that runs is not stored. Raises InvalidQuestion."""
        schedule.check(planned, limits)
        return self._written(lambda connection: schedule.plan(connection, planned, limits, covers))

    def claim(
        self,
        worker: str,
        lease_s: float,
        *,
        accounts: Optional[Collection[str]] = None,
        families: Optional[Collection[str]] = None,
        late_s: float = 0,
    ) -> Optional[Claim]:
        """A poll that is due (for ``late_s`` already), of these accounts and families; None if there is none.

        It is this worker's for ``lease_s``, and then that of whoever claims it next, unless it is prolonged. ``worker``
        is one thread's: it may have one claim at a time.
        """

        def is_free(connection: Connection, account: str, family: str) -> bool:
            return claims.is_free(connection, self._url, account, family)

        return self._written(
            lambda connection: due.claim(
                connection, worker, lease_s, accounts, families, late_s, is_free
            )
        )

    def prolong(self, claim: Claim) -> bool:
        """The lease begins anew. False: the claim has run out or was ended, or its poll is being stored now."""
        return self._written(lambda connection: due.prolong(connection, claim))

    def end(self, claim: Claim, outcome: str) -> None:
        """The poll has ended and nothing of it is stored. Raises NotMine."""
        self._written(lambda connection: due.end(connection, claim, outcome))

    def release(self, claim: Claim, after_s: float = 0) -> bool:
        """Give the poll up: it is due again after so many seconds. False: it is not this worker's any more."""
        return self._written(lambda connection: due.release(connection, claim, after_s))

    def due(self) -> Dues:
        """All polls that workers make, what is due longest first."""
        with self._reading() as connection:
            return due.listed(connection)

    def claimable(
        self,
        accounts: Optional[Collection[str]] = None,
        families: Optional[Collection[str]] = None,
    ) -> int:
        """How many accounts have a poll that could be claimed now."""
        with self._reading() as connection:
            database.check_current(connection, self._url)
            return due.claimable(connection, accounts, families)

    def check_schema(self) -> None:
        """That the database can be reached, and no newer release has changed its tables. Raises NewerSchema."""
        with self._reading() as connection:
            database.check_current(connection, self._url)

    # --- asking ---

    def list(
        self,
        *,
        account: Accounts = None,
        provider: Optional[str] = None,
        family: Optional[str] = None,
        scope: Optional[str] = None,
        type: Optional[str] = None,
        state: Optional[str] = None,
        name: Optional[str] = None,
        tag: Optional[str] = None,
        as_of: Optional[When] = None,
        after: int = 0,
        limit: int = LIMIT,
    ) -> Entries:
        """The resources that are (at ``as_of``: were) there, in the order of their keys.

        ``name`` is a part of the name, in any case; ``tag`` is ``key=value``, or a key. For the next ones, pass the
        last entry's ``key`` as ``after``.
        """
        wanted = Filter(account, provider, family, scope, type, state, name, tag)
        if limit < 1:
            raise InvalidQuestion(f"the limit is {limit}", "pass 1 or more")
        with self._reading() as connection:
            reader = Reader(connection, as_of)
            return reader.entries(reader.keys(wanted, after, limit))

    def resources(
        self,
        *,
        account: Accounts = None,
        provider: Optional[str] = None,
        family: Optional[str] = None,
        scope: Optional[str] = None,
        type: Optional[str] = None,
        state: Optional[str] = None,
        name: Optional[str] = None,
        tag: Optional[str] = None,
        as_of: Optional[When] = None,
        after: int = 0,
        limit: int = LIMIT,
    ) -> Resources:
        """As ``list``, with the documents; for the next ones, pass the last one's ``entry.key`` as ``after``."""
        wanted = Filter(account, provider, family, scope, type, state, name, tag)
        if limit < 1:
            raise InvalidQuestion(f"the limit is {limit}", "pass 1 or more")
        with self._reading() as connection:
            reader = Reader(connection, as_of)
            return [*reader.resources(reader.keys(wanted, after, limit))]

    def every_resource(self, as_of: Optional[When] = None) -> Iterator[Resource]:
        """All resources with their documents, read in pages: between two of them, a poll may be stored."""
        after = 0
        while page := self.resources(as_of=as_of, after=after, limit=LIMIT):
            yield from page
            after = page[-1].entry.key

    def count(
        self,
        *,
        account: Accounts = None,
        provider: Optional[str] = None,
        family: Optional[str] = None,
        scope: Optional[str] = None,
        type: Optional[str] = None,
        state: Optional[str] = None,
        name: Optional[str] = None,
        tag: Optional[str] = None,
        as_of: Optional[When] = None,
    ) -> int:
        """How many resources ``list`` has in all."""
        wanted = Filter(account, provider, family, scope, type, state, name, tag)
        with self._reading() as connection:
            return len(Reader(connection, as_of).keys(wanted))

    def show(
        self,
        id: str,
        *,
        account: Accounts = None,
        type: Optional[str] = None,
        as_of: Optional[When] = None,
    ) -> Optional[Resource]:
        """The resource with its document; the last one known if it is gone. None: at ``as_of`` it had not come yet.

        Raises UnknownResource or AmbiguousResource.
        """
        with self._reading() as connection:
            reader = Reader(connection, as_of)
            return next(reader.resources([reader.one(id, account, type)]), None)

    def coverage(
        self,
        *,
        account: Accounts = None,
        provider: Optional[str] = None,
        family: Optional[str] = None,
        scope: Optional[str] = None,
        as_of: Optional[When] = None,
    ) -> Coverage:
        """The scopes and how their last polls ended."""
        with self._reading() as connection:
            return Reader(connection, as_of).coverage(Filter(account, provider, family, scope))

    def history(
        self,
        id: str,
        *,
        account: Accounts = None,
        type: Optional[str] = None,
        fast: bool = False,
        as_of: Optional[When] = None,
    ) -> History:
        """What happened to a resource, the oldest first, each with the times between which it happened.

        ``fast``: also changes of nothing but states and counters. Raises UnknownResource, also if it had not come yet,
        or AmbiguousResource.
        """
        with self._reading() as connection:
            key = Reader(connection).one(id, account, type)
            return history.history(connection, key, fast, as_of)

    def diff(
        self,
        before: When,
        after: When,
        *,
        account: Accounts = None,
        provider: Optional[str] = None,
        family: Optional[str] = None,
        scope: Optional[str] = None,
        type: Optional[str] = None,
        fast: bool = True,
    ) -> Diff:
        """What differs between two times, the most severe first. Without ``fast``, states and counters don't count.

        What is added or gone has one change, of the whole document; its path is empty.
        """
        wanted = Filter(account, provider, family, scope, type)
        with self._reading() as connection:
            return diff.diff(connection, before, after, wanted, fast)

    def search(
        self,
        question: str,
        *,
        by: Optional[str] = None,
        account: Accounts = None,
        provider: Optional[str] = None,
        family: Optional[str] = None,
        scope: Optional[str] = None,
        type: Optional[str] = None,
        as_of: Optional[When] = None,
        limit: int = LIMIT,
    ) -> Found:
        """Find resources by whatever was pasted: an id, an ARN or a MAC address goes straight to its resources (also
        to those that are gone), an address to who has it and which networks hold it, a network to what is in it,
        ``key=value`` to a tag, anything else to a part of a name, in any case.

        ``by`` says what it is: ``id``, ``identifier``, ``address``, ``network``, ``tag``, ``name``, or ``field`` (any
        field that contains the text, or ``field=value``), which reads every document. What is not found has a proof
        in ``coverage``.
        """
        wanted = Filter(account, provider, family, scope, type)
        if limit < 1:
            raise InvalidQuestion(f"the limit is {limit}", "pass 1 or more")
        with self._reading() as connection:
            return search.search(connection, question, wanted, as_of, by, limit)

    def points(
        self,
        handler: str,
        id: str,
        *,
        account: Accounts = None,
        type: Optional[str] = None,
        since: Optional[datetime.datetime] = None,
        until: Optional[datetime.datetime] = None,
    ) -> Points:
        """A resource's points of ``get_status``, ``get_metrics`` or ``get_logs``, in the order of their times."""
        with self._reading() as connection:
            found = points_of.points(connection, handler, id, account, type, since, until)
            return [*found]

    def neighbours(self, key: int, as_of: Optional[When] = None) -> "tuple[Neighbours, Neighbours]":
        """What the resource with this key is connected to, and what is connected to it, in order."""
        with self._reading() as connection:
            return neighbours.neighbours(connection, key, as_of)

    # --- polls ---

    def runs(
        self,
        *,
        account: Accounts = None,
        family: Optional[str] = None,
        outcome: Optional[str] = None,
        before: Optional[int] = None,
        limit: int = LIMIT,
    ) -> Runs:
        """The polls of resources that are stored, the newest first; those before the number ``before``."""
        with self._reading() as connection:
            return runs.runs(connection, account, family, outcome, before, limit)

    def runs_after(self, number: int, account: Accounts = None, limit: int = LIMIT) -> Runs:
        """The polls that were stored after the one with this number, in order."""
        with self._reading() as connection:
            return runs.after(connection, number, account, limit)

    def last_run(self, account: Accounts = None, until: Optional[datetime.datetime] = None) -> int:
        """The number of the poll that was stored last, of those that ended by ``until``; 0: nothing was polled."""
        with self._reading() as connection:
            return runs.last(connection, account, until)

    def scope_runs(self, account: Accounts = None) -> ScopeRuns:
        """The last polls of each scope that there is, in the order of accounts, families and scopes."""
        with self._reading() as connection:
            return runs.of_scopes(connection, account)

    def accounts(self, account: Accounts = None) -> dict[str, tuple[str, dict[str, int]]]:
        """Each account's provider, and how many resources there are of each of its families."""
        with self._reading() as connection:
            return runs.accounts(connection, account)

    # --- snapshots ---

    def take_snapshot(
        self, label: Optional[str] = None, at: Optional[datetime.datetime] = None
    ) -> Snapshot:
        """A label on the last polls by now, or by ``at``; without a label, the time is it. What these polls saw is kept.

        Raises InvalidQuestion if the label is in use, or if nothing had been polled.
        """
        now = _now()
        when = now if at is None else at
        return self._written(lambda connection: snapshots.take(connection, label, when, now))

    def take_snapshot_if_due(self, every: datetime.timedelta) -> Optional[Snapshot]:
        """A scheduled snapshot, if the last one is older than that and something was polled since then."""
        return self._written(lambda connection: snapshots.take_if_due(connection, every, _now()))

    def snapshots(self) -> Snapshots:
        """In the order of their times."""
        with self._reading() as connection:
            return snapshots.snapshots(connection)

    def snapshot(self, label: str) -> Snapshot:
        """Raises UnknownSnapshot."""
        with self._reading() as connection:
            return snapshots.by_label(connection, label)

    def pin_snapshot(self, label: str) -> Snapshot:
        """Make it the baseline, "as designed". Raises UnknownSnapshot."""
        return self._written(lambda connection: snapshots.pin(connection, label, _now()))

    def remove_snapshot(self, label: str) -> Snapshot:
        """Raises UnknownSnapshot, or InvalidQuestion if it is the baseline or belongs to a change window."""
        return self._written(lambda connection: snapshots.remove(connection, label))

    def baseline(self) -> Optional[Snapshot]:
        """The snapshot that was pinned last."""
        with self._reading() as connection:
            return snapshots.baseline(connection)

    def compare(
        self,
        before: When,
        after: When,
        design: Optional[When] = None,
        *,
        account: Accounts = None,
        provider: Optional[str] = None,
        family: Optional[str] = None,
        scope: Optional[str] = None,
        type: Optional[str] = None,
        fast: bool = True,
        only: Optional[Collection[comparison.Name]] = None,
    ) -> Comparison:
        """A diff, field by field, each with its value in the design, and what is not as designed besides.

        ``only``: these resources alone, as (account, type, id).
        """
        wanted = Filter(account, provider, family, scope, type)
        with self._reading() as connection:
            return comparison.compare(connection, before, after, design, wanted, fast, only)

    # --- change windows ---

    def open_window(
        self,
        name: str,
        design: Optional[str] = None,
        concerns: Optional[Mapping[str, Any]] = None,
    ) -> Window:
        """A change begins: takes the snapshot before. ``design`` is a baseline's label; without it, the one that was
        pinned last. ``concerns`` are filters (account, provider, family, scope, type); others are kept as they are."""
        return self._written(
            lambda connection: windows.open_window(connection, name, _now(), design, concerns or {})
        )

    def windows(self) -> Windows:
        with self._reading() as connection:
            return windows.windows(connection)

    def has_open_window(self) -> bool:
        with self._reading() as connection:
            return windows.any_open(connection)

    def window(self, name: str, only: Optional[Collection[comparison.Name]] = None) -> WindowView:
        """Before, design, and now; of a closed window, after instead of now. Raises UnknownSnapshot."""
        with self._reading() as connection:
            return windows.view(connection, windows.by_name(connection, name), _now(), only)

    def explain(
        self,
        name: str,
        text: str,
        deviations: Collection[Deviation] = (),
        missing: Collection[ScopeStatus] = (),
    ) -> int:
        """Keep why these differ, or were not polled, in an open window. Raises UnknownSnapshot or InvalidQuestion."""
        return self._written(
            lambda connection: windows.explain(
                connection, windows.by_name(connection, name), deviations, missing, text, _now()
            )
        )

    def close_window(
        self, name: str, only: Optional[Collection[comparison.Name]] = None
    ) -> WindowView:
        """Take the snapshot after, and close the window if all is as before, as designed, or explained.

        If it is not, nothing is written, and the view's window is still open. Raises UnknownSnapshot or
        InvalidQuestion.
        """
        try:
            return self._written(lambda connection: _closed(connection, name, only))
        except _MayNotClose as still:
            return still.view

    # --- all at once, for a graph ---

    def linked(self, as_of: Optional[When] = None) -> Linked:
        """All resources in narrow rows, what they are connected to, and what they are to others."""
        with self._reading() as connection:
            return linked.linked(connection, as_of)

    def shared(self, as_of: Optional[When] = None) -> Shareds:
        """Addresses and identifiers that resources of several accounts have, with the fields that have them."""
        with self._reading() as connection:
            return linked.shared(connection, as_of)

    def statuses(self, as_of: Optional[When] = None) -> Statuses:
        """The newest status of each resource, in the order of account, type and id."""
        with self._reading() as connection:
            return linked.statuses(connection, as_of)

    def costs(
        self,
        since: datetime.datetime,
        *,
        account: Optional[str] = None,
        provider: Optional[str] = None,
        family: Optional[str] = None,
        fast: bool = False,
    ) -> cost.Costs:
        """The polls since then, what they cost, and how often they saw a change. ``fast``: also changes of nothing but
        states and counters. In the order of accounts and families."""
        with self._reading() as connection:
            return cost.costs(connection, since, Filter(account, provider, family), fast)

    def ages(self) -> AllAges:
        """How many scopes there are by provider and family, how many failed, and how old their facts are."""
        with self._reading() as connection:
            return ages.ages(connection)

    # --- SQL ---

    def has_views(self) -> bool:
        """Whether the views were ever made."""
        with database.meaning(self._url):
            return views.exist(self._engine, self._url)

    def renew_views(self) -> views.Renewal:
        """Bring the SQL views up to date (see inventory/views.py), in a transaction of their own; make them if there
        are none. Of a SQLite inventory, they are in a file beside it, ``views_file``."""
        now = _now()
        with (
            views.meaning(self._url),
            views.writing(self._engine, self._url, self._timeout) as target,
            database.reading(self._engine) as connection,
        ):
            return views.renew(connection, target, now)

    @property
    def views_file(self) -> Optional[Path]:
        """None: the views are in PostgreSQL, in the schema ``views``."""
        return views.file_of(self._url) if self._url.drivername == "sqlite" else None

    def sql(self, statement: str) -> views.Answer:
        """The rows of one SELECT on the views, as of their last renewal. Raises InvalidQuestion, also for whatever
        would write, and NoInventory if the views were never made."""
        if not self.has_views():
            raise NoInventory(f"{self.address} has no views yet", "renew them first")
        with views.meaning(self._url):
            return views.ask(self._engine, self._url, statement, self._timeout)

    # --- keeping ---

    def pin(self, name: str, at: datetime.datetime) -> None:
        """Keep the versions of this moment for good, for example before a change."""
        with self._writing() as connection:
            retention.set_pin(connection, name, at)

    def pins(self) -> dict[str, datetime.datetime]:
        with self._reading() as connection:
            return retention.pins(connection)

    def thin(
        self,
        keep: retention.Retention = retention.Retention(),  # noqa: B008 - it is frozen
        now: Optional[datetime.datetime] = None,
    ) -> retention.Thinned:
        """Remove what is older than wanted, in many short transactions, and give the space back."""
        moment = now or _now()
        thinned = retention.thin(self._writing, keep, moment)
        if self._url.drivername == "sqlite":
            with database.meaning(self._url):
                sqlite.shrink(self._engine)
        return thinned

    def backup(self, file: Union[str, Path]) -> None:
        """Write a copy to a new file, while others go on. Raises InvalidQuestion if it exists."""
        backup.backup(self._engine, self._url, file)

    def check(self) -> Problems:
        """What is wrong with the inventory, in sentences; empty if nothing is. It reads everything."""
        with self._reading() as connection:
            return check.check(connection)
