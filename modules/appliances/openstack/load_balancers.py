"""Load balancers of Octavia: Load Balancer v2, GET /lbaas/loadbalancers, /listeners, /pools and a pool's /members.

https://docs.openstack.org/api-ref/load-balancer/v2/

No call lists the members of all pools: there is one call for each pool that has some. A member is an address
in a subnet (the VIP's, where the member names none); it is a server where a port of Nova has that address in
that subnet, and Nova lists the server.

The status of a load balancer covers all its parts: ``operating_status`` is DEGRADED where some do not work.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Optional

from nflex_connector_utils import Connections

from modules.appliances.openstack.networks import Address, NetworkLookups
from modules.appliances.openstack.records import Kind, Record, record_id
from shared.engine.contracts import Page
from shared.providers import openstack
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata

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
DETAILS = (
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


@dataclasses.dataclass(frozen=True)
class Lookups:
    """``servers``: none where no member of the page's load balancers may be one.

    ``subnets``: by id, each with its network; listed where a load balancer has additional VIPs.
    """

    network: NetworkLookups = dataclasses.field(default_factory=NetworkLookups)
    listeners: Mapping[str, list[Record]] = dataclasses.field(default_factory=dict)  # by balancer
    pools: Mapping[str, list[Record]] = dataclasses.field(default_factory=dict)  # by balancer
    members: Mapping[str, list[Record]] = dataclasses.field(default_factory=dict)  # by pool
    subnets: Mapping[str, Record] = dataclasses.field(default_factory=dict)
    servers: Collection[str] = ()


def fetch(
    scope: openstack.Scope,
    network: NetworkLookups,
    list_servers: Callable[[], Collection[str]],
) -> Iterator[Page[Record, Lookups]]:
    lookups = Lookups(network)
    seen = subnets_listed = False
    for balancers in _pages(scope):
        if balancers and not seen:
            seen, lookups = True, _with_parts(scope, lookups)
        if not subnets_listed and any(balancer.get("additional_vips") for balancer in balancers):
            subnets_listed = True
            lookups = dataclasses.replace(lookups, subnets=_subnets(scope))
        if not lookups.servers and any(_devices(balancers, lookups)):
            lookups = dataclasses.replace(lookups, servers=list_servers())
        yield Page(openstack.of_kind(KIND.name, balancers), lookups)


def _own(scope: openstack.Scope) -> dict[str, Any]:
    """Octavia's parameter for "of the polled project"."""
    return {} if scope.all_projects else {"project_id": scope.project_id}


def _pages(scope: openstack.Scope, **filters: str) -> Iterator[list[Record]]:
    path, key = "/lbaas/loadbalancers", "loadbalancers"
    return openstack.pages(scope, "load-balancer", path, key, params={**_own(scope), **filters})


def _with_parts(scope: openstack.Scope, lookups: Lookups) -> Lookups:
    """With the listeners, pools and members of all load balancers."""
    listeners, pools = scope.workers.ahead(
        (lambda: _by_balancer(scope, "listeners"), lambda: _by_balancer(scope, "pools"))
    )
    members = _members_of_all(scope, chain.from_iterable(pools.values()))
    return dataclasses.replace(lookups, listeners=listeners, pools=pools, members=members)


def _by_balancer(scope: openstack.Scope, key: str) -> dict[str, list[Record]]:
    parts: dict[str, list[Record]] = defaultdict(list)
    listed = openstack.listed(scope, "load-balancer", f"/lbaas/{key}", key, _own(scope))
    for part in listed.values():
        for balancer in objects(part, "loadbalancers"):
            parts[needed(balancer, "id", str)].append(part)
    return parts


def _members_of_all(scope: openstack.Scope, pools: Iterable[Record]) -> dict[str, list[Record]]:
    """By pool: one call for each that has members, though several load balancers may share it."""
    pool_ids = list(
        dict.fromkeys(needed(pool, "id", str) for pool in pools if objects(pool, "members"))
    )
    found = scope.workers.map(lambda pool_id: _members_of(scope, pool_id), pool_ids)
    return dict(zip(pool_ids, found))


