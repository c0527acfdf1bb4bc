"""VPCs and their subnets in every enabled region; a subnet connects to its VPC.

API: EC2 DescribeVpcs and DescribeSubnets, 1,000 a page, and DescribeRouteTables, 100 a page.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Vpc.html, .../API_Subnet.html

A subnet that another account shares is listed, its VPC is not: such a subnet has no connection, or it
would dangle (its VpcId stays in the metadata). A subnet is public if its route table (its own, or
else its VPC's main one) has a route to an internet gateway.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Set
from typing import Any

from nflex_connector_utils import Connections, Network

from shared.engine.contracts import Cell, Page
from shared.providers import aws
from shared.providers.aws import regions
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata

ROUTE_TABLES_A_CALL = 100  # the API's own limit of a DescribeRouteTables page
DETAILS = (
    "AssignIpv6AddressOnCreation",
    "AvailabilityZone",
    "AvailabilityZoneId",
    "AvailableIpAddressCount",
    "DefaultForAz",
    "DhcpOptionsId",
    "EnableDns64",
    "InstanceTenancy",
    "Ipv6Native",
    "IsDefault",
    "MapCustomerOwnedIpOnLaunch",
    "MapPublicIpOnLaunch",
    "OutpostArn",
    "OwnerId",
    "State",
    "VpcId",
)


@dataclasses.dataclass(frozen=True)
class Lookups:
    """The region's VPCs, and which subnets and VPCs have a route to an internet gateway."""

    vpc_ids: Set[str]
    public_by_default: Set[str]  # the VPCs whose main route table has such a route
    own_route: Mapping[str, bool]  # subnets with a route table of their own -> whether it has one


def fetch(scope: aws.Scope) -> Iterator[Page[dict[str, Any], Lookups]]:
    vpcs, (public_by_default, own_route), pages = scope.workers.before(
        aws.pages(scope, "ec2", "describe_subnets", "Subnets"),
        lambda: aws.listed(scope, "ec2", "describe_vpcs", "Vpcs"),
        lambda: _routes(scope),
    )
    vpc_ids = {needed(vpc, "VpcId", str) for vpc in vpcs}
    lookups = Lookups(vpc_ids, public_by_default, own_route)
    yield Page(vpcs, lookups)
    for subnets in pages:
        yield Page(subnets, lookups)


def _routes(scope: aws.Scope) -> tuple[set[str], dict[str, bool]]:
    """The VPCs whose main route table leads to the internet, and whether those of subnets do."""
    public_by_default, own_route = set(), {}
    for table in aws.listed(
        scope, "ec2", "describe_route_tables", "RouteTables", page_size=ROUTE_TABLES_A_CALL
    ):
        public = any(_to_internet(route) for route in objects(table, "Routes"))
        for association in objects(table, "Associations"):
            subnet = field(association, "SubnetId", str)
            if subnet:
                own_route[subnet] = public
            elif public and field(association, "Main", bool):
                public_by_default.add(field(table, "VpcId", str) or "")
    return public_by_default, own_route


def _to_internet(route: dict[str, Any]) -> bool:
    return (field(route, "GatewayId", str) or "").startswith("igw-")


def convert(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> Network:
    subnet_id = field(record, "SubnetId", str)
    vpc_id = needed(record, "VpcId", str)
    network_id = subnet_id or vpc_id
    kind = "subnet" if subnet_id else "vpc"
    tags = aws.tags(record)
    vpcs = [vpc_id] if subnet_id and vpc_id in lookups.vpc_ids else []
    page = "SubnetDetails:subnetId" if subnet_id else "VpcDetails:VpcId"
    return Network(
        id=network_id,
        name=tags.get("Name") or network_id,
        connections=Connections(networks=vpcs),
        metadata=metadata(
            record,
            DETAILS,
            tags,
            network_kind=kind,
            CidrBlocks=_cidrs(record, "CidrBlock", "CidrBlockAssociationSet"),
            Ipv6CidrBlocks=_cidrs(record, "Ipv6CidrBlock", "Ipv6CidrBlockAssociationSet"),
            public=lookups.own_route.get(subnet_id, vpc_id in lookups.public_by_default)
            if subnet_id
            else None,
        ),
        native_portal_link=scope.link("vpcconsole", f"{page}={network_id}"),
        **regions.aws(scope.name),
    )


def _cidrs(record: dict[str, Any], name: str, association_set: str) -> list[str]:
    """The CIDRs in use: the first one, then those that were associated later."""
    cidrs = [field(record, name, str)]
    for association in objects(record, association_set):
        state_name = f"{name}State"
        state = field(field(association, state_name, dict) or {}, "State", str)
        if state in (None, "associated"):
            cidrs.append(field(association, name, str))
    return list(dict.fromkeys(cidr for cidr in cidrs if cidr))


CELL = Cell(
    calls=(
        "1 DescribeRegions; a region: ceil(route tables/100) DescribeRouteTables "
        "+ ceil(VPCs/1000) DescribeVpcs + ceil(subnets/1000) DescribeSubnets"
    ),
    permissions=(
        "ec2:DescribeRegions",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    ),
    fetch=fetch,
    convert=convert,
    record_ids=("SubnetId", "VpcId"),
)
