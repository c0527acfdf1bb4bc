"""Direct Connect, site-to-site VPNs, VPC peerings, and attachments and peerings of transit gateways.

APIs: Direct Connect DescribeConnections, DescribeLags, DescribeVirtualInterfaces, 100 a page; EC2
DescribeVpnConnections (all at once), DescribeVpcPeeringConnections, DescribeTransitGatewayAttachments and
DescribeTransitGatewayPeeringAttachments, 1,000 a page.
https://docs.aws.amazon.com/directconnect/latest/APIReference/
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/

Answers hold secrets: a VPN connection its pre-shared keys, twice, and a virtual interface its BGP keys,
twice or thrice. None of these fields is taken over. What was deleted is listed for an hour or more, and
is dropped. A peering of two regions of the account is listed in both: the requester's reports it, where
it is polled. Peerings are among the attachments too, which say less of them.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable, Optional, Union

from nflex_connector_utils import Circuit, Connections

from shared.engine.errors import UnexpectedResponse
from shared.engine.poll import Asked, Dropped, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch, regions
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata
from shared.records.status import Point, redundant, worst

PERMISSIONS = (
    "directconnect:DescribeConnections",
    "directconnect:DescribeDirectConnectGateways",
    "directconnect:DescribeLags",
    "directconnect:DescribeLocations",
    "directconnect:DescribeVirtualInterfaces",
    "ec2:DescribeCustomerGateways",
    "ec2:DescribeRegions",
    "ec2:DescribeTransitGatewayAttachments",
    "ec2:DescribeTransitGatewayPeeringAttachments",
    "ec2:DescribeTransitGateways",
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeVpcs",
    "ec2:DescribeVpnConnections",
    "ec2:DescribeVpnGateways",
)
STATUS_PERMISSIONS = (
    "directconnect:DescribeConnections",
    "directconnect:DescribeLags",
    "directconnect:DescribeVirtualInterfaces",
    "ec2:DescribeRegions",
    "ec2:DescribeTransitGatewayAttachments",
    "ec2:DescribeTransitGatewayPeeringAttachments",
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeVpnConnections",
)
METRICS_PERMISSIONS = (cloudwatch.PERMISSION, cloudwatch.LIST_PERMISSION, *STATUS_PERMISSIONS)
LOGS_PERMISSIONS = (cloudtrail.PERMISSION, "ec2:DescribeRegions")
CALLS = (
    "1 DescribeRegions; a region: ceil(VPCs/1000) DescribeVpcs + a page each of customer, virtual private "
    "and transit gateways + 1 DescribeVpnConnections + ceil(peerings/1000) "
    "DescribeVpcPeeringConnections + ceil(attachments/1000) DescribeTransitGatewayAttachments "
    "+ ceil(their peerings/1000) DescribeTransitGatewayPeeringAttachments; where there is Direct Connect: "
    "ceil(connections/100) DescribeConnections + ceil(LAGs/100) DescribeLags "
    "+ ceil(interfaces/100) DescribeVirtualInterfaces, with any of these + 1 DescribeLocations; "
    "+ ceil(gateways/100) DescribeDirectConnectGateways where one is named; "
    "+ 1 GetCallerIdentity an account with peerings"
)
RECORD_IDS = (
    "virtualInterfaceId",
    "connectionId",
    "lagId",
    "VpnConnectionId",
    "VpcPeeringConnectionId",
    "TransitGatewayAttachmentId",
)

DIRECT_CONNECT_PAGE = 100
KIND = "kind"  # of a record; fetch adds it
GONE = ("deleted", "expired", "failed", "rejected")
UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
DIRECT_CONNECT_IDS = ("dxcon-", "dxlag-", "dxvif-")  # how they begin
EC2_IDS = ("pcx-", "tgw-", "vpn-")
PEERINGS = ("vpc_peering", "transit_gateway_peering")
DIRECT_CONNECT = ("direct_connect", "direct_connect_lag", "virtual_interface")

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
VPN_DETAILS = (
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
VPN_OPTIONS = (
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
PEERING_DETAILS = ("AccepterVpcInfo", "ExpirationTime", "RequesterVpcInfo")
ATTACHMENT_DETAILS = (
    "Association",
    "ResourceId",
    "ResourceOwnerId",
    "ResourceType",
    "State",
    "TransitGatewayId",
    "TransitGatewayOwnerId",
)
GATEWAY_PEERING_DETAILS = (
    "AccepterTgwInfo",
    "AccepterTransitGatewayAttachmentId",
    "Options",
    "RequesterTgwInfo",
    "State",
)

Records = dict[str, dict[str, Any]]  # by id


@dataclasses.dataclass
class Lookups:
    """What circuits only name, and what they lie in. ``fetch`` and ``fetch_status`` fill it as far as they need it."""

    vpcs: Records = dataclasses.field(default_factory=dict)
    customer_gateways: Records = dataclasses.field(default_factory=dict)
    vpn_gateways: Records = dataclasses.field(default_factory=dict)
    transit_gateways: Records = dataclasses.field(default_factory=dict)
    owner: Optional[str] = None  # the account's number, where there are peerings
    vpns: Records = dataclasses.field(default_factory=dict)
    peerings: Records = dataclasses.field(default_factory=dict)  # of transit gateways
    ports: Records = dataclasses.field(default_factory=dict)  # Direct Connect connections and LAGs
    locations: dict[str, str] = dataclasses.field(default_factory=dict)  # code -> name
    direct_connect_gateways: Records = dataclasses.field(default_factory=dict)


def lookups(scope: aws.Scope) -> Lookups:
    return Lookups()


def _look_up(scope: aws.Scope, lookups: Lookups) -> None:
    lookups.vpcs = _there(scope, "describe_vpcs", "Vpcs", "VpcId")
    lookups.customer_gateways = _there(
        scope, "describe_customer_gateways", "CustomerGateways", "CustomerGatewayId"
    )
    lookups.vpn_gateways = _there(scope, "describe_vpn_gateways", "VpnGateways", "VpnGatewayId")
    lookups.transit_gateways = _there(
        scope, "describe_transit_gateways", "TransitGateways", "TransitGatewayId"
    )


def _there(scope: aws.Scope, operation: str, key: str, name: str) -> Records:
    """EC2's records by id, without those that were deleted."""
    listed = _by_id(aws.listed(scope, "ec2", operation, key), name)
    return {each: record for each, record in listed.items() if record.get("State") not in GONE}


