"""Direct Connect: connections (physical lines or shares of a partner's), groups of them (LAGs), virtual interfaces.

APIs: DescribeConnections, DescribeLags, DescribeVirtualInterfaces, 100 a page.
https://docs.aws.amazon.com/directconnect/latest/APIReference/

A virtual interface's record holds its BGP keys two or three times; those fields are never used.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import Connections

from modules.circuits.aws.direct_connect_metrics import connection_queries, interface_queries
from modules.circuits.aws.records import (
    Health,
    Kind,
    Lookups,
    Record,
    Records,
    with_name,
    with_tag,
)
from shared.engine.contracts import Page, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata
from shared.records.status import redundant

STATUS_PERMISSIONS = (
    "directconnect:DescribeConnections",
    "directconnect:DescribeLags",
    "directconnect:DescribeVirtualInterfaces",
)
PERMISSIONS = (
    *STATUS_PERMISSIONS,
    "directconnect:DescribeDirectConnectGateways",
    "directconnect:DescribeLocations",
)

PAGE_SIZE = 100
UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
PREFIXES = ("dxcon-", "dxlag-", "dxvif-")  # of ids
OTHER_PREFIXES = ("pcx-", "tgw-", "vpn-")  # of ids of EC2's circuits
BGP_LEVELS = {"up": "ok", "down": "error"}

CONNECTION_DETAILS = (
    "awsDeviceV2",
    "awsLogicalDeviceId",
    "bandwidth",
    "billingMode",
    "connectionState",
    "encryptionMode",
    "hasLogicalRedundancy",
    "jumboFrameCapable",
    "lagId",
    "loaIssueTime",
    "location",
    "macSecCapable",
    "ownerAccount",
    "partnerName",
    "portEncryptionStatus",
    "providerName",
    "vlan",
)
LAG_DETAILS = (
    "allowsHostedConnections",
    "awsDeviceV2",
    "awsLogicalDeviceId",
    "connectionsBandwidth",
    "encryptionMode",
    "hasLogicalRedundancy",
    "jumboFrameCapable",
    "lagState",
    "location",
    "macSecCapable",
    "minimumLinks",
    "numberOfConnections",
    "ownerAccount",
    "providerName",
)
INTERFACE_DETAILS = (
    "addressFamily",
    "amazonAddress",
    "amazonSideAsn",
    "asn",
    "asnLong",
    "awsDeviceV2",
    "awsLogicalDeviceId",
    "connectionId",
    "customerAddress",
    "directConnectGatewayId",
    "jumboFrameCapable",
    "location",
    "mtu",
    "ownerAccount",
    "rateLimit",
    "routeFilterPrefixes",
    "siteLinkEnabled",
    "virtualGatewayId",
    "virtualInterfaceState",
    "virtualInterfaceType",
    "vlan",
)
BGP_DETAILS = (
    "addressFamily",
    "amazonAddress",
    "asn",
    "asnLong",
    "awsDeviceV2",
    "bgpPeerId",
    "bgpPeerState",
    "bgpStatus",
    "customerAddress",
)


# Kind, operation, key of the list in the response, field with the id, prefix of the ids.
LISTINGS = (
    ("direct_connect", "describe_connections", "connections", "connectionId", "dxcon-"),
    ("direct_connect_lag", "describe_lags", "lags", "lagId", "dxlag-"),
    (
        "virtual_interface",
        "describe_virtual_interfaces",
        "virtualInterfaces",
        "virtualInterfaceId",
        "dxvif-",
    ),
)


def with_lookups(scope: aws.Scope) -> tuple[dict[str, Records], dict[str, Any]]:
    """All lines, and the fields of the lookups that they need. The names of gateways only if one is named."""
    lines = listed(scope)
    ports = {**lines["direct_connect"], **lines["direct_connect_lag"]}
    interfaces = lines["virtual_interface"].values()
    locations = _locations(scope) if ports or interfaces else {}
    through_gateways = any(
        field(interface, "directConnectGatewayId", str) for interface in interfaces
    )
    return lines, {
        "ports": ports,
        "locations": locations,
        "direct_connect_gateways": gateways(scope) if through_gateways else {},
    }


def pages(lines: Mapping[str, Records], lookups: Lookups) -> Iterator[Page[Record, Lookups]]:
    for kind, records in lines.items():
        yield Page(aws.of_kind(kind, records.values()), lookups)


def listed(scope: aws.Scope, requested: Requested = None) -> dict[str, Records]:
    """Records by kind and id: of all kinds, or of those that the requested ids may be of.

    All records of a kind, because Direct Connect has no filters, its error for an unknown id has no code of its own,
    and mostly one call lists them all.
    """
    names = [name for name in requested or () if not name.startswith(OTHER_PREFIXES)]
    listings = [
        listing
        for listing in LISTINGS
        if requested is None or any(_may_be(name, listing[-1]) for name in names)
    ]

    def records_of(listing: tuple[str, str, str, str, str]) -> Records:
        _, operation, key, id_field, _ = listing
        records = aws.listed(
            scope, "directconnect", operation, key, walk=aws.offered_pages, page_size=PAGE_SIZE
        )
        return aws.keyed(records, id_field)

    found = aws.for_each(scope, records_of, listings)
    return {listing[0]: records for listing, records in zip(listings, found)}


def _may_be(name: str, prefix: str) -> bool:
    """Whether the id may be of the kind with this prefix; an id in another form may be of any kind."""
    return name.startswith(prefix) or not name.startswith(PREFIXES)


def _locations(scope: aws.Scope) -> dict[str, str]:
    locations = {}
    for location in aws.listed(scope, "directconnect", "describe_locations", "locations"):
        code = needed(location, "locationCode", str)
        locations[code] = field(location, "locationName", str) or code
    return locations


def gateways(scope: aws.Scope) -> dict[str, Record]:
    """The Direct Connect gateways by id."""
    records = aws.listed(
        scope,
        "directconnect",
        "describe_direct_connect_gateways",
        "directConnectGateways",
        walk=aws.offered_pages,
        page_size=PAGE_SIZE,
    )
    return aws.keyed(records, "directConnectGatewayId")


def _connection(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """A physical line, or a part of a partner's, from a Direct Connect location to the region."""
    name = needed(record, "connectionId", str)
    lag = field(record, "lagId", str)
    return {
        **_line(record, name, scope, lookups),
        "name": field(record, "connectionName", str) or name,
        "carrier": _carrier(record),
        "connections": Connections(type="circuit", connections=aws.reported([lag], lookups.ports)),
        "metadata": metadata(
            record,
            CONNECTION_DETAILS,
            _tags(record),
            bandwidth_bps=_bps(field(record, "bandwidth", str)),
        ),
        "native_portal_link": scope.link("directconnect/v2", f"/connections/{name}"),
    }


