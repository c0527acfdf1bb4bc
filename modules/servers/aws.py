"""EC2 instances of every enabled region, in all states.

API: EC2 DescribeInstances, 1,000 a page.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html

Its status is what DescribeInstanceStatus says of its checks and of events that are scheduled for it.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceStatus.html

What an instance only names is asked in bulk: all subnets and volumes of the region, and the instance
types and AMIs that a page uses and none before it did (instance types 100 a call, AMIs 200). An AMI
that was deregistered since is not found: then its id is all that is known. A terminated instance
stays listed for about an hour, without volumes and subnet.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from nflex_connector_utils import Connections, ImageDetail, IpAddress, Server

from shared.engine.poll import Asked, Requested
from shared.providers import aws
from shared.providers.aws import cloudtrail, cloudwatch, regions
from shared.records.fields import field, needed, objects, plain
from shared.records.metadata import metadata
from shared.records.status import Point, worst

PERMISSIONS = (
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeRegions",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumes",
)
STATUS_PERMISSIONS = (
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstances",  # of which there are, where the status of some is wanted
    "ec2:DescribeRegions",
)
METRICS_PERMISSIONS = (cloudwatch.PERMISSION, "ec2:DescribeInstances", "ec2:DescribeRegions")
LOGS_PERMISSIONS = (cloudtrail.PERMISSION, "ec2:DescribeRegions")
CALLS = (
    "1 DescribeRegions; a region: ceil(instances/1000) DescribeInstances "
    "+ ceil(subnets/1000) DescribeSubnets + ceil(volumes/1000) DescribeVolumes; a page with new ones: "
    "ceil(new types/100) DescribeInstanceTypes + ceil(new AMIs/200) DescribeImages"
)
RECORD_IDS = ("InstanceId",)

GIB = 1024**3
MIB = 1024**2
TYPES_A_CALL = 100  # the API's own limit of a DescribeInstanceTypes page
IMAGES_A_CALL = 200  # the API's limit of values in a filter
STATUSES_A_CALL = (
    100  # the API's limit of ids in DescribeInstanceStatus, which has no filter for them
)

STATES = {
    "pending": "pending",
    "running": "running",
    "shutting-down": "shutting",
    "terminated": "terminated",
    "stopping": "stopping",
    "stopped": "stopped",
}

# A stopped instance is not faulty, but does not serve.
STATE_LEVELS = {
    "pending": "warning",
    "running": "ok",
    "shutting-down": "warning",
    "terminated": "warning",
    "stopping": "warning",
    "stopped": "warning",
}
CHECKS = {
    "SystemStatus": "system status check",
    "InstanceStatus": "instance status check",
    "AttachedEbsStatus": "check of the attached EBS volumes",
}
CHECK_LEVELS = {
    "ok": "ok",
    "impaired": "error",
    "initializing": "unknown",
    "insufficient-data": "unknown",
}
NOT_APPLICABLE = "not-applicable"
# How the architectures of Mac instances end: x86_64_mac, arm64_mac (EC2's ArchitectureValues)
MAC = "_mac"
# How the description of an event begins that is over; it stays listed for a week.
OVER = ("[Completed]", "[Canceled]")

DETAILS = (
    "Architecture",
    "BootMode",
    "CapacityReservationId",
    "EbsOptimized",
    "EnaSupport",
    "HibernationOptions",
    "Hypervisor",
    "IamInstanceProfile",
    "InstanceLifecycle",
    "KeyName",
    "LaunchTime",
    "MetadataOptions",
    "Monitoring",
    "OutpostArn",
    "Placement",
    "PlatformDetails",
    "PrivateDnsName",
    "PublicDnsName",
    "RootDeviceName",
    "RootDeviceType",
    "SecurityGroups",
    "SpotInstanceRequestId",
    "StateReason",
    "StateTransitionReason",
    "SubnetId",
    "VirtualizationType",
    "VpcId",
)


@dataclasses.dataclass
class Lookups:
    """What instances only name, filled by ``fetch``: other polls do not need it.

    ``types`` and ``images`` hold None for what AWS does not know.
    """

    subnets: dict[str, str] = dataclasses.field(default_factory=dict)  # id -> name
    subnet_owners: dict[str, Optional[str]] = dataclasses.field(default_factory=dict)  # -> account
    volumes: dict[str, int] = dataclasses.field(default_factory=dict)  # id -> GiB
    types: dict[str, Optional[dict[str, Any]]] = dataclasses.field(default_factory=dict)
    images: dict[str, Optional[dict[str, Any]]] = dataclasses.field(default_factory=dict)


def lookups(scope: aws.Scope) -> Lookups:
    return Lookups()


def fetch(scope: aws.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    for subnet in aws.listed(scope, "ec2", "describe_subnets", "Subnets"):
        subnet_id = needed(subnet, "SubnetId", str)
        lookups.subnets[subnet_id] = aws.tags(subnet).get("Name") or subnet_id
        lookups.subnet_owners[subnet_id] = field(subnet, "OwnerId", str)
    lookups.volumes = dict(aws.listed(scope, "ec2", "describe_volumes", "Volumes", keep=_size))
    for reservations in aws.pages(scope, "ec2", "describe_instances", "Reservations"):
        page = [each for group in reservations for each in objects(group, "Instances")]
        _ask_types(scope, lookups, {field(each, "InstanceType", str) for each in page})
        _ask_images(scope, lookups, {field(each, "ImageId", str) for each in page})
        yield page


def _size(volume: dict[str, Any]) -> tuple[str, int]:
    return needed(volume, "VolumeId", str), needed(volume, "Size", int)


def _ask_types(scope: aws.Scope, lookups: Lookups, names: Iterable[Optional[str]]) -> None:
    # a filter, since one unknown name among InstanceTypes would fail the call
    for some in _new(names, lookups.types, TYPES_A_CALL):
        asked = [{"Name": "instance-type", "Values": some}]
        operation = "describe_instance_types"
        for each in aws.listed(
            scope, "ec2", operation, "InstanceTypes", page_size=TYPES_A_CALL, Filters=asked
        ):
            lookups.types[needed(each, "InstanceType", str)] = each


def _ask_images(scope: aws.Scope, lookups: Lookups, ids: Iterable[Optional[str]]) -> None:
    # a filter, since one deregistered AMI among ImageIds would fail the call
    for some in _new(ids, lookups.images, IMAGES_A_CALL):
        for each in aws.listed(
            scope,
            "ec2",
            "describe_images",
            "Images",
            Filters=[{"Name": "image-id", "Values": some}],
            IncludeDeprecated=True,
            IncludeDisabled=True,
        ):
            lookups.images[needed(each, "ImageId", str)] = each


def _new(
    names: Iterable[Optional[str]], known: dict[str, Optional[dict[str, Any]]], size: int
) -> Iterator[list[str]]:
    """The names not asked yet, some at a time; each is asked once, found or not."""
    new = sorted(name for name in names if name and name not in known)
    known.update(dict.fromkeys(new))
    for start in range(0, len(new), size):
        yield new[start : start + size]


def convert(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> Server:
    instance_id = needed(record, "InstanceId", str)
    type_name = field(record, "InstanceType", str)
    instance_type = lookups.types.get(type_name or "") or {}
    provider_state = field(field(record, "State", dict) or {}, "Name", str)
    tags = aws.tags(record)
    volumes = _volumes(record)
    sizes = [lookups.volumes[each] for each in volumes if each in lookups.volumes]
    return Server(
        id=instance_id,
        name=tags.get("Name") or instance_id,
        cpu_cores=_vcpus(record, instance_type),
        cpu_hz=_clock(instance_type),
        ram_b=_ram(instance_type),
        # a volume attached since the volumes were listed has no known size, nor has the sum then
        volumes_b=sum(sizes) * GIB if len(sizes) == len(volumes) else None,
        state=STATES.get(provider_state or "", "unknown"),
        provider_state=provider_state,
        instance_type=type_name,
        is_virtual=_is_virtual(instance_type, type_name),
        image_detail=_image(record, lookups),
        ip_addresses=_addresses(record, lookups),
        provider_created_at=_created_at(record),
        connections=Connections(volumes=volumes, networks=_networks(record, lookups)),
        metadata=metadata(record, DETAILS, tags),
        native_portal_link=scope.link("ec2", f"InstanceDetails:instanceId={instance_id}"),
        **regions.aws(scope.name),
    )


def _vcpus(record: dict[str, Any], instance_type: dict[str, Any]) -> Optional[int]:
    """vCPUs: as launched (cores and threads can be chosen), or else the type's default."""
    options = field(record, "CpuOptions", dict) or {}
    cores, threads = field(options, "CoreCount", int), field(options, "ThreadsPerCore", int)
    if cores and threads:
        return cores * threads
    return field(field(instance_type, "VCpuInfo", dict) or {}, "DefaultVCpus", int)


