"""Load balancers, NAT and other gateways, transit gateways, firewalls and EFS file systems.

APIs: Elastic Load Balancing v2 (application, network and gateway ones) and v1 (classic ones),
DescribeLoadBalancers, 400 a page; EC2 DescribeNatGateways, DescribeInternetGateways,
DescribeEgressOnlyInternetGateways, DescribeVpnGateways, DescribeCustomerGateways and
DescribeTransitGateways; Network Firewall ListFirewalls, 100 a page; EFS DescribeFileSystems, 100 a page.
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/
https://docs.aws.amazon.com/network-firewall/latest/APIReference/ https://docs.aws.amazon.com/efs/latest/ug/

Nothing lists the targets of all target groups, a firewall's subnets, or the mount targets of all file
systems: one call each. A target is a server if EC2 still lists an instance of that id, or an interface
of one with that address in the target group's VPC. A classic load balancer has no id of its own but its
DNS name. What was deleted is listed for an hour, and is dropped. Subnets and VPCs that the networks
family does not report (another account's) are named in the metadata only.

The status of a load balancer is its own state and the health of its targets, in each target group: those
stand in for each other. A classic one has no state, and one call each tells the health of its instances.
"""

import dataclasses
import datetime
import ipaddress
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Callable, Optional, Union

from nflex_connector_utils import Appliance, Connections

from shared.engine.errors import UnexpectedResponse
from shared.engine.poll import Asked, Dropped, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch, regions
from shared.records.fields import field, items, needed, objects
from shared.records.metadata import metadata
from shared.records.status import Point, redundant, worst

