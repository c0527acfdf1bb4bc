"""What an inventory takes and gives back. Times are aware; those given back are in UTC."""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional, Union

from inventory.changes import ABSENT, Change

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)

# Of differences. What is critical takes the graph of all connections: the topology says so, of snapshots.
SEVERITIES = CRITICAL, HIGH, MEDIUM, LOW = ("critical", "high", "medium", "low")
COMPLETE, PARTIAL, FAILED = "complete", "partial", "failed"  # outcomes of a poll


def microseconds(moment: datetime.datetime) -> int:
    """Since 1970. Raises ValueError for a time without a time zone."""
    if moment.utcoffset() is None:
        raise ValueError(f"the time {moment.isoformat()} has no time zone")
    return (moment - EPOCH) // MICROSECOND


def moment(since_1970: int) -> datetime.datetime:
    return EPOCH + since_1970 * MICROSECOND


def written(time: datetime.datetime) -> str:
    """RFC 3339 in UTC, as CMP has it."""
    return time.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


@dataclasses.dataclass(frozen=True)
class Failure:
    """A scope that could not be polled, and why (one sentence, without secrets)."""

    error: str


# The resources of a scope that was polled completely, or why it was not.
Scopes = Mapping[str, Union[Sequence[Mapping[str, Any]], Failure]]


@dataclasses.dataclass(frozen=True)
class Stored:
    """What storing a poll came to. ``run`` is its number."""

    run: int
    outcome: str
    resources: int
    added: int = 0
    changed: int = 0
    gone: int = 0


@dataclasses.dataclass(frozen=True)
class Run:
    """A poll as it was stored. ``error`` says why it failed as a whole."""

    number: int
    account: str
    provider: str
    family: str
    started_at: datetime.datetime
    ended_at: datetime.datetime
    outcome: str
    error: Optional[str]
    resources: int
    added: int
    changed: int
    gone: int


@dataclasses.dataclass(frozen=True)
class Bounds:
    """When something changed: not before ``after``, where the last complete poll before began (None: nobody looked
    before), and not after ``before``, where the poll that noticed ended."""

    after: Optional[datetime.datetime]
    before: datetime.datetime

    def __str__(self) -> str:
        if self.after is None:
            return f"before {written(self.before)}"
        return f"between {written(self.after)} and {written(self.before)}"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One line about a resource. ``key`` is its number in this inventory.

    ``last_seen``: the end of its scope's last complete poll in which it was there. ``gone`` is None while it is there.
    """

    key: int
    account: str
    provider: str
    family: str
    scope: str
    type: str
    id: str
    name: str
    state: Optional[str]
    present: bool
    first_seen: Bounds
    last_seen: datetime.datetime
    gone: Optional[Bounds]


@dataclasses.dataclass(frozen=True)
class Resource:
    """A resource as CMP's dict, without the ignored fields of inventory/fields.py but ``last_seen_at``.

    ``exact`` is false if retention has removed the version of that time; the document is then an earlier one.
    """

    entry: Entry
    document: dict[str, Any]
    exact: bool


@dataclasses.dataclass(frozen=True)
class ScopeStatus:
    """The polls of one scope. ``failed_since``: the first failed poll after the last complete one."""

    account: str
    family: str
    scope: str
    complete_at: Optional[datetime.datetime]
    failed_since: Optional[datetime.datetime]
    error: Optional[str]

    @property
    def label(self) -> str:
        return " ".join(filter(None, (self.account, self.family, self.scope)))


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What an answer rests on: the scopes that were looked at."""

    scopes: tuple[ScopeStatus, ...]

    @property
    def failed(self) -> tuple[ScopeStatus, ...]:
        return tuple(each for each in self.scopes if each.failed_since or not each.complete_at)

    @property
    def complete(self) -> bool:
        return bool(self.scopes) and not self.failed

    @property
    def oldest(self) -> Optional[datetime.datetime]:
        """The end of the oldest complete poll that the answer rests on."""
        return min((each.complete_at for each in self.scopes if each.complete_at), default=None)

    def absence(self, form: Callable[[datetime.datetime], str] = written) -> str:
        """The proof, or the lack of it, that something is nowhere. ``form`` writes its times."""
        count, failed = len(self.scopes), self.failed
        if not count:
            return "unknown: nothing was polled"
        if not failed:
            assert self.oldest is not None  # noqa: S101 - of complete scopes
            return f"nowhere, in {count} of {count} scopes, all complete since {form(self.oldest)}"
        reasons = "; ".join(
            f"{each.label} failed since {form(each.failed_since)}"
            if each.failed_since
            else f"{each.label} was never complete"
            for each in failed
        )
        return f"not in {count - len(failed)} of {count} scopes; {reasons}"