def _members_of(scope: openstack.Scope, pool_id: str) -> list[Record]:
    path = f"/lbaas/pools/{pool_id}/members"
    try:
        return list(openstack.listed(scope, "load-balancer", path, "members").values())
    except openstack.NotFound:  # the pool was deleted just now
        return []


def _subnets(scope: openstack.Scope) -> dict[str, Record]:
    """All that the login sees: a VIP may be in a subnet that another project shares."""
    if not openstack.offers(scope, "network"):
        return {}
    query = {"fields": ("id", "network_id")}
    return openstack.listed(scope, "network", "/subnets", "subnets", query)


def _devices(balancers: Iterable[Record], lookups: Lookups) -> Iterator[Optional[str]]:
    """The devices that have the addresses of the load balancers' members."""
    for balancer in balancers:
        for pool in _pools(balancer, lookups):
            for member in _members(pool, lookups):
                yield lookups.network.devices.get(_address(member, balancer))


def _convert(record: Record, lookups: Lookups) -> dict[str, Any]:
    listeners = sorted(lookups.listeners.get(needed(record, "id", str), []), key=record_id)
    pools, servers = [], set()
    for pool in sorted(_pools(record, lookups), key=record_id):
        members = []
        for member in sorted(_members(pool, lookups), key=record_id):
            device = lookups.network.devices.get(_address(member, record))
            server = openstack.reported([device], lookups.servers)
            servers.update(server)
            members.append(
                {**openstack.only(member, MEMBER_DETAILS), "server_id": "".join(server) or None}
            )
        pools.append({**openstack.only(pool, POOL_DETAILS), "members": members})
    return {
        "connections": Connections(
            networks=openstack.reported(_vip_networks(record, lookups), lookups.network.networks),
            servers=sorted(servers),
        ),
        "metadata": metadata(
            record,
            DETAILS,
            openstack.tags(record),
            listeners=[openstack.only(listener, LISTENER_DETAILS) for listener in listeners],
            pools=pools,
        ),
    }


def _vip_networks(record: Record, lookups: Lookups) -> set[Optional[str]]:
    """The networks of all its VIPs; for an additional one Octavia names the subnet only."""
    ids = [field(vip, "subnet_id", str) for vip in objects(record, "additional_vips")]
    subnets = [lookups.subnets.get(subnet_id or "") or {} for subnet_id in ids]
    networks = {field(subnet, "network_id", str) for subnet in subnets}
    return {field(record, "vip_network_id", str), *networks}


def _pools(balancer: Record, lookups: Lookups) -> list[Record]:
    return lookups.pools.get(needed(balancer, "id", str), [])


def _members(pool: Record, lookups: Lookups) -> list[Record]:
    return lookups.members.get(needed(pool, "id", str), [])


def _address(member: Record, balancer: Record) -> Address:
    """A member without a subnet is reached through the VIP's."""
    subnet = field(member, "subnet_id", str) or field(balancer, "vip_subnet_id", str)
    return subnet or "", field(member, "address", str) or ""


def fetch_status(scope: openstack.Scope, ids: Optional[list[str]]) -> Iterator[Page[Record, None]]:
    """Octavia's filter takes one id a call."""
    for filters in [{}] if ids is None else [{"id": balancer_id} for balancer_id in ids]:
        for balancers in _pages(scope, **filters):
            yield Page(openstack.of_kind(KIND.name, balancers), None)


KIND = Kind(
    name="load_balancer",
    type_id="load_balancer",
    permissions=(
        "get_subnet",
        "os_load-balancer_api:listener:get_all",
        "os_load-balancer_api:loadbalancer:get_all",
        "os_load-balancer_api:member:get_all",
        "os_load-balancer_api:pool:get_all",
    ),
    status_permissions=("os_load-balancer_api:loadbalancer:get_all",),
    convert=_convert,
    states={"operating_status": OPERATING_LEVELS, "provisioning_status": PROVISIONING_LEVELS},
)
