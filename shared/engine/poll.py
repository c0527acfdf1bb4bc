"""The handlers of a family: poll, statuses, metrics, logs and validate.

Each parses the event, logs in and fetches all scopes side by side (shared/engine/gather.py). The answer is complete,
or one of the errors of shared/engine/errors.py is raised. shared/engine/contracts.py defines cells and providers.
"""

import datetime
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Any, Union

from nflex_connector_utils import convert_datetime

from shared.engine import clock, platform
from shared.engine import event as events
from shared.engine.contracts import Cell, Dropped, Page, Poll, Provider, Window
from shared.engine.errors import ConnectorError
from shared.engine.failures import guarded
from shared.engine.gather import Key, Started, Task, Total, gather, within_deadline
from shared.engine.interval import due
from shared.engine.log import Log
from shared.engine.network import Network
from shared.engine.resources import serialized
from shared.engine.runtime import Runtime
from shared.engine.traffic import Traffic
from shared.engine.workers import Workers

# The most that a poll holds, in all scopes together: a resource takes some 3 KB of memory, a point less than 1 KB.
MOST_RECORDS = 250_000
MOST_POINTS = 1_000_000  # of metrics or logs


def poll(family: str, event: Any, context: Any) -> list[dict[str, Any]]:
    """All resources of one family in one account, as CMP dicts, sorted by type and id.

    Complete, or an exception: see shared/engine/errors.py. docs/reference/event.md describes ``event`` and
    ``context``. Only ``options.allow_partial`` lets the list be incomplete, and then the response header
    ``x-poll-incomplete`` and the log say what is missing.
    """
    return guarded(event, context, lambda runtime, log: _poll(family, event, runtime, log))


def statuses(family: str, event: Any, context: Any) -> dict[str, Any]:
    """``{"status": [point, ...], "last_update"}`` (shared/records/status.py) of an account's resources.

    Of all of them, or of those that the event's ``resource`` or ``resources`` names. A provider that has no
    status for this family gives no points, and the log says so. Raises the same errors as ``poll``.
    """
    return guarded(event, context, lambda runtime, log: _statuses(family, event, runtime, log))


def metrics(family: str, event: Any, context: Any) -> dict[str, Any]:
    """``{"metrics": [point, ...], "last_update"}`` of the time since the event's ``last_update``.

    A point is ``{"resource_id", "resource_type", "metric", "value", "unit", "time"}``, with a ``specialisation``
    where a resource has several of a kind. ``last_update`` is the end of what was fetched: if the next event
    contains it, no point comes twice. Selects resources and raises errors as ``statuses`` does.
    """
    return guarded(
        event, context, lambda runtime, log: _series("metrics", family, event, runtime, log)
    )


def logs(family: str, event: Any, context: Any) -> dict[str, Any]:
    """``{"logs": [event, ...], "last_update"}``, like ``metrics``: no event comes twice.

    An event is ``{"id", "resource_id", "resource_type", "severity", "message", "time", ...}``.
    """
    return guarded(
        event, context, lambda runtime, log: _series("logs", family, event, runtime, log)
    )


def validate(family: str, event: Any, context: Any) -> dict[str, Any]:
    """``{"ok": True, "account": ...}`` or ``{"ok": False, "reason": ...}``: a login, no listing."""

    def check(runtime: Runtime, log: Log) -> dict[str, Any]:
        started = _start(family, event, runtime, log)
        try:
            account = within_deadline(started, "login", started.account)
        finally:
            started.poll.network.end()
        return {"ok": True, "account": account}

    try:
        return guarded(event, context, check)
    except ConnectorError as error:
        return {"ok": False, "reason": f"{type(error).__name__}: {error}"}


def cells(family: str) -> dict[str, str]:
    """The family's cells: provider -> module name. A cell exists because its file does."""
    package = importlib.import_module(f"modules.{family}")
    return {
        name: f"modules.{family}.{name}"
        for _, name, _ in pkgutil.iter_modules(package.__path__)
        if name != "main"
    }


def load_cell(module: str) -> Cell[Any, Any, Any]:
    """The cell of a module that ``cells`` names."""
    cell: Cell[Any, Any, Any] = importlib.import_module(module).CELL
    return cell


def load_provider(name: str) -> Provider[Any, Any, Any]:
    provider: Provider[Any, Any, Any] = importlib.import_module(f"shared.providers.{name}").PROVIDER
    return provider


