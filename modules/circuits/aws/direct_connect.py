"""Direct Connect: connections (physical lines or shares of a partner's), groups of them (LAGs), virtual interfaces.

APIs: DescribeConnections, DescribeLags, DescribeVirtualInterfaces, 100 a page.
https://docs.aws.amazon.com/directconnect/latest/APIReference/

A virtual interface's record holds its BGP keys two or three times; those fields are never used.
"""

import re
from collections.abc import Iterator
from typing import Any, Optional

from nflex_connector_utils import Connections

from modules.circuits.aws.records import (
    Dimensions,
    Health,
    Kind,
    Lookups,
    Record,
    Records,
    with_name,
    with_tag,
)
from shared.engine.poll import Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch
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


def fetch(scope: aws.Scope, lookups: Lookups) -> Iterator[list[Record]]:
    lines = _listed(scope)
    lookups.ports = {**lines["direct_connect"], **lines["direct_connect_lag"]}
    interfaces = lines["virtual_interface"].values()
    if lookups.ports or interfaces:
        for each in aws.listed(scope, "directconnect", "describe_locations", "locations"):
            code = needed(each, "locationCode", str)
            lookups.locations[code] = field(each, "locationName", str) or code
    if any(field(each, "directConnectGatewayId", str) for each in interfaces):
        look_up_gateways(scope, lookups)
    for kind, records in lines.items():
        yield aws.of_kind(kind, records.values())


def fetch_status(
    scope: aws.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[Record]]:
    for kind, records in _listed(scope, requested).items():
        yield aws.of_kind(kind, records.values())


