"""Load balancers of Elastic Load Balancing v2: application, network and gateway ones. 400 a page.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/

No operation lists the targets of all target groups, so there is a call for each group. A target is a server if
EC2 still lists an instance with that id, or an interface of one with that address in the target group's VPC.

The status of a load balancer is its own state and the health of the targets in each of its target groups; the
targets of a group stand in for each other.
"""

import datetime
import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Optional, Union

from nflex_connector_utils import Connections

from modules.appliances.aws.records import (
    NAMED_AT_ONCE,
    STATE_LEVELS,
    Kind,
    Lookups,
    Message,
    Record,
    known_networks,
    of_kind,
)
from shared.engine.poll import Dropped, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch
from shared.records.fields import field, items, needed, objects
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

PAGE_SIZE = 400
TAGGED_A_CALL = 20
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
# type of a load balancer -> its service in mapping.yaml, that of its target groups, and the namespace
METRICS = {
    "application": ("aws.applicationelb", "aws.applicationelb_targets", "AWS/ApplicationELB"),
    "gateway": ("aws.gatewayelb", "aws.gatewayelb_targets", "AWS/GatewayELB"),
    "network": ("aws.networkelb", "aws.networkelb_targets", "AWS/NetworkELB"),
}
_ARN = re.compile(r"arn:[^:]+:elasticloadbalancing:([^:]+):\d+:loadbalancer/\w+/([^/]+)/\w+")


def fetch(scope: aws.Scope, lookups: Lookups) -> Iterator[list[Record]]:
    return of_kind("load_balancer", _with_related(scope, lookups))


def fetch_status(
    scope: aws.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[Record]]:
    records = [record for page in _pages(scope, requested) for record in page]
    if records:
        arns = {needed(record, "LoadBalancerArn", str) for record in records}
        _look_up_health(scope, lookups, _target_groups_of(scope, arns, requested))
    return of_kind("load_balancer", [records])


def _with_related(scope: aws.Scope, lookups: Lookups) -> Iterator[list[Record]]:
    records = _all(scope)  # a load balancer may be the target of one on another page
    arns = [needed(record, "LoadBalancerArn", str) for record in records]
    lookups.balancers.update(arns)
    if arns:
        _look_up_targets(scope, lookups)

    def listeners(arn: str) -> list[Record]:
        operation, size = "describe_listeners", PAGE_SIZE
        return aws.listed(
            scope, "elbv2", operation, "Listeners", page_size=size, LoadBalancerArn=arn
        )

    lookups.listeners.update(aws.for_each_left(scope, listeners, arns))
    look_up_tags(scope, lookups, "elbv2", "ResourceArns", list(lookups.listeners))
    yield records


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
    arns = [_ARN.fullmatch(each) for each in requested]
    names = {each[2] for each in arns if each and each[1] == scope.name}
    pages: Iterable[list[Record]]
    if len(names) > NAMED_AT_ONCE:
        pages = [_all(scope)]
    else:
        pages = (page for _, page in aws.for_each_left(scope, named, sorted(names)))
    for page in pages:
        yield [each for each in page if needed(each, "LoadBalancerArn", str) in requested]


def _target_groups(scope: aws.Scope, balancer: Optional[str] = None) -> list[Record]:
    """The target groups in use by a load balancer: by any, or by this one."""
    params: dict[str, Any] = {"LoadBalancerArn": balancer} if balancer else {}
    groups: list[Record] = []
    with aws.may_be_gone():
        groups = aws.listed(
            scope,
            "elbv2",
            "describe_target_groups",
            "TargetGroups",
            page_size=PAGE_SIZE,
            **params,
        )
    return [group for group in groups if items(group, "LoadBalancerArns", str)]


