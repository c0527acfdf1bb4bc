"""Target groups of load balancers, and the servers that are their targets.

No operation lists the targets of all target groups, so there is a call for each group. A target is a server if
EC2 still lists an instance with that id, or an interface of one with that address in the target group's VPC.
"""

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Optional

from modules.appliances.aws.elb import PAGE_SIZE
from modules.appliances.aws.records import NAMED_AT_ONCE, Lookups, Record
from shared.engine.contracts import Requested
from shared.providers import aws
from shared.records.fields import field, items, needed, objects

Targets = Mapping[str, list[Record]]  # by target group


def target_groups_of(
    scope: aws.Scope, balancers: Collection[str], requested: Requested
) -> list[Record]:
    """The target groups of all load balancers; of these, if some are requested."""
    if requested is None:
        return target_groups(scope)
    if len(balancers) > NAMED_AT_ONCE:
        groups = target_groups(scope)
        return [group for group in groups if {*balancers_of(group)} & {*balancers}]
    listed = aws.for_each(scope, lambda arn: target_groups(scope, arn), sorted(balancers))
    return list({group_arn(group): group for groups in listed for group in groups}.values())


def target_groups(scope: aws.Scope, balancer: Optional[str] = None) -> list[Record]:
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
    return [group for group in groups if balancers_of(group)]


def by_balancer(groups: Iterable[Record]) -> dict[str, list[Record]]:
    grouped: dict[str, list[Record]] = {}
    for group in groups:
        for balancer in balancers_of(group):
            grouped.setdefault(balancer, []).append(group)
    return grouped


def health_of_targets(scope: aws.Scope, groups: Iterable[Record]) -> Targets:
    """The targets of each group, with their health; without groups that were deleted since they were listed."""

    def health(arn: str) -> list[Record]:
        response = aws.call(scope, "elbv2", "describe_target_health", TargetGroupArn=arn)
        return objects(response, "TargetHealthDescriptions")

    return dict(aws.for_each_left(scope, health, map(group_arn, groups)))


def target_ids(groups: Iterable[Record], targets: Targets, kind: str) -> list[str]:
    """The ids of the targets of all groups of a kind ("instance", "ip")."""
    return sorted(
        {
            needed(field(target, "Target", dict) or {}, "Id", str)
            for group in groups
            if field(group, "TargetType", str) == kind
            for target in targets.get(group_arn(group), ())
        }
    )


def instances_by_address(
    scope: aws.Scope, groups: Iterable[Record], targets: Targets
) -> dict[tuple[str, str], str]:
    """(VPC, address) -> the instance whose interface has it, of the targets that are addresses."""
    addresses = {_normal(address) for address in target_ids(groups, targets, "ip")}
    return {
        address: instance
        for filter_name, values in (
            ("addresses.private-ip-address", {each for each in addresses if ":" not in each}),
            ("ipv6-addresses.ipv6-address", {each for each in addresses if ":" in each}),
        )
        for page in aws.filtered(
            scope, "describe_network_interfaces", "NetworkInterfaces", filter_name, values
        )
        for interface in page
        for address, instance in _addresses(interface)
    }


def _addresses(interface: Record) -> Iterator[tuple[tuple[str, str], str]]:
    attachment = field(interface, "Attachment", dict) or {}
    instance, vpc = field(attachment, "InstanceId", str), field(interface, "VpcId", str)
    for key, name in (
        ("PrivateIpAddresses", "PrivateIpAddress"),
        ("Ipv6Addresses", "Ipv6Address"),
    ):
        for assigned in objects(interface, key):
            address = field(assigned, name, str)
            if instance and vpc and address:
                yield (vpc, _normal(address)), instance


def _normal(address: str) -> str:
    """The address in the form that EC2 uses; a target's may have capitals, or zeros that EC2 omits."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def server(group: Record, target: Record, lookups: Lookups) -> Optional[str]:
    """The id of the instance that is the target, if that is certain."""
    name, kind = field(target, "Id", str) or "", field(group, "TargetType", str)
    if kind == "instance":
        return name if name in lookups.instances else None
    if kind == "ip":
        return lookups.addresses.get((field(group, "VpcId", str) or "", _normal(name)))
    return None


def group_arn(group: Record) -> str:
    return needed(group, "TargetGroupArn", str)


def balancers_of(group: Record) -> list[str]:
    """The ARNs of the load balancers that use the target group."""
    return items(group, "LoadBalancerArns", str)
