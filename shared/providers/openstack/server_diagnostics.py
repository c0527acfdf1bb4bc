"""Nova's server diagnostics: counters of a server that runs, read from its hypervisor at the moment.

API: Compute v2.1, GET /servers/{id}/diagnostics, from microversion 2.48 on, which gave it one form for all
hypervisors. https://docs.openstack.org/api-ref/compute/#show-server-diagnostics

There is no list: one call a server that runs. As shipped, it is for admins only. Rates are made of two polls'
counters; those of the last are kept in the poll's state. A server that is on another host or was started
anew has new counters; where its volumes changed, its disks may be numbered anew: they have no other name.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

from shared.engine import clock
from shared.engine.errors import InsufficientPermission
from shared.providers import openstack
from shared.records import metrics
from shared.records.fields import field, needed, objects, parse_time

MICROVERSION = (2, 48)
RUNNING = 1
OUT_OF_REACH = ("DOWN", "UNKNOWN")  # the host: Nova would wait for it for a minute
POLICY = "os_compute_api:os-server-diagnostics"
MIB = 1024**2

Told = Mapping[str, Optional[float]]


def points(
    scope: openstack.Scope,
    servers: Mapping[str, tuple[dict[str, Any], Told]],
    wants: Callable[[str], bool],
    state: dict[str, Any],
) -> Iterator[list[dict[str, Any]]]:
    """The points of the servers that run, now, as get_metrics answers them; one server a page.

    ``servers``: by id, all that Nova lists, each with what the mapping's expressions need. ``state`` is of the
    last poll, and made that of this one. Raises as ``openstack.get``; InsufficientPermission names the policy.
    """
    for gone in state.keys() - servers.keys():
        del state[gone]
    answered, failure = False, None
    failed_hosts = set()  # that a host answers late is found out a minute and a few tries later
    for server_id, (record, told) in sorted(servers.items()):
        if not wants(server_id):
            continue
        last = state.pop(server_id, None)
        host = field(record, "hostId", str)
        if not _reachable(record) or host in failed_hosts:
            continue
        try:
            read = _read(scope, server_id)
        except openstack.ServiceFailed as error:
            openstack.note(
                scope, "not measured", server=server_id, why="Nova failed; nor others on its host"
            )
            failed_hosts.add(host)
            failure = error
            continue
        answered = True
        if read is None:
            continue
        now, counted_by, counters, page = clock.now(), _counted_by(record), {}, []
        before: dict[str, metrics.Point] = {}
        if last and last["of"] == counted_by:
            then = parse_time(last["time"]) or now
            before = {key: (then, value) for key, value in last["counters"].items()}
        for metric, device, value in _values(read, told):
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
                    **told,
                )
            )
        state[server_id] = {"time": now.isoformat(), "of": counted_by, "counters": counters}
        yield page
    if failure is not None and not answered:
        raise failure  # it is not one server's


def _reachable(record: dict[str, Any]) -> bool:
    power = field(record, "OS-EXT-STS:power_state", int)
    return power in (None, RUNNING) and record.get("host_status") not in OUT_OF_REACH


def _read(scope: openstack.Scope, server_id: str) -> Optional[dict[str, Any]]:
    """The diagnostics, or None of a server that has none: it stopped or moves just now, it is gone, or its
    hypervisor has no diagnostics."""
    path = f"/servers/{server_id}/diagnostics"
    try:
        return openstack.get(scope, "compute", path, microversion=MICROVERSION)
    except (openstack.Conflict, openstack.NotFound):
        return None
    except openstack.NotImplementedByService:
        openstack.note(scope, "not measured", server=server_id, why="its hypervisor can't tell")
        return None
    except InsufficientPermission as error:
        raise InsufficientPermission(
            "compute: the catalog has no Gnocchi (metric), and Nova tells servers' diagnostics only to whom "
            f"policy {POLICY} allows it, as shipped role admin; the login has role "
            + (", ".join(scope.session.access.role_names) or "none")
        ) from error


def _counted_by(record: dict[str, Any]) -> list[Any]:
    """What the counters belong to: where it changes, they begin anew or are other things'."""
    volumes = objects(record, "os-extended-volumes:volumes_attached")
    return [
        record.get("hostId"),
        record.get("OS-SRV-USG:launched_at"),
        *sorted(needed(volume, "id", str) for volume in volumes),
    ]


def _values(
    read: dict[str, Any], told: Told
) -> Iterator[tuple[metrics.Metric, str, Optional[float]]]:
    """What the mapping knows of the diagnostics: metric, device and value; "" is the server itself."""
    for metric in metrics.of("openstack.nova"):
        group, _, name = metric.metric.partition(".")
        if group == "cpu_details":
            cores = [field(each, name, float) for each in objects(read, group)]
            if cores and None not in cores:
                yield metric, "", sum(core for core in cores if core is not None)
        elif group == "memory_details":
            if _in_mib(read, told):
                yield metric, "", field(field(read, group, dict) or {}, name, float)
        else:
            for number, each in enumerate(objects(read, group)):
                device = field(each, "mac_address", str) or str(number)
                yield metric, device, field(each, name, float)


def _in_mib(read: dict[str, Any], told: Told) -> bool:
    """Whether the memory is in MiB, as documented: of libvirt, Nova 16 to 34 tells GiB, cut to whole ones."""
    maximum = field(field(read, "memory_details", dict) or {}, "maximum", float)
    memory = told.get("memory")
    return maximum is not None and memory is not None and maximum * MIB * 2 > memory