def _target_groups_of(
    scope: aws.Scope, balancers: Collection[str], requested: Requested
) -> list[Record]:
    """The target groups of all load balancers; of these, if some are requested."""
    if requested is None:
        return _target_groups(scope)
    if len(balancers) > NAMED_AT_ONCE:
        listed = _target_groups(scope)
        return [each for each in listed if {*items(each, "LoadBalancerArns", str)} & {*balancers}]
    found = aws.for_each(scope, lambda each: _target_groups(scope, each), sorted(balancers))
    return list({_group_arn(group): group for some in found for group in some}.values())


def _look_up_health(scope: aws.Scope, lookups: Lookups, groups: list[Record]) -> list[Record]:
    """Look up the health of the groups' targets; returns the groups."""

    def health(arn: str) -> list[Record]:
        response = aws.call(scope, "elbv2", "describe_target_health", TargetGroupArn=arn)
        return objects(response, "TargetHealthDescriptions")

    lookups.targets.update(aws.for_each_left(scope, health, map(_group_arn, groups)))
    for group in groups:
        for balancer in items(group, "LoadBalancerArns", str):
            lookups.groups[balancer].append(group)
    return groups


def _look_up_targets(scope: aws.Scope, lookups: Lookups) -> None:
    groups = _look_up_health(scope, lookups, _target_groups(scope))
    look_up_instances(scope, lookups, _target_ids(groups, lookups, "instance"))
    addresses = {_normal(each) for each in _target_ids(groups, lookups, "ip")}
    for filtered_by, wanted in (
        ("addresses.private-ip-address", {each for each in addresses if ":" not in each}),
        ("ipv6-addresses.ipv6-address", {each for each in addresses if ":" in each}),
    ):
        for page in aws.filtered(
            scope, "describe_network_interfaces", "NetworkInterfaces", filtered_by, wanted
        ):
            for interface in page:
                _note_addresses(interface, lookups)


def _note_addresses(interface: Record, lookups: Lookups) -> None:
    attachment = field(interface, "Attachment", dict) or {}
    instance, vpc = field(attachment, "InstanceId", str), field(interface, "VpcId", str)
    for key, name in (
        ("PrivateIpAddresses", "PrivateIpAddress"),
        ("Ipv6Addresses", "Ipv6Address"),
    ):
        for each in objects(interface, key):
            address = field(each, name, str)
            if instance and vpc and address:
                lookups.addresses[vpc, _normal(address)] = instance