def _clock(instance_type: dict[str, Any]) -> Optional[int]:
    processor = field(instance_type, "ProcessorInfo", dict) or {}
    ghz = field(processor, "SustainedClockSpeedInGhz", float)
    return None if ghz is None else round(ghz * 1_000_000_000)


def _ram(instance_type: dict[str, Any]) -> Optional[int]:
    mib = field(field(instance_type, "MemoryInfo", dict) or {}, "SizeInMiB", int)
    return None if mib is None else mib * MIB


def _is_virtual(instance_type: dict[str, Any], type_name: Optional[str]) -> Optional[bool]:
    bare_metal = field(instance_type, "BareMetal", bool)
    if bare_metal is None and type_name:
        bare_metal = ".metal" in type_name
    return None if bare_metal is None else not bare_metal


def _image(record: dict[str, Any], lookups: Lookups) -> Optional[ImageDetail]:
    image_id = field(record, "ImageId", str)
    if not image_id:
        return None
    image = lookups.images.get(image_id) or {}
    architecture = field(image, "Architecture", str) or field(record, "Architecture", str)
    # "Platform" is "windows" or absent; CMP has no type for the third kind, macOS
    windows = (field(record, "Platform", str) or "").lower() == "windows"
    mac = (architecture or "").endswith(MAC)
    return ImageDetail(
        id=image_id,
        name=field(image, "Name", str),
        type="Windows" if windows else None if mac else "Linux",
        distribution="macOS" if mac else _distribution(image),
        architecture=architecture,
    )


