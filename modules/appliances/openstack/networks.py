"""The networks, ports and servers that appliances of all kinds connect to.

Networking v2.0, GET /networks and /ports; Compute v2.1, GET /servers. A port's device is a server where the
port is one of Nova, and Nova lists the server.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Optional

from modules.appliances.openstack.records import Record
from shared.providers import openstack
from shared.records.fields import field, needed, objects

PERMISSIONS = (
    "get_network",
    "get_port",
    "get_security_group",
    "os_compute_api:servers:index",
)
ROUTER_PORTS = {
    "network:ha_router_replicated_interface",
    "network:router_centralized_snat",
    "network:router_gateway",
    "network:router_ha_interface",
    "network:router_interface",
    "network:router_interface_distributed",
}
Address = tuple[str, str]  # the id of a subnet, and an address in it


@dataclasses.dataclass(frozen=True)
class NetworkLookups:
    """Empty where the region has no Neutron."""

    networks: Mapping[str, Record] = dataclasses.field(
        default_factory=dict
    )  # those reported, by id
    ports: Mapping[str, Record] = dataclasses.field(default_factory=dict)  # by id
    interfaces: Mapping[str, list[Record]] = dataclasses.field(default_factory=dict)  # by router
    devices: Mapping[Address, str] = dataclasses.field(default_factory=dict)  # ids, as of servers


def look_up(scope: openstack.Scope) -> NetworkLookups:
    if not openstack.offers(scope, "network"):
        return NetworkLookups()
    fields = ("id", "network_id", "device_id", "device_owner", "fixed_ips", "project_id")
    query = {**openstack.own(scope), "fields": fields}
    networks, ports = scope.workers.ahead(
        (
            lambda: openstack.networks(scope),
            lambda: openstack.listed(scope, "network", "/ports", "ports", query),
        )
    )
    openstack.require_network_permissions(scope, ports.values())
    return NetworkLookups(networks, ports, _interfaces(ports.values()), _devices(ports.values()))


def _interfaces(ports: Iterable[Record]) -> dict[str, list[Record]]:
    interfaces: dict[str, list[Record]] = defaultdict(list)
    for port in ports:
        device, owner = field(port, "device_id", str), field(port, "device_owner", str)
        if device and owner in ROUTER_PORTS:
            interfaces[device].append(port)
    return interfaces


def _devices(ports: Iterable[Record]) -> dict[Address, str]:
    devices = {}
    for port in ports:
        device = server_of(port)
        if device:
            for fixed in objects(port, "fixed_ips"):
                address = needed(fixed, "subnet_id", str), needed(fixed, "ip_address", str)
                devices[address] = device
    return devices


def server_of(port: Record) -> Optional[str]:
    """The device of a port of Nova."""
    owner = field(port, "device_owner", str) or ""
    return field(port, "device_id", str) if owner.startswith("compute:") else None


def servers(scope: openstack.Scope) -> frozenset[str]:
    """The ids of the servers that Nova lists."""
    if not openstack.offers(scope, "compute"):
        return frozenset()
    return frozenset(openstack.listed(scope, "compute", "/servers", "servers", scope.all_tenants))