def _by_id(records: Iterable[dict[str, Any]], name: str) -> Records:
    return {needed(record, name, str): record for record in records}


def fetch(scope: aws.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    _look_up(scope, lookups)
    lines = _direct_connect(scope)
    lookups.ports = {**lines["direct_connect"], **lines["direct_connect_lag"]}
    interfaces = lines["virtual_interface"].values()
    if lookups.ports or interfaces:
        for each in aws.listed(scope, "directconnect", "describe_locations", "locations"):
            code = needed(each, "locationCode", str)
            lookups.locations[code] = field(each, "locationName", str) or code
    if any(field(each, "directConnectGatewayId", str) for each in interfaces):
        _name_gateways(scope, lookups)
    for kind, records in lines.items():
        yield _of_kind(kind, records.values())
    for page in _vpns_and_peerings(scope, lookups):
        if lookups.owner is None and any(each[KIND] in PEERINGS for each in page):
            lookups.owner = aws.account(scope.session)
        yield page
    for page in _attachments(scope):
        if not lookups.direct_connect_gateways and _any(page, "direct-connect-gateway"):
            _name_gateways(scope, lookups)
        yield _of_kind("transit_gateway_attachment", page)


def _vpns_and_peerings(
    scope: aws.Scope, lookups: Lookups, requested: Requested = None
) -> Iterator[list[dict[str, Any]]]:
    for page in aws.requested_pages(
        scope,
        "describe_vpn_connections",
        "VpnConnections",
        "vpn-connection-id",
        requested,
        "vpn-",
        restarted=lookups.vpns.clear,
    ):
        lookups.vpns.update(_by_id(page, "VpnConnectionId"))
    yield _of_kind("vpn", lookups.vpns.values())
    for page in aws.requested_pages(
        scope,
        "describe_vpc_peering_connections",
        "VpcPeeringConnections",
        "vpc-peering-connection-id",
        requested,
        "pcx-",
    ):
        yield _of_kind("vpc_peering", page)
    peerings: Records = {}
    for page in aws.requested_pages(
        scope,
        "describe_transit_gateway_peering_attachments",
        "TransitGatewayPeeringAttachments",
        "transit-gateway-attachment-id",
        requested,
        "tgw-attach-",
        restarted=peerings.clear,
    ):
        peerings.update(_by_id(page, "TransitGatewayAttachmentId"))
    lookups.peerings = {  # moto lists all attachments here
        name: each
        for name, each in peerings.items()
        if _side(each, "Requester") or _side(each, "Accepter")
    }
    yield _of_kind("transit_gateway_peering", lookups.peerings.values())


def _attachments(scope: aws.Scope, requested: Requested = None) -> Iterator[list[dict[str, Any]]]:
    return aws.requested_pages(
        scope,
        "describe_transit_gateway_attachments",
        "TransitGatewayAttachments",
        "transit-gateway-attachment-id",
        requested,
        "tgw-attach-",
    )


def _of_kind(kind: str, records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**record, KIND: kind} for record in records]


