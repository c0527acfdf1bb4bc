"""Direct Connect, site-to-site VPNs, VPC peerings, and attachments and peerings of transit gateways.

APIs: Direct Connect, 100 a page, and EC2, 1,000 a page; the files by kind name their calls.
https://docs.aws.amazon.com/directconnect/latest/APIReference/
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/

Responses hold secrets: the pre-shared keys of VPN connections, and the BGP keys of virtual interfaces. None of these
fields is used. What was deleted is listed for an hour or more, and is dropped.
"""

import functools
from collections.abc import Iterator
from typing import Any, Optional, Union

from nflex_connector_utils import Circuit

from modules.circuits.aws import direct_connect, peerings, transit_gateways, vpns
from modules.circuits.aws.records import GONE, Kind, Lookups, Record, Records
from shared.engine.poll import Asked, Dropped, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch, regions
from shared.records.fields import field, needed
from shared.records.status import Point, worst

_PARTS = (direct_connect, vpns, peerings, transit_gateways)
KINDS: dict[str, Kind] = {kind: how for part in _PARTS for kind, how in part.KINDS.items()}
RECORD_IDS = tuple(dict.fromkeys(how.id for how in KINDS.values()))

PERMISSIONS = tuple(
    sorted(
        {
            "ec2:DescribeCustomerGateways",
            "ec2:DescribeRegions",
            "ec2:DescribeTransitGateways",
            "ec2:DescribeVpcs",
            "ec2:DescribeVpnGateways",
            *(permission for part in _PARTS for permission in part.PERMISSIONS),
        }
    )
)
STATUS_PERMISSIONS = (
    *direct_connect.STATUS_PERMISSIONS,
    "ec2:DescribeRegions",
    *transit_gateways.PERMISSIONS,
    *peerings.PERMISSIONS,
    *vpns.PERMISSIONS,
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

# In service; not, or not fully, without a fault; faulty. Other states are unknown.
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
    """EC2's records by id, without deleted ones."""
    listed = aws.keyed(aws.listed(scope, "ec2", operation, key), name)
    return {each: record for each, record in listed.items() if record.get("State") not in GONE}


def fetch(scope: aws.Scope, lookups: Lookups) -> Iterator[list[Record]]:
    _look_up(scope, lookups)
    yield from direct_connect.fetch(scope, lookups)
    yield from vpns.fetch(scope, lookups)
    for pages in (peerings.fetch(scope), transit_gateways.fetch_peerings(scope, lookups)):
        for page in pages:
            if lookups.owner is None and page:
                lookups.owner = aws.account(scope.session)
            yield page
    yield from transit_gateways.fetch_attachments(scope, lookups)


def convert(record: Record, scope: aws.Scope, lookups: Lookups) -> Union[Circuit, Dropped]:
    kind = _kind(record)
    dropped = _dropped(record, kind, scope, lookups)
    if dropped:
        return dropped
    circuit = kind.convert(record, scope, lookups)
    return Circuit(type_id=record[aws.KIND], **circuit, **regions.aws(scope.name))


def _kind(record: Record) -> Kind:
    return KINDS[aws.kind_of(record, KINDS, "circuit")]


def _dropped(record: Record, kind: Kind, scope: aws.Scope, lookups: Lookups) -> Optional[Dropped]:
    """Why a record is no circuit of this region; None if it is one."""
    state = kind.state(record)
    if state is not None and state in GONE:
        return Dropped(state)
    reason = kind.elsewhere(record, scope, lookups)
    return Dropped(reason) if reason else None


def fetch_status(
    scope: aws.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[Record]]:
    yield from direct_connect.fetch_status(scope, lookups, requested)
    yield from vpns.fetch(scope, lookups, requested)
    yield from peerings.fetch(scope, requested)
    yield from transit_gateways.fetch_peerings(scope, lookups, requested)
    yield from transit_gateways.fetch_attachments_status(scope, requested)


def status(record: Record, scope: aws.Scope, lookups: Lookups) -> Iterator[Point]:
    """A circuit's own state, and the health of its tunnels or BGP sessions."""
    kind = _kind(record)
    if _dropped(record, kind, scope, lookups):
        return
    state = kind.state(record) or "no state"
    levels, messages = [STATE_LEVELS.get(state, "unknown")], [state]
    reason = field(field(record, "Status", dict) or {}, "Message", str)
    if reason and levels != ["ok"]:
        messages.append(reason)
    health = kind.health(record)
    if health:
        levels.append(health.level)
        messages += health.messages
    since = health.since if health else None
    yield Point(needed(record, kind.id, str), "circuit", worst(levels), "; ".join(messages), since)


METRICS_SPAN = cloudwatch.SPAN


def metrics(scope: aws.Scope, lookups: Lookups, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    """Of lines and virtual interfaces, VPNs, attachments and peerings of transit gateways."""
    return cloudwatch.points(scope, asked, _queries(scope, lookups, asked))


def _queries(scope: aws.Scope, lookups: Lookups, asked: Asked) -> Iterator[cloudwatch.Query]:
    @functools.cache
    def known() -> dict[str, list[dict[str, str]]]:
        return cloudwatch.known_dimensions(scope, "AWS/DX")

    for page in fetch_status(scope, lookups, asked.resources):
        for record in page:
            kind = _kind(record)
            name = needed(record, kind.id, str)
            if asked.wants(name) and not _dropped(record, kind, scope, lookups):
                yield from kind.queries(record, name, scope, known)


LOGS_SPAN = cloudtrail.SPAN
TRAIL = tuple(lookup for part in _PARTS for lookup in part.TRAIL)


def logs(scope: aws.Scope, lookups: Lookups, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    return cloudtrail.events(scope, asked, "circuit", TRAIL)
