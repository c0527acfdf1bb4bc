"""Attachments and peerings of transit gateways.

APIs: EC2 DescribeTransitGatewayAttachments and DescribeTransitGatewayPeeringAttachments, 1,000 a page. Peerings
are among the attachments too, with less data.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from nflex_connector_utils import Connections

from modules.circuits.aws.direct_connect import gateways, with_gateway_name
from modules.circuits.aws.peerings import elsewhere, endpoint, reported_sides, side
from modules.circuits.aws.records import (
    GONE,
    Dimensions,
    Kind,
    Lookups,
    Record,
    with_tag,
)
from shared.engine.contracts import Page, Requested
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


def peerings(scope: aws.Scope, requested: Requested = None) -> dict[str, Record]:
    """The peerings by id."""
    listed: dict[str, Record] = {}
    for page in aws.requested_pages(
        scope,
        "describe_transit_gateway_peering_attachments",
        "TransitGatewayPeeringAttachments",
        "transit-gateway-attachment-id",
        requested,
        "tgw-attach-",
        restarted=listed.clear,
    ):
        listed.update(aws.keyed(page, "TransitGatewayAttachmentId"))
    return {  # moto lists all attachments here
        name: record
        for name, record in listed.items()
        if side(record, "Requester") or side(record, "Accepter")
    }


def with_gateways(
    scope: aws.Scope, listed: Iterable[list[Record]], lookups: Lookups
) -> Iterator[Page[Record, Lookups]]:
    """The pages of attachments, with the names of the Direct Connect gateways that they need."""
    for records in listed:
        if not lookups.direct_connect_gateways and _any(records, "direct-connect-gateway"):
            lookups = dataclasses.replace(lookups, direct_connect_gateways=gateways(scope))
        yield Page(aws.of_kind("transit_gateway_attachment", records), lookups)


def pages(listed: Iterable[list[Record]], lookups: Lookups) -> Iterator[Page[Record, Lookups]]:
    for records in listed:
        yield Page(aws.of_kind("transit_gateway_attachment", records), lookups)


def attachments(scope: aws.Scope, requested: Requested = None) -> Iterator[list[Record]]:
    return aws.requested_pages(
        scope,
        "describe_transit_gateway_attachments",
        "TransitGatewayAttachments",
        "transit-gateway-attachment-id",
        requested,
        "tgw-attach-",
    )


def _any(attachments: Iterable[Record], kind: str) -> bool:
    return any(field(attachment, "ResourceType", str) == kind for attachment in attachments)


def _peering(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    requester, accepter = side(record, "Requester"), side(record, "Accepter")
    known = lookups.transit_gateways
    status = field(record, "Status", dict) or {}
    return {
        **_attached(record, scope),
        "endpoint_a": endpoint(requester, "TransitGatewayId", known, scope, lookups),
        "endpoint_b": endpoint(accepter, "TransitGatewayId", known, scope, lookups),
        "connections": Connections(
            appliances=reported_sides(
                (requester, accepter), "TransitGatewayId", known, scope, lookups
            )
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
    connections = Connections(
        appliances=aws.reported([gateway], lookups.transit_gateways),
        networks=aws.reported([other], lookups.vpcs),
    )
    vpn = lookups.vpns.get(other or "") or {}
    vpns = [] if vpn.get("State") in GONE else aws.reported([other], lookups.vpns)
    connections.add(type="circuit", connections=vpns)
    return {
        **_attached(record, scope),
        "endpoint_a": with_tag(gateway, lookups.transit_gateways),
        "endpoint_b": _resource_label(other, kind, lookups),
        "connections": connections,
        "metadata": metadata(record, ATTACHMENT_DETAILS, aws.tags(record)),
    }


def _resource_label(
    resource: Optional[str], kind: Optional[str], lookups: Lookups
) -> Optional[str]:
    """The attached resource, with its name where that is known."""
    if kind == "vpc":
        return with_tag(resource, lookups.vpcs)
    if kind == "vpn":
        return with_tag(resource, lookups.vpns)
    if kind == "direct-connect-gateway":
        return with_gateway_name(resource, lookups)
    return resource


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
    for candidate in (side(record, "Requester"), side(record, "Accepter")):
        if field(candidate, "Region", str) == scope.name:
            return candidate
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