def _distribution(image: dict[str, Any]) -> Optional[str]:
    """What the AMI is billed as (Red Hat Enterprise Linux, Windows with SQL Server Web, ...)."""
    billed = field(image, "PlatformDetails", str)
    return None if billed == "Linux/UNIX" else billed  # that says no more than the type


def _created_at(record: dict[str, Any]) -> Optional[datetime.datetime]:
    """When the instance was created: LaunchTime is when it was last started.

    The root volume and the primary interface are attached at creation, and stay through a stop and a start. A
    root volume that was replaced since is younger: hence the earliest of all three.
    """
    times = [field(record, "LaunchTime", datetime.datetime)]
    root = field(record, "RootDeviceName", str)
    for device in objects(record, "BlockDeviceMappings"):
        if root and field(device, "DeviceName", str) == root:
            ebs = field(device, "Ebs", dict) or {}
            times.append(field(ebs, "AttachTime", datetime.datetime))
    for interface in objects(record, "NetworkInterfaces"):
        attachment = field(interface, "Attachment", dict) or {}
        if field(attachment, "DeviceIndex", int) == 0:
            times.append(field(attachment, "AttachTime", datetime.datetime))
    return min(filter(None, times), default=None)


def _volumes(record: dict[str, Any]) -> list[str]:
    devices = objects(record, "BlockDeviceMappings")
    found = {field(field(each, "Ebs", dict) or {}, "VolumeId", str) for each in devices}
    return sorted(each for each in found if each)


def _networks(record: dict[str, Any], lookups: Lookups) -> list[str]:
    """The subnets of all interfaces, and the VPCs of those that are the account's own.

    A secondary interface may be in another VPC than the instance's:
    https://aws.amazon.com/about-aws/whats-new/2023/10/multi-vpc-eni-attachments/
    The VPC of a subnet that another account shares is not listed: a connection to it would dangle.
    """
    found, shared = {field(record, "SubnetId", str)}, set()
    vpcs = {field(record, "VpcId", str)}
    for interface in objects(record, "NetworkInterfaces"):
        subnet, vpc = field(interface, "SubnetId", str), field(interface, "VpcId", str)
        found.add(subnet)
        vpcs.add(vpc)
        account, owner = field(interface, "OwnerId", str), lookups.subnet_owners.get(subnet or "")
        if owner and account and owner != account:
            shared.add(vpc or field(record, "VpcId", str))
    return sorted(each for each in found | (vpcs - shared) if each)


