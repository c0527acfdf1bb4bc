"""Neutron routers and firewall groups, Octavia load balancers and Manila shares.

APIs, 1,000 a page: Networking v2.0, GET /routers, /ports and (FWaaS v2) /fwaas/firewall_groups; Load
Balancer v2, GET /lbaas/loadbalancers, /listeners, /pools and a pool's /members; Shared File Systems v2,
GET /shares/detail and /share-networks/detail.
https://docs.openstack.org/api-ref/network/v2/ https://docs.openstack.org/api-ref/load-balancer/v2/
https://docs.openstack.org/api-ref/shared-file-system/

Where a region lacks a service of the catalog or an extension of Neutron, there is nothing to report of that
kind; where it has it and refuses the login, the poll fails. A router's interfaces are its ports; its
gateway's port belongs to no project, so that network comes from the router itself. No call lists the
members of all pools: there is one call a pool that has some. A member is an address in a subnet (the VIP's,
where the member names none); it is a server where a port of Nova has that address in that subnet, and Nova
lists the server. Networks that the networks family does not report are named in the metadata only. Shares
are requested at microversion 2.0, where the list still has the export locations, and share networks at
2.51, the first that knows more than one subnet. CMP's appliances have no state: the provider's is in the
metadata.

Status comes from the same lists; that of a load balancer covers all its parts (operating_status). A router's
also depends on the L3 agents that serve it: Neutron lists agents, and ports with their host, to admins
(rule get_agent), and answers others as if there were none.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Callable, Optional, Union

from nflex_connector_utils import Appliance, Connections, Region

from shared.engine.poll import Dropped, Requested
from shared.providers import openstack
from shared.records.fields import field, items, needed, objects, time
from shared.records.metadata import metadata
from shared.records.status import Point

PERMISSIONS = (
    "get_firewall_group",
    "get_network",
    "get_port",
    "get_router",
    "get_security_group",
    "get_subnet",
    "os_compute_api:servers:index",
    "os_load-balancer_api:listener:get_all",
    "os_load-balancer_api:loadbalancer:get_all",
    "os_load-balancer_api:member:get_all",
    "os_load-balancer_api:pool:get_all",
    "share:get_all",
    "share_network:detail",
)
STATUS_PERMISSIONS = (
    "get_firewall_group",
    "get_router",
    "get_security_group",
    "os_load-balancer_api:loadbalancer:get_all",
    "share:get_all",
)
CALLS = (
    "1 token; a region with Neutron: 1 /extensions + p(networks) /networks + p(ports) /ports "
    "+ p(routers) /routers + p(firewall groups) /fwaas/firewall_groups, if it has them; "
    "+ 1 /security-groups where the project has no port (all_projects: /quotas); "
    "with Octavia: p(load balancers) /lbaas/loadbalancers; where there are some: "
    "p(listeners) /listeners + p(pools) /pools + a pool with members p(members) /members, "
    "+ p(subnets) /subnets where one has additional VIPs; "
    "+ p(servers) /servers where a member or a firewall group's port may be a server; "
    "with Manila: 1 /shares/detail, where there are shares 2 and 1 more for each 999 after the first "
    "1,000, and as many /share-networks/detail where a share is in one"
)

SUBNETS_LISTED = (2, 51)
# those that are on the host of an agent; a distributed router's other ports are on every host
AGENTS_PORTS = ("network:router_gateway", "network:router_ha_interface", "network:router_interface")
ROUTER_PORTS = {
    "network:ha_router_replicated_interface",
    "network:router_centralized_snat",
    "network:router_gateway",
    "network:router_ha_interface",
    "network:router_interface",
    "network:router_interface_distributed",
}
ROUTER_LEVELS = {
    "ACTIVE": "ok",
    "ALLOCATING": "warning",
    "BUILD": "warning",
    "DOWN": "error",
    "ERROR": "error",
    "PENDING_CREATE": "warning",
    "PENDING_DELETE": "warning",
    "PENDING_UPDATE": "ok",
}
FIREWALL_LEVELS = {
    "ACTIVE": "ok",
    "CREATED": "warning",
    "DOWN": "error",
    "ERROR": "error",
    "INACTIVE": "warning",  # has no ports: nothing passes through it
    "PENDING_CREATE": "warning",
    "PENDING_DELETE": "warning",
    "PENDING_UPDATE": "ok",
}
OPERATING_LEVELS = {
    "DEGRADED": "warning",
    "DRAINING": "ok",
    "ERROR": "error",
    "NO_MONITOR": "ok",
    "OFFLINE": "warning",
    "ONLINE": "ok",
}
PROVISIONING_LEVELS = {
    "ACTIVE": "ok",
    "DELETED": "warning",
    "ERROR": "error",
    "PENDING_CREATE": "warning",
    "PENDING_DELETE": "warning",
    "PENDING_UPDATE": "ok",
}
SHARE_LEVELS = {
    "available": "ok",
    "awaiting_transfer": "ok",
    "backup_creating": "ok",
    "backup_restoring": "warning",
    "backup_restoring_error": "error",
    "creating": "warning",
    "creating_from_snapshot": "warning",
    "deferred_deleting": "warning",
    "deleted": "warning",
    "deleting": "warning",
    "ensuring": "ok",
    "error": "error",
    "error_deferred_deleting": "error",
    "error_deleting": "error",
    "extending": "ok",
    "extending_error": "error",
    "inactive": "warning",
    "manage_error": "error",
    "manage_starting": "warning",
    "migrating": "ok",
    "migrating_to": "warning",
    "replication_change": "ok",
    "reverting": "warning",
    "reverting_error": "error",
    "server_migrating": "ok",
    "server_migrating_to": "warning",
    "shrinking": "ok",
    "shrinking_error": "error",
    "shrinking_possible_data_loss_error": "error",
    "unmanage_error": "error",
    "unmanage_starting": "warning",
    "unmanaged": "warning",
}
ROUTER_DETAILS = (
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
FIREWALL_DETAILS = (
    "admin_state_up",
    "description",
    "egress_firewall_policy_id",
    "ingress_firewall_policy_id",
    "project_id",
    "shared",
    "status",
    "updated_at",
)
BALANCER_DETAILS = (
    "additional_vips",
    "admin_state_up",
    "availability_zone",
    "description",
    "flavor_id",
    "operating_status",
    "project_id",
    "provider",
    "provisioning_status",
    "updated_at",
    "vip_address",
    "vip_network_id",
    "vip_port_id",
    "vip_qos_policy_id",
    "vip_sg_ids",
    "vip_subnet_id",
    "vip_vnic_type",
)
LISTENER_DETAILS = (
    "id",
    "name",
    "protocol",
    "protocol_port",
    "admin_state_up",
    "operating_status",
    "provisioning_status",
    "connection_limit",
    "default_pool_id",
    "allowed_cidrs",
)
POOL_DETAILS = (
    "id",
    "name",
    "protocol",
    "lb_algorithm",
    "admin_state_up",
    "operating_status",
    "provisioning_status",
    "session_persistence",
    "healthmonitor_id",
)
MEMBER_DETAILS = (
    "id",
    "name",
    "address",
    "protocol_port",
    "subnet_id",
    "weight",
    "backup",
    "admin_state_up",
    "operating_status",
    "provisioning_status",
)
SHARE_DETAILS = (
    "availability_zone",
    "description",
    "export_locations",
    "host",
    "is_public",
    "project_id",
    "share_network_id",
    "share_proto",
    "share_server_id",
    "share_type",
    "size",
    "snapshot_id",
    "status",
)


@dataclasses.dataclass
class Lookups:
    """What appliances only name. ``fetch`` adds to it before it hands on a page that needs it."""

    extensions: set[str] = dataclasses.field(default_factory=set)
    networks: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    ports: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    interfaces: dict[str, list[dict[str, Any]]] = dataclasses.field(  # by router
        default_factory=lambda: defaultdict(list)
    )
    addresses: dict[tuple[str, str], str] = dataclasses.field(  # (subnet, address) -> server
        default_factory=dict
    )
    routers: set[str] = dataclasses.field(default_factory=set)
    servers: Optional[set[str]] = None  # None: not listed yet
    subnets: Optional[dict[str, dict[str, Any]]] = None  # None: not listed yet
    listeners: dict[str, list[dict[str, Any]]] = dataclasses.field(  # by load balancer
        default_factory=lambda: defaultdict(list)
    )
    pools: dict[str, list[dict[str, Any]]] = dataclasses.field(  # by load balancer
        default_factory=lambda: defaultdict(list)
    )
    members: dict[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)  # by pool
    share_networks: Optional[dict[str, dict[str, Any]]] = None  # None: not listed yet
    hosts: dict[str, set[str]] = dataclasses.field(  # by router: where its ports are
        default_factory=lambda: defaultdict(set)
    )
    agents: dict[str, bool] = dataclasses.field(default_factory=dict)  # L3 agents: by host, alive?


def lookups(scope: openstack.Scope) -> Lookups:
    return Lookups(openstack.extensions(scope))


def _look_up(scope: openstack.Scope, lookups: Lookups) -> None:
    if not openstack.offers(scope, "network"):
        return
    lookups.networks = openstack.networks(scope)
    fields = ("id", "network_id", "device_id", "device_owner", "fixed_ips", "project_id")
    query = {**openstack.own(scope), "fields": fields}
    lookups.ports = openstack.listed(scope, "network", "/ports", "ports", query)
    openstack.require_network_permissions(scope, lookups.ports.values())
    for port in lookups.ports.values():
        device, owner = field(port, "device_id", str), field(port, "device_owner", str) or ""
        if device and owner in ROUTER_PORTS:
            lookups.interfaces[device].append(port)
        elif device and owner.startswith("compute:"):
            for fixed in objects(port, "fixed_ips"):
                key = needed(fixed, "subnet_id", str), needed(fixed, "ip_address", str)
                lookups.addresses[key] = device


def fetch(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    _look_up(scope, lookups)
    if "router" in lookups.extensions:
        yield from openstack.of_kind("router", _routers(scope, lookups))
    if "fwaas_v2" in lookups.extensions:  # after all routers, which firewall groups connect to
        yield from openstack.of_kind("firewall_group", _firewall_groups(scope, lookups))
    if openstack.offers(scope, "load-balancer"):
        yield from openstack.of_kind("load_balancer", _load_balancers(scope, lookups))
    if openstack.offers(scope, "shared-file-system"):
        yield from openstack.of_kind("share", _shares(scope, lookups))


def fetch_status(
    scope: openstack.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[dict[str, Any]]]:
    """Only what the status needs: 1 call a listing, and 2 for agents where the login may see them.

    An id does not tell the kind: where a few are requested, they are looked for in one kind after the
    other, until all are there.
    """
    ids = openstack.few(requested)
    if ids is None:
        yield from _by_kind(scope, lookups, None)
        return
    left = set(ids)
    kinds = _by_kind(scope, lookups, ids)
    while left:
        page = next(kinds, None)
        if page is None:
            return
        left -= {needed(record, "id", str) for record in page}
        yield page


def _by_kind(
    scope: openstack.Scope, lookups: Lookups, ids: Optional[list[str]]
) -> Iterator[list[dict[str, Any]]]:
    only_these = {} if ids is None else {"id": ids}
    routers: list[dict[str, Any]] = []
    if "router" in lookups.extensions:
        query = {**openstack.own(scope), **only_these}
        records = openstack.listed(scope, "network", "/routers", "routers", query)
        (routers,) = openstack.of_kind("router", [list(records.values())])
    if openstack.offers(scope, "network"):
        openstack.require_network_permissions(scope, routers)
    if routers and "l3_agent_scheduler" in lookups.extensions:
        _look_up_agents(scope, lookups)
    yield routers
    if "fwaas_v2" in lookups.extensions:
        path, key = "/fwaas/firewall_groups", "firewall_groups"
        yield from openstack.of_kind(
            "firewall_group",
            openstack.pages(scope, "network", path, key, params=only_these or None),
        )
    if openstack.offers(scope, "load-balancer"):
        for each in [None] if ids is None else ids:
            yield from openstack.of_kind("load_balancer", _balancers(scope, each))
    if openstack.offers(scope, "shared-file-system"):
        yield from openstack.of_kind("share", _listed_shares(scope))


def _look_up_agents(scope: openstack.Scope, lookups: Lookups) -> None:
    """The L3 agents, and by router the hosts of its ports, where its agents are. Admins see both.

    Neutron can list the agents of one router, but that would be a call a router.
    """
    query: dict[str, Any] = {"agent_type": "L3 agent", "fields": ("id", "host", "alive")}
    for agent in openstack.listed(scope, "network", "/agents", "agents", query).values():
        lookups.agents[needed(agent, "host", str)] = bool(field(agent, "alive", bool))
    if not lookups.agents:
        return
    fields = ("id", "device_id", "device_owner", "binding:host_id")
    query = {"device_owner": AGENTS_PORTS, "fields": fields}
    for port in openstack.listed(scope, "network", "/ports", "ports", query).values():
        router, host = field(port, "device_id", str), field(port, "binding:host_id", str)
        if router and host in lookups.agents:
            lookups.hosts[router].add(host)


def _routers(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    query, forget = openstack.own(scope), lookups.routers.clear
    for page in openstack.pages(scope, "network", "/routers", "routers", query, restarted=forget):
        lookups.routers.update(needed(router, "id", str) for router in page)
        yield page


def _firewall_groups(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    for page in openstack.pages(scope, "network", "/fwaas/firewall_groups", "firewall_groups"):
        ports = (port for group in page for port in items(group, "ports", str))
        _look_up_servers(scope, lookups, (_server_of(port, lookups) for port in ports))
        yield page


def _own(scope: openstack.Scope) -> dict[str, Any]:
    """Octavia's parameter for "of the polled project"."""
    return {} if scope.all_projects else {"project_id": scope.project_id}