def _lag(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "lagId", str)
    line_bps = _bps(field(record, "connectionsBandwidth", str))
    count = field(record, "numberOfConnections", int)
    return {
        **_line(record, name, scope, lookups),
        "name": field(record, "lagName", str) or name,
        "carrier": _carrier(record),
        "metadata": metadata(
            record,
            LAG_DETAILS,
            _tags(record),
            bandwidth_bps=None if line_bps is None or count is None else line_bps * count,
        ),
        "native_portal_link": scope.link("directconnect/v2", f"/lags/{name}"),
    }


def _line(record: Record, name: str, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """What connections and LAGs have in common."""
    return {
        "id": name,
        "reference": name,
        "endpoint_a": _location(record, lookups),
        "endpoint_b": f"AWS {scope.name}",
    }


def _interface(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """A VLAN on a line, to a virtual private gateway, a Direct Connect gateway or AWS's public services."""
    name = needed(record, "virtualInterfaceId", str)
    line = field(record, "connectionId", str)
    gateway = field(record, "virtualGatewayId", str) or None
    port = lookups.ports.get(line or "") or {}
    port_name = field(port, "connectionName", str) or field(port, "lagName", str)
    connections = Connections(appliances=aws.reported([gateway], lookups.vpn_gateways))
    connections.add(type="circuit", connections=aws.reported([line], lookups.ports))
    return {
        "id": name,
        "name": field(record, "virtualInterfaceName", str) or name,
        "carrier": _carrier(port),
        "reference": name,
        "endpoint_a": with_name(line, port_name)
        if line and port_name
        else _location(record, lookups),
        "endpoint_b": _far_endpoint(record, gateway, lookups),
        "connections": connections,
        "metadata": metadata(
            record,
            INTERFACE_DETAILS,
            _tags(record),
            bgpPeers=[aws.only(peer, BGP_DETAILS) for peer in objects(record, "bgpPeers")],
        ),
        "native_portal_link": scope.link("directconnect/v2", f"/virtual-interfaces/{name}"),
    }


def _far_endpoint(record: Record, gateway: Optional[str], lookups: Lookups) -> Optional[str]:
    """What a virtual interface leads to: AWS's public services, or a gateway of one of two kinds."""
    if field(record, "virtualInterfaceType", str) == "public":
        return "AWS public services"
    direct_connect_gateway = field(record, "directConnectGatewayId", str)
    if direct_connect_gateway:
        return with_gateway_name(direct_connect_gateway, lookups)
    return with_tag(gateway, lookups.vpn_gateways)


def with_gateway_name(identifier: Optional[str], lookups: Lookups) -> Optional[str]:
    """A Direct Connect gateway for people to read."""
    gateway = lookups.direct_connect_gateways.get(identifier or "") or {}
    return with_name(identifier, field(gateway, "directConnectGatewayName", str))


def _location(record: Record, lookups: Lookups) -> Optional[str]:
    code = field(record, "location", str)
    return lookups.locations.get(code or "") or code


def _carrier(record: Record) -> Optional[str]:
    """The company that connects the line to AWS: the partner who shares a line, or the location's provider."""
    return field(record, "partnerName", str) or field(record, "providerName", str) or None


def _bps(text: Optional[str]) -> Optional[int]:
    """Bits per second: of "50Mbps" or "10Gbps"; None for other texts."""
    match = re.fullmatch(r"(\d{1,18})\s*([KMGT])bps", text or "")
    return int(match[1]) * UNITS[match[2]] if match else None


def _tags(record: Record) -> dict[str, str]:
    """The tags. Direct Connect writes "key" and "value" in small letters."""
    return {
        needed(tag, "key", str): field(tag, "value", str) or "" for tag in objects(record, "tags")
    }


def _connection_state(record: Record) -> Optional[str]:
    return field(record, "connectionState", str)


def _lag_state(record: Record) -> Optional[str]:
    return field(record, "lagState", str)


def _interface_state(record: Record) -> Optional[str]:
    return field(record, "virtualInterfaceState", str)


def _bgp_health(record: Record) -> Optional[Health]:
    """One session that is up is enough."""
    peers = objects(record, "bgpPeers")
    if not peers:
        return None
    levels = [BGP_LEVELS.get(field(peer, "bgpStatus", str) or "", "unknown") for peer in peers]
    messages = [
        f"BGP {field(peer, 'addressFamily', str)} {field(peer, 'bgpStatus', str)}" for peer in peers
    ]
    return Health(redundant(levels), messages)


# Virtual interfaces first, since they have a connectionId too, and connections before LAGs, as they have a lagId.
KINDS = {
    "virtual_interface": Kind(
        "virtualInterfaceId",
        _interface,
        _interface_state,
        health=_bgp_health,
        queries=interface_queries,
    ),
    "direct_connect": Kind(
        "connectionId", _connection, _connection_state, queries=connection_queries
    ),
    "direct_connect_lag": Kind("lagId", _lag, _lag_state),
}
TRAIL = (cloudtrail.by_source("directconnect", r"dx(?:con|lag|vif)-[0-9a-z]+"),)
