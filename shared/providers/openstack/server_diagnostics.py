"""Nova's server diagnostics: the current counters of a running server, read from its hypervisor.

API: Compute v2.1, GET /servers/{id}/diagnostics, from microversion 2.48 on, which gave all hypervisors the same
fields. https://docs.openstack.org/api-ref/compute/#show-server-diagnostics

There is no list: one call for each running server. As shipped, they are for admins only. Rates are computed
from the counters of two polls; the state keeps those of the last one. A server that moved to another host or
was restarted has new counters; where its volumes changed, its disks, which have no other name, may be numbered
differently.
"""

import dataclasses
import datetime
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from shared.engine import clock
from shared.engine.contracts import Window
from shared.engine.errors import InsufficientPermission
from shared.providers import openstack
from shared.records import metrics
from shared.records.fields import field, needed, objects, parse_time

MICROVERSION = (2, 48)
RUNNING = 1
UNREACHABLE = ("DOWN", "UNKNOWN")  # the host: Nova would wait for it for a minute
POLICY = "os_compute_api:os-server-diagnostics"
MIB = 1024**2

Capacity = Mapping[str, Optional[float]]  # what the mapping's expressions need of a server


def points(
    scope: openstack.Scope,
    servers: Mapping[str, dict[str, Any]],
    capacities: Mapping[str, Capacity],
    window: Window,
) -> Iterator[list[dict[str, Any]]]:
    """The points of the running servers, now, as get_metrics answers them; one server a page.

    ``servers`` and ``capacities``: by id, of all servers that Nova lists. Updates ``window.state``. Raises the
    same errors as ``openstack.get``; InsufficientPermission names the policy.
    """
    state = window.state
    for gone in state.keys() - servers.keys():
        del state[gone]
    last, by_host = {}, defaultdict(list)
    for server_id, record in sorted(servers.items()):
        if window.wants(server_id):
            last[server_id] = state.pop(server_id, None)
            if _reachable(record):
                by_host[field(record, "hostId", str)].append(server_id)
    answered, failure = False, None
    for host in scope.workers.ahead(
        functools.partial(_read_host, scope, server_ids) for server_ids in by_host.values()
    ):
        answered = answered or host.answered
        failure = host.failure or failure
        for server_id, now, diagnostics in host.diagnostics:
            page, state[server_id] = _measured(
                server_id,
                now,
                diagnostics,
                capacities[server_id],
                _counted_by(servers[server_id]),
                last[server_id],
            )
            yield page
    if failure is not None and not answered:
        raise failure  # it is not just one server's


@dataclasses.dataclass
class _Host:
    """The diagnostics of a host's servers: id, when they were read, and what Nova answered."""

    diagnostics: list[tuple[str, datetime.datetime, dict[str, Any]]] = dataclasses.field(
        default_factory=list
    )
    answered: bool = False
    failure: Optional[Exception] = None


def _read_host(scope: openstack.Scope, server_ids: Sequence[str]) -> _Host:
    """One server after the other, up to the first failure: each takes a minute and a few retries to notice."""
    host = _Host()
    for server_id in server_ids:
        try:
            diagnostics = _read(scope, server_id)
        except openstack.ServiceFailed as error:
            openstack.note(
                scope, "not measured", server=server_id, why="Nova failed; nor others on its host"
            )
            host.failure = error
            break
        host.answered = True
        if diagnostics is not None:
            host.diagnostics.append((server_id, clock.now(), diagnostics))
    return host


def _measured(
    server_id: str,
    now: datetime.datetime,
    diagnostics: dict[str, Any],
    capacity: Capacity,
    counted_by: list[Any],
    last: Optional[dict[str, Any]],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The points of a server, and what the state keeps of it. ``last``: what it kept in the last poll."""
    page = []
    counters: dict[str, float] = {}
    before: dict[str, metrics.Point] = {}
    if last and last["of"] == counted_by:
        then = parse_time(last["time"]) or now
        before = {key: (then, value) for key, value in last["counters"].items()}
    for metric, device, value in _values(diagnostics, capacity):
        key = f"{metric.metric} {device}".strip()
        if metric.counter and value is not None:
            counters[key] = value
        page.extend(
            metric.points(
                [(now, value)],
                server_id,
                "server",
                before=before.get(key),
                specialisation=device or None,
                **capacity,
            )
        )
    return page, {"time": now.isoformat(), "of": counted_by, "counters": counters}


def _reachable(record: dict[str, Any]) -> bool:
    power = field(record, "OS-EXT-STS:power_state", int)
    return power in (None, RUNNING) and record.get("host_status") not in UNREACHABLE


def _read(scope: openstack.Scope, server_id: str) -> Optional[dict[str, Any]]:
    """The diagnostics; None for a server that has none.

    It is stopping or moving right now, it no longer exists, or its hypervisor has no diagnostics.
    """
    path = f"/servers/{server_id}/diagnostics"
    try:
        return openstack.get(scope, "compute", path, microversion=MICROVERSION)
    except (openstack.Conflict, openstack.NotFound):
        return None
    except openstack.NotImplementedByService:
        openstack.note(
            scope, "not measured", server=server_id, why="its hypervisor has no diagnostics"
        )
        return None
    except InsufficientPermission as error:
        raise InsufficientPermission(
            "compute: the catalog has no Gnocchi (metric), and Nova shows servers' diagnostics only to logins "
            f"that policy {POLICY} allows, as shipped to role admin; the login has role "
            + (", ".join(scope.session.access.role_names) or "none")
        ) from error


def _counted_by(record: dict[str, Any]) -> list[Any]:
    """What the counters belong to: where it changes, they restart or are those of other devices."""
    volumes = objects(record, "os-extended-volumes:volumes_attached")
    return [
        record.get("hostId"),
        record.get("OS-SRV-USG:launched_at"),
        *sorted(needed(volume, "id", str) for volume in volumes),
    ]


def _values(
    diagnostics: dict[str, Any], capacity: Capacity
) -> Iterator[tuple[metrics.Metric, str, Optional[float]]]:
    """The mapped metrics of the diagnostics: metric, device and value; device "" is the server itself."""
    for metric in metrics.of("openstack.nova"):
        group, _, name = metric.metric.partition(".")
        if group == "cpu_details":
            cores = [field(core, name, float) for core in objects(diagnostics, group)]
            if cores and None not in cores:
                yield metric, "", sum(core for core in cores if core is not None)
        elif group == "memory_details":
            memory = field(diagnostics, group, dict) or {}
            if _in_mib(memory, capacity):
                yield metric, "", field(memory, name, float)
        else:
            for number, details in enumerate(objects(diagnostics, group)):
                device = field(details, "mac_address", str) or str(number)
                yield metric, device, field(details, name, float)


def _in_mib(memory: dict[str, Any], capacity: Capacity) -> bool:
    """Whether the memory is in MiB, as documented: for libvirt, Nova 16 to 34 reports GiB, rounded down."""
    maximum = field(memory, "maximum", float)
    memory_b = capacity.get("memory")
    return maximum is not None and memory_b is not None and maximum * MIB * 2 > memory_b
