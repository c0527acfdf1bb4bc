"""Network Manager's links and connections of sites, and attachments and peerings of Cloud WAN.

API: Network Manager DescribeGlobalNetworks, of each network GetSites, GetDevices, GetLinks, GetConnections,
GetLinkAssociations and GetCustomerGatewayAssociations; ListCoreNetworks, ListAttachments, ListPeerings;
500 a page, and GetTransitGatewayPeering for each peering.
https://docs.aws.amazon.com/networkmanager/latest/APIReference/

It is one service for the whole account: the first of the account's regions polls it, the others make no calls.

VPNs, transit gateways and their peering attachments belong to other families: links connect to them where they are
the account's own and in a region that is polled.
"""

import datetime
from collections.abc import Iterable
from typing import Any, Callable

from nflex_connector_utils import Circuit

from modules.wan_links.aws.core_networks import convert_attachment, convert_peering
from modules.wan_links.aws.listings import fetch, fetch_status
from modules.wan_links.aws.records import STATES, Lookups, Record
from modules.wan_links.aws.site_links import convert_connection, convert_link
from shared.engine.contracts import Cell, Status
from shared.providers import aws
from shared.records.fields import field, needed, objects
from shared.records.status import Point

__all__ = ["CELL", "Lookups", "convert", "fetch", "fetch_status", "status"]

LEVELS = {"running": "ok", "stopped": "error", "unknown": "unknown"}

KINDS: dict[str, Callable[[Record, aws.Scope, Lookups], dict[str, Any]]] = {
    "attachment": convert_attachment,
    "connection": convert_connection,
    "link": convert_link,
    "peering": convert_peering,
}


def convert(record: Record, scope: aws.Scope, lookups: Lookups) -> Circuit:
    name = _link_id(record)
    circuit = KINDS[needed(record, aws.KIND, str)](record, scope, lookups)
    return Circuit(
        id=name,
        name=aws.named(record, name),
        type_id="wan_link",
        reference=name,
        provider_created_at=field(record, "CreatedAt", datetime.datetime),
        **circuit,
    )


def status(record: Record, scope: aws.Scope, lookups: None) -> Iterable[Point]:
    """Network Manager's state, and the errors of the last change where it lists any."""
    state = field(record, "State", str)
    level = LEVELS.get(STATES.get(state or "", "unknown"), "warning")
    message = (state or "").strip() or "Network Manager tells no state"
    errors = [
        " ".join(filter(None, (field(error, "Code", str), field(error, "Message", str))))
        for error in objects(record, "LastModificationErrors")
    ]
    if errors:
        message += f": {'; '.join(errors)}"
        level = "warning" if level == "ok" else level
    elif needed(record, aws.KIND, str) in ("link", "connection") and level == "ok":
        message += " in Network Manager, which does not measure it"
    return [Point(_link_id(record), "circuit", level, " ".join(message.split()), None)]


def _link_id(record: Record) -> str:
    kind = aws.kind_of(record, KINDS, "link")
    return needed(record, f"{kind.title()}Id", str)


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

CELL = Cell(
    calls=(
        "1 DescribeRegions; an account: 1 DescribeGlobalNetworks + a page each of ListCoreNetworks, "
        "ListAttachments and ListPeerings (500 a page); a global network: a page each of GetSites, GetDevices, "
        "GetLinks, GetConnections, GetLinkAssociations and GetCustomerGatewayAssociations; a peering: "
        "1 GetTransitGatewayPeering; + 1 GetCallerIdentity where something may be the account's own"
    ),
    permissions=PERMISSIONS,
    fetch=fetch,
    convert=convert,
    record_ids=("ConnectionId", "AttachmentId", "PeeringId", "LinkId"),
    status=Status(permissions=PERMISSIONS, points=status, fetch=fetch_status),
)
