"""What Network Manager lists: global networks with their sites, devices and links, and Cloud WAN. 500 a page.

https://docs.aws.amazon.com/networkmanager/latest/APIReference/
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable, TypeVar

from modules.wan_links.aws.core_networks import TRANSIT_GATEWAY_ATTACHMENT
from modules.wan_links.aws.records import Lookups, Record
from shared.engine.contracts import Page, Requested
from shared.providers import aws
from shared.records.fields import field, needed

T = TypeVar("T")
SERVICE, PAGE_SIZE = "networkmanager", 500
GONE = ("DELETED", "DELETING")  # of an association
NETWORK_LISTINGS = (  # of a global network; they are independent of one another
    ("get_connections", "Connections"),
    ("get_links", "Links"),
    ("get_devices", "Devices"),
    ("get_sites", "Sites"),
    ("get_link_associations", "LinkAssociations"),
    ("get_customer_gateway_associations", "CustomerGatewayAssociations"),
)


@dataclasses.dataclass(frozen=True)
class Network:
    """What a global network holds. Its sites, devices and links are of no other one."""

    connections: list[Record]
    links: dict[str, Record]
    devices: dict[str, Record]
    sites: dict[str, Record]
    devices_of: dict[str, set[str]]  # by link
    gateways_of: dict[str, set[str]]  # ARNs, by link


def fetch(scope: aws.Scope) -> Iterator[Page[Record, Lookups]]:
    if not scope.asks_for_all:
        return

    def listed(operation: str, key: str) -> list[Record]:
        return _listed(scope, operation, key, aws.offered_pages)

    listings: tuple[Callable[[], Any], ...] = (
        lambda: _networks(scope),
        lambda: aws.keyed(listed("list_core_networks", "CoreNetworks"), "CoreNetworkId"),
        lambda: listed("list_attachments", "Attachments"),
        lambda: aws.for_each(
            scope,
            lambda peering: _peering_with_its_attachment(scope, peering),
            listed("list_peerings", "Peerings"),
        ),
    )
    networks, core_networks, attachments, peerings = scope.workers.ahead(listings)
    links = _joined(network.links for network in networks)
    gateways_of = _joined(network.gateways_of for network in networks)
    attachment_ids = {needed(attachment, "AttachmentId", str) for attachment in attachments}
    owner = None
    if attachments or peerings or gateways_of:
        owner = aws.account(scope.session)
    lookups = Lookups(
        sites=_joined(network.sites for network in networks),
        devices=_joined(network.devices for network in networks),
        links=links,
        core_networks=core_networks,
        attachments=attachment_ids,
        devices_of=_joined(network.devices_of for network in networks),
        gateways_of=gateways_of,
        owner=owner,
    )
    connections = [connection for network in networks for connection in network.connections]
    yield Page(aws.of_kind("link", links.values()), lookups)
    yield Page(aws.of_kind("connection", connections), lookups)
    yield Page(aws.of_kind("attachment", attachments), lookups)
    yield Page(aws.of_kind("peering", peerings), lookups)


def fetch_status(scope: aws.Scope, requested: Requested) -> Iterator[Page[Record, None]]:
    """All links; where some are requested only the kinds that the ids may be of, without what those only name."""
    if requested is None:
        for page in fetch(scope):
            yield Page(page.records, None)
        return
    kinds = {name.partition("-")[0] for name in requested} if scope.asks_for_all else set()
    if kinds & {"link", "connection"}:
        for network in _global_networks(scope):
            with aws.may_be_gone():
                for kind in sorted(kinds & {"link", "connection"}):
                    records = _listed(
                        scope,
                        f"get_{kind}s",
                        f"{kind.title()}s",
                        aws.pages,
                        GlobalNetworkId=network,
                    )
                    yield Page(aws.of_kind(kind, records), None)
    for kind in sorted(kinds & {"attachment", "peering"}):
        records = _listed(scope, f"list_{kind}s", f"{kind.title()}s", aws.offered_pages)
        yield Page(aws.of_kind(kind, records), None)


def _global_networks(scope: aws.Scope) -> list[str]:
    networks = _listed(scope, "describe_global_networks", "GlobalNetworks", aws.offered_pages)
    return [needed(network, "GlobalNetworkId", str) for network in networks]


def _networks(scope: aws.Scope) -> list[Network]:
    """The global networks, without those that were deleted since they were listed."""
    names = _global_networks(scope)
    found = aws.for_each_left(scope, lambda name: _network(scope, name), names)
    return [network for _, network in found]


def _network(scope: aws.Scope, name: str) -> Network:
    def listed(listing: tuple[str, str]) -> list[Record]:
        return _listed(scope, *listing, aws.pages, GlobalNetworkId=name)

    connections, links, devices, sites, of_devices, of_gateways = aws.for_each(
        scope, listed, NETWORK_LISTINGS
    )
    devices_of: dict[str, set[str]] = {}
    for association in of_devices:
        if field(association, "LinkAssociationState", str) not in GONE:
            link, device = needed(association, "LinkId", str), needed(association, "DeviceId", str)
            devices_of.setdefault(link, set()).add(device)
    gateways_of: dict[str, set[str]] = {}
    for association in of_gateways:
        of_link = field(association, "LinkId", str)
        if of_link and field(association, "State", str) not in GONE:
            gateway = needed(association, "CustomerGatewayArn", str)
            gateways_of.setdefault(of_link, set()).add(gateway)
    return Network(
        connections,
        aws.keyed(links, "LinkId"),
        aws.keyed(devices, "DeviceId"),
        aws.keyed(sites, "SiteId"),
        devices_of,
        gateways_of,
    )


def _joined(parts: Iterable[Mapping[str, T]]) -> dict[str, T]:
    return {name: value for part in parts for name, value in part.items()}


def _listed(
    scope: aws.Scope,
    operation: str,
    key: str,
    pages: Callable[..., Iterator[list[Record]]],
    **params: Any,
) -> list[Record]:
    return aws.listed(scope, SERVICE, operation, key, walk=pages, page_size=PAGE_SIZE, **params)


def _peering_with_its_attachment(scope: aws.Scope, peering: Record) -> Record:
    """The listing of peerings does not name the attachment of the transit gateway."""
    attachment = None
    with aws.may_be_gone():
        response = aws.call(
            scope,
            SERVICE,
            "get_transit_gateway_peering",
            PeeringId=needed(peering, "PeeringId", str),
        )
        described = field(response, "TransitGatewayPeering", dict) or {}
        attachment = field(described, TRANSIT_GATEWAY_ATTACHMENT, str)
    return {**peering, TRANSIT_GATEWAY_ATTACHMENT: attachment}
