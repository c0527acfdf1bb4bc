"""Site-to-site VPN connections: EC2 DescribeVpnConnections, all in one response.

A VPN connection's record holds its pre-shared keys, twice; those fields are never used.
"""

import datetime
from collections.abc import Iterator
from typing import Any

from nflex_connector_utils import Connections

from modules.circuits.aws.records import (
    Dimensions,
    Health,
    Kind,
    Lookups,
    Record,
    with_name,
    with_tag,
)
from shared.engine.contracts import Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata
from shared.records.status import redundant

PERMISSIONS = ("ec2:DescribeVpnConnections",)

DETAILS = (
    "Category",
    "CoreNetworkArn",
    "CoreNetworkAttachmentArn",
    "CustomerGatewayId",
    "GatewayAssociationState",
    "Routes",
    "State",
    "TransitGatewayId",
    "Type",
    "VpnConcentratorId",
    "VpnGatewayId",
)
OPTIONS = (
    "EnableAcceleration",
    "LocalIpv4NetworkCidr",
    "LocalIpv6NetworkCidr",
    "OutsideIpAddressType",
    "RemoteIpv4NetworkCidr",
    "RemoteIpv6NetworkCidr",
    "StaticRoutesOnly",
    "TransportTransitGatewayAttachmentId",
    "TunnelBandwidth",
    "TunnelInsideIpVersion",
)
TUNNEL_DETAILS = (
    "AcceptedRouteCount",
    "CertificateArn",
    "LastStatusChange",
    "OutsideIpAddress",
    "Status",
    "StatusMessage",
)
TUNNEL_LEVELS = {"UP": "ok", "DOWN": "error"}


def listed(scope: aws.Scope, requested: Requested = None) -> dict[str, Record]:
    """The VPN connections by id."""
    vpns: dict[str, Record] = {}
    for page in aws.requested_pages(
        scope,
        "describe_vpn_connections",
        "VpnConnections",
        "vpn-connection-id",
        requested,
        "vpn-",
        restarted=vpns.clear,
    ):
        vpns.update(aws.keyed(page, "VpnConnectionId"))
    return vpns


def _convert(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "VpnConnectionId", str)
    customer, gateway = field(record, "CustomerGatewayId", str), field(record, "VpnGatewayId", str)
    transit, network = field(record, "TransitGatewayId", str), field(record, "CoreNetworkArn", str)
    peer = lookups.customer_gateways.get(customer or "") or {}
    address = field(peer, "IpAddress", str)
    name_tag = aws.tags(peer).get("Name")
    options = field(record, "Options", dict) or {}
    tunnels = [aws.only(tunnel, TUNNEL_DETAILS) for tunnel in objects(record, "VgwTelemetry")]
    tunnels.sort(key=lambda tunnel: str(tunnel["OutsideIpAddress"]))
    return {
        "id": name,
        "name": aws.named(record, name),
        "reference": name,
        "endpoint_a": with_name(address or name_tag or customer, name_tag if address else None),
        "endpoint_b": with_tag(gateway, lookups.vpn_gateways)
        or with_tag(transit, lookups.transit_gateways)
        or (network and network.rpartition("/")[2]),
        "connections": Connections(
            appliances=[
                *aws.reported([customer], lookups.customer_gateways),
                *aws.reported([transit], lookups.transit_gateways),
                *aws.reported([gateway], lookups.vpn_gateways),
            ]
        ),
        "metadata": metadata(
            record,
            DETAILS,
            aws.tags(record),
            Options={key: options[key] for key in OPTIONS if key in options},
            tunnels=tunnels,
        ),
        "native_portal_link": scope.link(
            "vpcconsole", f"VpnConnectionDetails:VpnConnectionId={name}"
        ),
    }


def _health(record: Record) -> Health:
    """One of the two tunnels is enough."""
    tunnels = sorted(
        objects(record, "VgwTelemetry"), key=lambda tunnel: str(tunnel.get("OutsideIpAddress"))
    )
    states = [field(tunnel, "Status", str) for tunnel in tunnels]
    levels = [TUNNEL_LEVELS.get(state or "", "unknown") for state in states]
    messages = [_tunnel_message(tunnel) for tunnel in tunnels]
    messages = messages or ["nothing is known of its tunnels"]
    since = [field(tunnel, "LastStatusChange", datetime.datetime) for tunnel in tunnels]
    return Health(redundant(levels), messages, max(filter(None, since), default=None))


def _tunnel_message(tunnel: Record) -> str:
    address, state = field(tunnel, "OutsideIpAddress", str), field(tunnel, "Status", str)
    reason = field(tunnel, "StatusMessage", str)
    return f"tunnel {address} {state}" + (f" ({reason})" if reason else "")


def _queries(
    record: Record, name: str, scope: aws.Scope, known: Dimensions
) -> Iterator[cloudwatch.Query]:
    period = cloudwatch.FIVE_MINUTES_S
    whole = {"VpnId": name}
    yield from cloudwatch.queries("aws.vpn", "AWS/VPN", whole, name, "circuit", period)
    for tunnel in objects(record, "VgwTelemetry"):
        address = field(tunnel, "OutsideIpAddress", str)
        if address:
            yield from cloudwatch.queries(
                "aws.vpn_tunnel",
                "AWS/VPN",
                {"VpnId": name, "TunnelIpAddress": address},
                name,
                "circuit",
                period,
                specialisation=address,
            )


KINDS = {"vpn": Kind("VpnConnectionId", _convert, health=_health, queries=_queries)}
TRAIL = (cloudtrail.by_type("AWS::EC2::VPNConnection", "vpn-"),)
