"""VPC peerings (EC2 DescribeVpcPeeringConnections, 1,000 a page), and what all peerings have in common.

A peering of two regions of the account is listed in both: the requester's reports it, if that is polled.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import Connections

from modules.circuits.aws.records import (
    Kind,
    Lookups,
    Record,
    Records,
    with_name,
    with_tag,
)
from shared.engine.contracts import Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail
from shared.records.fields import field, needed
from shared.records.metadata import metadata

PERMISSIONS = ("ec2:DescribeVpcPeeringConnections",)

DETAILS = ("AccepterVpcInfo", "ExpirationTime", "RequesterVpcInfo")


def pages(scope: aws.Scope, requested: Requested = None) -> Iterator[list[Record]]:
    for page in aws.requested_pages(
        scope,
        "describe_vpc_peering_connections",
        "VpcPeeringConnections",
        "vpc-peering-connection-id",
        requested,
        "pcx-",
    ):
        yield aws.of_kind("vpc_peering", page)


def _convert(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "VpcPeeringConnectionId", str)
    requester, accepter = side(record, "Requester"), side(record, "Accepter")
    status = field(record, "Status", dict) or {}
    return {
        "id": name,
        "name": aws.named(record, name),
        "reference": name,
        "endpoint_a": endpoint(requester, "VpcId", lookups.vpcs, scope, lookups),
        "endpoint_b": endpoint(accepter, "VpcId", lookups.vpcs, scope, lookups),
        "connections": Connections(
            networks=reported_sides((requester, accepter), "VpcId", lookups.vpcs, scope, lookups)
        ),
        "metadata": metadata(
            record,
            DETAILS,
            aws.tags(record),
            State=status.get("Code"),
            StateReason=status.get("Message"),
        ),
        "native_portal_link": scope.link(
            "vpcconsole", f"PeeringConnectionDetails:vpcPeeringConnectionId={name}"
        ),
    }


def _state(record: Record) -> Optional[str]:
    return field(field(record, "Status", dict) or {}, "Code", str)


def side(record: Record, name: str) -> dict[str, Any]:
    """The "Requester" or the "Accepter" of a peering."""
    return field(record, f"{name}VpcInfo", dict) or field(record, f"{name}TgwInfo", dict) or {}


def elsewhere(record: Record, scope: aws.Scope, lookups: Lookups) -> Optional[str]:
    requester = side(record, "Requester")
    accepter = side(record, "Accepter")
    same_owner = field(requester, "OwnerId", str) == field(accepter, "OwnerId", str)
    region = field(requester, "Region", str)
    if same_owner and region != scope.name and region in scope.session.regions:
        return "reported in the requester's region"
    return None


def endpoint(
    side: Mapping[str, Any], name: str, known: Records, scope: aws.Scope, lookups: Lookups
) -> Optional[str]:
    """One side of a peering; with its account and region where it is not known here."""
    identifier = field(side, name, str) or field(side, "CoreNetworkId", str)
    if identifier in known:
        return with_tag(identifier, known)
    region, owner = field(side, "Region", str), field(side, "OwnerId", str)
    where = [
        f"account {owner}" if owner and owner != lookups.owner else None,
        region if region != scope.name else None,
    ]
    return with_name(identifier, ", ".join(filter(None, where)))


def reported_sides(
    sides: Iterable[Mapping[str, Any]],
    name: str,
    known: Records,
    scope: aws.Scope,
    lookups: Lookups,
) -> list[str]:
    """The ids of the sides that are reported: known here, or the account's own in another region that is polled."""
    ids = set()
    for side in sides:
        identifier, region = field(side, name, str), field(side, "Region", str)
        elsewhere = region != scope.name and region in scope.session.regions
        own = lookups.owner is not None and field(side, "OwnerId", str) == lookups.owner
        if identifier and (identifier in known or (own and elsewhere)):
            ids.add(identifier)
    return sorted(ids)


KINDS = {"vpc_peering": Kind("VpcPeeringConnectionId", _convert, _state, elsewhere)}
TRAIL = (cloudtrail.by_type("AWS::EC2::VPCPeeringConnection", "pcx-"),)
