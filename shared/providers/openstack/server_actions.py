"""Nova's instance actions: what was done to servers, and how it went.

API: Compute v2.1, GET /servers/{id}/os-instance-actions and .../{request_id}, from microversion 2.58 on, which
can list what changed since a time, of deleted servers too.
https://docs.openstack.org/api-ref/compute/#servers-actions-servers-os-instance-actions

An action gives one log event when it was requested, and one for each of its steps when that finished, with the
result. An event belongs to the poll in whose span its moment is. "changes-before" is not used: it would hide an
action that went on after the span, and what the action did within the span would never be seen.

There is no list over all servers, and a call for each server in each poll would be too many. So a poll reads
the actions of the servers that changed in the span (``changes-since``, which lists deleted ones too). But what
attaches or detaches a volume or an interface, or makes a server dump its memory, does not count as a change of
the server (observed with Nova 34). Therefore it also reads those of servers whose volumes or addresses differ
from the last poll's, and those of the other servers in turn, so that each is read once in ``ROUNDS`` polls. The
state keeps until when each server's actions were read, and the next reading starts there. No event is lost or
reported twice, but what leaves no trace in the list may be reported that much later.
"""

import datetime
import functools
import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import convert_datetime

from shared.engine.contracts import Window
from shared.engine.interval import Interval, Span
from shared.providers import openstack
from shared.records.fields import field, needed, objects, parse_time, time

# Nova writes the end of a step a little later, and clocks differ.
SPAN = Span(skew_s=180, longest_s=3600)
MICROVERSION = (2, 58)
ROUNDS = 12
LATE_S = 600  # an action's last step may finish after the server's own last change
SEVERITIES = {"error": "error", "success": "info"}
FINGERPRINT_FIELDS = ("updated", "os-extended-volumes:volumes_attached", "addresses")


def changed_since(interval: Interval) -> dict[str, str]:
    """The parameter that lists the servers which an action of the interval may have changed."""
    return {"changes-since": _text(interval.start - datetime.timedelta(seconds=LATE_S))}


def events(
    scope: openstack.Scope,
    listed: Mapping[str, dict[str, Any]],
    changed: Mapping[str, dict[str, Any]],
    window: Window,
) -> Iterator[list[dict[str, Any]]]:
    """What was done to the servers in the interval, as get_logs answers it; one server a page.

    ``listed``: all servers by id; ``changed``: those of ``changed_since``, the deleted ones among them. Updates
    ``window.state``. Raises the same errors as ``openstack.get``.
    """
    interval, state = window.interval, window.state
    servers = {**changed, **listed}
    for gone in state.keys() - servers.keys():
        del state[gone]
    requested = [server_id for server_id in servers if window.wants(server_id)]
    due = _due(requested, servers, changed, window)

    def read(server_id: str) -> list[dict[str, Any]]:
        since = min(_read_until(state, server_id) or interval.start, interval.start)
        return list(_of_server(scope, server_id, Interval(since, interval.end)))

    for server_id, page in zip(due, scope.workers.ahead(functools.partial(read, n) for n in due)):
        yield page
        state[server_id] = [interval.end.isoformat(), _fingerprint(servers[server_id])]
    for server_id in requested:
        state.setdefault(server_id, [interval.start.isoformat(), _fingerprint(servers[server_id])])


def _due(
    requested: Iterable[str],
    servers: Mapping[str, dict[str, Any]],
    changed: Collection[str],
    window: Window,
) -> list[str]:
    """The servers to read: those that look changed, and of the others those read the longest ago."""
    start, state = window.interval.start, window.state
    at_once, in_turn = [], []
    for server_id in requested:
        until = _read_until(state, server_id)
        differs = until is not None and state[server_id][1] != _fingerprint(servers[server_id])
        again = until is not None and until > start  # the last answer was lost
        if server_id in changed or differs or again:
            at_once.append(server_id)
        else:
            in_turn.append((until or start, server_id))
    turn = -(-len(in_turn) // ROUNDS)
    return sorted(at_once) + [server_id for _, server_id in sorted(in_turn)[:turn]]


def _read_until(state: Mapping[str, Any], server_id: str) -> Optional[datetime.datetime]:
    return parse_time(state[server_id][0]) if server_id in state else None


def _fingerprint(record: dict[str, Any]) -> int:
    """A number that differs where something of the server changed."""
    values = [record.get(name) for name in FINGERPRINT_FIELDS]
    return zlib.crc32(json.dumps(values, sort_keys=True).encode())


def _of_server(
    scope: openstack.Scope, server_id: str, interval: Interval
) -> Iterator[dict[str, Any]]:
    path, key = f"/servers/{server_id}/os-instance-actions", "instanceActions"
    query = {"changes-since": _text(interval.start)}
    by = ("request_id", "action", "start_time")
    try:
        listed = openstack.listed(scope, "compute", path, key, query, MICROVERSION, by=by)
    except openstack.NotFound:
        return  # Nova no longer has any record of the server
    actions = list(listed.values())
    for action in actions:
        moment = time(action, "start_time")
        if moment and moment in interval:
            yield _event(server_id, action, moment, "", "info", "asked for")
    for request_id in sorted({needed(action, "request_id", str) for action in actions}):
        try:
            response = openstack.get(
                scope, "compute", f"{path}/{request_id}", microversion=MICROVERSION
            )
        except openstack.NotFound:
            continue
        yield from _steps(server_id, field(response, "instanceAction", dict) or {}, interval)


def _steps(server_id: str, action: dict[str, Any], interval: Interval) -> Iterator[dict[str, Any]]:
    """The events of the action's steps that finished in the interval."""
    for step in objects(action, "events"):
        moment, result = time(step, "finish_time"), field(step, "result", str) or "no result"
        if moment and moment in interval:
            name = needed(step, "event", str)
            severity = SEVERITIES.get(result.lower(), "warn")
            step_id = f"{name}/{field(step, 'start_time', str)}/{field(step, 'finish_time', str)}"
            yield _event(server_id, action, moment, step_id, severity, f"{name}: {result}")


def _event(
    server_id: str,
    action: dict[str, Any],
    moment: datetime.datetime,
    step_id: str,
    severity: str,
    message: str,
) -> dict[str, Any]:
    name, user = needed(action, "action", str), field(action, "user_id", str)
    request_id = needed(action, "request_id", str)
    return {
        "id": f"{request_id}/{name}/{step_id}".rstrip("/"),
        "resource_id": server_id,
        "resource_type": "server",
        "severity": severity,
        "message": f"{name} by {f'user {user}' if user else 'Nova'}: {message}",
        "time": convert_datetime(moment),
        "user": user,
    }


def _text(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