def _addresses(record: dict[str, Any], lookups: Lookups) -> list[IpAddress]:
    """Each address once, with its subnet; public ones are not in the subnet, only reach it."""
    found: dict[str, IpAddress] = {}

    def add(address: Optional[str], subnet: Optional[str], description: str) -> None:
        if address and address not in found:
            name = lookups.subnets.get(subnet or "")
            found[address] = IpAddress(address, subnet if name else None, name, description)

    for interface in objects(record, "NetworkInterfaces"):
        subnet = field(interface, "SubnetId", str)
        for private in objects(interface, "PrivateIpAddresses"):
            add(field(private, "PrivateIpAddress", str), subnet, "private")
            association = field(private, "Association", dict) or {}
            add(field(association, "PublicIp", str), subnet, "public")
        for ipv6 in objects(interface, "Ipv6Addresses"):
            add(field(ipv6, "Ipv6Address", str), subnet, "IPv6")
    subnet = field(record, "SubnetId", str)
    add(field(record, "PrivateIpAddress", str), subnet, "private")
    add(field(record, "PublicIpAddress", str), subnet, "public")
    add(field(record, "Ipv6Address", str), subnet, "IPv6")
    return list(found.values())


# --- status ---------------------------------------------------------------------------------------


def fetch_status(
    scope: aws.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[dict[str, Any]]]:
    operation, key = "describe_instance_status", "InstanceStatuses"
    if requested is None:
        return aws.pages(scope, "ec2", operation, key, IncludeAllInstances=True)
    found = {
        needed(instance, "InstanceId", str)
        for page in aws.requested_pages(
            scope, "describe_instances", "Reservations", "instance-id", requested, "i-"
        )
        for group in page
        for instance in objects(group, "Instances")
    }
    wanted = found & requested
    return aws.by_ids(
        scope, operation, key, "InstanceIds", wanted, STATUSES_A_CALL, IncludeAllInstances=True
    )


def status(record: dict[str, Any], scope: aws.Scope, lookups: Lookups) -> Iterator[Point]:
    state = field(field(record, "InstanceState", dict) or {}, "Name", str)
    levels, told, since = [STATE_LEVELS.get(state or "", "unknown")], [state or "no state"], []
    if state == "running":
        for name, called in CHECKS.items():
            check = field(record, name, dict) or {}
            result = field(check, "Status", str)
            if result is None or result == NOT_APPLICABLE:
                continue
            levels.append(CHECK_LEVELS.get(result, "unknown"))
            if levels[-1] != "ok":
                told.append(f"{called}: {result}")
            for detail in objects(check, "Details"):
                since.append(field(detail, "ImpairedSince", datetime.datetime))
        if len(levels) == 1:
            levels, told = ["unknown"], [*told, "no status check has a result"]
    for event in objects(record, "Events"):
        description = field(event, "Description", str) or ""
        if description.startswith(OVER):
            continue
        levels.append("warning")
        when = field(event, "NotBefore", datetime.datetime)
        planned = f" for {plain(when)}" if when else ""
        told.append(
            f"{field(event, 'Code', str)} is scheduled{planned}: {description}".rstrip(": ")
        )
    yield Point(
        needed(record, "InstanceId", str),
        "server",
        worst(levels),
        "; ".join(told),
        min(filter(None, since), default=None),
    )


# --- metrics --------------------------------------------------------------------------------------

METRICS_SPAN = cloudwatch.SPAN


def metrics(scope: aws.Scope, lookups: Lookups, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    """Of all instances that are listed: one that is stopped now may have run in that time.

    EC2 measures every 5 minutes, or every minute where the instance pays for detailed monitoring.
    """
    return cloudwatch.points(scope, asked, _queries(scope, asked))


def _queries(scope: aws.Scope, asked: Asked) -> Iterator[cloudwatch.Query]:
    for page in aws.requested_pages(
        scope, "describe_instances", "Reservations", "instance-id", asked.resources
    ):
        for instance in (each for group in page for each in objects(group, "Instances")):
            name = needed(instance, "InstanceId", str)
            monitoring = field(field(instance, "Monitoring", dict) or {}, "State", str)
            detailed = monitoring == "enabled"
            if asked.wants(name):
                yield from cloudwatch.queries(
                    "aws.ec2",
                    "AWS/EC2",
                    {"InstanceId": name},
                    name,
                    "server",
                    cloudwatch.MINUTE_S if detailed else cloudwatch.FIVE_MINUTES_S,
                )


# --- logs -----------------------------------------------------------------------------------------

LOGS_SPAN = cloudtrail.SPAN
TRAIL = (cloudtrail.by_type("AWS::EC2::Instance", "i-"),)


def logs(scope: aws.Scope, lookups: Lookups, asked: Asked) -> Iterator[list[dict[str, Any]]]:
    return cloudtrail.events(scope, asked, "server", TRAIL)