def _listed(scope: aws.Scope, requested: Requested = None) -> dict[str, Records]:
    """Records by kind: of all kinds, or of those that the requested ids may be of.

    All records of a kind, because Direct Connect has no filters, its error for an unknown id has no code of its own,
    and mostly one call lists them all.
    """
    wanted = [each for each in requested or () if not each.startswith(OTHER_PREFIXES)]
    return {
        kind: aws.keyed(
            aws.listed(
                scope,
                "directconnect",
                operation,
                key,
                walk=aws.offered_pages,
                page_size=PAGE_SIZE,
            ),
            name,
        )
        for kind, operation, key, name, begins in (
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
        if requested is None or any(_may_be(each, begins) for each in wanted)
    }


def _may_be(name: str, begins: str) -> bool:
    """Whether the id may have this prefix; an id in another form may be of any kind."""
    return name.startswith(begins) or not name.startswith(PREFIXES)


def look_up_gateways(scope: aws.Scope, lookups: Lookups) -> None:
    found = aws.listed(
        scope,
        "directconnect",
        "describe_direct_connect_gateways",
        "directConnectGateways",
        walk=aws.offered_pages,
        page_size=PAGE_SIZE,
    )
    lookups.direct_connect_gateways = aws.keyed(found, "directConnectGatewayId")


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
    each, count = (
        _bps(field(record, "connectionsBandwidth", str)),
        field(record, "numberOfConnections", int),
    )
    return {
        **_line(record, name, scope, lookups),
        "name": field(record, "lagName", str) or name,
        "carrier": _carrier(record),
        "metadata": metadata(
            record,
            LAG_DETAILS,
            _tags(record),
            bandwidth_bps=None if each is None or count is None else each * count,
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
    line, gateway = (
        field(record, "connectionId", str),
        field(record, "virtualGatewayId", str) or None,
    )
    port = lookups.ports.get(line or "") or {}
    through = field(port, "connectionName", str) or field(port, "lagName", str)
    far = with_tag(gateway, lookups.vpn_gateways)
    hub = field(record, "directConnectGatewayId", str)
    if hub:
        found = lookups.direct_connect_gateways.get(hub) or {}
        far = with_name(hub, field(found, "directConnectGatewayName", str))
    if field(record, "virtualInterfaceType", str) == "public":
        far = "AWS public services"
    connections = Connections(appliances=aws.reported([gateway], lookups.vpn_gateways))
    connections.add(type="circuit", connections=aws.reported([line], lookups.ports))
    return {
        "id": name,
        "name": field(record, "virtualInterfaceName", str) or name,
        "carrier": _carrier(port),
        "reference": name,
        "endpoint_a": with_name(line, through) if line and through else _location(record, lookups),
        "endpoint_b": far,
        "connections": connections,
        "metadata": metadata(
            record,
            INTERFACE_DETAILS,
            _tags(record),
            bgpPeers=[aws.only(peer, BGP_DETAILS) for peer in objects(record, "bgpPeers")],
        ),
        "native_portal_link": scope.link("directconnect/v2", f"/virtual-interfaces/{name}"),
    }


def _location(record: Record, lookups: Lookups) -> Optional[str]:
    code = field(record, "location", str)
    return lookups.locations.get(code or "") or code


def _carrier(record: Record) -> Optional[str]:
    """The company that connects the line to AWS: the partner who shares a line, or the location's provider."""
    return field(record, "partnerName", str) or field(record, "providerName", str) or None


def _bps(text: Optional[str]) -> Optional[int]:
    """Bits per second: of "50Mbps" or "10Gbps"; None for other texts."""
    found = re.fullmatch(r"(\d{1,18})\s*([KMGT])bps", text or "")
    return int(found[1]) * UNITS[found[2]] if found else None


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
    levels = [BGP_LEVELS.get(field(each, "bgpStatus", str) or "", "unknown") for each in peers]
    messages = [
        f"BGP {field(each, 'addressFamily', str)} {field(each, 'bgpStatus', str)}" for each in peers
    ]
    return Health(redundant(levels), messages)


def _connection_queries(
    record: Record, name: str, scope: aws.Scope, known: Dimensions
) -> Iterator[cloudwatch.Query]:
    line = {"ConnectionId": name}
    yield from _queries("aws.dx", line, name)
    for lane in _lanes(name, known()):
        yield from _queries(
            "aws.dx_lane", {**line, "OpticalLaneNumber": lane}, name, f"lane {lane}"
        )


def _interface_queries(
    record: Record, name: str, scope: aws.Scope, known: Dimensions
) -> Iterator[cloudwatch.Query]:
    port = field(record, "connectionId", str)
    if port:
        interface = {"ConnectionId": port, "VirtualInterfaceId": name}
        yield from _queries("aws.dx_interface", interface, name)
        for session in _sessions(record, interface, known()):
            yield from _queries("aws.dx_bgp", session, name, session.get("IpAddressFamily", ""))


def _queries(
    service: str, dimensions: dict[str, str], name: str, part: str = ""
) -> list[cloudwatch.Query]:
    return cloudwatch.queries(
        service,
        "AWS/DX",
        dimensions,
        name,
        "circuit",
        cloudwatch.FIVE_MINUTES_S,
        specialisation=part or None,
    )


def _lanes(line: str, known: dict[str, list[dict[str, str]]]) -> list[str]:
    """The optical lanes of a connection; a hosted one has no metrics of lanes."""
    found = set()
    for metric in ("ConnectionLightLevelTx", "ConnectionLightLevelRx"):
        for dimensions in known.get(metric, ()):
            if dimensions.get("ConnectionId") == line:
                found.add(dimensions.get("OpticalLaneNumber", ""))
    return sorted(found - {""}, key=lambda lane: (len(lane), lane))


def _sessions(
    record: Record, interface: dict[str, str], known: dict[str, list[dict[str, str]]]
) -> list[dict[str, str]]:
    """The dimensions of the interface's BGP state, one for each address family that it has a peer of.

    CloudWatch may have points of a family without a peer, which would say that BGP is down.
    """
    listed = [
        dimensions
        for dimensions in known.get("VirtualInterfaceBgpStatus", ())
        if interface.items() <= dimensions.items()
    ]
    peers = objects(record, "bgpPeers") or [record]
    families = {field(each, "addressFamily", str) or "" for each in peers} - {""}
    by_family = [each for each in listed if each.get("IpAddressFamily") in families]
    return by_family or [each for each in listed if each == interface]


# Virtual interfaces first, since they have a connectionId too, and connections before LAGs, as they have a lagId.
KINDS = {
    "virtual_interface": Kind(
        "virtualInterfaceId",
        _interface,
        _interface_state,
        health=_bgp_health,
        queries=_interface_queries,
    ),
    "direct_connect": Kind(
        "connectionId", _connection, _connection_state, queries=_connection_queries
    ),
    "direct_connect_lag": Kind("lagId", _lag, _lag_state),
}
TRAIL = (cloudtrail.by_source("directconnect", r"dx(?:con|lag|vif)-[0-9a-z]+"),)
