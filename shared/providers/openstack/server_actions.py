"""Nova's instance actions: what was done to servers, and how it went.

API: Compute v2.1, GET /servers/{id}/os-instance-actions and .../{request_id}, from microversion 2.58 on, which
can be asked for what changed since a time, of deleted servers too.
https://docs.openstack.org/api-ref/compute/#servers-actions-servers-os-instance-actions

An action gives a log event when it was asked for, and one for each of its steps when that ended, with the
result. Each comes in the poll in whose span that moment is. "changes-before" is not asked for: an action
that went on after the span would be hidden, and what it did in the span never be seen.

There is no list over all servers, and a call a server and poll would be too many. Asked are those that changed
in the span (``changes-since``, which lists deleted ones too). But what attaches or detaches a volume or an
interface, or makes a server dump its memory, does not count as a change of the server (seen with Nova 34). So
those are asked whose volumes or addresses are others than in the last poll, and in turn the others, so that
each was asked after ``ROUNDS`` polls; it is kept until when each was asked, and it is asked from there. Nothing is
lost or told twice, but what leaves no trace in the list may be told that much later.
"""

import datetime
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import convert_datetime

from shared.engine.interval import Interval, Span
from shared.providers import openstack
from shared.records.fields import field, needed, objects, parse_time, time

# Time for a step's end to be written, and for clocks that differ.
SPAN = Span(skew_s=180, longest_s=3600)
MICROVERSION = (2, 58)
ROUNDS = 12
LATE_S = 600  # an action's last step may end after the server's own last change
SEVERITIES = {"error": "error", "success": "info"}
SEEN = ("updated", "os-extended-volumes:volumes_attached", "addresses")


def changed_since(interval: Interval) -> dict[str, str]:
    """The parameter that lists the servers which an action of the interval may have changed."""
    return {"changes-since": _text(interval.start - datetime.timedelta(seconds=LATE_S))}


def events(
    scope: openstack.Scope,
    listed: Mapping[str, dict[str, Any]],
    changed: Mapping[str, dict[str, Any]],
    interval: Interval,
    wants: Callable[[str], bool],
    state: dict[str, Any],
) -> Iterator[list[dict[str, Any]]]:
    """What was done to the servers in the interval, as get_logs answers it; one server a page.

    ``listed``: all servers by id; ``changed``: those of ``changed_since``, the deleted ones among them. ``state`` is
    of the last poll, and made that of this one. Raises as ``openstack.get``.
    """
    servers = {**changed, **listed}
    for gone in state.keys() - servers.keys():
        del state[gone]
    for server_id in _due(filter(wants, servers), servers, changed, interval, state):
        since = min(_asked_until(state, server_id) or interval.start, interval.start)
        yield list(_of_server(scope, server_id, Interval(since, interval.end)))
        state[server_id] = [interval.end.isoformat(), _seen(servers[server_id])]
    for server_id in filter(wants, servers):
        state.setdefault(server_id, [interval.start.isoformat(), _seen(servers[server_id])])


def _due(
    wanted: Iterable[str],
    servers: Mapping[str, dict[str, Any]],
    changed: Mapping[str, dict[str, Any]],
    interval: Interval,
    state: Mapping[str, Any],
) -> list[str]:
    """The servers to ask: those that look changed, and of the others those asked the longest ago."""
    at_once, in_turn = [], []
    for server_id in wanted:
        until = _asked_until(state, server_id)
        other = until is not None and state[server_id][1] != _seen(servers[server_id])
        again = until is not None and until > interval.start  # the last answer was lost
        if server_id in changed or other or again:
            at_once.append(server_id)
        else:
            in_turn.append((until or interval.start, server_id))
    turn = -(-len(in_turn) // ROUNDS)
    return sorted(at_once) + [server_id for _, server_id in sorted(in_turn)[:turn]]


def _asked_until(state: Mapping[str, Any], server_id: str) -> Optional[datetime.datetime]:
    return parse_time(state[server_id][0]) if server_id in state else None


def _seen(record: dict[str, Any]) -> int:
    """A number that is another one where something of the server changed."""
    seen = [record.get(name) for name in SEEN]
    return zlib.crc32(json.dumps(seen, sort_keys=True).encode())


def _of_server(
    scope: openstack.Scope, server_id: str, interval: Interval
) -> Iterator[dict[str, Any]]:
    path, key = f"/servers/{server_id}/os-instance-actions", "instanceActions"
    asked = {"changes-since": _text(interval.start)}
    by = ("request_id", "action", "start_time")
    try:
        found = openstack.listed(scope, "compute", path, key, asked, MICROVERSION, by=by)
    except openstack.NotFound:
        return  # Nova has forgotten it altogether
    actions = list(found.values())
    for action in actions:
        moment = time(action, "start_time")
        if moment and moment in interval:
            yield _event(server_id, action, moment, "", "info", "asked for")
    for request_id in sorted({needed(action, "request_id", str) for action in actions}):
        try:
            answer = openstack.get(
                scope, "compute", f"{path}/{request_id}", microversion=MICROVERSION
            )
        except openstack.NotFound:
            continue
        action = field(answer, "instanceAction", dict) or {}
        for step in objects(action, "events"):
            moment, result = time(step, "finish_time"), field(step, "result", str) or "no result"
            if moment and moment in interval:
                name = needed(step, "event", str)
                severity = SEVERITIES.get(result.lower(), "warn")
                begun = f"{name}/{field(step, 'start_time', str)}/{field(step, 'finish_time', str)}"
                yield _event(server_id, action, moment, begun, severity, f"{name}: {result}")


def _event(
    server_id: str,
    action: dict[str, Any],
    moment: datetime.datetime,
    step: str,
    severity: str,
    said: str,
) -> dict[str, Any]:
    name, user = needed(action, "action", str), field(action, "user_id", str)
    request_id = needed(action, "request_id", str)
    return {
        "id": f"{request_id}/{name}/{step}".rstrip("/"),
        "resource_id": server_id,
        "resource_type": "server",
        "severity": severity,
        "message": f"{name} by {f'user {user}' if user else 'Nova'}: {said}",
        "time": convert_datetime(moment),
        "user": user,
    }


def _text(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
