"""Load balancers, NAT and other gateways, transit gateways, firewalls and EFS file systems.

APIs: Elastic Load Balancing v2 (application, network and gateway ones) and v1 (classic ones), EC2, Network
Firewall and EFS; the files by kind name their calls. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/

What was deleted is listed for an hour, and is dropped. Subnets and VPCs that the networks family does not
report (another account's) are named in the metadata only.
"""

import itertools
from collections.abc import Iterable, Iterator
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
from shared.engine.contracts import Cell, Dropped, Page, Requested, Series, Status, Window
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch, regions
from shared.records.fields import needed
from shared.records.status import Point, worst

__all__ = ["CELL", "Lookups", "convert", "fetch", "fetch_status", "logs", "metrics", "status"]

_PARTS = (gateways, load_balancers, classic_load_balancers, firewalls, file_systems)
KINDS: dict[str, Kind] = {kind: how for part in _PARTS for kind, how in part.KINDS.items()}


def fetch(scope: aws.Scope) -> Iterator[Page[Record, Lookups]]:
    lookups = _look_up(scope)
    yield from scope.workers.pages(
        *gateways.listings(scope, lookups),
        load_balancers.fetch(scope, lookups),
        classic_load_balancers.fetch(scope, lookups),
        firewalls.fetch(scope, lookups),
        file_systems.fetch(scope, lookups),
    )


def _look_up(scope: aws.Scope) -> Lookups:
    def ids(operation: str, key: str, name: str) -> set[str]:
        records = aws.listed(scope, "ec2", operation, key)
        return {needed(record, name, str) for record in records}

    vpcs, subnets = scope.workers.ahead(
        (
            lambda: ids("describe_vpcs", "Vpcs", "VpcId"),
            lambda: ids("describe_subnets", "Subnets", "SubnetId"),
        )
    )
    return Lookups(networks=vpcs | subnets)


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


def fetch_status(scope: aws.Scope, requested: Requested) -> Iterator[Page[Record, Lookups]]:
    lookups = Lookups()  # the names of networks are not needed
    yield from scope.workers.pages(
        *gateways.listings(scope, lookups, requested),
        load_balancers.fetch_status(scope, lookups, requested),
        classic_load_balancers.fetch_status(scope, lookups, requested),
        firewalls.fetch(scope, lookups, requested),
        file_systems.fetch(scope, lookups, requested),
    )


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


def metrics(scope: aws.Scope, window: Window) -> Iterator[list[dict[str, Any]]]:
    """Of load balancers, NAT and transit gateways, firewalls and file systems: other kinds have none."""
    queries = (query for part in _PARTS for query in part.queries(scope, window.resources))
    return cloudwatch.points(
        scope, window, (query for query in queries if window.wants(query.resource_id))
    )


TRAIL = tuple(lookup for part in _PARTS for lookup in part.TRAIL)


def logs(scope: aws.Scope, window: Window) -> Iterator[list[dict[str, Any]]]:
    return cloudtrail.events(scope, window, "appliance", TRAIL)


def _permissions(own: Iterable[str], parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({"ec2:DescribeRegions", *own, *itertools.chain.from_iterable(parts)}))


CELL = Cell(
    calls=(
        "1 DescribeRegions; a region: ceil(VPCs/1000) DescribeVpcs + ceil(subnets/1000) DescribeSubnets "
        "+ a page each of NAT, internet, egress-only, virtual private, customer and transit gateways "
        "+ ceil(load balancers/400) DescribeLoadBalancers of v2, and of v1, + ceil(file systems/100) "
        "DescribeFileSystems + ceil(firewalls/100) ListFirewalls; where there are v2 load balancers "
        "ceil(target groups/400) DescribeTargetGroups + 1 a target group in use DescribeTargetHealth "
        "+ ceil(targets/200) DescribeInstances or, for addresses, DescribeNetworkInterfaces; "
        "a v2 load balancer: 1 DescribeListeners; 20 load balancers of a kind: 1 DescribeTags; "
        "a file system with mount targets: 1 DescribeMountTargets; a firewall: 1 DescribeFirewall"
    ),
    permissions=_permissions(
        ("ec2:DescribeSubnets", "ec2:DescribeVpcs"), (part.PERMISSIONS for part in _PARTS)
    ),
    fetch=fetch,
    convert=convert,
    record_ids=tuple(kind.id for kind in KINDS.values()),
    status=Status(
        permissions=_permissions((), (part.STATUS_PERMISSIONS for part in _PARTS)),
        points=status,
        fetch=fetch_status,
    ),
    metrics=Series(
        permissions=_permissions(
            (cloudwatch.PERMISSION,), (part.METRICS_PERMISSIONS for part in _PARTS)
        ),
        span=cloudwatch.SPAN,
        fetch=metrics,
    ),
    logs=cloudtrail.series(logs),
)
