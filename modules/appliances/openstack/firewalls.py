"""Firewall groups of Neutron's FWaaS v2: Networking v2.0, GET /fwaas/firewall_groups."""

import dataclasses
from collections.abc import Callable, Collection, Iterator
from typing import Any, Optional

from nflex_connector_utils import Connections

from modules.appliances.openstack.networks import NetworkLookups, server_of
from modules.appliances.openstack.records import Kind, Record
from shared.engine.contracts import Page
from shared.providers import openstack
from shared.records.fields import field, items, needed
from shared.records.metadata import metadata

LEVELS = {
    "ACTIVE": "ok",
    "CREATED": "warning",
    "DOWN": "error",
    "ERROR": "error",
    "INACTIVE": "warning",  # has no ports: nothing passes through it
    "PENDING_CREATE": "warning",
    "PENDING_DELETE": "warning",
    "PENDING_UPDATE": "ok",
}
DETAILS = (
    "admin_state_up",
    "description",
    "egress_firewall_policy_id",
    "ingress_firewall_policy_id",
    "project_id",
    "shared",
    "status",
    "updated_at",
)


@dataclasses.dataclass(frozen=True)
class Lookups:
    """``servers``: none where no port of the page's firewall groups has a server. ``routers``: the ids of all."""

    network: NetworkLookups
    servers: Collection[str]
    routers: Collection[str] = ()


def fetch(
    scope: openstack.Scope,
    network: NetworkLookups,
    list_servers: Callable[[], Collection[str]],
) -> Iterator[Page[Record, Lookups]]:
    for groups in _pages(scope):
        ports = [port for group in groups for port in _known_ports(group, network)]
        servers = list_servers() if any(map(server_of, ports)) else ()
        yield Page(openstack.of_kind(KIND.name, groups), Lookups(network, servers))


def _pages(scope: openstack.Scope, **filters: Any) -> Iterator[list[Record]]:
    path, key = "/fwaas/firewall_groups", "firewall_groups"
    return openstack.pages(scope, "network", path, key, params=filters or None)


def _known_ports(group: Record, network: NetworkLookups) -> list[Record]:
    """Those of its ports that the login sees."""
    ports = sorted(items(group, "ports", str))
    return [network.ports[port] for port in ports if port in network.ports]


def _convert(record: Record, lookups: Lookups) -> dict[str, Any]:
    ports = _known_ports(record, lookups.network)
    devices = [field(port, "device_id", str) for port in ports]
    networks = [needed(port, "network_id", str) for port in ports]
    return {
        "connections": Connections(
            appliances=openstack.reported(devices, lookups.routers),
            networks=openstack.reported(networks, lookups.network.networks),
            servers=openstack.reported(map(server_of, ports), lookups.servers),
        ),
        "metadata": metadata(
            record, DETAILS, openstack.tags(record), ports=sorted(items(record, "ports", str))
        ),
    }


def fetch_status(scope: openstack.Scope, ids: Optional[list[str]]) -> Iterator[Page[Record, None]]:
    for groups in _pages(scope, **({} if ids is None else {"id": ids})):
        yield Page(openstack.of_kind(KIND.name, groups), None)


KIND = Kind(
    name="firewall_group",
    type_id="firewall",
    permissions=("get_firewall_group",),
    status_permissions=("get_firewall_group",),
    convert=_convert,
    states={"status": LEVELS},
)
