"""NAT, internet, egress-only, virtual private, customer and transit gateways.

EC2 lists each kind with an operation of its own. A kind of gateway is a row of ``GATEWAYS``: its listing, its
permission, its resource, its status, its metrics and its log events all follow from that row.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Iterator
from typing import Any, Callable, Optional

from nflex_connector_utils import Connections

from modules.appliances.aws.records import (
    Kind,
    Lookups,
    Message,
    Record,
    known_networks,
    no_messages,
    pages_of_kind,
)
from shared.engine.contracts import Page, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata

EGRESS_ONLY_A_CALL = 255  # the largest page of a listing that has no filter for ids

ATTACHMENT_LEVELS = {
    "attached": "ok",
    "available": "ok",  # of internet gateways
    "attaching": "warning",
    "detaching": "warning",
    "detached": "warning",
}


@dataclasses.dataclass(frozen=True)
class Gateway:
    """One kind of gateway."""

    kind: str
    operation: str  # of EC2
    key: str  # of the list in the response
    id: str  # the field with the id
    prefix: str  # of the ids
    details: tuple[str, ...]  # fields for the metadata
    page: str  # of the AWS console, with a place for the id
    trail: cloudtrail.Lookup
    filter: Optional[str] = None  # EC2's filter for ids, if it has one
    created: Optional[str] = None  # the field with the time
    attachments: Optional[str] = None  # the field with the attachments to VPCs
    networks: Callable[[Record], Iterable[Optional[str]]] = lambda record: ()
    messages: Callable[[Record, Lookups], Iterator[Message]] = no_messages
    metrics: Optional[tuple[str, str, str]] = None  # service in mapping.yaml, namespace, dimension

    @property
    def permission(self) -> str:
        return "ec2:" + self.operation.title().replace("_", "")

    def convert(self, record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
        name = needed(record, self.id, str)
        networks = [*self.networks(record), *self._attached(record)]
        appliance = {
            "id": name,
            "name": aws.named(record, name),
            "type_id": "router",
            "connections": Connections(networks=known_networks(networks, lookups)),
            "metadata": metadata(record, self.details, aws.tags(record), Kind=self.kind),
            "native_portal_link": scope.link("vpcconsole", self.page.format(name)),
        }
        if self.created:
            appliance["provider_created_at"] = field(record, self.created, datetime.datetime)
        return appliance

    def _attached(self, record: Record) -> list[Optional[str]]:
        """The VPCs that the gateway is attached to, or about to be."""
        return [
            field(attachment, "VpcId", str)
            for attachment in self._attachments(record)
            if field(attachment, "State", str) not in ("detaching", "detached")
        ]

    def _attachments(self, record: Record) -> list[Record]:
        return objects(record, self.attachments) if self.attachments else []

    def all_messages(self, record: Record, lookups: Lookups) -> Iterator[Message]:
        yield from self.messages(record, lookups)
        for attachment in self._attachments(record):
            state = field(attachment, "State", str) or "no state"
            level = ATTACHMENT_LEVELS.get(state, "unknown")
            yield level, f"{field(attachment, 'VpcId', str)}: {state}"


def _nat_networks(record: Record) -> list[Optional[str]]:
    subnet = field(record, "SubnetId", str)  # a regional NAT gateway has none
    return [subnet or field(record, "VpcId", str)]


def _nat_messages(record: Record, lookups: Lookups) -> Iterator[Message]:
    for address in objects(record, "NatGatewayAddresses"):
        if field(address, "Status", str) == "failed":
            ip = field(address, "PublicIp", str) or field(address, "PrivateIp", str)
            yield "error", f"address {ip} failed: {field(address, 'FailureMessage', str)}"


def _detached_message(record: Record, lookups: Lookups) -> Iterator[Message]:
    if not objects(record, "Attachments"):
        yield "warning", "attached to no VPC"


GATEWAYS = (
    Gateway(
        kind="nat_gateway",
        operation="describe_nat_gateways",
        key="NatGateways",
        id="NatGatewayId",
        prefix="nat-",
        filter="nat-gateway-id",
        details=(
            "AvailabilityMode",
            "ConnectivityType",
            "FailureCode",
            "FailureMessage",
            "NatGatewayAddresses",
            "State",
            "SubnetId",
            "VpcId",
        ),
        page="NatGatewayDetails:natGatewayId={}",
        created="CreateTime",
        networks=_nat_networks,
        messages=_nat_messages,
        metrics=("aws.natgateway", "AWS/NATGateway", "NatGatewayId"),
        trail=cloudtrail.by_type("AWS::EC2::NatGateway", "nat-"),
    ),
    Gateway(
        kind="internet_gateway",
        operation="describe_internet_gateways",
        key="InternetGateways",
        id="InternetGatewayId",
        prefix="igw-",
        filter="internet-gateway-id",
        details=("Attachments", "OwnerId"),
        page="InternetGateway:internetGatewayId={}",
        attachments="Attachments",
        messages=_detached_message,
        trail=cloudtrail.by_type("AWS::EC2::InternetGateway", "igw-"),
    ),
    Gateway(
        kind="egress_only_gateway",
        operation="describe_egress_only_internet_gateways",
        key="EgressOnlyInternetGateways",
        id="EgressOnlyInternetGatewayId",
        prefix="eigw-",
        details=("Attachments",),
        page="EgressOnlyInternetGateways:",
        attachments="Attachments",
        messages=_detached_message,
        # by name: EC2 is the source of too many events
        trail=cloudtrail.by_names(
            "CreateEgressOnlyInternetGateway DeleteEgressOnlyInternetGateway", "eigw-[0-9a-z]+"
        ),
    ),
    Gateway(  # attached to no VPC is no warning: it may serve a Direct Connect gateway
        kind="vpn_gateway",
        operation="describe_vpn_gateways",
        key="VpnGateways",
        id="VpnGatewayId",
        prefix="vgw-",
        filter="vpn-gateway-id",
        details=("AmazonSideAsn", "AvailabilityZone", "State", "Type", "VpcAttachments"),
        page="VpnGateways:",
        attachments="VpcAttachments",
        trail=cloudtrail.by_type("AWS::EC2::VPNGateway", "vgw-"),
    ),
    Gateway(
        kind="customer_gateway",
        operation="describe_customer_gateways",
        key="CustomerGateways",
        id="CustomerGatewayId",
        prefix="cgw-",
        filter="customer-gateway-id",
        details=("BgpAsn", "BgpAsnExtended", "DeviceName", "IpAddress", "State", "Type"),
        page="CustomerGateways:",
        trail=cloudtrail.by_type("AWS::EC2::CustomerGateway", "cgw-"),
    ),
    Gateway(  # its attachments are circuits, which name what it connects
        kind="transit_gateway",
        operation="describe_transit_gateways",
        key="TransitGateways",
        id="TransitGatewayId",
        prefix="tgw-",
        filter="transit-gateway-id",
        details=("Description", "Options", "OwnerId", "State", "TransitGatewayArn"),
        page="TransitGatewayDetails:transitGatewayId={}",
        created="CreationTime",
        metrics=("aws.transitgateway", "AWS/TransitGateway", "TransitGateway"),
        trail=cloudtrail.by_names(
            "CreateTransitGateway ModifyTransitGateway DeleteTransitGateway", "tgw-[0-9a-z]+"
        ),
    ),
)

PERMISSIONS = tuple(gateway.permission for gateway in GATEWAYS)
STATUS_PERMISSIONS = PERMISSIONS
METRICS_PERMISSIONS = tuple(gateway.permission for gateway in GATEWAYS if gateway.metrics)
KINDS = {
    gateway.kind: Kind(gateway.id, gateway.convert, messages=gateway.all_messages)
    for gateway in GATEWAYS
}
TRAIL = tuple(gateway.trail for gateway in GATEWAYS)


def listings(
    scope: aws.Scope, lookups: Lookups, requested: Requested = None
) -> list[Iterator[Page[Record, Lookups]]]:
    """The pages of each kind of gateway."""
    return [
        pages_of_kind(gateway.kind, _pages(scope, gateway, requested), lookups)
        for gateway in GATEWAYS
    ]


def _pages(scope: aws.Scope, gateway: Gateway, requested: Requested) -> Iterator[list[Record]]:
    operation, key = gateway.operation, gateway.key
    if gateway.filter:
        return aws.requested_pages(scope, operation, key, gateway.filter, requested, gateway.prefix)
    if requested is None or any(name.startswith(gateway.prefix) for name in requested):
        return aws.pages(scope, "ec2", operation, key, page_size=EGRESS_ONLY_A_CALL)
    return iter(())


def queries(scope: aws.Scope, requested: Requested) -> Iterator[cloudwatch.Query]:
    for gateway in GATEWAYS:
        if not gateway.metrics:
            continue
        service, namespace, dimension = gateway.metrics
        kind = KINDS[gateway.kind]
        for page in _pages(scope, gateway, requested):
            for record in page:
                name = needed(record, gateway.id, str)
                if kind.state(record) not in kind.gone:
                    yield from cloudwatch.queries(
                        service,
                        namespace,
                        {dimension: name},
                        name,
                        "appliance",
                        cloudwatch.MINUTE_S,
                    )
