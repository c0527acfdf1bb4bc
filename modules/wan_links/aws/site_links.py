"""Network Manager's links and connections of sites, and attachments and peerings of Cloud WAN.

API: Network Manager DescribeGlobalNetworks, of each network GetSites, GetDevices, GetLinks, GetConnections,
GetLinkAssociations and GetCustomerGatewayAssociations; ListCoreNetworks, ListAttachments, ListPeerings;
500 a page, and GetTransitGatewayPeering for each peering.
https://docs.aws.amazon.com/networkmanager/latest/APIReference/

It is one service for the whole account: the first of the account's regions asks it, the others have
nothing to ask. A link has one end that Network Manager knows, at a site: what it leads to is not told.
Sites, devices and links are the customer's entries: AVAILABLE says that they are registered, not that
they work.

VPNs, transit gateways and their peering attachments are other families': links connect to them, as far
as they are the account's own and in a region that is polled.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable, Optional

from nflex_connector_utils import Circuit, Connections, Locations, Metadata

from shared.engine.poll import Requested
from shared.providers import aws
from shared.providers.aws import regions
from shared.records.fields import field, items, needed, objects
from shared.records.metadata import metadata
from shared.records.status import Point

PERMISSIONS = (
    "ec2:DescribeRegions",
    "networkmanager:DescribeGlobalNetworks",
    "networkmanager:GetConnections",
    "networkmanager:GetCustomerGatewayAssociations",
    "networkmanager:GetDevices",
    "networkmanager:GetLinkAssociations",
    "networkmanager:GetLinks",
    "networkmanager:GetSites",
    "networkmanager:GetTransitGatewayPeering",
    "networkmanager:ListAttachments",
    "networkmanager:ListCoreNetworks",
    "networkmanager:ListPeerings",
)
CALLS = (
    "1 DescribeRegions; an account: 1 DescribeGlobalNetworks + a page each of ListCoreNetworks, "
    "ListAttachments and ListPeerings (500 a page); a global network: a page each of GetSites, GetDevices, "
    "GetLinks, GetConnections, GetLinkAssociations and GetCustomerGatewayAssociations; a peering: "
    "1 GetTransitGatewayPeering; + 1 GetCallerIdentity where something may be the account's own"
)
RECORD_IDS = ("ConnectionId", "AttachmentId", "PeeringId", "LinkId")

SERVICE, PAGE = "networkmanager", 500
TRANSIT_GATEWAY_ATTACHMENT = "TransitGatewayPeeringAttachmentId"  # of a peering; fetch adds it
GONE = ("DELETED", "DELETING")  # of an association
MBPS = 10**6
NETWORK_LISTINGS = (  # of a global network, which are independent of one another
    ("get_connections", "Connections"),
    ("get_links", "Links"),
    ("get_devices", "Devices"),
    ("get_sites", "Sites"),
    ("get_link_associations", "LinkAssociations"),
    ("get_customer_gateway_associations", "CustomerGatewayAssociations"),
)

LINK_DETAILS = ("Bandwidth", "Description", "GlobalNetworkId", "State", "Type")
CONNECTION_DETAILS = ("Description", "GlobalNetworkId", "State")
CORE_DETAILS = (
    "CoreNetworkId",
    "EdgeLocation",
    "LastModificationErrors",
    "OwnerAccountId",
    "ResourceArn",
    "State",
)
ATTACHMENT_DETAILS = (
    *CORE_DETAILS,
    "AttachmentPolicyRuleNumber",
    "AttachmentType",
    "EdgeLocations",
    "NatGatewaySupport",
    "NatSystemRouteSupport",
    "NetworkFunctionGroupName",
    "ProposedNetworkFunctionGroupChange",
    "ProposedSegmentChange",
    "SegmentName",
    "UpdatedAt",
)
PEERING_DETAILS = (*CORE_DETAILS, "PeeringType", TRANSIT_GATEWAY_ATTACHMENT)
STATES = {
    "AVAILABLE": "running",
    "CREATING": "pending",
    "DELETING": "shutting",
    "FAILED": "stopped",
    "PENDING": "pending",
    "PENDING_ATTACHMENT_ACCEPTANCE": "pending",
    "PENDING_NETWORK_UPDATE": "pending",
    "PENDING_TAG_ACCEPTANCE": "pending",
    "REJECTED": "stopped",
    "UPDATING": "pending",
}
LEVELS = {"running": "ok", "stopped": "error", "unknown": "unknown"}

Records = dict[str, dict[str, Any]]  # by id


@dataclasses.dataclass
class Lookups:
    """What links only name. ``fetch`` fills it."""

    sites: Records = dataclasses.field(default_factory=dict)
    devices: Records = dataclasses.field(default_factory=dict)
    links: Records = dataclasses.field(default_factory=dict)
    core_networks: Records = dataclasses.field(default_factory=dict)
    attachments: set[str] = dataclasses.field(default_factory=set)
    devices_of: dict[str, set[str]] = dataclasses.field(default_factory=dict)  # by link
    gateways_of: dict[str, set[str]] = dataclasses.field(default_factory=dict)  # ARNs, by link
    owner: Optional[str] = None  # the account's number


def lookups(scope: aws.Scope) -> Lookups:
    return Lookups()


def fetch(scope: aws.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    if not scope.asks_for_all:
        return
    connections: list[dict[str, Any]] = []
    networks = _listed(scope, "describe_global_networks", "GlobalNetworks", aws.offered_pages)
    for network in networks:
        with aws.may_be_gone():
            connections += _network(scope, needed(network, "GlobalNetworkId", str), lookups)
    lookups.core_networks = aws.keyed(
        _listed(scope, "list_core_networks", "CoreNetworks", aws.offered_pages), "CoreNetworkId"
    )
    attachments = _listed(scope, "list_attachments", "Attachments", aws.offered_pages)
    lookups.attachments = {needed(each, "AttachmentId", str) for each in attachments}
    peerings = aws.for_each(
        scope,
        lambda each: _peering_with_its_attachment(scope, each),
        _listed(scope, "list_peerings", "Peerings", aws.offered_pages),
    )
    if attachments or peerings or lookups.gateways_of:
        lookups.owner = aws.account(scope.session)
    yield aws.of_kind("link", lookups.links.values())
    yield aws.of_kind("connection", connections)
    yield aws.of_kind("attachment", attachments)
    yield aws.of_kind("peering", peerings)


def fetch_status(
    scope: aws.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[dict[str, Any]]]:
    """Of some that are requested only the kinds that the ids may be, without what those only name."""
    if requested is None:
        yield from fetch(scope, lookups)
        return
    kinds = {each.partition("-")[0] for each in requested} if scope.asks_for_all else set()
    if kinds & {"link", "connection"}:
        for network in _listed(
            scope, "describe_global_networks", "GlobalNetworks", aws.offered_pages
        ):
            of = {"GlobalNetworkId": needed(network, "GlobalNetworkId", str)}
            with aws.may_be_gone():
                for kind in sorted(kinds & {"link", "connection"}):
                    found = _listed(scope, f"get_{kind}s", f"{kind.title()}s", aws.pages, **of)
                    yield aws.of_kind(kind, found)
    for kind in sorted(kinds & {"attachment", "peering"}):
        found = _listed(scope, f"list_{kind}s", f"{kind.title()}s", aws.offered_pages)
        yield aws.of_kind(kind, found)


def _network(scope: aws.Scope, network: str, lookups: Lookups) -> list[dict[str, Any]]:
    """The connections of a global network; its sites, devices, links and what goes with them are noted."""

    def listed(listing: tuple[str, str]) -> list[dict[str, Any]]:
        return _listed(scope, *listing, aws.pages, GlobalNetworkId=network)

    connections, all_links, all_devices, all_sites, of_devices, of_gateways = aws.for_each(
        scope, listed, NETWORK_LISTINGS
    )
    links, devices = aws.keyed(all_links, "LinkId"), aws.keyed(all_devices, "DeviceId")
    sites = aws.keyed(all_sites, "SiteId")
    for each in of_devices:
        if field(each, "LinkAssociationState", str) not in GONE:
            link, device = needed(each, "LinkId", str), needed(each, "DeviceId", str)
            lookups.devices_of.setdefault(link, set()).add(device)
    for each in of_gateways:
        of_link = field(each, "LinkId", str)
        if of_link and field(each, "State", str) not in GONE:
            gateway = needed(each, "CustomerGatewayArn", str)
            lookups.gateways_of.setdefault(of_link, set()).add(gateway)
    lookups.links.update(links)
    lookups.devices.update(devices)
    lookups.sites.update(sites)
    return connections


def _listed(
    scope: aws.Scope,
    operation: str,
    key: str,
    pages: Callable[..., Iterator[list[dict[str, Any]]]],
    **asked: Any,
) -> list[dict[str, Any]]:
    return aws.listed(scope, SERVICE, operation, key, walk=pages, page_size=PAGE, **asked)


def _peering_with_its_attachment(scope: aws.Scope, peering: dict[str, Any]) -> dict[str, Any]:
    """The list does not tell which attachment of the transit gateway a peering is."""
    attachment = None
    with aws.may_be_gone():
        answer = aws.call(
            scope,
            SERVICE,
            "get_transit_gateway_peering",
            PeeringId=needed(peering, "PeeringId", str),
        )
        found = field(answer, "TransitGatewayPeering", dict) or {}
        attachment = field(found, TRANSIT_GATEWAY_ATTACHMENT, str)
    return {**peering, TRANSIT_GATEWAY_ATTACHMENT: attachment}


# --- one record -> one circuit ----------------------------------------------------------------------


def convert(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> Circuit:
    name = _link_id(record)
    made = CONVERT[needed(record, aws.KIND, str)](record, scope, lookups)
    return Circuit(
        id=name,
        name=aws.named(record, name),
        type_id="wan_link",
        reference=name,
        provider_created_at=field(record, "CreatedAt", datetime.datetime),
        **made,
    )


def status(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> Iterable[Point]:
    """Network Manager's word, and the errors of the last change where it tells some."""
    word = field(record, "State", str)
    level = LEVELS.get(STATES.get(word or "", "unknown"), "warning")
    message = word or "Network Manager tells no state"
    errors = [
        " ".join(filter(None, (field(each, "Code", str), field(each, "Message", str))))
        for each in objects(record, "LastModificationErrors")
    ]
    if errors:
        message += f": {'; '.join(errors)}"
        level = "warning" if level == "ok" else level
    elif needed(record, aws.KIND, str) in ("link", "connection") and level == "ok":
        message += " in Network Manager, which does not measure it"
    return [Point(_link_id(record), "circuit", level, " ".join(message.split()), None)]


