"""Load balancers, NAT and other gateways, transit gateways, firewalls and EFS file systems.

APIs: Elastic Load Balancing v2 (application, network and gateway ones) and v1 (classic ones), EC2, Network
Firewall and EFS; the files by kind name their calls. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/

What was deleted is listed for an hour, and is dropped. Subnets and VPCs that the networks family does not
report (another account's) are named in the metadata only.
"""

from collections.abc import Iterator
from typing import Any, Union

from nflex_connector_utils import Appliance

from modules.appliances.aws import (
    classic_load_balancers,
    file_systems,
    firewalls,
    gateways,
    load_balancers,
)
from modules.appliances.aws.records import STATE_LEVELS, Kind, Lookups, Record
from shared.engine.poll import Asked, Dropped, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch, regions
from shared.records.fields import needed
from shared.records.status import Point, worst

_PARTS = (gateways, load_balancers, classic_load_balancers, firewalls, file_systems)
KINDS: dict[str, Kind] = {kind: how for part in _PARTS for kind, how in part.KINDS.items()}
RECORD_IDS = tuple(how.id for how in KINDS.values())

PERMISSIONS = tuple(
    sorted(
        {
            "ec2:DescribeRegions",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            *(permission for part in _PARTS for permission in part.PERMISSIONS),
        }
    )
)
STATUS_PERMISSIONS = tuple(
    sorted(
        {
            "ec2:DescribeRegions",
            *(permission for part in _PARTS for permission in part.STATUS_PERMISSIONS),
        }
    )
)
METRICS_PERMISSIONS = tuple(
    sorted(
        {
            cloudwatch.PERMISSION,
            "ec2:DescribeRegions",
            *(permission for part in _PARTS for permission in part.METRICS_PERMISSIONS),
        }
    )
)
LOGS_PERMISSIONS = (cloudtrail.PERMISSION, "ec2:DescribeRegions")
CALLS = (
    "1 DescribeRegions; a region: ceil(VPCs/1000) DescribeVpcs + ceil(subnets/1000) DescribeSubnets "
    "+ a page each of NAT, internet, egress-only, virtual private, customer and transit gateways "
    "+ ceil(load balancers/400) DescribeLoadBalancers of v2, and of v1, + ceil(file systems/100) "
    "DescribeFileSystems + ceil(firewalls/100) ListFirewalls; where there are v2 load balancers "
    "ceil(target groups/400) DescribeTargetGroups + 1 a target group in use DescribeTargetHealth "
    "+ ceil(targets/200) DescribeInstances or, for addresses, DescribeNetworkInterfaces; "
    "a v2 load balancer: 1 DescribeListeners; 20 load balancers of a kind: 1 DescribeTags; "
    "a file system with mount targets: 1 DescribeMountTargets; a firewall: 1 DescribeFirewall"
)


def lookups(scope: aws.Scope) -> Lookups:
    return Lookups()


def fetch(scope: aws.Scope, lookups: Lookups) -> Iterator[list[Record]]:
    for operation, key, name in (
        ("describe_vpcs", "Vpcs", "VpcId"),
        ("describe_subnets", "Subnets", "SubnetId"),
    ):
        networks = aws.listed(scope, "ec2", operation, key)
        lookups.networks.update(needed(record, name, str) for record in networks)
    yield from gateways.fetch(scope)
    yield from load_balancers.fetch(scope, lookups)
    yield from classic_load_balancers.fetch(scope, lookups)
    yield from firewalls.fetch(scope)
    yield from file_systems.fetch(scope, lookups)


def convert(record: Record, scope: aws.Scope, lookups: Lookups) -> Union[Appliance, Dropped]:
    kind = _kind(record)
    state = kind.state(record)
    if state is not None and state in kind.gone:
        return Dropped(state)
    appliance = kind.convert(record, scope, lookups)
    if isinstance(appliance, Dropped):
        return appliance
    return Appliance(**appliance, **regions.aws(scope.name))


def _kind(record: Record) -> Kind:
    return KINDS[aws.kind_of(record, KINDS, "appliance")]


def fetch_status(
    scope: aws.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[Record]]:
    yield from gateways.fetch(scope, requested)
    yield from load_balancers.fetch_status(scope, lookups, requested)
    yield from classic_load_balancers.fetch_status(scope, lookups, requested)
    yield from firewalls.fetch(scope, requested)
    yield from file_systems.fetch(scope, lookups, requested)


def status(record: Record, scope: aws.Scope, lookups: Lookups) -> Iterator[Point]:
    kind = _kind(record)
    state = kind.state(record)
    if state in kind.gone:
        return
    messages = list(kind.messages(record, lookups))
    if state is not None:
        messages.insert(0, (STATE_LEVELS.get(state, "unknown"), state))
    faults = [text for level, text in messages if level != "ok"]
    message = "; ".join(faults or [text for _, text in messages]) or "no state"
    level = worst(level for level, _ in messages)
    yield Point(needed(record, kind.id, str), "appliance", level, message)


METRICS_SPAN = cloudwatch.SPAN


def metrics(scope: aws.Scope, lookups: Lookups, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    """Of load balancers, NAT and transit gateways, firewalls and file systems: other kinds have none."""
    queries = (query for part in _PARTS for query in part.queries(scope, asked.resources))
    return cloudwatch.points(
        scope, asked, (query for query in queries if asked.wants(query.resource_id))
    )


LOGS_SPAN = cloudtrail.SPAN
TRAIL = tuple(lookup for part in _PARTS for lookup in part.TRAIL)


def logs(scope: aws.Scope, lookups: Lookups, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    return cloudtrail.events(scope, asked, "appliance", TRAIL)