PERMISSIONS = (
    "ec2:DescribeCustomerGateways",
    "ec2:DescribeEgressOnlyInternetGateways",
    "ec2:DescribeInstances",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNatGateways",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRegions",
    "ec2:DescribeSubnets",
    "ec2:DescribeTransitGateways",
    "ec2:DescribeVpcs",
    "ec2:DescribeVpnGateways",
    "elasticfilesystem:DescribeFileSystems",
    "elasticfilesystem:DescribeMountTargets",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "network-firewall:DescribeFirewall",
    "network-firewall:ListFirewalls",
)
STATUS_PERMISSIONS = (
    "ec2:DescribeCustomerGateways",
    "ec2:DescribeEgressOnlyInternetGateways",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNatGateways",
    "ec2:DescribeRegions",
    "ec2:DescribeTransitGateways",
    "ec2:DescribeVpnGateways",
    "elasticfilesystem:DescribeFileSystems",
    "elasticfilesystem:DescribeMountTargets",
    "elasticloadbalancing:DescribeInstanceHealth",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "network-firewall:DescribeFirewall",
    "network-firewall:ListFirewalls",
)
METRICS_PERMISSIONS = (
    cloudwatch.PERMISSION,
    "ec2:DescribeNatGateways",
    "ec2:DescribeRegions",
    "ec2:DescribeTransitGateways",
    "elasticfilesystem:DescribeFileSystems",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroups",
    "network-firewall:DescribeFirewall",
    "network-firewall:ListFirewalls",
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
RECORD_IDS = (
    "NatGatewayId",
    "InternetGatewayId",
    "EgressOnlyInternetGatewayId",
    "VpnGatewayId",
    "CustomerGatewayId",
    "TransitGatewayId",
    "FileSystemId",
    "FirewallArn",
    "LoadBalancerArn",
    "DNSName",
)

BALANCERS_A_CALL = 400
TAGGED_A_CALL = 20
SMALL_PAGE = 100  # Network Firewall's and EFS's largest
EGRESS_ONLY_A_CALL = 255
KIND = "kind"  # of a record; fetch adds it
FIREWALL_STATUS = "FirewallStatus"  # of a firewall's record; fetch adds it
INSTANCE_STATES = "InstanceStates"  # of a classic load balancer's record; fetch_status adds it
GONE = ("deleted", "failed")  # a NAT gateway that failed is deleted within the hour

BALANCER_DETAILS = (
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
CLASSIC_DETAILS = (
    "AvailabilityZones",
    "CanonicalHostedZoneName",
    "DNSName",
    "HealthCheck",
    "LoadBalancerName",
    "Scheme",
    "SecurityGroups",
    "Subnets",
    "VPCId",
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
NAT_DETAILS = (
    "AvailabilityMode",
    "ConnectivityType",
    "FailureCode",
    "FailureMessage",
    "NatGatewayAddresses",
    "State",
    "SubnetId",
    "VpcId",
)
INTERNET_DETAILS = ("Attachments", "OwnerId")
VPN_GATEWAY_DETAILS = ("AmazonSideAsn", "AvailabilityZone", "State", "Type", "VpcAttachments")
CUSTOMER_DETAILS = ("BgpAsn", "BgpAsnExtended", "DeviceName", "IpAddress", "State", "Type")
TRANSIT_DETAILS = ("Description", "Options", "OwnerId", "State", "TransitGatewayArn")
FIREWALL_DETAILS = (
    "DeleteProtection",
    "Description",
    "FirewallArn",
    "FirewallPolicyArn",
    "SubnetMappings",
    "TransitGatewayId",
    "VpcId",
)
FILE_SYSTEM_DETAILS = (
    "AvailabilityZoneName",
    "Encrypted",
    "FileSystemArn",
    "LifeCycleState",
    "NumberOfMountTargets",
    "OwnerId",
    "PerformanceMode",
    "ProvisionedThroughputInMibps",
    "ThroughputMode",
)

# kind -> EC2's operation, the list in its answer, its filter for ids, and how these begin
GATEWAYS = {
    "nat_gateway": ("describe_nat_gateways", "NatGateways", "nat-gateway-id", "nat-"),
    "internet_gateway": (
        "describe_internet_gateways",
        "InternetGateways",
        "internet-gateway-id",
        "igw-",
    ),
    "egress_only_gateway": (
        "describe_egress_only_internet_gateways",
        "EgressOnlyInternetGateways",
        None,
        "eigw-",
    ),
    "vpn_gateway": ("describe_vpn_gateways", "VpnGateways", "vpn-gateway-id", "vgw-"),
    "customer_gateway": (
        "describe_customer_gateways",
        "CustomerGateways",
        "customer-gateway-id",
        "cgw-",
    ),
    "transit_gateway": (
        "describe_transit_gateways",
        "TransitGateways",
        "transit-gateway-id",
        "tgw-",
    ),
}
NAMED_AT_ONCE = 20  # where more are requested, all are listed: that is fewer calls
_FILE_SYSTEM = re.compile(r"fs-[0-9a-f]{8,40}")  # what is no such id is refused as invalid
_BALANCER = re.compile(r"arn:[^:]+:elasticloadbalancing:([^:]+):\d+:loadbalancer/\w+/([^/]+)/\w+")


@dataclasses.dataclass
class Lookups:
    """What appliances only name. ``fetch`` and ``fetch_status`` add what they need before they hand on a page."""

    networks: set[str] = dataclasses.field(default_factory=set)  # VPCs and subnets
    instances: set[str] = dataclasses.field(default_factory=set)
    addresses: dict[tuple[str, str], str] = dataclasses.field(  # (VPC, address) -> instance
        default_factory=dict
    )
    groups: dict[str, list[dict[str, Any]]] = dataclasses.field(  # by load balancer
        default_factory=lambda: defaultdict(list)
    )
    targets: dict[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)  # by group
    listeners: dict[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)
    balancers: set[str] = dataclasses.field(default_factory=set)
    tags: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)  # by load balancer
    mounts: dict[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)


def lookups(scope: aws.Scope) -> Lookups:
    return Lookups()


def fetch(scope: aws.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    for operation, key, name in (
        ("describe_vpcs", "Vpcs", "VpcId"),
        ("describe_subnets", "Subnets", "SubnetId"),
    ):
        found = aws.listed(scope, "ec2", operation, key)
        lookups.networks.update(needed(record, name, str) for record in found)
    yield from _gateways(scope)
    yield from _of_kind("load_balancer", _balancers(scope, lookups))
    yield from _of_kind("classic_load_balancer", _classic_balancers(scope, lookups))
    yield from _of_kind("firewall", _firewalls(scope))
    yield from _of_kind("file_system", _file_systems(scope, lookups))


def _gateways(
    scope: aws.Scope, requested: Requested = None, kinds: Iterable[str] = tuple(GATEWAYS)
) -> Iterator[list[dict[str, Any]]]:
    for kind in kinds:
        operation, key, filtered_by, begins = GATEWAYS[kind]
        if filtered_by:
            pages = aws.requested_pages(scope, operation, key, filtered_by, requested, begins)
        elif requested is None or any(each.startswith(begins) for each in requested):
            pages = aws.pages(scope, "ec2", operation, key, page_size=EGRESS_ONLY_A_CALL)
        else:
            continue
        yield from _of_kind(kind, pages)


def _of_kind(kind: str, pages: Iterable[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    for page in pages:
        yield [{**record, KIND: kind} for record in page]


def _balancers(scope: aws.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    records = _all_balancers(scope)  # a load balancer may be the target of one on another page
    arns = [needed(record, "LoadBalancerArn", str) for record in records]
    lookups.balancers.update(arns)
    if arns:
        _look_up_targets(scope, lookups)

    def listeners(arn: str) -> list[dict[str, Any]]:
        operation, size = "describe_listeners", BALANCERS_A_CALL
        return aws.listed(
            scope, "elbv2", operation, "Listeners", page_size=size, LoadBalancerArn=arn
        )

    lookups.listeners.update(aws.for_each_left(scope, listeners, arns))
    _look_up_tags(scope, lookups, "elbv2", "ResourceArns", list(lookups.listeners))
    yield records


def _all_balancers(scope: aws.Scope) -> list[dict[str, Any]]:
    operation, size = "describe_load_balancers", BALANCERS_A_CALL
    return aws.listed(scope, "elbv2", operation, "LoadBalancers", page_size=size)


def _listed_classic(scope: aws.Scope) -> Iterator[list[dict[str, Any]]]:
    operation, key = "describe_load_balancers", "LoadBalancerDescriptions"
    return aws.pages(scope, "elb", operation, key, page_size=BALANCERS_A_CALL)


def _balancers_of(scope: aws.Scope, requested: Requested) -> Iterator[list[dict[str, Any]]]:
    """The load balancers of v2; where a few are requested, those, by name.

    By name, since the ARN of another account's is an error: what has the name here has another ARN then.
    """

    def named(name: str) -> list[dict[str, Any]]:
        answer = aws.call(scope, "elbv2", "describe_load_balancers", Names=[name])
        return objects(answer, "LoadBalancers")

    found = [_BALANCER.fullmatch(each) for each in requested or ()]
    names = {each[2] for each in found if each and each[1] == scope.name}
    if requested is None:
        yield _all_balancers(scope)
        return
    pages: Iterable[list[dict[str, Any]]]
    if len(names) > NAMED_AT_ONCE:
        pages = [_all_balancers(scope)]
    else:
        pages = (page for _, page in aws.for_each_left(scope, named, sorted(names)))
    for page in pages:
        yield [each for each in page if needed(each, "LoadBalancerArn", str) in requested]


def _target_groups(scope: aws.Scope, balancer: Optional[str] = None) -> list[dict[str, Any]]:
    """Those that load balancers use, or those of one."""
    asked: dict[str, Any] = {"LoadBalancerArn": balancer} if balancer else {}
    groups: list[dict[str, Any]] = []
    with aws.may_be_gone():
        groups = aws.listed(
            scope,
            "elbv2",
            "describe_target_groups",
            "TargetGroups",
            page_size=BALANCERS_A_CALL,
            **asked,
        )
    return [group for group in groups if items(group, "LoadBalancerArns", str)]


def _target_groups_of(
    scope: aws.Scope, balancers: Collection[str], requested: Requested
) -> list[dict[str, Any]]:
    """Of all load balancers, or of these where some are requested."""
    if requested is None:
        return _target_groups(scope)
    if len(balancers) > NAMED_AT_ONCE:
        listed = _target_groups(scope)
        return [each for each in listed if {*items(each, "LoadBalancerArns", str)} & {*balancers}]
    found = aws.for_each(scope, lambda each: _target_groups(scope, each), sorted(balancers))
    return list({_arn_of_group(group): group for some in found for group in some}.values())


def _look_up_health(
    scope: aws.Scope, lookups: Lookups, groups: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Of the targets of these target groups; the groups."""

    def health(arn: str) -> list[dict[str, Any]]:
        answer = aws.call(scope, "elbv2", "describe_target_health", TargetGroupArn=arn)
        return objects(answer, "TargetHealthDescriptions")

    lookups.targets.update(aws.for_each_left(scope, health, map(_arn_of_group, groups)))
    for group in groups:
        for balancer in items(group, "LoadBalancerArns", str):
            lookups.groups[balancer].append(group)
    return groups


def _look_up_targets(scope: aws.Scope, lookups: Lookups) -> None:
    groups = _look_up_health(scope, lookups, _target_groups(scope))
    _look_up_instances(scope, lookups, _target_ids(groups, lookups, "instance"))
    addresses = {_same(each) for each in _target_ids(groups, lookups, "ip")}
    for filtered_by, wanted in (
        ("addresses.private-ip-address", {each for each in addresses if ":" not in each}),
        ("ipv6-addresses.ipv6-address", {each for each in addresses if ":" in each}),
    ):
        for page in aws.filtered(
            scope, "describe_network_interfaces", "NetworkInterfaces", filtered_by, wanted
        ):
            for interface in page:
                _note_addresses(interface, lookups)


def _note_addresses(interface: dict[str, Any], lookups: Lookups) -> None:
    attachment = field(interface, "Attachment", dict) or {}
    instance, vpc = field(attachment, "InstanceId", str), field(interface, "VpcId", str)
    for key, name in (
        ("PrivateIpAddresses", "PrivateIpAddress"),
        ("Ipv6Addresses", "Ipv6Address"),
    ):
        for each in objects(interface, key):
            address = field(each, name, str)
            if instance and vpc and address:
                lookups.addresses[vpc, _same(address)] = instance


def _same(address: str) -> str:
    """An IPv6 address as EC2 writes it: a target's is as somebody wrote it, with capitals or zeros."""
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


def _look_up_instances(scope: aws.Scope, lookups: Lookups, ids: list[str]) -> None:
    """Which of these there still are: asked by a filter, for an unknown id in a list is an error."""
    for page in aws.filtered(scope, "describe_instances", "Reservations", "instance-id", ids):
        for reservation in page:
            for instance in objects(reservation, "Instances"):
                lookups.instances.add(needed(instance, "InstanceId", str))


def _classic_balancers(scope: aws.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    for page in _listed_classic(scope):
        names = [needed(record, "LoadBalancerName", str) for record in page]
        _look_up_tags(scope, lookups, "elb", "LoadBalancerNames", names)
        ids = {
            needed(instance, "InstanceId", str)
            for record in page
            for instance in objects(record, "Instances")
        }
        _look_up_instances(scope, lookups, sorted(ids))
        yield page


def _look_up_tags(
    scope: aws.Scope, lookups: Lookups, service: str, asked: str, names: list[str]
) -> None:
    """Of some at once; where one of them is gone, which fails for all, of each alone."""

    def tags(some: list[str]) -> dict[str, dict[str, str]]:
        answer = aws.call(scope, service, "describe_tags", **{asked: some})
        described = objects(answer, "TagDescriptions")
        found = {needed(each, asked[:-1], str): aws.tags(each) for each in described}
        return {name: found.get(name, {}) for name in some}

    for some in (list(_in_parts(names, TAGGED_A_CALL)), [[name] for name in names]):
        left = [part for part in some if not all(name in lookups.tags for name in part)]
        for _, found in aws.for_each_left(scope, tags, left):
            lookups.tags.update(found)


def _firewalls(scope: aws.Scope, requested: Requested = None) -> Iterator[list[dict[str, Any]]]:
    if requested is not None and not any(":firewall/" in each for each in requested):
        return

    def describe(arn: str) -> dict[str, Any]:
        answer = aws.call(scope, "network-firewall", "describe_firewall", FirewallArn=arn)
        status = field(answer, "FirewallStatus", dict) or {}
        more = {"Status": status.get("Status"), FIREWALL_STATUS: status}
        return {**needed(answer, "Firewall", dict), **more}

    for page in aws.offered_pages(
        scope, "network-firewall", "list_firewalls", "Firewalls", page_size=SMALL_PAGE
    ):
        arns = [needed(listed, "FirewallArn", str) for listed in page]
        wanted = [arn for arn in arns if requested is None or arn in requested]
        yield [record for _, record in aws.for_each_left(scope, describe, wanted)]


def _file_systems_of(scope: aws.Scope, requested: Requested) -> Iterator[list[dict[str, Any]]]:
    """Without their mount targets; where a few are requested, those."""
    asked: list[dict[str, str]] = [{}]
    if requested is not None:
        ids = sorted(each for each in requested if _FILE_SYSTEM.fullmatch(each))
        asked = [{"FileSystemId": each} for each in ids] if len(ids) <= NAMED_AT_ONCE else asked
    for params in asked:
        with aws.may_be_gone():
            yield from aws.offered_pages(
                scope,
                "efs",
                "describe_file_systems",
                "FileSystems",
                page_size=SMALL_PAGE,
                **params,
            )


def _file_systems(
    scope: aws.Scope, lookups: Lookups, requested: Requested = None
) -> Iterator[list[dict[str, Any]]]:
    def mounts(name: str) -> list[dict[str, Any]]:
        operation, size = "describe_mount_targets", SMALL_PAGE
        return aws.listed(
            scope, "efs", operation, "MountTargets", page_size=size, FileSystemId=name
        )

    for page in _file_systems_of(scope, requested):
        mounted = [
            needed(record, "FileSystemId", str)
            for record in page
            if field(record, "NumberOfMountTargets", int)
        ]
        lookups.mounts.update(aws.for_each_left(scope, mounts, mounted))
        yield page


def _in_parts(values: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


# --- one record -> one appliance ------------------------------------------------------------------


def convert(
    record: dict[str, Any], scope: aws.Scope, lookups: Lookups
) -> Union[Appliance, Dropped]:
    kind = needed(record, KIND, str)
    if kind not in CONVERT:
        raise UnexpectedResponse(f"field {KIND!r} names no kind of appliance")
    if _gone(record, kind):
        return Dropped(_state(record, kind) or "")
    balancer = field(
        record, "LoadBalancerArn" if kind == "load_balancer" else "LoadBalancerName", str
    )
    if balancer is not None and balancer not in lookups.tags:
        return Dropped("deleted while the poll ran")
    return Appliance(**CONVERT[kind](record, scope, lookups), **regions.aws(scope.name))


def _gone(record: dict[str, Any], kind: str) -> bool:
    """A load balancer that failed stays as it is."""
    return kind != "load_balancer" and _state(record, kind) in GONE


def _state(record: dict[str, Any], kind: str) -> Optional[str]:
    """The provider's word for how it is, where its kind has one."""
    if kind == "load_balancer":
        return field(field(record, "State", dict) or {}, "Code", str)
    if kind == "firewall":
        return field(record, "Status", str)
    return field(record, "LifeCycleState" if kind == "file_system" else "State", str)


def _balancer(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    arn = needed(record, "LoadBalancerArn", str)
    zones = objects(record, "AvailabilityZones")
    servers: set[str] = set()
    behind: set[str] = set()
    groups = []
    for group in sorted(lookups.groups.get(arn, []), key=_arn_of_group):
        targets = []
        for described in lookups.targets.get(_arn_of_group(group), []):
            target = field(described, "Target", dict) or {}
            health = field(described, "TargetHealth", dict) or {}
            server = _server(group, target, lookups)
            servers.update([server] if server else [])
            behind.update({field(target, "Id", str) or ""} & lookups.balancers)
            state = {"State": health.get("State"), "Reason": health.get("Reason")}
            targets.append({**target, **state, "server_id": server})
        targets.sort(key=lambda target: (str(target.get("Id")), str(target.get("Port"))))
        groups.append({**_of(group, GROUP_DETAILS), "targets": targets})
    state = field(record, "State", dict) or {}
    listeners = sorted(lookups.listeners.get(arn, []), key=lambda each: str(each["ListenerArn"]))
    return {
        "id": arn,
        "name": needed(record, "LoadBalancerName", str),
        "type_id": "load_balancer",
        "provider_created_at": field(record, "CreatedTime", datetime.datetime),
        "connections": Connections(
            appliances=sorted(behind),
            networks=_known([field(zone, "SubnetId", str) for zone in zones], lookups),
            servers=sorted(servers),
        ),
        "metadata": metadata(
            record,
            BALANCER_DETAILS,
            lookups.tags.get(arn),
            State=state.get("Code"),
            StateReason=state.get("Reason"),
            listeners=[_of(listener, LISTENER_DETAILS) for listener in listeners],
            target_groups=groups,
        ),
        "native_portal_link": scope.link("ec2", f"LoadBalancer:loadBalancerArn={arn}"),
    }


def _server(group: dict[str, Any], target: dict[str, Any], lookups: Lookups) -> Optional[str]:
    """The instance that a target is, as far as that is certain."""
    name, kind = field(target, "Id", str) or "", field(group, "TargetType", str)
    if kind == "instance":
        return name if name in lookups.instances else None
    if kind == "ip":
        return lookups.addresses.get((field(group, "VpcId", str) or "", _same(name)))
    return None


def _classic(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "LoadBalancerName", str)
    ids = {field(each, "InstanceId", str) or "" for each in objects(record, "Instances")}
    listeners = [field(each, "Listener", dict) for each in objects(record, "ListenerDescriptions")]
    return {
        "id": needed(record, "DNSName", str),
        "name": name,
        "type_id": "load_balancer",
        "provider_created_at": field(record, "CreatedTime", datetime.datetime),
        "connections": Connections(
            networks=_known(items(record, "Subnets", str), lookups),
            servers=sorted(ids & lookups.instances),
        ),
        "metadata": metadata(
            record,
            CLASSIC_DETAILS,
            lookups.tags.get(name),
            Type="classic",
            instances=sorted(ids),
            listeners=listeners,
        ),
        "native_portal_link": scope.link("ec2", f"LoadBalancers:search={name}"),
    }


def _nat(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "NatGatewayId", str)
    subnet = field(record, "SubnetId", str)  # a regional one has none
    return {
        **_router(record, name, [subnet or field(record, "VpcId", str)], NAT_DETAILS, lookups),
        "provider_created_at": field(record, "CreateTime", datetime.datetime),
        "native_portal_link": scope.link("vpcconsole", f"NatGatewayDetails:natGatewayId={name}"),
    }


def _internet(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "InternetGatewayId", str)
    link = scope.link("vpcconsole", f"InternetGateway:internetGatewayId={name}")
    networks = _attached(record, "Attachments")
    return {
        **_router(record, name, networks, INTERNET_DETAILS, lookups),
        "native_portal_link": link,
    }


def _egress_only(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "EgressOnlyInternetGatewayId", str)
    link = scope.link("vpcconsole", "EgressOnlyInternetGateways:")
    networks = _attached(record, "Attachments")
    return {
        **_router(record, name, networks, INTERNET_DETAILS, lookups),
        "native_portal_link": link,
    }


def _vpn_gateway(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "VpnGatewayId", str)
    link = scope.link("vpcconsole", "VpnGateways:")
    networks = _attached(record, "VpcAttachments")
    return {
        **_router(record, name, networks, VPN_GATEWAY_DETAILS, lookups),
        "native_portal_link": link,
    }


def _customer(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "CustomerGatewayId", str)
    link = scope.link("vpcconsole", "CustomerGateways:")
    return {**_router(record, name, [], CUSTOMER_DETAILS, lookups), "native_portal_link": link}


def _transit(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    """Its attachments are circuits, which say what it joins."""
    name = needed(record, "TransitGatewayId", str)
    link = scope.link("vpcconsole", f"TransitGatewayDetails:transitGatewayId={name}")
    return {
        **_router(record, name, [], TRANSIT_DETAILS, lookups),
        "provider_created_at": field(record, "CreationTime", datetime.datetime),
        "native_portal_link": link,
    }


def _router(
    record: dict[str, Any],
    name: str,
    networks: Iterable[Optional[str]],
    details: Iterable[str],
    lookups: Lookups,
) -> dict[str, Any]:
    """What all gateways have."""
    return {
        "id": name,
        "name": aws.named(record, name),
        "type_id": "router",
        "connections": Connections(networks=_known(networks, lookups)),
        "metadata": metadata(record, details, aws.tags(record), Kind=record[KIND]),
    }


def _firewall(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    subnets = [field(each, "SubnetId", str) for each in objects(record, "SubnetMappings")]
    return {
        "id": needed(record, "FirewallArn", str),
        "name": needed(record, "FirewallName", str),
        "type_id": "firewall",
        "connections": Connections(
            networks=_known([*subnets, field(record, "VpcId", str)], lookups)
        ),
        "metadata": metadata(record, (*FIREWALL_DETAILS, "Status"), aws.tags(record)),
        "native_portal_link": scope.link("vpcconsole", "NetworkFirewalls:"),
    }


def _file_system(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> dict[str, Any]:
    name = needed(record, "FileSystemId", str)
    mounts = [
        _of(mount, ("MountTargetId", "SubnetId", "IpAddress", "LifeCycleState", "VpcId"))
        for mount in lookups.mounts.get(name, [])
    ]
    mounts.sort(key=lambda mount: str(mount["MountTargetId"]))
    size = field(field(record, "SizeInBytes", dict) or {}, "Value", int)
    return {
        "id": name,
        "name": field(record, "Name", str) or aws.named(record, name),
        "type_id": "storage",
        "provider_created_at": field(record, "CreationTime", datetime.datetime),
        "connections": Connections(
            networks=_known([field(mount, "SubnetId", str) for mount in mounts], lookups)
        ),
        "metadata": metadata(
            record, FILE_SYSTEM_DETAILS, aws.tags(record), size_b=size, mount_targets=mounts
        ),
        "native_portal_link": scope.link("efs", f"/file-systems/{name}"),
    }


CONVERT: dict[str, Callable[[dict[str, Any], aws.Scope, Lookups], dict[str, Any]]] = {
    "classic_load_balancer": _classic,
    "customer_gateway": _customer,
    "egress_only_gateway": _egress_only,
    "file_system": _file_system,
    "firewall": _firewall,
    "internet_gateway": _internet,
    "load_balancer": _balancer,
    "nat_gateway": _nat,
    "transit_gateway": _transit,
    "vpn_gateway": _vpn_gateway,
}


def _attached(record: dict[str, Any], key: str) -> list[Optional[str]]:
    """The VPCs that a gateway is attached to, or about to be."""
    return [
        field(each, "VpcId", str)
        for each in objects(record, key)
        if field(each, "State", str) not in ("detaching", "detached")
    ]


def _known(networks: Iterable[Optional[str]], lookups: Lookups) -> list[str]:
    return sorted({each for each in networks if each and each in lookups.networks})


def _of(record: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: record.get(name) for name in names}


def _arn_of_group(group: dict[str, Any]) -> str:
    return needed(group, "TargetGroupArn", str)


# --- status ---------------------------------------------------------------------------------------

# In service; not, or not fully, without a fault; faulty. Other words are unknown.
STATE_LEVELS = {
    "active": "ok",
    "available": "ok",
    "modifying": "ok",
    "READY": "ok",
    "updating": "ok",
    "active_impaired": "warning",
    "creating": "warning",
    "deleting": "warning",
    "DELETING": "warning",
    "pending": "warning",
    "provisioning": "warning",
    "PROVISIONING": "warning",
    "error": "error",
    "failed": "error",
    "FAILED": "error",
}
ATTACHED_LEVELS = {
    "attached": "ok",
    "available": "ok",  # what internet gateways say
    "attaching": "warning",
    "detaching": "warning",
    "detached": "warning",
}
# A target that drains or that no listener uses is not meant to serve.
TARGET_LEVELS = {"healthy": "ok", "initial": "warning", "unhealthy": "error"}
NO_TARGET = ("draining", "unhealthy.draining", "unused")
INSTANCE_LEVELS = {"InService": "ok", "OutOfService": "error"}
SYNC_LEVELS = {"IN_SYNC": "ok", "PENDING": "warning", "CAPACITY_CONSTRAINED": "warning"}
ENDPOINT_LEVELS = {
    "READY": "ok",
    "SCALING": "ok",
    "CREATING": "warning",
    "DELETING": "warning",
    "ERROR": "error",
    "FAILED": "error",
}
Told = tuple[str, str]  # a level and what it is about


def fetch_status(
    scope: aws.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[dict[str, Any]]]:
    yield from _gateways(scope, requested)
    balancers = [record for page in _balancers_of(scope, requested) for record in page]
    if balancers:
        arns = {needed(record, "LoadBalancerArn", str) for record in balancers}
        _look_up_health(scope, lookups, _target_groups_of(scope, arns, requested))
    yield from _of_kind("load_balancer", [balancers])
    for page in _classic_of(scope, requested):
        yield from _of_kind("classic_load_balancer", [_with_health(scope, page)])
    yield from _of_kind("firewall", _firewalls(scope, requested))
    yield from _of_kind("file_system", _file_systems(scope, lookups, requested))


def _classic_of(scope: aws.Scope, requested: Requested) -> Iterator[list[dict[str, Any]]]:
    """Classic load balancers; where some are requested, those: what follows is a call each."""
    if requested is None:
        yield from _listed_classic(scope)
    elif any("." in each and not each.startswith("arn:") for each in requested):
        for page in _listed_classic(scope):
            yield [each for each in page if field(each, "DNSName", str) in requested]


def _with_health(scope: aws.Scope, page: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The classic load balancers that are still there, with the health of their instances."""

    def health(record: dict[str, Any]) -> list[dict[str, Any]]:
        name = needed(record, "LoadBalancerName", str)
        answer = aws.call(scope, "elb", "describe_instance_health", LoadBalancerName=name)
        return objects(answer, "InstanceStates")

    found = aws.for_each_left(scope, health, page)
    return [{**record, INSTANCE_STATES: states} for record, states in found]


def status(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> Iterator[Point]:
    kind = needed(record, KIND, str)
    if kind not in STATUS:
        raise UnexpectedResponse(f"field {KIND!r} names no kind of appliance")
    name, more = STATUS[kind]
    if _gone(record, kind):
        return
    state = _state(record, kind)
    told = list(more(record, lookups))
    if state is not None:
        told.insert(0, (STATE_LEVELS.get(state, "unknown"), state))
    said = [text for level, text in told if level != "ok"] or [text for _, text in told]
    message = "; ".join(said) or "no state"
    yield Point(needed(record, name, str), "appliance", worst(level for level, _ in told), message)


def _targets_told(record: dict[str, Any], lookups: Lookups) -> Iterator[Told]:
    reason = field(field(record, "State", dict) or {}, "Reason", str)
    if reason:
        yield STATE_LEVELS.get(_state(record, record[KIND]) or "", "unknown"), reason
    for group in lookups.groups.get(needed(record, "LoadBalancerArn", str), []):
        arn, states = _arn_of_group(group), []
        for target in lookups.targets.get(arn, []):
            state = field(field(target, "TargetHealth", dict) or {}, "State", str)
            if state not in NO_TARGET:
                states.append(state)
        levels = [TARGET_LEVELS.get(state or "", "unknown") for state in states]
        if states:
            called = field(group, "TargetGroupName", str) or arn
            healthy = f"{states.count('healthy')} of {len(states)} targets healthy"
            yield redundant(levels), f"{called}: {healthy}"


def _instances_told(record: dict[str, Any], lookups: Lookups) -> Iterator[Told]:
    states = [field(each, "State", str) for each in objects(record, INSTANCE_STATES)]
    levels = [INSTANCE_LEVELS.get(state or "", "unknown") for state in states]
    if not states:
        yield "ok", "no instances"
    else:
        yield (
            redundant(levels),
            f"{states.count('InService')} of {len(states)} instances in service",
        )


def _failure_told(record: dict[str, Any], lookups: Lookups) -> Iterator[Told]:
    for each in objects(record, "NatGatewayAddresses"):
        if field(each, "Status", str) == "failed":
            address = field(each, "PublicIp", str) or field(each, "PrivateIp", str)
            yield "error", f"address {address} failed: {field(each, 'FailureMessage', str)}"


def _attachments_told(record: dict[str, Any], lookups: Lookups) -> Iterator[Told]:
    attached = [*objects(record, "Attachments"), *objects(record, "VpcAttachments")]
    if (
        not attached and record[KIND] != "vpn_gateway"
    ):  # that one may serve a Direct Connect gateway
        yield "warning", "attached to no VPC"
    for each in attached:
        state = field(each, "State", str) or "no state"
        yield ATTACHED_LEVELS.get(state, "unknown"), f"{field(each, 'VpcId', str)}: {state}"


def _endpoints_told(record: dict[str, Any], lookups: Lookups) -> Iterator[Told]:
    found = field(record, FIREWALL_STATUS, dict) or {}
    config = field(found, "ConfigurationSyncStateSummary", str)
    if config:
        yield SYNC_LEVELS.get(config, "unknown"), f"configuration {config}"
    for zone, each in sorted((field(found, "SyncStates", dict) or {}).items()):
        endpoint = field(each, "Attachment", dict) or {}
        state = field(endpoint, "Status", str)
        if state:
            why = field(endpoint, "StatusMessage", str)
            yield ENDPOINT_LEVELS.get(state, "unknown"), f"{zone}: {why or state}"


def _mounts_told(record: dict[str, Any], lookups: Lookups) -> Iterator[Told]:
    for mount in lookups.mounts.get(needed(record, "FileSystemId", str), []):
        state = field(mount, "LifeCycleState", str) or "no state"
        where = field(mount, "SubnetId", str)
        yield STATE_LEVELS.get(state, "unknown"), f"mount target in {where}: {state}"


def _nothing_more(record: dict[str, Any], lookups: Lookups) -> Iterator[Told]:
    return iter(())


# kind -> what its id is, and what there is to tell besides its state
STATUS: dict[str, tuple[str, Callable[[dict[str, Any], Lookups], Iterator[Told]]]] = {
    "classic_load_balancer": ("DNSName", _instances_told),
    "customer_gateway": ("CustomerGatewayId", _nothing_more),
    "egress_only_gateway": ("EgressOnlyInternetGatewayId", _attachments_told),
    "file_system": ("FileSystemId", _mounts_told),
    "firewall": ("FirewallArn", _endpoints_told),
    "internet_gateway": ("InternetGatewayId", _attachments_told),
    "load_balancer": ("LoadBalancerArn", _targets_told),
    "nat_gateway": ("NatGatewayId", _failure_told),
    "transit_gateway": ("TransitGatewayId", _nothing_more),
    "vpn_gateway": ("VpnGatewayId", _attachments_told),
}


# --- metrics --------------------------------------------------------------------------------------

METRICS_SPAN = cloudwatch.SPAN
# type of a load balancer -> its service in mapping.yaml, that of its target groups, and the namespace
BALANCER_METRICS = {
    "application": ("aws.applicationelb", "aws.applicationelb_targets", "AWS/ApplicationELB"),
    "gateway": ("aws.gatewayelb", "aws.gatewayelb_targets", "AWS/GatewayELB"),
    "network": ("aws.networkelb", "aws.networkelb_targets", "AWS/NetworkELB"),
}
ENGINES = ("Stateful", "Stateless")  # of a firewall, in each of its zones


def metrics(scope: aws.Scope, lookups: Lookups, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    """Of load balancers, NAT and transit gateways, firewalls and file systems: other kinds have none."""
    wanted = (query for query in _queries(scope, asked.resources) if asked.wants(query.resource_id))
    return cloudwatch.points(scope, asked, wanted)


def _queries(scope: aws.Scope, requested: Requested) -> Iterator[cloudwatch.Query]:
    minute, five = cloudwatch.MINUTE_S, cloudwatch.FIVE_MINUTES_S

    def ask(
        service: str, namespace: str, name: str, period: int, **dimensions: str
    ) -> list[cloudwatch.Query]:
        return cloudwatch.queries(service, namespace, dimensions, name, "appliance", period)

    for page in _gateways(scope, requested, ["nat_gateway"]):
        for record in page:
            name = needed(record, "NatGatewayId", str)
            if not _gone(record, "nat_gateway"):
                yield from ask("aws.natgateway", "AWS/NATGateway", name, minute, NatGatewayId=name)
    for page in _gateways(scope, requested, ["transit_gateway"]):
        for record in page:
            name = needed(record, "TransitGatewayId", str)
            if not _gone(record, "transit_gateway"):
                yield from ask(
                    "aws.transitgateway", "AWS/TransitGateway", name, minute, TransitGateway=name
                )
    yield from _of_balancers(scope, requested)
    for page in _classic_of(scope, requested):
        for record in page:
            called = needed(record, "LoadBalancerName", str)
            name = needed(record, "DNSName", str)
            yield from ask("aws.elb", "AWS/ELB", name, minute, LoadBalancerName=called)
    for page in _firewalls(scope, requested):
        for record in page:
            arn, called = needed(record, "FirewallArn", str), needed(record, "FirewallName", str)
            states = field(field(record, FIREWALL_STATUS, dict) or {}, "SyncStates", dict) or {}
            for zone in sorted(states):
                for engine in ENGINES:
                    yield from cloudwatch.queries(
                        "aws.networkfirewall",
                        "AWS/NetworkFirewall",
                        {"FirewallName": called, "AvailabilityZone": zone, "Engine": engine},
                        arn,
                        "appliance",
                        five,
                        specialisation=f"{zone} {engine}",
                    )
    for page in _file_systems_of(scope, requested):
        for record in page:
            name = needed(record, "FileSystemId", str)
            if not _gone(record, "file_system"):
                yield from ask("aws.efs", "AWS/EFS", name, minute, FileSystemId=name)
                total = {"FileSystemId": name, "StorageClass": "Total"}
                yield from ask("aws.efs_storage", "AWS/EFS", name, five, **total)


def _of_balancers(scope: aws.Scope, requested: Requested) -> Iterator[cloudwatch.Query]:
    """Of load balancers of v2, and of the health of each target group of theirs."""
    shorts: dict[str, tuple[str, str]] = {}  # ARN -> type, "app/shop/50dc6c495c0c9188"
    for page in _balancers_of(scope, requested):
        for record in page:
            arn, kind = needed(record, "LoadBalancerArn", str), field(record, "Type", str) or ""
            if kind in BALANCER_METRICS:
                shorts[arn] = kind, arn.partition(":loadbalancer/")[2]
    for arn, (kind, short) in shorts.items():
        service, _, namespace = BALANCER_METRICS[kind]
        of = {"LoadBalancer": short}
        yield from cloudwatch.queries(service, namespace, of, arn, "appliance", cloudwatch.MINUTE_S)
    for group in _target_groups_of(scope, shorts, requested) if shorts else ():
        group_arn = _arn_of_group(group)
        for arn in items(group, "LoadBalancerArns", str):
            if arn not in shorts:
                continue
            kind, short = shorts[arn]
            _, service, namespace = BALANCER_METRICS[kind]
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


# --- logs -----------------------------------------------------------------------------------------

LOGS_SPAN = cloudtrail.SPAN
# Of classic load balancers there are none: CloudTrail names them by what is not their id.
TRAIL = (
    cloudtrail.by_type("AWS::EC2::CustomerGateway", "cgw-"),
    cloudtrail.by_type("AWS::EC2::InternetGateway", "igw-"),
    cloudtrail.by_type("AWS::EC2::NatGateway", "nat-"),
    cloudtrail.by_type("AWS::EC2::VPNGateway", "vgw-"),
    cloudtrail.by_source("elasticfilesystem", "fs-[0-9a-z]+"),
    cloudtrail.by_source(
        "network-firewall", r"arn:[^:]+:network-firewall:[^:]+:\d+:firewall/[^/]+"
    ),
    # by name: EC2 is the source of too many events, and of load balancing's most are polls of targets' health
    cloudtrail.by_names(
        "CreateEgressOnlyInternetGateway DeleteEgressOnlyInternetGateway", "eigw-[0-9a-z]+"
    ),
    cloudtrail.by_names(
        "CreateTransitGateway ModifyTransitGateway DeleteTransitGateway", "tgw-[0-9a-z]+"
    ),
    cloudtrail.by_names(
        "CreateLoadBalancer DeleteLoadBalancer ModifyLoadBalancerAttributes SetIpAddressType "
        "SetSecurityGroups SetSubnets CreateListener ModifyListener DeleteListener",
        r"(arn:[^:]+:elasticloadbalancing:[^:]+:\d+:)(?:loadbalancer|listener)"
        r"/((?:app|net|gwy)/[^/]+/\w+)(?:/\w+)?",
        r"\1loadbalancer/\2",
    ),
)


def logs(scope: aws.Scope, lookups: Lookups, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    return cloudtrail.events(scope, asked, "appliance", TRAIL)