def _link_id(record: dict[str, Any]) -> str:
    kind = aws.kind_of(record, CONVERT, "link")
    return needed(record, f"{kind.title()}Id", str)


def _site_link(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """A line of a carrier at a site."""
    name, site = needed(record, "LinkId", str), field(record, "SiteId", str)
    devices = sorted(lookups.devices_of.get(name, ()))
    called = ", ".join(filter(None, (_called(each, lookups.devices) for each in devices)))
    end = _with(_called(site, lookups.sites), called)
    bandwidth = field(record, "Bandwidth", dict) or {}
    gateways = [_arn(each) for each in lookups.gateways_of.get(name, ())]
    return {
        "carrier": field(record, "Provider", str) or None,
        "endpoint_a": end,
        "locations": Locations(_places([site], lookups)),
        "connections": Connections(
            appliances=sorted(each.id for each in gateways if each.is_reported(scope, lookups))
        ),
        "metadata": _metadata(
            record,
            LINK_DETAILS,
            ends=[{"name": end, "SiteId": site, "DeviceIds": devices}],
            upload_bps=_bps(bandwidth, "UploadSpeed"),
            download_bps=_bps(bandwidth, "DownloadSpeed"),
        ),
    }


def _connection(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """From one device to another, over a link of each."""
    ends = [
        _end(field(record, device, str), field(record, link, str), lookups)
        for device, link in (("DeviceId", "LinkId"), ("ConnectedDeviceId", "ConnectedLinkId"))
    ]
    carriers = {end["Provider"] for end in ends}
    connections = Connections()
    links = {end["LinkId"] for end in ends if end["LinkId"] in lookups.links}
    connections.add(type="circuit", connections=sorted(links))
    return {
        "carrier": carriers.pop() if len(carriers) == 1 else None,
        "endpoint_a": ends[0]["name"],
        "endpoint_b": ends[1]["name"],
        "locations": Locations(_places([end["SiteId"] for end in ends], lookups)),
        "connections": connections,
        "metadata": _metadata(record, CONNECTION_DETAILS, ends=ends),
    }


def _attachment(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """From a core network to a VPC, a VPN, a Direct Connect gateway or what else it may join."""
    resource = _arn(field(record, "ResourceArn", str))
    connections = Connections()
    if resource.is_reported(scope, lookups) and resource.kind in ("vpc", "vpn-connection"):
        kind = "network" if resource.kind == "vpc" else "circuit"
        connections.add(type=kind, connections=[resource.id])
    if resource.kind == "attachment" and resource.id in lookups.attachments:
        connections.add(type="circuit", connections=[resource.id])
    return {
        **_core(record, resource, lookups),
        "connections": connections,
        "metadata": _metadata(record, ATTACHMENT_DETAILS),
    }


def _peering(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """From a core network to a transit gateway."""
    gateway = _arn(field(record, "ResourceArn", str))
    attachment = field(record, TRANSIT_GATEWAY_ATTACHMENT, str)
    connections = Connections()
    if gateway.is_reported(scope, lookups):
        connections.add(appliances=[gateway.id])
        connections.add(type="circuit", connections=[attachment] if attachment else [])
    return {
        **_core(record, gateway, lookups),
        "connections": connections,
        "metadata": _metadata(record, PEERING_DETAILS),
    }


def _core(record: dict[str, Any], resource: "_Arn", lookups: Lookups) -> dict[str, Any]:
    """What attachments and peerings of a core network have in common."""
    core, edge = field(record, "CoreNetworkId", str), field(record, "EdgeLocation", str)
    tagged = aws.tags(lookups.core_networks.get(core or "") or {}).get("Name")
    edges = [edge] if edge else items(record, "EdgeLocations", str)
    return {
        "endpoint_a": _with(core, ", ".join(filter(None, [tagged, *edges]))),
        "endpoint_b": resource.shown(lookups),
        **(regions.aws(edge) if edge else {}),
    }


CONVERT: dict[str, Callable[[dict[str, Any], aws.Scope, Lookups], dict[str, Any]]] = {
    "attachment": _attachment,
    "connection": _connection,
    "link": _site_link,
    "peering": _peering,
}


# --- ends -----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Arn:
    """arn:partition:service:region:account:kind/id; all are empty where there is none."""

    region: str = ""
    account: str = ""
    kind: str = ""
    id: str = ""

    def is_reported(self, scope: aws.Scope, lookups: Lookups) -> bool:
        """Whether other families have it: the account's own, in a region that is polled."""
        own = lookups.owner is not None and self.account == lookups.owner
        return own and self.region in scope.session.regions and bool(self.id)

    def shown(self, lookups: Lookups) -> Optional[str]:
        """As a person can read it: "vpc-0a1b (eu-west-1)", with the account of others."""
        other = f"account {self.account}" if self.account != lookups.owner else None
        return _with(self.id or None, ", ".join(filter(None, [other, self.region])))


def _arn(text: Optional[str]) -> _Arn:
    parts = (text or "").split(":", 5)
    if len(parts) < 6:
        return _Arn()
    kind, _, identifier = parts[5].rpartition("/")
    return _Arn(parts[3], parts[4], kind, identifier)


def _end(device: Optional[str], link: Optional[str], lookups: Lookups) -> dict[str, Any]:
    """One end of a connection: named by its site, its device and its link."""
    known = lookups.links.get(link or "") or {}
    site = field(lookups.devices.get(device or "") or {}, "SiteId", str)
    site = site or field(known, "SiteId", str)
    inside = " ".join(
        filter(None, (_called(device, lookups.devices), _called(link, lookups.links)))
    )
    where = _called(site, lookups.sites)
    return {
        "name": _with(where, inside) or inside or None,
        "SiteId": site,
        "DeviceId": device,
        "LinkId": link,
        "Provider": field(known, "Provider", str),
    }


def _called(identifier: Optional[str], known: Records) -> Optional[str]:
    """Its Name tag, or else the id."""
    return identifier and aws.named(known.get(identifier) or {}, identifier)


def _with(name: Optional[str], more: str) -> Optional[str]:
    return f"{name} ({more})" if name and more else name


def _places(sites: Iterable[Optional[str]], lookups: Lookups) -> list[dict[str, Any]]:
    """Where the sites are, each once. Their coordinates are text that a person wrote."""
    found: dict[str, dict[str, Any]] = {}
    for site in filter(None, sites):
        location = field(lookups.sites.get(site) or {}, "Location", dict) or {}
        spot: dict[str, Any] = {"name": _called(site, lookups.sites)}
        latitude, longitude = (_number(location, name) for name in ("Latitude", "Longitude"))
        if latitude is not None and longitude is not None:
            spot.update(latitude=latitude, longitude=longitude)
        found[site] = {"type": "customer", "location": spot}
    return list(found.values())


def _number(location: Mapping[str, Any], name: str) -> Optional[float]:
    text = field(location, name, str) or ""
    return float(text) if re.fullmatch(r"\s*[-+]?\d{1,3}(\.\d+)?\s*", text) else None


def _bps(bandwidth: dict[str, Any], name: str) -> Optional[int]:
    mbps = field(bandwidth, name, int)
    return None if mbps is None else mbps * MBPS


def _metadata(record: dict[str, Any], names: Iterable[str], **more: Any) -> Metadata:
    word = field(record, "State", str)
    return metadata(
        record,
        names,
        aws.tags(record),
        link_kind=needed(record, aws.KIND, str),
        state=STATES.get(word or "", "unknown"),
        **more,
    )
