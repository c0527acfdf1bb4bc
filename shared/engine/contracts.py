"""What the engine expects of a cell and of a provider, and what it passes to them.

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

SCOPES_AT_ONCE = 8  # of a provider that does not say otherwise
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
    """What the parts of one handler call share. A provider gets it at login."""

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
    """Records of the provider, and everything else that their conversion needs.

    Several pages may share one lookups object, but it must be complete for a page when that page is yielded.
    """

    records: Sequence[RecordT]
    lookups: LookupsT


@dataclasses.dataclass(frozen=True)
class Dropped:
    """What ``convert`` returns for a record that is not a resource, with the reason."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Window:
    """What a poll of metrics or logs requests: a span of time and resources."""

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

    ``points(record, scope, lookups)`` is pure. ``fetch(scope, requested)`` yields the pages that it is called with;
    without it, the cell's own ``fetch`` does. ``requested`` holds the ids whose status is requested (None: all).
    Records of other ids may be left out, and are where the provider can filter by id. An id may belong to another
    scope, family or account, or not exist: that gives an empty answer, not an error.
    """

    permissions: tuple[str, ...]
    points: Callable[[RecordT, ScopeT, LookupsT], Iterable[StatusPoint]]
    fetch: Optional[Callable[[ScopeT, Requested], Iterator[Page[RecordT, LookupsT]]]] = None


@dataclasses.dataclass(frozen=True)
class Series(Generic[ScopeT]):
    """The handler get_metrics or get_logs of a cell.

    ``fetch(scope, window)`` yields pages, each a list of points (as shared/records/metrics.py makes them) or of log
    events (``{"id", "resource_id", "resource_type", "severity", "message", "time", ...}``). ``span`` says which
    part of the time since the last poll is fetched.
    """

    permissions: tuple[str, ...]
    span: Span
    fetch: Callable[[ScopeT, Window], Iterable[Sequence[dict[str, Any]]]]


@dataclasses.dataclass(frozen=True)
class Cell(Generic[ScopeT, RecordT, LookupsT]):
    """One resource family of one provider.

    ``fetch(scope)`` yields pages of records. ``convert(record, scope, lookups)`` is pure. ``permissions`` are those
    that ``get`` needs; ``calls`` says in words how many calls it makes. ``record_ids`` names the fields that may
    hold a record's id; an error names the record by the first one that it has. ``"ns._id"`` is the field ``_id`` of
    the object in the field ``ns``.
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
        """The permissions of each handler that the cell has, by the handler's name."""
        parts = {"get_status": self.status, "get_metrics": self.metrics, "get_logs": self.logs}
        served = {name: part.permissions for name, part in parts.items() if part}
        return {"get": self.permissions, **served}


# --- providers --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Provider(Generic[CredentialsT, SessionT, ScopeT]):
    """How to log in to a provider, what to poll there, and what its errors mean. It knows no CMP resources.

    - ``credentials(raw, ambient)``: the event's credentials, checked; raises InvalidEvent naming the key, and makes
      no call. ``ambient``: the runtime's operator allows the host's own credentials. A key that is not in
      ``credential_keys`` is refused.
    - ``login(credentials, poll)``: a session; the first network call. The session counts its calls in
      ``poll.traffic``, opens its connections with ``poll.network`` and keeps to ``poll.deadline``.
    - ``scopes(session)``: what is polled side by side (regions, projects, sites), in a stable order.
    - ``account(session)``: the provider's own name for the account, for ``validate_credentials``.
    - ``classify(error)``: the ConnectorError for an exception of the provider's client library, or None.
    - ``least_permissions(permissions)``: the cells' ``permissions`` in the form in which the provider's operator
      grants them (an IAM policy, roles, ...).
    - ``at_once``: how many scopes are polled side by side, and one more than the number of threads that they may use
      besides (``Workers``). Many, where each scope has servers and limits of its own; few, where one server answers
      for all.
    """

    credential_keys: Collection[str]
    credentials: Callable[[Mapping[str, Any], bool], CredentialsT]
    login: Callable[[CredentialsT, Poll], SessionT]
    scopes: Callable[[SessionT], Sequence[ScopeT]]
    account: Callable[[SessionT], str]
    classify: Callable[[Exception], Optional[ConnectorError]]
    least_permissions: Callable[[Iterable[str]], Any]
    at_once: int = SCOPES_AT_ONCE
