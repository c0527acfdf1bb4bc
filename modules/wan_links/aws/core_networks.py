"""Attachments and peerings of Cloud WAN's core networks."""

from typing import Any

from nflex_connector_utils import Connections

from modules.wan_links.aws.records import Arn, Lookups, Record, link_metadata, parse_arn, with_more
from shared.providers import aws
from shared.providers.aws import regions
from shared.records.fields import field, items

TRANSIT_GATEWAY_ATTACHMENT = "TransitGatewayPeeringAttachmentId"  # of a peering; fetch adds it

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


def convert_attachment(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """From a core network to a VPC, a VPN, a Direct Connect gateway or something else that it can join."""
    resource = parse_arn(field(record, "ResourceArn", str))
    connections = Connections()
    if resource.is_reported(scope, lookups) and resource.kind in ("vpc", "vpn-connection"):
        kind = "network" if resource.kind == "vpc" else "circuit"
        connections.add(type=kind, connections=[resource.id])
    if resource.kind == "attachment" and resource.id in lookups.attachments:
        connections.add(type="circuit", connections=[resource.id])
    return {
        **_core(record, resource, lookups),
        "connections": connections,
        "metadata": link_metadata(record, ATTACHMENT_DETAILS),
    }


def convert_peering(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """From a core network to a transit gateway."""
    gateway = parse_arn(field(record, "ResourceArn", str))
    attachment = field(record, TRANSIT_GATEWAY_ATTACHMENT, str)
    connections = Connections()
    if gateway.is_reported(scope, lookups):
        connections.add(appliances=[gateway.id])
        connections.add(type="circuit", connections=[attachment] if attachment else [])
    return {
        **_core(record, gateway, lookups),
        "connections": connections,
        "metadata": link_metadata(record, PEERING_DETAILS),
    }


def _core(record: Record, resource: Arn, lookups: Lookups) -> dict[str, Any]:
    """What attachments and peerings of a core network have in common."""
    core, edge = field(record, "CoreNetworkId", str), field(record, "EdgeLocation", str)
    name_tag = aws.tags(lookups.core_networks.get(core or "") or {}).get("Name")
    edges = [edge] if edge else items(record, "EdgeLocations", str)
    return {
        "endpoint_a": with_more(core, ", ".join(filter(None, [name_tag, *edges]))),
        "endpoint_b": resource.label(lookups),
        **(regions.aws(edge) if edge else {}),
    }
