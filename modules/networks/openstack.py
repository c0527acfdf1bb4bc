"""Neutron networks with their subnets, and the routers that have a port on them.

API: Networking v2.0, GET /networks, /subnets, /routers and /ports, 1,000 a page.
https://docs.openstack.org/api-ref/network/v2/#networks

A login sees its project's networks and those that are shared with it or external. An admin sees those of
all projects; without ``all_projects`` those of other projects are dropped. A role that no policy names
is not refused but sees next to nothing: ``require_network_permissions`` distinguishes that from an empty project.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Union

from nflex_connector_utils import Connections, Network, Region

from shared.engine.contracts import Cell, Dropped, Page
from shared.providers import openstack
from shared.records.fields import field, needed, time
from shared.records.metadata import metadata

ROUTER_PORTS = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
    "network:router_gateway",
)
DETAILS = (
    "admin_state_up",
    "availability_zone_hints",
    "availability_zones",
    "description",
    "dns_domain",
    "ipv4_address_scope",
    "ipv6_address_scope",
    "is_default",
    "l2_adjacency",
    "mtu",
    "port_security_enabled",
    "project_id",
    "provider:network_type",
    "provider:physical_network",
    "provider:segmentation_id",
    "qos_policy_id",
    "router:external",
    "segments",
    "shared",
    "status",
    "updated_at",
    "vlan_transparent",
)
SUBNET_DETAILS = (
    "id",
    "name",
    "ip_version",
    "cidr",
    "gateway_ip",
    "allocation_pools",
    "dns_nameservers",
    "host_routes",
    "enable_dhcp",
    "ipv6_address_mode",
    "ipv6_ra_mode",
)


@dataclasses.dataclass(frozen=True)
class Lookups:
    """By network id: its subnets, and the ids of the routers on it."""

    subnets: Mapping[str, list[dict[str, Any]]]
    routers: Mapping[str, set[str]]


def fetch(scope: openstack.Scope) -> Iterator[Page[dict[str, Any], Lookups]]:
    if not openstack.offers(scope, "network"):  # a cloud without Neutron has no networks
        return
    found: Iterator[Any] = scope.workers.ahead(
        (
            lambda: _subnets(scope),
            lambda: _routers(scope),
            lambda: openstack.listed(scope, "network", "/networks", "networks"),
        )
    )
    subnets, routers, listed = found
    # The whole list in one page: only all of it shows whether the login may see the project's networks.
    networks = list(listed.values())
    openstack.require_network_permissions(scope, networks)
    yield Page(networks, Lookups(subnets, routers))


def _subnets(scope: openstack.Scope) -> dict[str, list[dict[str, Any]]]:
    subnets: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for subnet in openstack.listed(scope, "network", "/subnets", "subnets").values():
        subnets[needed(subnet, "network_id", str)].append(subnet)
    return subnets


def _routers(scope: openstack.Scope) -> dict[str, set[str]]:
    on_network: dict[str, set[str]] = defaultdict(set)
    own = openstack.own(scope)
    query = {**own, "device_owner": ROUTER_PORTS, "fields": ("id", "device_id", "network_id")}
    found = scope.workers.ahead(
        (
            lambda: openstack.listed(scope, "network", "/routers", "routers", own),
            lambda: openstack.listed(scope, "network", "/ports", "ports", query),
        )
    )
    try:
        routers = next(found)
    except openstack.NotFound:
        return on_network  # a cloud without routers
    for router_id, router in routers.items():
        gateway = field(router, "external_gateway_info", dict) or {}
        external = field(gateway, "network_id", str)
        if external:
            on_network[external].add(router_id)
    for port in next(found).values():
        on_network[needed(port, "network_id", str)].add(needed(port, "device_id", str))
    return on_network


def convert(
    record: dict[str, Any], scope: openstack.Scope, lookups: Lookups
) -> Union[Network, Dropped]:
    network_id = needed(record, "id", str)
    external = field(record, "router:external", bool)
    visible = scope.all_projects or external or field(record, "shared", bool)
    if not visible and openstack.project_of(record) != scope.project_id:
        return Dropped("of another project")
    subnets = sorted(lookups.subnets.get(network_id, []), key=lambda subnet: str(subnet.get("id")))
    return Network(
        id=network_id,
        name=openstack.name_of(record),
        provider_created_at=time(record, "created_at"),
        connections=Connections(appliances=sorted(lookups.routers.get(network_id, ()))),
        metadata=metadata(
            record,
            DETAILS,
            openstack.tags(record),
            cidrs=[field(subnet, "cidr", str) for subnet in subnets],
            subnets=[openstack.only(subnet, SUBNET_DETAILS) for subnet in subnets],
        ),
        region=Region(scope.region),
    )


CELL = Cell(
    calls=(
        "1 token; a region: p(networks) /networks + p(subnets) /subnets "
        "+ p(routers) /routers + p(router ports) /ports; "
        "+ 1 /security-groups where the project has no network (all_projects: /quotas)"
    ),
    permissions=("get_network", "get_port", "get_router", "get_security_group", "get_subnet"),
    fetch=fetch,
    convert=convert,
)