def _balancers(scope: openstack.Scope, one: Optional[str] = None) -> Iterator[list[dict[str, Any]]]:
    path, key = "/lbaas/loadbalancers", "loadbalancers"
    query = {**_own(scope), **({"id": one} if one else {})}
    return openstack.pages(scope, "load-balancer", path, key, params=query)


def _load_balancers(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    for number, page in enumerate(_balancers(scope)):
        if number == 0 and page:
            _look_up_pools(scope, lookups, _own(scope))
        if lookups.subnets is None and any(balancer.get("additional_vips") for balancer in page):
            lookups.subnets = _subnets(scope)
        members = (
            lookups.addresses.get(_subnet_and_address(member, balancer))
            for balancer in page
            for pool in _pools(balancer, lookups)
            for member in _members(pool, lookups)
        )
        _look_up_servers(scope, lookups, members)
        yield page


def _subnets(scope: openstack.Scope) -> dict[str, dict[str, Any]]:
    """All that the login sees, each with its network: a VIP may be in a subnet that another project shares."""
    if not openstack.offers(scope, "network"):
        return {}
    query = {"fields": ("id", "network_id")}
    return openstack.listed(scope, "network", "/subnets", "subnets", query)


def _look_up_pools(scope: openstack.Scope, lookups: Lookups, own: dict[str, Any]) -> None:
    for key, by_balancer in (("listeners", lookups.listeners), ("pools", lookups.pools)):
        for each in openstack.listed(scope, "load-balancer", f"/lbaas/{key}", key, own).values():
            for balancer in objects(each, "loadbalancers"):
                by_balancer[needed(balancer, "id", str)].append(each)
    for pool in [pool for pools in lookups.pools.values() for pool in pools]:
        pool_id = needed(pool, "id", str)
        if pool_id in lookups.members or not objects(pool, "members"):
            continue
        path = f"/lbaas/pools/{pool_id}/members"
        try:
            members = openstack.listed(scope, "load-balancer", path, "members")
        except openstack.NotFound:  # the pool was deleted just now
            members = {}
        lookups.members[pool_id] = list(members.values())


def _look_up_servers(
    scope: openstack.Scope, lookups: Lookups, wanted: Iterable[Optional[str]]
) -> None:
    """All servers' ids, once, and only if a port names one as its device."""
    if lookups.servers is not None or not any(wanted):
        return
    lookups.servers = set()
    if openstack.offers(scope, "compute"):
        servers = openstack.listed(scope, "compute", "/servers", "servers", scope.all_tenants)
        lookups.servers.update(servers)


def _listed_shares(scope: openstack.Scope) -> Iterator[list[dict[str, Any]]]:
    query = {**scope.all_tenants, "sort_key": "id", "sort_dir": "asc"}
    service, path = "shared-file-system", "/shares/detail"
    return openstack.offset_pages(scope, service, path, "shares", params=query)


def _shares(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    for page in _listed_shares(scope):
        if lookups.share_networks is None and any(share.get("share_network_id") for share in page):
            lookups.share_networks = _share_networks(scope)
        yield page


def _share_networks(scope: openstack.Scope) -> dict[str, dict[str, Any]]:
    def listed(microversion: Optional[tuple[int, int]]) -> dict[str, dict[str, Any]]:
        service, path, key = "shared-file-system", "/share-networks/detail", "share_networks"
        query, walk = scope.all_tenants, openstack.offset_pages
        return openstack.listed(scope, service, path, key, query, microversion, walk=walk)

    try:
        return listed(SUBNETS_LISTED)
    except openstack.NotAcceptable:  # before 2019
        return listed(None)


# --- one record -> one appliance ------------------------------------------------------------------


def convert(
    record: dict[str, Any], scope: openstack.Scope, lookups: Lookups
) -> Union[Appliance, Dropped]:
    kind = openstack.kind_of(record, CONVERT, "appliance")
    if openstack.of_another_project(scope, record):
        return Dropped("of another project")
    return CONVERT[kind](record, scope, lookups)


def _router(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Appliance:
    ports = sorted(lookups.interfaces.get(needed(record, "id", str), []), key=_id)
    networks = {needed(port, "network_id", str) for port in ports}
    gateway = field(record, "external_gateway_info", dict) or {}
    for each in (gateway, *objects(record, "external_gateways")):
        networks.add(field(each, "network_id", str) or "")
    interfaces = [
        openstack.only(port, ("id", "network_id", "device_owner", "fixed_ips")) for port in ports
    ]
    return Appliance(
        type_id="router",
        connections=Connections(networks=openstack.reported(networks, lookups.networks)),
        metadata=metadata(record, ROUTER_DETAILS, openstack.tags(record), interfaces=interfaces),
        **_base(record, scope),
    )


def _firewall_group(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Appliance:
    ports = sorted(items(record, "ports", str))
    known = [lookups.ports[port] for port in ports if port in lookups.ports]
    devices = [field(port, "device_id", str) for port in known]
    return Appliance(
        type_id="firewall",
        connections=Connections(
            appliances=openstack.reported(devices, lookups.routers),
            networks=openstack.reported(
                [needed(port, "network_id", str) for port in known], lookups.networks
            ),
            servers=_servers({_server_of(port, lookups) for port in ports}, lookups),
        ),
        metadata=metadata(record, FIREWALL_DETAILS, openstack.tags(record), ports=ports),
        **_base(record, scope),
    )


def _load_balancer(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Appliance:
    listeners = sorted(lookups.listeners.get(needed(record, "id", str), []), key=_id)
    pools, servers = [], set()
    for pool in sorted(_pools(record, lookups), key=_id):
        members = []
        for member in sorted(_members(pool, lookups), key=_id):
            server = _servers({lookups.addresses.get(_subnet_and_address(member, record))}, lookups)
            servers.update(server)
            members.append(
                {**openstack.only(member, MEMBER_DETAILS), "server_id": "".join(server) or None}
            )
        pools.append({**openstack.only(pool, POOL_DETAILS), "members": members})
    return Appliance(
        type_id="load_balancer",
        connections=Connections(
            networks=openstack.reported(_vip_networks(record, lookups), lookups.networks),
            servers=sorted(servers),
        ),
        metadata=metadata(
            record,
            BALANCER_DETAILS,
            openstack.tags(record),
            listeners=[openstack.only(listener, LISTENER_DETAILS) for listener in listeners],
            pools=pools,
        ),
        **_base(record, scope),
    )


def _vip_networks(record: dict[str, Any], lookups: Lookups) -> set[Optional[str]]:
    """The networks of all its VIPs; for an additional one Octavia names the subnet only."""
    ids = [field(vip, "subnet_id", str) for vip in objects(record, "additional_vips")]
    subnets = [(lookups.subnets or {}).get(subnet_id or "") or {} for subnet_id in ids]
    networks = {field(subnet, "network_id", str) for subnet in subnets}
    return {field(record, "vip_network_id", str), *networks}


def _share(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Appliance:
    size_b = openstack.in_bytes(record, "size", openstack.GIB)
    name = field(record, "share_network_id", str) or ""
    network = (lookups.share_networks or {}).get(name) or {}
    subnets = objects(network, "share_network_subnets")
    zone = field(record, "availability_zone", str)
    of_zone = [each for each in subnets if zone and each.get("availability_zone") == zone]
    of_zone = of_zone or [each for each in subnets if each.get("availability_zone") is None]
    networks = {field(each, "neutron_net_id", str) for each in (network, *of_zone)}
    return Appliance(
        type_id="storage",
        size_b=size_b,
        connections=Connections(networks=openstack.reported(networks, lookups.networks)),
        metadata=metadata(
            record,
            SHARE_DETAILS,
            field(record, "metadata", dict),
            size_b=size_b,
            share_network=field(network, "name", str),
        ),
        **_base(record, scope),
    )


CONVERT: dict[str, Callable[[dict[str, Any], openstack.Scope, Lookups], Appliance]] = {
    "firewall_group": _firewall_group,
    "load_balancer": _load_balancer,
    "router": _router,
    "share": _share,
}


def _base(record: dict[str, Any], scope: openstack.Scope) -> dict[str, Any]:
    return {
        "id": needed(record, "id", str),
        "name": openstack.name_of(record),
        "provider_created_at": time(record, "created_at"),
        "region": Region(scope.region),
    }


def _id(record: dict[str, Any]) -> str:
    return str(record.get("id"))


def _pools(balancer: dict[str, Any], lookups: Lookups) -> list[dict[str, Any]]:
    return lookups.pools.get(needed(balancer, "id", str), [])


def _members(pool: dict[str, Any], lookups: Lookups) -> list[dict[str, Any]]:
    return lookups.members.get(needed(pool, "id", str), [])


def _subnet_and_address(member: dict[str, Any], balancer: dict[str, Any]) -> tuple[str, str]:
    """The subnet and the address of a member; without a subnet it is reached through the VIP's."""
    subnet = field(member, "subnet_id", str) or field(balancer, "vip_subnet_id", str)
    return subnet or "", field(member, "address", str) or ""


def _server_of(port_id: str, lookups: Lookups) -> Optional[str]:
    port = lookups.ports.get(port_id) or {}
    owner = field(port, "device_owner", str) or ""
    return field(port, "device_id", str) if owner.startswith("compute:") else None


def _servers(ids: Iterable[Optional[str]], lookups: Lookups) -> list[str]:
    """Those that Nova lists: a port may belong to something that is no server, or that is gone."""
    return openstack.reported(ids, lookups.servers or ())


# --- one record -> its status ---------------------------------------------------------------------


def status(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Iterator[Point]:
    kind = openstack.kind_of(record, STATUS, "appliance")
    if not openstack.of_another_project(scope, record):
        yield openstack.point(record, "appliance", STATUS[kind](record, lookups))


def _router_status(record: dict[str, Any], lookups: Lookups) -> list[openstack.Finding]:
    """Its own state and that of its L3 agents: without a living agent, nothing is routed any more."""
    findings = [openstack.finding(record, "status", ROUTER_LEVELS, since="updated_at")]
    hosts = lookups.hosts.get(needed(record, "id", str), set())
    dead = sorted(host for host in hosts if not lookups.agents[host])
    if dead:
        level = "error" if len(dead) == len(hosts) else "warning"
        findings.append((level, f"no L3 agent alive on {', '.join(dead)}", None))
    return openstack.unless_switched_off(record, findings)


def _firewall_status(record: dict[str, Any], lookups: Lookups) -> list[openstack.Finding]:
    findings = [openstack.finding(record, "status", FIREWALL_LEVELS, since="updated_at")]
    return openstack.unless_switched_off(record, findings)


def _balancer_status(record: dict[str, Any], lookups: Lookups) -> list[openstack.Finding]:
    """``operating_status`` covers its listeners, pools and members: DEGRADED where some do not work."""
    findings = [
        openstack.finding(record, "operating_status", OPERATING_LEVELS, since="updated_at"),
        openstack.finding(record, "provisioning_status", PROVISIONING_LEVELS, since="updated_at"),
    ]
    return openstack.unless_switched_off(record, findings)


def _share_status(record: dict[str, Any], lookups: Lookups) -> list[openstack.Finding]:
    return [openstack.finding(record, "status", SHARE_LEVELS)]


STATUS: dict[str, Callable[[dict[str, Any], Lookups], list[openstack.Finding]]] = {
    "firewall_group": _firewall_status,
    "load_balancer": _balancer_status,
    "router": _router_status,
    "share": _share_status,
}