def _start(family: str, event: Any, runtime: Runtime, log: Log, **uses: bool) -> Started:
    """Everything that can be checked and imported without a network call. ``uses``: see ``events.parse``."""
    modules = cells(family)
    ambient = runtime.ambient_credentials
    request = events.parse(event, modules, ambient=ambient, **uses)
    deadline = runtime.start(request)
    network = Network(deadline, runtime.network_policy)
    provider = load_provider(request.provider)
    credentials = provider.credentials(request.credentials, ambient)
    cell = load_cell(modules[request.provider])
    workers = Workers(network, runtime.scopes_at_once(provider.at_once) - 1)
    poll = Poll(family, request, deadline, Traffic(runtime.watch), log, network, workers)
    return Started(poll, runtime, provider, cell, credentials)


def _poll(family: str, event: Any, runtime: Runtime, log: Log) -> list[dict[str, Any]]:
    started = _start(family, event, runtime, log)
    cell = started.cell
    seen_at = convert_datetime(clock.now())

    def convert(
        record: Any, scope: Any, lookups: Any
    ) -> Iterable[Union[Dropped, tuple[Key, dict[str, Any]]]]:
        converted = cell.convert(record, scope, lookups)
        if isinstance(converted, Dropped):
            return [converted]
        resource = serialized(converted, seen_at)
        return [((resource["type"], resource["id"]), resource)]

    resources, complete = gather(
        started, Task(cell.fetch, convert, Total(MOST_RECORDS), one_each=True)
    )
    unknown = _unknown_states(resources)
    if unknown:
        log.info("unknown states", of=", ".join(unknown))
    if complete:
        platform.compare_with_last(runtime, started.poll, len(resources))
    return resources


def _statuses(family: str, event: Any, runtime: Runtime, log: Log) -> dict[str, Any]:
    started = _start(family, event, runtime, log, resources=True)
    requested = started.poll.request.resources
    cell, now = started.cell, clock.now()
    if cell.status is None:
        log.info("no status", family=family, provider=started.poll.request.provider)
        return {"status": [], "last_update": _rfc3339(now)}
    status = cell.status

    def fetch(scope: Any) -> Iterator[Page[Any, Any]]:
        return status.fetch(scope, requested) if status.fetch else cell.fetch(scope)

    def convert(
        record: Any, scope: Any, lookups: Any
    ) -> Iterator[Union[Dropped, tuple[Key, dict[str, Any]]]]:
        for point in status.points(record, scope, lookups):
            if requested is None or point.resource_id in requested:
                yield (point.resource_type, point.resource_id), point.serialize(now)

    points, _ = gather(started, Task(fetch, convert, Total(MOST_RECORDS)))
    return {"status": points, "last_update": _rfc3339(now)}


def _series(what: str, family: str, event: Any, runtime: Runtime, log: Log) -> dict[str, Any]:
    """A poll of a span of time: ``what`` is "metrics" or "logs".

    All scopes or none: all share one ``last_update``, so what a failed scope misses would never be fetched.
    """
    started = _start(family, event, runtime, log, resources=True, span=True)
    request, cell = started.poll.request, started.cell
    series = cell.metrics if what == "metrics" else cell.logs
    if series is None:
        log.info(f"no {what}", family=family, provider=request.provider)
        now = clock.now()
        return {what: [], "last_update": _rfc3339(now)}
    interval = due(request, series.span, log)
    if interval.empty:
        return {what: [], "last_update": interval.last_update}
    fetch_points = series.fetch
    had_state: dict[str, bool] = {}
    states: dict[str, dict[str, Any]] = {}

    def fetch(scope: Any) -> Iterator[Page[dict[str, Any], None]]:
        key = f"{what}:{request.account_id}:{request.provider}:{family}:{scope.name}"
        states[key] = platform.remembered(runtime, log, key)
        had_state[key] = bool(states[key])
        for page in fetch_points(scope, Window(interval, request.resources, states[key])):
            yield Page(page, None)

    task = Task(fetch, _keyed, Total(MOST_POINTS), one_each=True, all_scopes=True)
    points, _ = gather(started, task)
    for key, state in states.items():
        if state or had_state[key]:  # an emptied state replaces the old one
            platform.remember(runtime, log, key, state)
    return {what: points, "last_update": interval.last_update}


def _keyed(
    point: dict[str, Any], scope: Any, lookups: None
) -> Iterable[tuple[Key, dict[str, Any]]]:
    names = ("resource_type", "resource_id", "time", "metric", "specialisation", "id")
    return [(tuple(str(point.get(name, "")) for name in names), point)]


def _rfc3339(time: datetime.datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _unknown_states(resources: Iterable[dict[str, Any]]) -> list[str]:
    """The provider's names of states that CMP does not know, each once."""
    return sorted(
        {
            str(details.get("provider_state"))
            for resource in resources
            for details in resource.get("details", {}).values()
            if details.get("state") == "unknown"
        }
    )