@dataclasses.dataclass(frozen=True)
class Event:
    """One step of a resource's history. ``what``: appeared, changed, gone, came back. ``severity`` is that of a diff."""

    what: str
    when: Bounds
    changes: tuple[Change, ...] = ()
    severity: str = "low"


@dataclasses.dataclass(frozen=True)
class History:
    """``every_version_since``: before that, retention has thinned versions (None: never)."""

    entry: Entry
    events: tuple[Event, ...]
    every_version_since: Optional[datetime.datetime]


@dataclasses.dataclass(frozen=True)
class Moved:
    """A connection that leads elsewhere: ids of the type that it had, and that it has."""

    type: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Difference:
    """A resource that differs between two times. ``what``: added, gone, changed or re-created.

    ``before`` and ``after`` are None where it was not there; re-created: another id, but the same name and role.
    """

    what: str
    severity: str
    before: Optional[Entry]
    after: Optional[Entry]
    when: Optional[Bounds]
    changes: tuple[Change, ...] = ()
    moved: tuple[Moved, ...] = ()

    @property
    def entry(self) -> Entry:
        entry = self.after or self.before
        assert entry is not None  # noqa: S101 - it is in one of both
        return entry


@dataclasses.dataclass(frozen=True)
class Diff:
    """All differences, the most severe first, and what both sides rest on."""

    differences: tuple[Difference, ...]
    before: Coverage
    after: Coverage
    every_version_since: Optional[datetime.datetime]


@dataclasses.dataclass(frozen=True)
class Hit:
    """A resource that a search found: by its ``id``, an ``identifier``, an ``address``, a ``network`` that holds the
    address, a ``tag``, its ``name``, or a ``field``. ``where`` is the field, ``since`` when that was first so."""

    entry: Entry
    by: str
    value: str
    where: Optional[str] = None
    since: Optional[Bounds] = None
    until: Optional[Bounds] = None


@dataclasses.dataclass(frozen=True)
class Found:
    """A search's result. ``scanned``: every document was read. ``more``: there are more hits than the limit."""

    hits: tuple[Hit, ...]
    coverage: Coverage
    scanned: bool = False
    more: bool = False

    def __str__(self) -> str:
        if self.hits:
            return f"{len(self.hits)}{' or more' if self.more else ''} found"
        return self.coverage.absence()


# --- snapshots ---