def _any(attachments: Iterable[dict[str, Any]], kind: str) -> bool:
    return any(field(each, "ResourceType", str) == kind for each in attachments)


def _direct_connect(scope: aws.Scope, requested: Requested = None) -> dict[str, Records]:
    """By kind. Where some are requested, of the kinds that they may be: Direct Connect has no filters, its error
    for an unknown id has no code of its own, and all that there is of a kind mostly fits into one call.
    """
    wanted = [each for each in requested or () if not each.startswith(EC2_IDS)]
    return {
        kind: _by_id(
            aws.listed(
                scope,
                "directconnect",
                operation,
                key,
                walk=aws.offered_pages,
                page_size=DIRECT_CONNECT_PAGE,
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
    """Whether the id may be one of Direct Connect that begins so; one of another form may be any."""
    return name.startswith(begins) or not name.startswith(DIRECT_CONNECT_IDS)


def _name_gateways(scope: aws.Scope, lookups: Lookups) -> None:
    found = aws.listed(
        scope,
        "directconnect",
        "describe_direct_connect_gateways",
        "directConnectGateways",
        walk=aws.offered_pages,
        page_size=DIRECT_CONNECT_PAGE,
    )
    lookups.direct_connect_gateways = _by_id(found, "directConnectGatewayId")


# --- one record -> one circuit --------------------------------------------------------------------


def convert(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> Union[Circuit, Dropped]:
    kind = needed(record, KIND, str)
    dropped = _dropped(record, kind, scope, lookups)
    if dropped:
        return dropped
    return Circuit(type_id=kind, **CONVERT[kind](record, scope, lookups), **regions.aws(scope.name))


def _dropped(
    record: dict[str, Any], kind: str, scope: aws.Scope, lookups: Lookups
) -> Optional[Dropped]:
    """Why a record is no circuit of this region; None if it is one."""
    if kind not in CONVERT:
        raise UnexpectedResponse(f"field {KIND!r} names no kind of circuit")
    state = _state(record, kind)
    if state in GONE:
        return Dropped(state)
    if kind in PEERINGS:
        requester = _side(record, "Requester")
        same_owner = field(requester, "OwnerId", str) == field(
            _side(record, "Accepter"), "OwnerId", str
        )
        region = field(requester, "Region", str)
        if same_owner and region != scope.name and region in scope.session.regions:
            return Dropped("reported in the requester's region")
    is_attachment = kind == "transit_gateway_attachment"
    if is_attachment and field(record, "TransitGatewayAttachmentId", str) in lookups.peerings:
        return Dropped("reported as a peering")
    return None


def _state(record: dict[str, Any], kind: str) -> Optional[str]:
    if kind == "vpc_peering":
        return field(field(record, "Status", dict) or {}, "Code", str)
    names = dict(zip(DIRECT_CONNECT, ("connectionState", "lagState", "virtualInterfaceState")))
    return field(record, names.get(kind, "State"), str)


def _side(record: dict[str, Any], side: str) -> dict[str, Any]:
    """Of a peering: "Requester" or "Accepter"."""
    return field(record, f"{side}VpcInfo", dict) or field(record, f"{side}TgwInfo", dict) or {}


def _connection(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """A physical line, or a part of a partner's, from a Direct Connect location to the region."""
    name = needed(record, "connectionId", str)
    lag = field(record, "lagId", str)
    return {
        **_line(record, name, scope, lookups),
        "name": field(record, "connectionName", str) or name,
        "carrier": _carrier(record),
        "connections": Connections(type="circuit", connections=_known([lag], lookups.ports)),
        "metadata": metadata(
            record,
            CONNECTION_DETAILS,
            _tags(record),
            bandwidth_bps=_bps(field(record, "bandwidth", str)),
        ),
        "native_portal_link": scope.link("directconnect/v2", f"/connections/{name}"),
    }


def _lag(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
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


def _line(record: dict[str, Any], name: str, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """What lines and groups of them have in common."""
    return {
        "id": name,
        "reference": name,
        "endpoint_a": _location(record, lookups),
        "endpoint_b": f"AWS {scope.name}",
    }


def _interface(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """A VLAN of a line, to a virtual private gateway, a Direct Connect gateway or AWS's public addresses."""
    name = needed(record, "virtualInterfaceId", str)
    line, gateway = (
        field(record, "connectionId", str),
        field(record, "virtualGatewayId", str) or None,
    )
    port = lookups.ports.get(line or "") or {}
    through = field(port, "connectionName", str) or field(port, "lagName", str)
    far = _called(gateway, lookups.vpn_gateways)
    hub = field(record, "directConnectGatewayId", str)
    if hub:
        found = lookups.direct_connect_gateways.get(hub) or {}
        far = _with(hub, field(found, "directConnectGatewayName", str))
    if field(record, "virtualInterfaceType", str) == "public":
        far = "AWS public services"
    connections = Connections(appliances=_known([gateway], lookups.vpn_gateways))
    connections.add(type="circuit", connections=_known([line], lookups.ports))
    return {
        "id": name,
        "name": field(record, "virtualInterfaceName", str) or name,
        "carrier": _carrier(port),
        "reference": name,
        "endpoint_a": _with(line, through) if line and through else _location(record, lookups),
        "endpoint_b": far,
        "connections": connections,
        "metadata": metadata(
            record,
            INTERFACE_DETAILS,
            _tags(record),
            bgpPeers=[_of(peer, BGP_DETAILS) for peer in objects(record, "bgpPeers")],
        ),
        "native_portal_link": scope.link("directconnect/v2", f"/virtual-interfaces/{name}"),
    }


def _vpn(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "VpnConnectionId", str)
    customer, gateway = field(record, "CustomerGatewayId", str), field(record, "VpnGatewayId", str)
    transit, network = field(record, "TransitGatewayId", str), field(record, "CoreNetworkArn", str)
    peer = lookups.customer_gateways.get(customer or "") or {}
    address = field(peer, "IpAddress", str)
    tagged = aws.tags(peer).get("Name")
    options = field(record, "Options", dict) or {}
    tunnels = [_of(each, TUNNEL_DETAILS) for each in objects(record, "VgwTelemetry")]
    tunnels.sort(key=lambda tunnel: str(tunnel["OutsideIpAddress"]))
    return {
        "id": name,
        "name": aws.named(record, name),
        "reference": name,
        "endpoint_a": _with(address or tagged or customer, tagged if address else None),
        "endpoint_b": _called(gateway, lookups.vpn_gateways)
        or _called(transit, lookups.transit_gateways)
        or (network and network.rpartition("/")[2]),
        "connections": Connections(
            appliances=[
                *_known([customer], lookups.customer_gateways),
                *_known([transit], lookups.transit_gateways),
                *_known([gateway], lookups.vpn_gateways),
            ]
        ),
        "metadata": metadata(
            record,
            VPN_DETAILS,
            aws.tags(record),
            Options={key: options[key] for key in VPN_OPTIONS if key in options},
            tunnels=tunnels,
        ),
        "native_portal_link": scope.link(
            "vpcconsole", f"VpnConnectionDetails:VpnConnectionId={name}"
        ),
    }


def _vpc_peering(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "VpcPeeringConnectionId", str)
    requester, accepter = _side(record, "Requester"), _side(record, "Accepter")
    status = field(record, "Status", dict) or {}
    return {
        "id": name,
        "name": aws.named(record, name),
        "reference": name,
        "endpoint_a": _far_end(requester, "VpcId", lookups.vpcs, scope, lookups),
        "endpoint_b": _far_end(accepter, "VpcId", lookups.vpcs, scope, lookups),
        "connections": Connections(
            networks=_joined((requester, accepter), "VpcId", lookups.vpcs, scope, lookups)
        ),
        "metadata": metadata(
            record,
            PEERING_DETAILS,
            aws.tags(record),
            State=status.get("Code"),
            StateReason=status.get("Message"),
        ),
        "native_portal_link": scope.link(
            "vpcconsole", f"PeeringConnectionDetails:vpcPeeringConnectionId={name}"
        ),
    }


def _gateway_peering(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    requester, accepter = _side(record, "Requester"), _side(record, "Accepter")
    known = lookups.transit_gateways
    status = field(record, "Status", dict) or {}
    return {
        **_attached(record, scope),
        "endpoint_a": _far_end(requester, "TransitGatewayId", known, scope, lookups),
        "endpoint_b": _far_end(accepter, "TransitGatewayId", known, scope, lookups),
        "connections": Connections(
            appliances=_joined((requester, accepter), "TransitGatewayId", known, scope, lookups)
        ),
        "metadata": metadata(
            record,
            GATEWAY_PEERING_DETAILS,
            aws.tags(record),
            StateReason=status.get("Message"),
        ),
    }


def _attachment(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """From a transit gateway to a VPC, a VPN, a Direct Connect gateway or what else it may join."""
    gateway, other = field(record, "TransitGatewayId", str), field(record, "ResourceId", str)
    kind = field(record, "ResourceType", str)
    ends: dict[Optional[str], Callable[[], Optional[str]]] = {
        "vpc": lambda: _called(other, lookups.vpcs),
        "vpn": lambda: _called(other, lookups.vpns),
        "direct-connect-gateway": lambda: _with(
            other,
            field(
                lookups.direct_connect_gateways.get(other or "") or {},
                "directConnectGatewayName",
                str,
            ),
        ),
    }
    connections = Connections(
        appliances=_known([gateway], lookups.transit_gateways),
        networks=_known([other], lookups.vpcs),
    )
    vpns = {each: vpn for each, vpn in lookups.vpns.items() if vpn.get("State") not in GONE}
    connections.add(type="circuit", connections=_known([other], vpns))
    return {
        **_attached(record, scope),
        "endpoint_a": _called(gateway, lookups.transit_gateways),
        "endpoint_b": ends.get(kind, lambda: other)(),
        "connections": connections,
        "metadata": metadata(record, ATTACHMENT_DETAILS, aws.tags(record)),
    }


def _attached(record: dict[str, Any], scope: aws.Scope) -> dict[str, Any]:
    """What attachments and peerings of transit gateways have in common."""
    name = needed(record, "TransitGatewayAttachmentId", str)
    page = f"TransitGatewayAttachmentDetails:transitGatewayAttachmentId={name}"
    return {
        "id": name,
        "name": aws.named(record, name),
        "reference": name,
        "provider_created_at": field(record, "CreationTime", datetime.datetime),
        "native_portal_link": scope.link("vpcconsole", page),
    }


CONVERT: dict[str, Callable[[dict[str, Any], aws.Scope, Lookups], dict[str, Any]]] = {
    "direct_connect": _connection,
    "direct_connect_lag": _lag,
    "transit_gateway_attachment": _attachment,
    "transit_gateway_peering": _gateway_peering,
    "virtual_interface": _interface,
    "vpc_peering": _vpc_peering,
    "vpn": _vpn,
}


# --- names of ends --------------------------------------------------------------------------------


def _with(identifier: Optional[str], name: Optional[str]) -> Optional[str]:
    """As a person can read it: "vpc-0a1b (prod)"."""
    return f"{identifier} ({name})" if identifier and name else identifier


def _called(identifier: Optional[str], known: Records) -> Optional[str]:
    """With its Name tag, where the account has it and it has one."""
    return _with(identifier, aws.tags(known.get(identifier or "") or {}).get("Name"))


def _far_end(
    side: Mapping[str, Any], name: str, known: Records, scope: aws.Scope, lookups: Lookups
) -> Optional[str]:
    """One side of a peering; what is known elsewhere only is named by account and region."""
    identifier = field(side, name, str) or field(side, "CoreNetworkId", str)
    if identifier in known:
        return _called(identifier, known)
    region, owner = field(side, "Region", str), field(side, "OwnerId", str)
    where = [
        f"account {owner}" if owner and owner != lookups.owner else None,
        region if region != scope.name else None,
    ]
    return _with(identifier, ", ".join(filter(None, where)))


def _joined(
    sides: Iterable[Mapping[str, Any]],
    name: str,
    known: Records,
    scope: aws.Scope,
    lookups: Lookups,
) -> list[str]:
    """Of both sides, those that are reported: known here, or the account's own in another region."""
    ids = set()
    for side in sides:
        identifier, region = field(side, name, str), field(side, "Region", str)
        elsewhere = region != scope.name and region in scope.session.regions
        own = lookups.owner is not None and field(side, "OwnerId", str) == lookups.owner
        if identifier and (identifier in known or (own and elsewhere)):
            ids.add(identifier)
    return sorted(ids)


def _location(record: dict[str, Any], lookups: Lookups) -> Optional[str]:
    code = field(record, "location", str)
    return lookups.locations.get(code or "") or code


def _carrier(record: dict[str, Any]) -> Optional[str]:
    """Who brings the line to AWS: the partner that shares its own, or the location's provider."""
    return field(record, "partnerName", str) or field(record, "providerName", str) or None


def _bps(text: Optional[str]) -> Optional[int]:
    """Bits per second of "50Mbps" or "10Gbps"; None of anything else."""
    found = re.fullmatch(r"(\d{1,18})\s*([KMGT])bps", text or "")
    return int(found[1]) * UNITS[found[2]] if found else None


def _tags(record: dict[str, Any]) -> dict[str, str]:
    """Direct Connect writes its tags' keys in small letters."""
    return {
        needed(tag, "key", str): field(tag, "value", str) or "" for tag in objects(record, "tags")
    }


def _known(ids: Iterable[Optional[str]], known: Mapping[str, Any]) -> list[str]:
    return sorted({each for each in ids if each and each in known})


def _of(record: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: record.get(name) for name in names}


# --- status ---------------------------------------------------------------------------------------

# In service; not, or not fully, without a fault; faulty. Other words are unknown.
STATE_LEVELS = {
    "active": "ok",
    "available": "ok",
    "modifying": "ok",
    "confirming": "warning",
    "deleting": "warning",
    "initiating": "warning",
    "initiating-request": "warning",
    "initiatingRequest": "warning",
    "ordering": "warning",
    "pending": "warning",
    "pending-acceptance": "warning",
    "pendingAcceptance": "warning",
    "provisioning": "warning",
    "rejecting": "warning",
    "requested": "warning",
    "rollingBack": "warning",
    "testing": "warning",
    "verifying": "warning",
    "down": "error",
    "failing": "error",
}
TUNNEL_LEVELS = {"UP": "ok", "DOWN": "error"}
BGP_LEVELS = {"up": "ok", "down": "error"}
IDS = {
    "direct_connect": "connectionId",
    "direct_connect_lag": "lagId",
    "transit_gateway_attachment": "TransitGatewayAttachmentId",
    "transit_gateway_peering": "TransitGatewayAttachmentId",
    "virtual_interface": "virtualInterfaceId",
    "vpc_peering": "VpcPeeringConnectionId",
    "vpn": "VpnConnectionId",
}


def fetch_status(
    scope: aws.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[dict[str, Any]]]:
    for kind, records in _direct_connect(scope, requested).items():
        yield _of_kind(kind, records.values())
    yield from _vpns_and_peerings(scope, lookups, requested)
    for page in _attachments(scope, requested):
        yield _of_kind("transit_gateway_attachment", page)


def status(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> Iterator[Point]:
    """A VPN is as its two tunnels are, a virtual interface as its BGP sessions: one is enough to work."""
    kind = needed(record, KIND, str)
    if _dropped(record, kind, scope, lookups):
        return
    state = _state(record, kind) or "no state"
    levels, told = [STATE_LEVELS.get(state, "unknown")], [state]
    since: list[Optional[datetime.datetime]] = []
    reason = field(field(record, "Status", dict) or {}, "Message", str)
    if reason and levels != ["ok"]:
        told.append(reason)
    if kind == "vpn":
        tunnels = sorted(
            objects(record, "VgwTelemetry"), key=lambda each: str(each.get("OutsideIpAddress"))
        )
        found = [TUNNEL_LEVELS.get(field(each, "Status", str) or "", "unknown") for each in tunnels]
        levels.append(redundant(found))
        told += [_tunnel_told(each) for each in tunnels] or ["nothing is known of its tunnels"]
        since = [field(each, "LastStatusChange", datetime.datetime) for each in tunnels]
    peers = objects(record, "bgpPeers")
    if peers:
        found = [BGP_LEVELS.get(field(each, "bgpStatus", str) or "", "unknown") for each in peers]
        levels.append(redundant(found))
        told += [
            f"BGP {field(each, 'addressFamily', str)} {field(each, 'bgpStatus', str)}"
            for each in peers
        ]
    name = needed(record, IDS[kind], str)
    when = max(filter(None, since), default=None)
    yield Point(name, "circuit", worst(levels), "; ".join(told), when)


def _tunnel_told(tunnel: dict[str, Any]) -> str:
    address, state = field(tunnel, "OutsideIpAddress", str), field(tunnel, "Status", str)
    why = field(tunnel, "StatusMessage", str)
    return f"tunnel {address} {state}" + (f" ({why})" if why else "")


# --- metrics --------------------------------------------------------------------------------------

METRICS_SPAN = cloudwatch.SPAN


def metrics(scope: aws.Scope, lookups: Lookups, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    """Of lines and virtual interfaces, VPNs, attachments and peerings of transit gateways."""
    return cloudwatch.points(scope, asked, _queries(scope, lookups, asked))


Dimensions = dict[str, list[dict[str, str]]]  # as cloudwatch.known_dimensions gives them


def _queries(scope: aws.Scope, lookups: Lookups, asked: Asked) -> Iterator[cloudwatch.Query]:
    known: Optional[Dimensions] = None
    for page in fetch_status(scope, lookups, asked.resources):
        for record in page:
            kind = needed(record, KIND, str)
            name = needed(record, IDS[kind], str)
            if not asked.wants(name) or _dropped(record, kind, scope, lookups):
                continue
            if known is None and kind in ("direct_connect", "virtual_interface"):
                known = cloudwatch.known_dimensions(scope, "AWS/DX")
            yield from _of_circuit(record, kind, name, scope, known or {})


def _of_circuit(
    record: dict[str, Any], kind: str, name: str, scope: aws.Scope, known: Dimensions
) -> Iterator[cloudwatch.Query]:
    minute, five = cloudwatch.MINUTE_S, cloudwatch.FIVE_MINUTES_S

    def ask(
        service: str, namespace: str, period: int, dimensions: dict[str, str], part: str = ""
    ) -> list[cloudwatch.Query]:
        return cloudwatch.queries(
            service, namespace, dimensions, name, "circuit", period, specialisation=part or None
        )

    port = field(record, "connectionId", str)
    if kind == "direct_connect":
        line = {"ConnectionId": name}
        yield from ask("aws.dx", "AWS/DX", five, line)
        for lane in _lanes(name, known):
            of_lane = {**line, "OpticalLaneNumber": lane}
            yield from ask("aws.dx_lane", "AWS/DX", five, of_lane, f"lane {lane}")
    elif kind == "virtual_interface" and port:
        of = {"ConnectionId": port, "VirtualInterfaceId": name}
        yield from ask("aws.dx_interface", "AWS/DX", five, of)
        for dimensions in _sessions(record, of, known):
            family = dimensions.get("IpAddressFamily", "")
            yield from ask("aws.dx_bgp", "AWS/DX", five, dimensions, family)
    elif kind == "vpn":
        yield from ask("aws.vpn", "AWS/VPN", five, {"VpnId": name})
        for tunnel in objects(record, "VgwTelemetry"):
            address = field(tunnel, "OutsideIpAddress", str)
            if address:
                of_tunnel = {"VpnId": name, "TunnelIpAddress": address}
                yield from ask("aws.vpn_tunnel", "AWS/VPN", five, of_tunnel, address)
    elif kind in ("transit_gateway_attachment", "transit_gateway_peering"):
        gateway = field(_own_side(record, scope), "TransitGatewayId", str)
        if gateway:
            attached = {"TransitGateway": gateway, "TransitGatewayAttachment": name}
            yield from ask("aws.transitgateway", "AWS/TransitGateway", minute, attached)


def _lanes(line: str, known: Dimensions) -> list[str]:
    """The optical lanes of a Direct Connect port; a hosted connection shows none."""
    found = set()
    for metric in ("ConnectionLightLevelTx", "ConnectionLightLevelRx"):
        for dimensions in known.get(metric, ()):
            if dimensions.get("ConnectionId") == line:
                found.add(dimensions.get("OpticalLaneNumber", ""))
    return sorted(found - {""}, key=lambda lane: (len(lane), lane))


def _sessions(
    record: dict[str, Any], interface: dict[str, str], known: Dimensions
) -> list[dict[str, str]]:
    """The dimensions of the interface's BGP state: by address family, as far as it has a peer of that.

    CloudWatch may have points of a family without a peer: those would say that BGP is down.
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


def _own_side(record: dict[str, Any], scope: aws.Scope) -> dict[str, Any]:
    """Of a peering the side that is in this region; an attachment has but one."""
    for side in (_side(record, "Requester"), _side(record, "Accepter")):
        if field(side, "Region", str) == scope.name:
            return side
    return record


# --- logs -----------------------------------------------------------------------------------------

LOGS_SPAN = cloudtrail.SPAN
TRAIL = (
    cloudtrail.by_type("AWS::EC2::VPCPeeringConnection", "pcx-"),
    cloudtrail.by_type("AWS::EC2::VPNConnection", "vpn-"),
    cloudtrail.by_source("directconnect", r"dx(?:con|lag|vif)-[0-9a-z]+"),
    # by name: EC2 is the source of too many events
    cloudtrail.by_names(
        "CreateTransitGatewayVpcAttachment ModifyTransitGatewayVpcAttachment "
        "DeleteTransitGatewayVpcAttachment AcceptTransitGatewayVpcAttachment "
        "RejectTransitGatewayVpcAttachment CreateTransitGatewayPeeringAttachment "
        "DeleteTransitGatewayPeeringAttachment AcceptTransitGatewayPeeringAttachment "
        "RejectTransitGatewayPeeringAttachment CreateTransitGatewayConnect "
        "DeleteTransitGatewayConnect",
        "tgw-attach-[0-9a-z]+",
    ),
)


def logs(scope: aws.Scope, lookups: Lookups, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    return cloudtrail.events(scope, asked, "circuit", TRAIL)
