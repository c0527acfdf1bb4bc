"""What the engine expects of a cell and of a provider, and what it gives them.

A cell (``modules/<family>/<provider>.py``, or a package of that name) ends with ``CELL = Cell(...)``; a provider
(``shared/providers/<provider>.py``, or a package) with ``PROVIDER = Provider(...)``. The types say how the parts fit:
the scopes that a provider lists are those that its cells fetch, and the records and lookups of a ``Page`` are those
that ``convert`` takes.
"""

import dataclasses
import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, Generic, Optional, Protocol, TypeVar, Union

from shared.engine.deadline import Deadline
from shared.engine.errors import ConnectorError
from shared.engine.event import Request
from shared.engine.interval import Interval, Span
from shared.engine.log import Log
from shared.engine.network import Network
from shared.engine.traffic import Traffic
from shared.engine.workers import Workers

HANDLERS = ("get", "get_status", "get_metrics", "get_logs")  # that fetch something
Requested = Optional[frozenset[str]]  # ids; None: all of the account


class Scope(Protocol):
    """A part of an account that is polled by itself (a region, a project, a site). Its name is unique in the account."""

    @property
    def name(self) -> str: ...


class Resource(Protocol):
    """A resource of nflex-connector-utils (Server, Network, ...)."""

    def serialize(self) -> dict[str, Any]: ...


class StatusPoint(Protocol):
    """See shared/records/status.py."""

    @property
    def resource_id(self) -> str: ...

    @property
    def resource_type(self) -> str: ...

    def serialize(self, now: datetime.datetime) -> dict[str, Any]: ...


ScopeT = TypeVar("ScopeT", bound=Scope)
RecordT = TypeVar("RecordT")
LookupsT = TypeVar("LookupsT")
CredentialsT = TypeVar("CredentialsT")
SessionT = TypeVar("SessionT")


@dataclasses.dataclass
class Poll:
    """One call of a handler: what its parts share. A provider gets it at login."""

    family: str
    request: Request
    deadline: Deadline
    traffic: Traffic
    log: Log
    network: Network
    workers: Workers


# --- cells ------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Page(Generic[RecordT, LookupsT]):
    """Records of the provider, and all that is needed besides to convert them.

    Several pages may share one object of lookups, but a page's lookups are complete when the page is yielded.
    """

    records: Sequence[RecordT]
    lookups: LookupsT


@dataclasses.dataclass(frozen=True)
class Dropped:
    """What ``convert`` answers for a record that is no resource, and why."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Window:
    """What a poll of metrics or logs requests: a span of time, and resources."""

    interval: Interval
    resources: Requested = None
    state: dict[str, Any] = dataclasses.field(
        default_factory=dict
    )  # of this scope, kept between polls

    def wants(self, resource_id: str) -> bool:
        return self.resources is None or resource_id in self.resources


@dataclasses.dataclass(frozen=True)
class Status(Generic[ScopeT, RecordT, LookupsT]):
    """The handler get_status of a cell.

    ``points(record, scope, lookups)`` is pure. ``fetch(scope, requested)`` yields the pages of what it takes;
    without one, they are those of the cell's own ``fetch``. ``requested`` holds the ids that the status is wanted
    of (None: of all): records of others may be left out, and where the provider can filter by id they are. An id
    may be of another scope, family or account, or of nothing at all: that is an empty answer, not an error.
    """

    permissions: tuple[str, ...]
    points: Callable[[RecordT, ScopeT, LookupsT], Iterable[StatusPoint]]
    fetch: Optional[Callable[[ScopeT, Requested], Iterator[Page[RecordT, LookupsT]]]] = None


@dataclasses.dataclass(frozen=True)
class Series(Generic[ScopeT]):
    """The handler get_metrics or get_logs of a cell.

    ``fetch(scope, window)`` yields pages, each a list of points (as shared/records/metrics.py makes them) or of log
    events (``{"id", "resource_id", "resource_type", "severity", "message", "time", ...}``). ``span`` says how the
    time since the last poll is cut.
    """

    permissions: tuple[str, ...]
    span: Span
    fetch: Callable[[ScopeT, Window], Iterable[Sequence[dict[str, Any]]]]


@dataclasses.dataclass(frozen=True)
class Cell(Generic[ScopeT, RecordT, LookupsT]):
    """One resource family of one provider.

    ``fetch(scope)`` yields pages of records. ``convert(record, scope, lookups)`` is pure. ``permissions`` are those
    that ``get`` needs; ``calls`` says in words how many calls it makes. ``record_ids`` names the fields that a
    record's id is in; an error names the record by the first of them that it has. ``"ns._id"`` is the field ``_id``
    of the object in the field ``ns``.
    """

    calls: str
    permissions: tuple[str, ...]
    fetch: Callable[[ScopeT], Iterator[Page[RecordT, LookupsT]]]
    convert: Callable[[RecordT, ScopeT, LookupsT], Union[Resource, Dropped]]
    record_ids: tuple[str, ...] = ("id",)
    status: Optional[Status[ScopeT, Any, Any]] = None
    metrics: Optional[Series[ScopeT]] = None
    logs: Optional[Series[ScopeT]] = None

    @property
    def permissions_by_handler(self) -> dict[str, tuple[str, ...]]:
        """What each handler needs, by its name; a handler that the cell does not have is not in it."""
        parts = {"get_status": self.status, "get_metrics": self.metrics, "get_logs": self.logs}
        served = {name: part.permissions for name, part in parts.items() if part}
        return {"get": self.permissions, **served}


# --- providers --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Provider(Generic[CredentialsT, SessionT, ScopeT]):
    """How to log in to a provider, what to poll there, and what its errors mean. No CMP resource in here.

    - ``credentials(raw, ambient)``: the event's credentials, checked; raises InvalidEvent naming the key, and makes
      no call. ``ambient``: the runtime's operator allows the host's own credentials. A key that is not in
      ``credential_keys`` is refused.
    - ``login(credentials, poll)``: a session; the first network call. The session counts its calls in
      ``poll.traffic``, opens its connections with ``poll.network`` and keeps to ``poll.deadline``.
    - ``scopes(session)``: what is polled side by side (regions, projects, sites), in a stable order.
    - ``account(session)``: the provider's own name of the account, for ``validate_credentials``.
    - ``classify(error)``: the ConnectorError that an exception of the provider's client library means, or None.
    - ``least_permissions(permissions)``: what the cells' ``permissions`` come to, in the form in which the
      provider's operator installs them (an IAM policy, roles, ...).
    """

    credential_keys: Collection[str]
    credentials: Callable[[Mapping[str, Any], bool], CredentialsT]
    login: Callable[[CredentialsT, Poll], SessionT]
    scopes: Callable[[SessionT], Sequence[ScopeT]]
    account: Callable[[SessionT], str]
    classify: Callable[[Exception], Optional[ConnectorError]]
    least_permissions: Callable[[Iterable[str]], Any]