BY_HAND, SCHEDULED, OF_WINDOW = "by hand", "scheduled", "window"  # how a snapshot came to be


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A label on polls: ``runs`` has the last one of each account's family by ``at``. ``key`` is its number.

    ``complete`` of its ``scopes`` had been polled completely. ``pinned_at``: since when it is a baseline. ``exact`` is
    false if retention had removed states of that time before it was taken.
    """

    key: int
    label: str
    at: datetime.datetime
    taken_at: datetime.datetime
    how: str
    pinned_at: Optional[datetime.datetime]
    resources: int
    scopes: int
    complete: int
    runs: tuple[int, ...]
    exact: bool


@dataclasses.dataclass(frozen=True)
class AfterRun:
    """The moment after a poll was stored, whenever others ended; ``at`` is when it ended itself. So pages of a list
    agree with the first one, whatever is stored meanwhile."""

    number: int
    at: datetime.datetime


When = Union[datetime.datetime, Snapshot, AfterRun]  # that a question is about

THERE = "there"  # the value of a resource as a whole; ABSENT where it is not
# What a comparison says of a field; DIFFERS where there is no design to compare with.
DIFFERS, RESTORED, DEVIATES, STANDING = "differs", "as designed", "not as designed", "as before"


@dataclasses.dataclass(frozen=True)
class Deviation:
    """A field that differs before and after, or from the design; ``path`` is empty for a resource as a whole.

    ``verdict``: differs (there is no design to compare with), as designed, not as designed, or as before (it is not
    as designed, and was not before). ``former_id`` is that of a resource that was created anew. ``reason``: why it is
    critical.
    """

    severity: str
    what: str
    verdict: str
    entry: Entry
    path: str
    before: Any
    after: Any
    design: Any = ABSENT
    former_id: Optional[str] = None
    explanation: Optional[str] = None
    reason: Optional[str] = None

    @property
    def differs(self) -> bool:
        """Whether it is something else after than before."""
        return self.verdict != STANDING

    @property
    def unexplained(self) -> bool:
        """Whether it keeps a change window from closing: it is neither as before nor as designed, nor explained."""
        return self.verdict in (DIFFERS, DEVIATES) and self.explanation is None


@dataclasses.dataclass(frozen=True)
class Side:
    """One of the times that are compared, and what is known of it."""

    when: When
    coverage: Coverage

    @property
    def at(self) -> datetime.datetime:
        return self.when if isinstance(self.when, datetime.datetime) else self.when.at


@dataclasses.dataclass(frozen=True)
class Comparison:
    """All deviations, the most severe first. ``inexact``: keys of resources whose version of one of the times had been
    removed by retention; an earlier one was compared."""

    deviations: tuple[Deviation, ...]
    before: Side
    after: Side
    design: Optional[Side]
    inexact: frozenset[int] = frozenset()

    @property
    def sides(self) -> tuple[Side, ...]:
        return tuple(side for side in (self.before, self.after, self.design) if side)

    @property
    def complete(self) -> bool:
        return all(side.coverage.complete for side in self.sides)


@dataclasses.dataclass(frozen=True)
class Window:
    """A change that somebody makes, from ``before`` to ``after`` (None: it is open). ``concerns`` are the filters of
    the resources that it is about."""

    key: int
    name: str
    opened_at: datetime.datetime
    closed_at: Optional[datetime.datetime]
    before: Snapshot
    after: Optional[Snapshot]
    baseline: Optional[Snapshot]
    concerns: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Missing:
    """A scope that was not polled completely when a change window was looked at."""

    scope: ScopeStatus
    explanation: Optional[str] = None


@dataclasses.dataclass(frozen=True)
class WindowView:
    """A change window as it is now, or was when it was closed."""

    window: Window
    comparison: Comparison
    missing: tuple[Missing, ...]

    @property
    def unexplained(self) -> tuple[Deviation, ...]:
        return tuple(each for each in self.comparison.deviations if each.unexplained)

    @property
    def unexplained_scopes(self) -> tuple[ScopeStatus, ...]:
        return tuple(each.scope for each in self.missing if each.explanation is None)

    @property
    def may_close(self) -> bool:
        return not self.unexplained and not self.unexplained_scopes


class ScopeRun(NamedTuple):
    """A scope's last polls: when the last complete one and the last one ended, and how long it is from one complete
    poll to the next: as workers' schedule has it, else as it usually was (None: there were too few)."""

    account: str
    provider: str
    family: str
    scope: str
    complete_at: Optional[datetime.datetime]
    last_at: datetime.datetime
    error: Optional[str]
    interval: Optional[datetime.timedelta]


class Neighbour(NamedTuple):
    """The other end of a connection. ``name`` is None for what no poll ever brought in."""

    account: str
    type: str
    id: str
    name: Optional[str]


class Narrow(NamedTuple):
    """A resource without its document."""

    key: int
    account: str
    provider: str
    family: str
    scope: str
    type: str
    id: str
    name: str
    state: Optional[str]


class Linked(NamedTuple):
    """All resources, and what each is connected to, by keys. ``absent``: account, type and id of what is connected to,
    and not there. ``traits``: the fields TRAIT_DETAILS and TRAIT_METADATA of inventory/fields.py, as text."""

    resources: list[Narrow]
    connections: dict[int, list[int]]
    absent: dict[int, tuple[str, str, str]]
    traits: dict[int, Mapping[str, str]]


class Shared(NamedTuple):
    """An address, ARN or MAC address that several accounts have, in the field ``path`` of a resource."""

    key: int
    value: str
    path: str


class Status(NamedTuple):
    """A resource's newest status. ``level``: ok, warning, error or unknown."""

    account: str
    type: str
    id: str
    level: str
    time: datetime.datetime
    message: str
