"""Routers of Neutron: Networking v2.0, GET /routers.

A router's interfaces are its ports; its gateway's port belongs to no project, so that network comes from the
router itself.

A router's status also depends on the L3 agents that serve it: Neutron lists agents, and ports with their host,
to admins (rule get_agent), and answers others as if there were none.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import Connections

from modules.appliances.openstack.networks import NetworkLookups
from modules.appliances.openstack.records import Kind, Record, record_id
from shared.engine.contracts import Page
from shared.providers import openstack
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata

# Those that are on the host of an agent; a distributed router's other ports are on every host.
AGENTS_PORTS = ("network:router_gateway", "network:router_ha_interface", "network:router_interface")
LEVELS = {
    "ACTIVE": "ok",
    "ALLOCATING": "warning",
    "BUILD": "warning",
    "DOWN": "error",
    "ERROR": "error",
    "PENDING_CREATE": "warning",
    "PENDING_DELETE": "warning",
    "PENDING_UPDATE": "ok",
}
DETAILS = (
    "admin_state_up",
    "availability_zone_hints",
    "availability_zones",
    "conntrack_helpers",
    "description",
    "distributed",
    "enable_ndp_proxy",
    "external_gateway_info",
    "external_gateways",
    "flavor_id",
    "ha",
    "project_id",
    "routes",
    "service_type_id",
    "status",
    "updated_at",
)


def fetch(
    scope: openstack.Scope, lookups: NetworkLookups, ids: set[str]
) -> Iterator[Page[Record, NetworkLookups]]:
    """The pages. Puts the ids of their routers into ``ids``."""
    query = openstack.own(scope)
    for routers in openstack.pages(
        scope, "network", "/routers", "routers", query, restarted=ids.clear
    ):
        ids.update(needed(router, "id", str) for router in routers)
        yield Page(openstack.of_kind(KIND.name, routers), lookups)


def _convert(record: Record, lookups: NetworkLookups) -> dict[str, Any]:
    ports = sorted(lookups.interfaces.get(needed(record, "id", str), []), key=record_id)
    networks = {needed(port, "network_id", str) for port in ports}
    gateway = field(record, "external_gateway_info", dict) or {}
    for external in (gateway, *objects(record, "external_gateways")):
        networks.add(field(external, "network_id", str) or "")
    interfaces = [
        openstack.only(port, ("id", "network_id", "device_owner", "fixed_ips")) for port in ports
    ]
    return {
        "connections": Connections(networks=openstack.reported(networks, lookups.networks)),
        "metadata": metadata(record, DETAILS, openstack.tags(record), interfaces=interfaces),
    }


# --- status ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Agents:
    """The L3 agents, where the login may see them."""

    alive: Mapping[str, bool] = dataclasses.field(default_factory=dict)  # by host
    hosts: Mapping[str, set[str]] = dataclasses.field(default_factory=dict)  # by router


def fetch_status(
    scope: openstack.Scope, extensions: Collection[str], ids: Optional[list[str]]
) -> Iterator[Page[Record, Agents]]:
    """One page, also where there is no router: only all of them show whether the login may see the project."""
    routers: list[Record] = []
    if "router" in extensions:
        query = {**openstack.own(scope), **({} if ids is None else {"id": ids})}
        routers = list(openstack.listed(scope, "network", "/routers", "routers", query).values())
    if openstack.offers(scope, "network"):
        openstack.require_network_permissions(scope, routers)
    agents = Agents()
    if routers and "l3_agent_scheduler" in extensions:
        agents = _agents(scope)
    yield Page(openstack.of_kind(KIND.name, routers), agents)


def _agents(scope: openstack.Scope) -> Agents:
    """Neutron can list the agents of one router, but that would be a call for each router."""
    query: dict[str, Any] = {"agent_type": "L3 agent", "fields": ("id", "host", "alive")}
    alive = {
        needed(agent, "host", str): bool(field(agent, "alive", bool))
        for agent in openstack.listed(scope, "network", "/agents", "agents", query).values()
    }
    if not alive:
        return Agents()
    hosts: dict[str, set[str]] = defaultdict(
        set
    )  # of a router's ports, which are those of its agents
    fields = ("id", "device_id", "device_owner", "binding:host_id")
    query = {"device_owner": AGENTS_PORTS, "fields": fields}
    for port in openstack.listed(scope, "network", "/ports", "ports", query).values():
        router, host = field(port, "device_id", str), field(port, "binding:host_id", str)
        if router and host in alive:
            hosts[router].add(host)
    return Agents(alive, hosts)


def _agent_findings(record: Record, agents: Agents) -> Iterator[openstack.Finding]:
    """Without an agent that is alive, a router no longer routes."""
    hosts = agents.hosts.get(needed(record, "id", str), set())
    dead = sorted(host for host in hosts if not agents.alive[host])
    if dead:
        level = "error" if len(dead) == len(hosts) else "warning"
        yield level, f"no L3 agent alive on {', '.join(dead)}", None


KIND = Kind(
    name="router",
    type_id="router",
    permissions=("get_router",),
    status_permissions=("get_router", "get_security_group"),
    convert=_convert,
    states={"status": LEVELS},
    more_findings=_agent_findings,
)