def _normal(address: str) -> str:
    """The address in the form that EC2 uses; a target's may have capitals, or zeros that EC2 omits."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _target_ids(groups: Iterable[dict[str, Any]], lookups: Lookups, kind: str) -> list[str]:
    return sorted(
        {
            needed(field(target, "Target", dict) or {}, "Id", str)
            for group in groups
            if field(group, "TargetType", str) == kind
            for target in lookups.targets.get(needed(group, "TargetGroupArn", str), ())
        }
    )


def look_up_instances(scope: aws.Scope, lookups: Lookups, ids: list[str]) -> None:
    """Which of the instances still exist: by a filter, because an unknown id in a list is an error."""
    for page in aws.filtered(scope, "describe_instances", "Reservations", "instance-id", ids):
        for reservation in page:
            for instance in objects(reservation, "Instances"):
                lookups.instances.add(needed(instance, "InstanceId", str))


def look_up_tags(
    scope: aws.Scope, lookups: Lookups, service: str, parameter: str, names: list[str]
) -> None:
    """Look up tags, of several load balancers in a call.

    A call fails for all of them if one is gone: then there is a call for each. ``parameter`` takes the names.
    """

    def tags(some: list[str]) -> dict[str, dict[str, str]]:
        response = aws.call(scope, service, "describe_tags", **{parameter: some})
        described = objects(response, "TagDescriptions")
        found = {needed(each, parameter[:-1], str): aws.tags(each) for each in described}
        return {name: found.get(name, {}) for name in some}

    for some in (list(_in_parts(names, TAGGED_A_CALL)), [[name] for name in names]):
        left = [part for part in some if not all(name in lookups.tags for name in part)]
        for _, found in aws.for_each_left(scope, tags, left):
            lookups.tags.update(found)


def _in_parts(values: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _convert(record: Record, scope: aws.Scope, lookups: Lookups) -> Union[dict[str, Any], Dropped]:
    arn = needed(record, "LoadBalancerArn", str)
    if arn not in lookups.tags:
        return Dropped("deleted while the poll ran")
    zones = objects(record, "AvailabilityZones")
    servers: set[str] = set()
    behind: set[str] = set()
    groups = []
    for group in sorted(lookups.groups.get(arn, []), key=_group_arn):
        targets = []
        for described in lookups.targets.get(_group_arn(group), []):
            target = field(described, "Target", dict) or {}
            health = field(described, "TargetHealth", dict) or {}
            server = _server(group, target, lookups)
            servers.update([server] if server else [])
            behind.update({field(target, "Id", str) or ""} & lookups.balancers)
            state = {"State": health.get("State"), "Reason": health.get("Reason")}
            targets.append({**target, **state, "server_id": server})
        targets.sort(key=lambda target: (str(target.get("Id")), str(target.get("Port"))))
        groups.append({**aws.only(group, GROUP_DETAILS), "targets": targets})
    state = field(record, "State", dict) or {}
    listeners = sorted(lookups.listeners.get(arn, []), key=lambda each: str(each["ListenerArn"]))
    return {
        "id": arn,
        "name": needed(record, "LoadBalancerName", str),
        "type_id": "load_balancer",
        "provider_created_at": field(record, "CreatedTime", datetime.datetime),
        "connections": Connections(
            appliances=sorted(behind),
            networks=known_networks([field(zone, "SubnetId", str) for zone in zones], lookups),
            servers=sorted(servers),
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


def _server(group: Record, target: Record, lookups: Lookups) -> Optional[str]:
    """The id of the instance that is the target, if that is certain."""
    name, kind = field(target, "Id", str) or "", field(group, "TargetType", str)
    if kind == "instance":
        return name if name in lookups.instances else None
    if kind == "ip":
        return lookups.addresses.get((field(group, "VpcId", str) or "", _normal(name)))
    return None


def _state(record: Record) -> Optional[str]:
    return field(field(record, "State", dict) or {}, "Code", str)


def _messages(record: Record, lookups: Lookups) -> Iterator[Message]:
    reason = field(field(record, "State", dict) or {}, "Reason", str)
    if reason:
        yield STATE_LEVELS.get(_state(record) or "", "unknown"), reason
    for group in lookups.groups.get(needed(record, "LoadBalancerArn", str), []):
        arn, states = _group_arn(group), []
        for target in lookups.targets.get(arn, []):
            state = field(field(target, "TargetHealth", dict) or {}, "State", str)
            if state not in NO_TARGET:
                states.append(state)
        levels = [TARGET_LEVELS.get(state or "", "unknown") for state in states]
        if states:
            name = field(group, "TargetGroupName", str) or arn
            healthy = f"{states.count('healthy')} of {len(states)} targets healthy"
            yield redundant(levels), f"{name}: {healthy}"


def _group_arn(group: Record) -> str:
    return needed(group, "TargetGroupArn", str)


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
    for group in _target_groups_of(scope, shorts, requested) if shorts else ():
        group_arn = _group_arn(group)
        for arn in items(group, "LoadBalancerArns", str):
            if arn not in shorts:
                continue
            kind, short = shorts[arn]
            _, service, namespace = METRICS[kind]
            name = group_arn.rpartition(":")[2]  # "targetgroup/shop/73e2d6bc24d8a067"
            yield from cloudwatch.queries(
                service,
                namespace,
                {"LoadBalancer": short, "TargetGroup": name},
                arn,
                "appliance",
                cloudwatch.MINUTE_S,
                specialisation=field(group, "TargetGroupName", str) or name,
            )


KINDS = {"load_balancer": Kind("LoadBalancerArn", _convert, _state, gone=(), messages=_messages)}
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
