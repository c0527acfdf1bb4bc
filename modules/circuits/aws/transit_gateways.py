"""Attachments and peerings of transit gateways.

APIs: EC2 DescribeTransitGatewayAttachments and DescribeTransitGatewayPeeringAttachments, 1,000 a page. Peerings
are among the attachments too, with less data.
"""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any, Callable, Optional

from nflex_connector_utils import Connections

from modules.circuits.aws.direct_connect import look_up_gateways
from modules.circuits.aws.peerings import elsewhere, far_end, joined, side
from modules.circuits.aws.records import (
    GONE,
    Dimensions,
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
from shared.records.fields import field, needed
from shared.records.metadata import metadata

PERMISSIONS = (
    "ec2:DescribeTransitGatewayAttachments",
    "ec2:DescribeTransitGatewayPeeringAttachments",
)

ATTACHMENT_DETAILS = (
    "Association",
    "ResourceId",
    "ResourceOwnerId",
    "ResourceType",
    "State",
    "TransitGatewayId",
    "TransitGatewayOwnerId",
)
PEERING_DETAILS = (
    "AccepterTgwInfo",
    "AccepterTransitGatewayAttachmentId",
    "Options",
    "RequesterTgwInfo",
    "State",
)


def fetch_peerings(
    scope: aws.Scope, lookups: Lookups, requested: Requested = None
) -> Iterator[list[Record]]:
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
        peerings.update(aws.keyed(page, "TransitGatewayAttachmentId"))
    lookups.peerings = {  # moto lists all attachments here
        name: each
        for name, each in peerings.items()
        if side(each, "Requester") or side(each, "Accepter")
    }
    yield aws.of_kind("transit_gateway_peering", lookups.peerings.values())


def fetch_attachments(scope: aws.Scope, lookups: Lookups) -> Iterator[list[Record]]:
    """Attachments, after the names of Direct Connect gateways that they need."""
    for page in _attachments(scope, None):
        if not lookups.direct_connect_gateways and _any(page, "direct-connect-gateway"):
            look_up_gateways(scope, lookups)
        yield aws.of_kind("transit_gateway_attachment", page)


def fetch_attachments_status(scope: aws.Scope, requested: Requested) -> Iterator[list[Record]]:
    for page in _attachments(scope, requested):
        yield aws.of_kind("transit_gateway_attachment", page)


def _attachments(scope: aws.Scope, requested: Requested) -> Iterator[list[Record]]:
    return aws.requested_pages(
        scope,
        "describe_transit_gateway_attachments",
        "TransitGatewayAttachments",
        "transit-gateway-attachment-id",
        requested,
        "tgw-attach-",
    )


def _any(attachments: Iterable[Record], kind: str) -> bool:
    return any(field(each, "ResourceType", str) == kind for each in attachments)


def _peering(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    requester, accepter = side(record, "Requester"), side(record, "Accepter")
    known = lookups.transit_gateways
    status = field(record, "Status", dict) or {}
    return {
        **_attached(record, scope),
        "endpoint_a": far_end(requester, "TransitGatewayId", known, scope, lookups),
        "endpoint_b": far_end(accepter, "TransitGatewayId", known, scope, lookups),
        "connections": Connections(
            appliances=joined((requester, accepter), "TransitGatewayId", known, scope, lookups)
        ),
        "metadata": metadata(
            record,
            PEERING_DETAILS,
            aws.tags(record),
            StateReason=status.get("Message"),
        ),
    }


def _attachment(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """Between a transit gateway and a VPC, a VPN, a Direct Connect gateway or something else."""
    gateway, other = field(record, "TransitGatewayId", str), field(record, "ResourceId", str)
    kind = field(record, "ResourceType", str)
    ends: dict[Optional[str], Callable[[], Optional[str]]] = {
        "vpc": lambda: with_tag(other, lookups.vpcs),
        "vpn": lambda: with_tag(other, lookups.vpns),
        "direct-connect-gateway": lambda: with_name(
            other,
            field(
                lookups.direct_connect_gateways.get(other or "") or {},
                "directConnectGatewayName",
                str,
            ),
        ),
    }
    connections = Connections(
        appliances=aws.reported([gateway], lookups.transit_gateways),
        networks=aws.reported([other], lookups.vpcs),
    )
    vpns = {each: vpn for each, vpn in lookups.vpns.items() if vpn.get("State") not in GONE}
    connections.add(type="circuit", connections=aws.reported([other], vpns))
    return {
        **_attached(record, scope),
        "endpoint_a": with_tag(gateway, lookups.transit_gateways),
        "endpoint_b": ends.get(kind, lambda: other)(),
        "connections": connections,
        "metadata": metadata(record, ATTACHMENT_DETAILS, aws.tags(record)),
    }


def _attached(record: Record, scope: aws.Scope) -> dict[str, Any]:
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


def _peering_besides(record: Record, scope: aws.Scope, lookups: Lookups) -> Optional[str]:
    if field(record, "TransitGatewayAttachmentId", str) in lookups.peerings:
        return "reported as a peering"
    return None


def _queries(
    record: Record, name: str, scope: aws.Scope, known: Dimensions
) -> Iterator[cloudwatch.Query]:
    gateway = field(_own_side(record, scope), "TransitGatewayId", str)
    if gateway:
        yield from cloudwatch.queries(
            "aws.transitgateway",
            "AWS/TransitGateway",
            {"TransitGateway": gateway, "TransitGatewayAttachment": name},
            name,
            "circuit",
            cloudwatch.MINUTE_S,
        )


def _own_side(record: Record, scope: aws.Scope) -> dict[str, Any]:
    """The side of a peering that is in this region; an attachment has only one."""
    for each in (side(record, "Requester"), side(record, "Accepter")):
        if field(each, "Region", str) == scope.name:
            return each
    return record


_ID = "TransitGatewayAttachmentId"
KINDS = {
    "transit_gateway_peering": Kind(_ID, _peering, elsewhere=elsewhere, queries=_queries),
    "transit_gateway_attachment": Kind(
        _ID, _attachment, elsewhere=_peering_besides, queries=_queries
    ),
}
TRAIL = (
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
