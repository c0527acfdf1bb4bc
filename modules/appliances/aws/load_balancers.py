"""Load balancers of Elastic Load Balancing v2: application, network and gateway ones. 400 a page.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/

The status of a load balancer is its own state and the health of the targets in each of its target groups; the
targets of a group stand in for each other.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator
from typing import Any, Optional, Union

from nflex_connector_utils import Connections

from modules.appliances.aws.elb import PAGE_SIZE, existing_instances, tags_of
from modules.appliances.aws.records import (
    NAMED_AT_ONCE,
    STATE_LEVELS,
    Kind,
    Lookups,
    Message,
    Record,
    known_networks,
)
from modules.appliances.aws.target_groups import (
    balancers_of,
    by_balancer,
    group_arn,
    health_of_targets,
    instances_by_address,
    server,
    target_groups,
    target_groups_of,
    target_ids,
)
from shared.engine.contracts import Dropped, Page, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata
from shared.records.status import redundant

STATUS_PERMISSIONS = (
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
)
PERMISSIONS = (
    *STATUS_PERMISSIONS,
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkInterfaces",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeTags",
)
METRICS_PERMISSIONS = (
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroups",
)

KIND = "load_balancer"
DETAILS = (
    "AvailabilityZones",
    "CanonicalHostedZoneId",
    "DNSName",
    "IpAddressType",
    "LoadBalancerArn",
    "Scheme",
    "SecurityGroups",
    "Type",
    "VpcId",
)
LISTENER_DETAILS = ("ListenerArn", "Port", "Protocol", "SslPolicy")
GROUP_DETAILS = (
    "HealthCheckPath",
    "HealthCheckPort",
    "HealthCheckProtocol",
    "Port",
    "Protocol",
    "TargetGroupArn",
    "TargetGroupName",
    "TargetType",
)
# A target that drains or that no listener uses is not meant to serve.
TARGET_LEVELS = {"healthy": "ok", "initial": "warning", "unhealthy": "error"}
NO_TARGET = ("draining", "unhealthy.draining", "unused")
# Type of a load balancer -> its service in mapping.yaml, that of its target groups, and the namespace.
METRICS = {
    "application": ("aws.applicationelb", "aws.applicationelb_targets", "AWS/ApplicationELB"),
    "gateway": ("aws.gatewayelb", "aws.gatewayelb_targets", "AWS/GatewayELB"),
    "network": ("aws.networkelb", "aws.networkelb_targets", "AWS/NetworkELB"),
}
_ARN = re.compile(r"arn:[^:]+:elasticloadbalancing:([^:]+):\d+:loadbalancer/\w+/([^/]+)/\w+")


def fetch(scope: aws.Scope, lookups: Lookups) -> Iterator[Page[Record, Lookups]]:
    records = _all(scope)  # a load balancer may be the target of one on another page
    arns = [needed(record, "LoadBalancerArn", str) for record in records]

    def listeners_of(arn: str) -> list[Record]:
        operation, size = "describe_listeners", PAGE_SIZE
        return aws.listed(
            scope, "elbv2", operation, "Listeners", page_size=size, LoadBalancerArn=arn
        )

    def listeners_and_tags() -> dict[str, Any]:
        listeners = dict(aws.for_each_left(scope, listeners_of, arns))
        tags = tags_of(scope, "elbv2", "ResourceArns", list(listeners))
        return {"listeners": listeners, "tags": tags}

    if arns:
        targets, others = scope.workers.ahead((lambda: _targets_of_all(scope), listeners_and_tags))
        lookups = dataclasses.replace(lookups, balancers={*arns}, **targets, **others)
    yield Page(aws.of_kind(KIND, records), lookups)


def _targets_of_all(scope: aws.Scope) -> dict[str, Any]:
    """The fields of the lookups that describe what is behind all load balancers."""
    groups = target_groups(scope)
    targets = health_of_targets(scope, groups)
    instances, addresses = scope.workers.ahead(
        (
            lambda: existing_instances(scope, target_ids(groups, targets, "instance")),
            lambda: instances_by_address(scope, groups, targets),
        )
    )
    return {
        "groups": by_balancer(groups),
        "targets": targets,
        "instances": instances,
        "addresses": addresses,
    }


def fetch_status(
    scope: aws.Scope, lookups: Lookups, requested: Requested
) -> Iterator[Page[Record, Lookups]]:
    records = [record for page in _pages(scope, requested) for record in page]
    if records:
        arns = {needed(record, "LoadBalancerArn", str) for record in records}
        groups = target_groups_of(scope, arns, requested)
        targets = health_of_targets(scope, groups)
        lookups = dataclasses.replace(lookups, groups=by_balancer(groups), targets=targets)
    yield Page(aws.of_kind(KIND, records), lookups)


def _all(scope: aws.Scope) -> list[Record]:
    operation, size = "describe_load_balancers", PAGE_SIZE
    return aws.listed(scope, "elbv2", operation, "LoadBalancers", page_size=size)


def _pages(scope: aws.Scope, requested: Requested) -> Iterator[list[Record]]:
    """All load balancers, or the requested ones where they are few: by name.

    By name, because the ARN of another account's is an error. What has that name here has another ARN.
    """

    def named(name: str) -> list[Record]:
        response = aws.call(scope, "elbv2", "describe_load_balancers", Names=[name])
        return objects(response, "LoadBalancers")

    if requested is None:
        yield _all(scope)
        return
    arns = [_ARN.fullmatch(name) for name in requested]
    names = {arn[2] for arn in arns if arn and arn[1] == scope.name}
    pages: Iterable[list[Record]]
    if len(names) > NAMED_AT_ONCE:
        pages = [_all(scope)]
    else:
        pages = (page for _, page in aws.for_each_left(scope, named, sorted(names)))
    for page in pages:
        yield [record for record in page if needed(record, "LoadBalancerArn", str) in requested]


def _convert(record: Record, scope: aws.Scope, lookups: Lookups) -> Union[dict[str, Any], Dropped]:
    arn = needed(record, "LoadBalancerArn", str)
    if arn not in lookups.tags:
        return Dropped("deleted while the poll ran")
    zones = objects(record, "AvailabilityZones")
    groups = [
        {**aws.only(group, GROUP_DETAILS), "targets": _targets(group, lookups)}
        for group in sorted(lookups.groups.get(arn, []), key=group_arn)
    ]
    targets = [target for group in groups for target in group["targets"]]
    state = field(record, "State", dict) or {}
    listeners = sorted(
        lookups.listeners.get(arn, []), key=lambda listener: str(listener["ListenerArn"])
    )
    return {
        "id": arn,
        "name": needed(record, "LoadBalancerName", str),
        "type_id": "load_balancer",
        "provider_created_at": field(record, "CreatedTime", datetime.datetime),
        "connections": Connections(
            appliances=sorted(
                {field(target, "Id", str) or "" for target in targets} & lookups.balancers
            ),
            networks=known_networks([field(zone, "SubnetId", str) for zone in zones], lookups),
            servers=sorted({target["server_id"] for target in targets} - {None}),
        ),
        "metadata": metadata(
            record,
            DETAILS,
            lookups.tags[arn],
            State=state.get("Code"),
            StateReason=state.get("Reason"),
            listeners=[aws.only(listener, LISTENER_DETAILS) for listener in listeners],
            target_groups=groups,
        ),
        "native_portal_link": scope.link("ec2", f"LoadBalancer:loadBalancerArn={arn}"),
    }


def _targets(group: Record, lookups: Lookups) -> list[Record]:
    """The targets of a group, with their health and the servers that they are."""
    targets = []
    for description in lookups.targets.get(group_arn(group), []):
        target = field(description, "Target", dict) or {}
        health = field(description, "TargetHealth", dict) or {}
        targets.append(
            {
                **target,
                "State": health.get("State"),
                "Reason": health.get("Reason"),
                "server_id": server(group, target, lookups),
            }
        )
    return sorted(targets, key=lambda target: (str(target.get("Id")), str(target.get("Port"))))


def _state(record: Record) -> Optional[str]:
    return field(field(record, "State", dict) or {}, "Code", str)


def _messages(record: Record, lookups: Lookups) -> Iterator[Message]:
    reason = field(field(record, "State", dict) or {}, "Reason", str)
    if reason:
        yield STATE_LEVELS.get(_state(record) or "", "unknown"), reason
    for group in lookups.groups.get(needed(record, "LoadBalancerArn", str), []):
        arn, states = group_arn(group), []
        for target in lookups.targets.get(arn, []):
            state = field(field(target, "TargetHealth", dict) or {}, "State", str)
            if state not in NO_TARGET:
                states.append(state)
        levels = [TARGET_LEVELS.get(state or "", "unknown") for state in states]
        if states:
            name = field(group, "TargetGroupName", str) or arn
            healthy = f"{states.count('healthy')} of {len(states)} targets healthy"
            yield redundant(levels), f"{name}: {healthy}"


def queries(scope: aws.Scope, requested: Requested) -> Iterator[cloudwatch.Query]:
    """Of load balancers, and of the health of each of their target groups."""
    shorts: dict[str, tuple[str, str]] = {}  # ARN -> type, "app/shop/50dc6c495c0c9188"
    for page in _pages(scope, requested):
        for record in page:
            arn, kind = needed(record, "LoadBalancerArn", str), field(record, "Type", str) or ""
            if kind in METRICS:
                shorts[arn] = kind, arn.partition(":loadbalancer/")[2]
    for arn, (kind, short) in shorts.items():
        service, _, namespace = METRICS[kind]
        dimensions = {"LoadBalancer": short}
        yield from cloudwatch.queries(
            service, namespace, dimensions, arn, "appliance", cloudwatch.MINUTE_S
        )
    for group in target_groups_of(scope, shorts, requested) if shorts else ():
        for arn in balancers_of(group):
            if arn not in shorts:
                continue
            kind, short = shorts[arn]
            _, service, namespace = METRICS[kind]
            name = group_arn(group).rpartition(":")[2]  # "targetgroup/shop/73e2d6bc24d8a067"
            yield from cloudwatch.queries(
                service,
                namespace,
                {"LoadBalancer": short, "TargetGroup": name},
                arn,
                "appliance",
                cloudwatch.MINUTE_S,
                specialisation=field(group, "TargetGroupName", str) or name,
            )


KINDS = {KIND: Kind("LoadBalancerArn", _convert, _state, gone=(), messages=_messages)}
TRAIL = (
    # by name: most events of load balancing are polls of targets' health
    cloudtrail.by_names(
        "CreateLoadBalancer DeleteLoadBalancer ModifyLoadBalancerAttributes SetIpAddressType "
        "SetSecurityGroups SetSubnets CreateListener ModifyListener DeleteListener",
        r"(arn:[^:]+:elasticloadbalancing:[^:]+:\d+:)(?:loadbalancer|listener)"
        r"/((?:app|net|gwy)/[^/]+/\w+)(?:/\w+)?",
        r"\1loadbalancer/\2",
    ),
)
