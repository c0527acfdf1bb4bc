"""Firewalls of Network Firewall: ListFirewalls, 100 a page, and a call for each firewall.

https://docs.aws.amazon.com/network-firewall/latest/APIReference/
"""

from collections.abc import Iterator
from typing import Any, Optional

from nflex_connector_utils import Connections

from modules.appliances.aws.records import (
    SMALL_PAGE,
    Kind,
    Lookups,
    Message,
    Record,
    known_networks,
    pages_of_kind,
)
from shared.engine.contracts import Page, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata

PERMISSIONS = ("network-firewall:DescribeFirewall", "network-firewall:ListFirewalls")
STATUS_PERMISSIONS = PERMISSIONS
METRICS_PERMISSIONS = PERMISSIONS

STATUS = "FirewallStatus"  # of a record; fetch adds it
ENGINES = ("Stateful", "Stateless")  # of a firewall, in each of its zones
DETAILS = (
    "DeleteProtection",
    "Description",
    "FirewallArn",
    "FirewallPolicyArn",
    "SubnetMappings",
    "TransitGatewayId",
    "VpcId",
)
SYNC_LEVELS = {"IN_SYNC": "ok", "PENDING": "warning", "CAPACITY_CONSTRAINED": "warning"}
ENDPOINT_LEVELS = {
    "READY": "ok",
    "SCALING": "ok",
    "CREATING": "warning",
    "DELETING": "warning",
    "ERROR": "error",
    "FAILED": "error",
}


def fetch(
    scope: aws.Scope, lookups: Lookups, requested: Requested = None
) -> Iterator[Page[Record, Lookups]]:
    return pages_of_kind("firewall", _pages(scope, requested), lookups)


def _pages(scope: aws.Scope, requested: Requested) -> Iterator[list[Record]]:
    if requested is not None and not any(":firewall/" in name for name in requested):
        return

    def describe(arn: str) -> Record:
        response = aws.call(scope, "network-firewall", "describe_firewall", FirewallArn=arn)
        status = field(response, "FirewallStatus", dict) or {}
        firewall: Record = needed(response, "Firewall", dict)
        return {**firewall, "Status": status.get("Status"), STATUS: status}

    for page in aws.offered_pages(
        scope, "network-firewall", "list_firewalls", "Firewalls", page_size=SMALL_PAGE
    ):
        arns = [needed(listed, "FirewallArn", str) for listed in page]
        arns = [arn for arn in arns if requested is None or arn in requested]
        yield [record for _, record in aws.for_each_left(scope, describe, arns)]


def _convert(record: Record, scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    mappings = objects(record, "SubnetMappings")
    subnets = [field(mapping, "SubnetId", str) for mapping in mappings]
    networks = [*subnets, field(record, "VpcId", str)]
    return {
        "id": needed(record, "FirewallArn", str),
        "name": needed(record, "FirewallName", str),
        "type_id": "firewall",
        "connections": Connections(networks=known_networks(networks, lookups)),
        "metadata": metadata(record, (*DETAILS, "Status"), aws.tags(record)),
        "native_portal_link": scope.link("vpcconsole", "NetworkFirewalls:"),
    }


def _state(record: Record) -> Optional[str]:
    return field(record, "Status", str)


def _messages(record: Record, lookups: Lookups) -> Iterator[Message]:
    status = field(record, STATUS, dict) or {}
    config = field(status, "ConfigurationSyncStateSummary", str)
    if config:
        yield SYNC_LEVELS.get(config, "unknown"), f"configuration {config}"
    for zone, sync in sorted((field(status, "SyncStates", dict) or {}).items()):
        endpoint = field(sync, "Attachment", dict) or {}
        state = field(endpoint, "Status", str)
        if state:
            reason = field(endpoint, "StatusMessage", str)
            yield ENDPOINT_LEVELS.get(state, "unknown"), f"{zone}: {reason or state}"


KINDS = {"firewall": Kind("FirewallArn", _convert, _state, messages=_messages)}
TRAIL = (
    cloudtrail.by_source(
        "network-firewall", r"arn:[^:]+:network-firewall:[^:]+:\d+:firewall/[^/]+"
    ),
)


def queries(scope: aws.Scope, requested: Requested) -> Iterator[cloudwatch.Query]:
    for page in _pages(scope, requested):
        for record in page:
            arn, name = needed(record, "FirewallArn", str), needed(record, "FirewallName", str)
            zones = field(field(record, STATUS, dict) or {}, "SyncStates", dict) or {}
            for zone in sorted(zones):
                for engine in ENGINES:
                    yield from cloudwatch.queries(
                        "aws.networkfirewall",
                        "AWS/NetworkFirewall",
                        {"FirewallName": name, "AvailabilityZone": zone, "Engine": engine},
                        arn,
                        "appliance",
                        cloudwatch.FIVE_MINUTES_S,
                        specialisation=f"{zone} {engine}",
                    )
