"""Neutron networks with their subnets: https://docs.openstack.org/api-ref/network/v2/#networks

Pages of 1000: asked without a limit, Neutron gives everything at once. The project's own networks,
those shared with it and the external ones; Neutron shows an admin all projects' without being
asked, and these are dropped unless the account has ``all_projects``. provider:* attributes show to
admins only. A router on a network is an appliance (the router's UUID): routers' ports tell the
networks behind it, the routers themselves their gateway's, whose port belongs to no project.
To a role that its policies do not know, Neutron shows shared networks only: see ``prove_rights``.
"""

import dataclasses
from typing import Any, Union

from nflex_connector_utils import Connections, Metadata, Network, Region

from shared import record, run
from shared.providers import openstack

PERMISSIONS = ("get_network", "get_subnet", "get_port", "get_router")
CALLS = (
    "1 token + 1 rights (2 with all_projects) + p(networks) + p(subnets) + p(routers' ports) "
    "+ p(routers) (p(n) = ceil(n / 1000), at least 1)"
)

ROUTERS_PORTS = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
    "network:router_gateway",
)

_DETAILS = (
    "admin_state_up",
    "availability_zone_hints",
    "availability_zones",
    "description",
    "dns_domain",
    "ipv4_address_scope",
    "ipv6_address_scope",
    "is_default",
    "mtu",
    "port_security_enabled",
    "provider:network_type",
    "provider:physical_network",
    "provider:segmentation_id",
    "qos_policy_id",
    "router:external",
    "segments",
    "shared",
    "status",
    "tenant_id",
    "updated_at",
    "vlan_transparent",
)
_SUBNET = (
    "id",
    "name",
    "cidr",
    "ip_version",
    "gateway_ip",
    "dns_nameservers",
    "enable_dhcp",
    "allocation_pools",
    "host_routes",
    "ipv6_address_mode",
    "ipv6_ra_mode",
    "subnetpool_id",
)


@dataclasses.dataclass
class Lookups:
    """Both by network."""

    subnets: dict[str, list[dict[str, Any]]]
    routers: dict[str, set[str]]


def lookups(scope: openstack.Scope) -> Lookups:
    openstack.prove_rights(scope, "network")
    found = Lookups({}, {})
    subnets = openstack.everything(scope, "network", "/subnets", "subnets")
    for _, subnet in sorted(subnets.items()):
        found.subnets.setdefault(record.needed(subnet, "network_id", str), []).append(subnet)
    own = [] if scope.all_projects else [("tenant_id", scope.project_id)]
    params = [*own, *(("device_owner", owner) for owner in ROUTERS_PORTS)]
    params += [("fields", name) for name in ("id", "device_id", "network_id")]
    for port in openstack.everything(scope, "network", "/ports", "ports", params).values():
        network = record.needed(port, "network_id", str)
        found.routers.setdefault(network, set()).add(record.needed(port, "device_id", str))
    params = [*own, ("fields", "id"), ("fields", "external_gateway_info")]
    for id_, router in openstack.everything(
        scope, "network", "/routers", "routers", params
    ).items():
        gateway = record.field(router, "external_gateway_info", dict)
        if gateway:
            found.routers.setdefault(record.needed(gateway, "network_id", str), set()).add(id_)
    return found


def fetch(scope: openstack.Scope, lookups: Lookups) -> Any:
    yield from openstack.pages(scope, "network", "/networks", "networks")


def convert(
    network: dict[str, Any], scope: openstack.Scope, lookups: Lookups
) -> Union[Network, run.Dropped]:
    id_ = record.needed(network, "id", str)
    if not openstack.belongs(network, scope):
        return run.Dropped("of another project")
    return Network(
        id=id_,
        name=record.field(network, "name", str) or id_,
        region=Region(id=scope.region),
        provider_created_at=record.time(network, "created_at"),
        connections=Connections(appliances=sorted(lookups.routers.get(id_, ()))),
        metadata=Metadata(_metadata(network, lookups.subnets.get(id_, []))),
    )


def _metadata(network: dict[str, Any], subnets: list[dict[str, Any]]) -> list[Any]:
    values: list[Any] = [
        (name, record.plain(network[name]))
        for name in _DETAILS
        if network.get(name) not in (None, "", [])
    ]
    if subnets:
        shown = [
            {name: record.plain(subnet[name]) for name in _SUBNET if subnet.get(name) is not None}
            for subnet in subnets
        ]
        cidrs = [record.needed(subnet, "cidr", str) for subnet in subnets]
        values += [("cidrs", cidrs), ("subnets", shown)]
    tags = record.items(network, "tags", str)
    if tags:
        values.append(("provider_metadata", "tags", tags))
    return values
