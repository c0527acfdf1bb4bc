"""The networks and addresses of servers.

A server's ``addresses`` are keyed by the network's name, which need not be unique: Neutron's ports say which
network it is, by the MAC address, and where a server has that address on several networks, by the
fixed addresses. A network that the project can't see (an admin put the port there) is no connection,
for no resource of that id is reported; the metadata name it.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from nflex_connector_utils import IpAddress

from shared.providers import openstack
from shared.records.fields import field, items, needed, objects

MACS_A_CALL = 50  # keeps the URL below 4 KiB, the limit of some web servers

ServerAddress = tuple[str, str]  # a server's id, and a MAC or an IP address
Ports = Mapping[tuple[str, str], dict[str, Any]]  # by network and MAC address: one port at most


@dataclasses.dataclass(frozen=True)
class NetworkLookups:
    """The networks of servers and of their addresses; networks are named by their ids."""

    by_mac: Mapping[ServerAddress, str] = dataclasses.field(default_factory=dict)  # -> network id
    # -> network id, where the server has the MAC address on several networks
    by_ip: Mapping[ServerAddress, str] = dataclasses.field(default_factory=dict)
    of_servers: Mapping[str, set[str]] = dataclasses.field(default_factory=dict)  # -> network ids
    floating: Mapping[str, str] = dataclasses.field(
        default_factory=dict
    )  # address -> external network
    # by id, of the networks that the networks family reports
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)


def look_up(scope: openstack.Scope) -> NetworkLookups:
    """Empty where the region has no Neutron."""
    if not openstack.offers(scope, "network"):
        return NetworkLookups()
    found: Iterator[Any] = scope.workers.ahead(
        (lambda: _on_ports(scope), lambda: _names(scope), lambda: _floating(scope))
    )
    (by_mac, by_ip, of_servers), names, floating = found
    return NetworkLookups(by_mac, by_ip, of_servers, floating, names)


def _on_ports(scope: openstack.Scope) -> tuple[Any, ...]:
    """The networks of MAC addresses, of fixed addresses and of servers, as the ports tell."""
    fields = ("device_id", "mac_address", "network_id", "project_id")
    query = {"fields": fields, **openstack.own(scope)}
    ports = openstack.listed(
        scope, "network", "/ports", "ports", query, by=("network_id", "mac_address")
    )
    openstack.require_network_permissions(scope, ports.values())
    by_mac, several = _networks_of_macs(ports)
    return by_mac, _networks_of_addresses(scope, several), _networks_of_servers(ports)


def _networks_of_macs(ports: Ports) -> tuple[dict[ServerAddress, str], set[ServerAddress]]:
    """The network of each MAC address of a server, and the addresses that are on several networks."""
    networks: dict[ServerAddress, str] = {}
    several = set()
    for (network, mac), port in ports.items():
        server = field(port, "device_id", str)
        if server and networks.setdefault((server, mac), network) != network:
            several.add((server, mac))
    for address in several:
        del networks[address]
    return networks, several


def _networks_of_servers(ports: Ports) -> dict[str, set[str]]:
    networks: dict[str, set[str]] = defaultdict(set)
    for (network, _), port in ports.items():
        server = field(port, "device_id", str)
        if server:
            networks[server].add(network)
    return networks


def _networks_of_addresses(
    scope: openstack.Scope, several: Collection[ServerAddress]
) -> dict[ServerAddress, str]:
    """The network of each fixed address of these servers' ports with these MAC addresses."""
    networks: dict[ServerAddress, str] = {}
    macs = sorted({mac for _, mac in several})
    fields = ("id", "device_id", "mac_address", "network_id", "fixed_ips")
    for start in range(0, len(macs), MACS_A_CALL):
        query = {"mac_address": macs[start : start + MACS_A_CALL], "fields": fields}
        query.update(openstack.own(scope))
        for port in openstack.listed(scope, "network", "/ports", "ports", query).values():
            server = field(port, "device_id", str) or ""
            if (server, field(port, "mac_address", str)) in several:
                for fixed in objects(port, "fixed_ips"):
                    address = server, needed(fixed, "ip_address", str)
                    networks[address] = needed(port, "network_id", str)
    return networks


def _names(scope: openstack.Scope) -> dict[str, str]:
    networks = openstack.listed(scope, "network", "/networks", "networks")
    return {
        network_id: openstack.name_of(network)
        for network_id, network in networks.items()
        if not openstack.of_another_project(scope, network)
    }


def _floating(scope: openstack.Scope) -> dict[str, str]:
    try:
        floating = openstack.listed(scope, "network", "/floatingips", "floatingips")
    except openstack.NotFound:
        return {}  # a cloud without routers has no floating addresses
    return {
        needed(address, "floating_ip_address", str): needed(address, "floating_network_id", str)
        for address in floating.values()
    }


def addresses(record: dict[str, Any], lookups: NetworkLookups) -> list[IpAddress]:
    """Fixed addresses with the network of their port, floating ones with the external network."""
    server_id = needed(record, "id", str)
    ip_addresses = []
    by_network = field(record, "addresses", dict) or {}
    for network_name in sorted(by_network):
        for address in items(by_network, network_name, dict):
            ip = needed(address, "addr", str)
            kind = field(address, "OS-EXT-IPS:type", str)
            mac = field(address, "OS-EXT-IPS-MAC:mac_addr", str) or ""
            if kind == "floating":
                network_id = lookups.floating.get(ip)
                name = lookups.names.get(network_id or "")
            else:
                network_id = lookups.by_mac.get(
                    (server_id, mac), lookups.by_ip.get((server_id, ip))
                )
                name = network_name
            ip_addresses.append(
                IpAddress(ip, network_id if network_id in lookups.names else None, name, kind)
            )
    return ip_addresses
