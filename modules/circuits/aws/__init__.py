"""Direct Connect, site-to-site VPNs, VPC peerings, and attachments and peerings of transit gateways.

APIs: Direct Connect, 100 a page, and EC2, 1,000 a page; the files by kind name their calls.
https://docs.aws.amazon.com/directconnect/latest/APIReference/
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/

Responses hold secrets: the pre-shared keys of VPN connections, and the BGP keys of virtual interfaces. None of these
fields is used. What was deleted is listed for an hour or more, and is dropped.
"""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, Optional, Union

from nflex_connector_utils import Circuit

from modules.circuits.aws import direct_connect, peerings, transit_gateways, vpns
from modules.circuits.aws.records import GONE, Kind, Lookups, Record
from shared.engine.contracts import Cell, Dropped, Page, Requested, Series, Status, Window
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch, regions
from shared.records.fields import field, needed
from shared.records.status import Point, worst

__all__ = ["CELL", "Lookups", "convert", "fetch", "fetch_status", "logs", "metrics", "status"]

_PARTS = (direct_connect, vpns, peerings, transit_gateways)
KINDS: dict[str, Kind] = {kind: how for part in _PARTS for kind, how in part.KINDS.items()}

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


def fetch(scope: aws.Scope) -> Iterator[Page[Record, Lookups]]:
    existing, (lines, of_lines), vpn_connections, peering_pages = scope.workers.before(
        peerings.pages(scope),
        lambda: _look_up(scope),
        lambda: direct_connect.with_lookups(scope),
        lambda: vpns.listed(scope),
    )
    lookups = Lookups(**existing, **of_lines)
    yield from direct_connect.pages(lines, lookups)
    lookups = dataclasses.replace(lookups, vpns=vpn_connections)
    yield Page(aws.of_kind("vpn", lookups.vpns.values()), lookups)
    for vpc_peerings in peering_pages:
        lookups = _with_owner(scope, lookups, vpc_peerings)
        yield Page(vpc_peerings, lookups)
    found, attachments = scope.workers.before(
        transit_gateways.attachments(scope), lambda: transit_gateways.peerings(scope)
    )
    lookups = dataclasses.replace(lookups, peerings=found)
    transit_peerings = aws.of_kind("transit_gateway_peering", lookups.peerings.values())
    lookups = _with_owner(scope, lookups, transit_peerings)
    yield Page(transit_peerings, lookups)
    yield from transit_gateways.with_gateways(scope, attachments, lookups)


# What several kinds of circuits need: the field of the lookups, and EC2's listing
EXISTING = (
    ("vpcs", "describe_vpcs", "Vpcs", "VpcId"),
    ("customer_gateways", "describe_customer_gateways", "CustomerGateways", "CustomerGatewayId"),
    ("vpn_gateways", "describe_vpn_gateways", "VpnGateways", "VpnGatewayId"),
    ("transit_gateways", "describe_transit_gateways", "TransitGateways", "TransitGatewayId"),
)


def _look_up(scope: aws.Scope) -> dict[str, dict[str, Record]]:
    """The VPCs and gateways of the region, by the lookups' field."""
    found = aws.for_each(scope, lambda listing: _existing(scope, *listing[1:]), EXISTING)
    return {listing[0]: records for listing, records in zip(EXISTING, found)}


def _existing(scope: aws.Scope, operation: str, key: str, name: str) -> dict[str, Record]:
    """EC2's records by id, without deleted ones."""
    listed = aws.keyed(aws.listed(scope, "ec2", operation, key), name)
    return {
        identifier: record
        for identifier, record in listed.items()
        if record.get("State") not in GONE
    }


def _with_owner(scope: aws.Scope, lookups: Lookups, records: list[Record]) -> Lookups:
    """The lookups, with the account's number where there are peerings."""
    if records and lookups.owner is None:
        return dataclasses.replace(lookups, owner=aws.account(scope.session))
    return lookups


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


def fetch_status(scope: aws.Scope, requested: Requested) -> Iterator[Page[Record, Lookups]]:
    lookups = Lookups()  # no names are needed
    lines, vpn_connections, peering_pages = scope.workers.before(
        peerings.pages(scope, requested),
        lambda: direct_connect.listed(scope, requested),
        lambda: vpns.listed(scope, requested),
    )
    yield from direct_connect.pages(lines, lookups)
    yield Page(aws.of_kind("vpn", vpn_connections.values()), lookups)
    for vpc_peerings in peering_pages:
        yield Page(vpc_peerings, lookups)
    found, attachments = scope.workers.before(
        transit_gateways.attachments(scope, requested),
        lambda: transit_gateways.peerings(scope, requested),
    )
    lookups = dataclasses.replace(lookups, peerings=found)
    yield Page(aws.of_kind("transit_gateway_peering", lookups.peerings.values()), lookups)
    yield from transit_gateways.pages(attachments, lookups)


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


def metrics(scope: aws.Scope, window: Window) -> Iterator[list[dict[str, Any]]]:
    """Of lines and virtual interfaces, VPNs, attachments and peerings of transit gateways."""
    return cloudwatch.points(scope, window, _queries(scope, window))


def _queries(scope: aws.Scope, window: Window) -> Iterator[cloudwatch.Query]:
    @functools.cache
    def known() -> dict[str, list[dict[str, str]]]:
        return cloudwatch.known_dimensions(scope, "AWS/DX")

    for page in fetch_status(scope, window.resources):
        for record in page.records:
            kind = _kind(record)
            name = needed(record, kind.id, str)
            if window.wants(name) and not _dropped(record, kind, scope, page.lookups):
                yield from kind.queries(record, name, scope, known)


TRAIL = tuple(lookup for part in _PARTS for lookup in part.TRAIL)


def logs(scope: aws.Scope, window: Window) -> Iterator[list[dict[str, Any]]]:
    return cloudtrail.events(scope, window, "circuit", TRAIL)


STATUS_PERMISSIONS = (
    *direct_connect.STATUS_PERMISSIONS,
    "ec2:DescribeRegions",
    *transit_gateways.PERMISSIONS,
    *peerings.PERMISSIONS,
    *vpns.PERMISSIONS,
)

CELL = Cell(
    calls=(
        "1 DescribeRegions; a region: ceil(VPCs/1000) DescribeVpcs + a page each of customer, virtual private "
        "and transit gateways + 1 DescribeVpnConnections + ceil(peerings/1000) "
        "DescribeVpcPeeringConnections + ceil(attachments/1000) DescribeTransitGatewayAttachments "
        "+ ceil(their peerings/1000) DescribeTransitGatewayPeeringAttachments; where there is Direct Connect: "
        "ceil(connections/100) DescribeConnections + ceil(LAGs/100) DescribeLags "
        "+ ceil(interfaces/100) DescribeVirtualInterfaces, with any of these + 1 DescribeLocations; "
        "+ ceil(gateways/100) DescribeDirectConnectGateways where one is named; "
        "+ 1 GetCallerIdentity an account with peerings"
    ),
    permissions=tuple(
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
    ),
    fetch=fetch,
    convert=convert,
    record_ids=tuple(dict.fromkeys(kind.id for kind in KINDS.values())),
    status=Status(permissions=STATUS_PERMISSIONS, points=status, fetch=fetch_status),
    metrics=Series(
        permissions=(cloudwatch.PERMISSION, cloudwatch.LIST_PERMISSION, *STATUS_PERMISSIONS),
        span=cloudwatch.SPAN,
        fetch=metrics,
    ),
    logs=cloudtrail.series(logs),
)
