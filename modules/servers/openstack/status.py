"""The status of servers: status, fault, power and, for admins, host."""

from collections.abc import Iterator
from typing import Any

from modules.servers.openstack import listings
from shared.engine.contracts import Page, Requested
from shared.providers import openstack
from shared.records.fields import field, time
from shared.records.status import Point

LEVELS = {
    "ACTIVE": "ok",
    "BUILD": "warning",
    "DELETED": "warning",
    "ERROR": "error",
    "HARD_REBOOT": "warning",
    "MIGRATING": "ok",
    "PASSWORD": "ok",
    "PAUSED": "warning",
    "REBOOT": "warning",
    "REBUILD": "warning",
    "RESCUE": "warning",
    "RESIZE": "warning",
    "REVERT_RESIZE": "warning",
    "SHELVED": "warning",
    "SHELVED_OFFLOADED": "warning",
    "SHUTOFF": "warning",
    "SOFT_DELETED": "warning",
    "SUSPENDED": "warning",
    "UNKNOWN": "unknown",
    "VERIFY_RESIZE": "warning",  # waits for somebody to confirm or revert
}
# Of a server that Nova takes for ACTIVE: the power, which Nova reads from the hypervisor now and then.
POWER_LEVELS = {
    0: ("unknown", "NOSTATE"),
    1: ("ok", "RUNNING"),
    3: ("warning", "PAUSED"),
    4: ("warning", "SHUTDOWN"),
    6: ("error", "CRASHED"),
    7: ("warning", "SUSPENDED"),
}
HOST_LEVELS = {
    "DOWN": "error",
    "MAINTENANCE": "warning",  # takes no new servers
    "UNKNOWN": "unknown",
    "UP": "ok",
}


def fetch(scope: openstack.Scope, requested: Requested) -> Iterator[Page[dict[str, Any], None]]:
    microversion = openstack.nova_microversion(scope)
    ids = openstack.few(requested)
    if ids is None or scope.all_projects:  # only a listing shows whether the login may see all
        for servers in listings.servers(scope, microversion):
            yield Page(servers, None)
        return
    for servers in openstack.one_by_one(scope, "compute", "/servers", "server", ids, microversion):
        own = [
            server
            for server in servers
            if field(server, "tenant_id", str) in (None, scope.project_id)
        ]
        yield Page(own, None)


def points(record: dict[str, Any], scope: openstack.Scope, lookups: None) -> Iterator[Point]:
    """Nova's status, with the fault of an ERROR, and what that status hides: the power and the host.

    ``host_status`` exists from 2.16 on, as shipped for admins; ``updated`` is when the server last changed.
    """
    level, message, since = openstack.finding(record, "status", LEVELS, since="updated")
    task = field(record, "OS-EXT-STS:task_state", str)
    if task:
        message += f", {task}"
    fault = field(record, "fault", dict) or {}
    if fault:
        message += f": {field(fault, 'message', str) or 'no message'} (fault {fault.get('code')})"
        since = time(fault, "created") or since
    findings: list[openstack.Finding] = [(level, " ".join(message.split()), since)]
    if field(record, "OS-EXT-STS:vm_state", str) == "error" and level != "error":
        findings.append(("warning", "vm_state error", None))  # being rebuilt after an ERROR
    power = field(record, "OS-EXT-STS:power_state", int)
    if record.get("status") == "ACTIVE" and not task and power is not None:
        level, word = POWER_LEVELS.get(power, ("unknown", str(power)))
        findings.append((level, f"power_state {word}", None))
    if field(record, "host_status", str):  # "" where it is on no host
        findings.append(openstack.finding(record, "host_status", HOST_LEVELS))
    yield openstack.point(record, "server", findings)
