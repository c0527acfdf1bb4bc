"""EC2 instances as servers: DescribeInstances, 1,000 a page.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html

What an instance only names is looked up in bulk: all subnets and volumes of the region, and the instance types and
AMIs that a page uses and no earlier page did (instance types 100 a call, AMIs 200). An AMI that was deregistered
since is not found: then its id is all that is known. A terminated instance stays listed for about an hour, without
volumes and subnet.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import Connections, ImageDetail, IpAddress, Server

from shared.engine.contracts import Page
from shared.providers import aws
from shared.providers.aws import regions
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata

GIB = 1024**3
MIB = 1024**2
TYPES_A_CALL = 100  # the API's own limit of a DescribeInstanceTypes page
IMAGES_A_CALL = 200  # the API's limit of values in a filter

STATES = {
    "pending": "pending",
    "running": "running",
    "shutting-down": "shutting",
    "terminated": "terminated",
    "stopping": "stopping",
    "stopped": "stopped",
}
# The suffix of Mac instances' architectures: x86_64_mac, arm64_mac (EC2's ArchitectureValues)
MAC = "_mac"

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

# What is read of instances, and of volumes: much else is in their records.
READS = {
    "Reservation": ("Instances",),
    "Instance": (
        *DETAILS,
        "BlockDeviceMappings",
        "CpuOptions",
        "ImageId",
        "InstanceId",
        "InstanceType",
        "Ipv6Address",
        "NetworkInterfaces",
        "Platform",
        "PrivateIpAddress",
        "PublicIpAddress",
        "State",
        "Tags",
    ),
    "InstanceNetworkInterface": (
        "Attachment",
        "Ipv6Addresses",
        "OwnerId",
        "PrivateIpAddresses",
        "SubnetId",
        "VpcId",
    ),
}
READS_OF_VOLUMES = {"Volume": ("Size", "VolumeId")}

Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Lookups:
    """What instances only name. ``types`` and ``images`` hold None for what AWS does not know."""

    subnets: Mapping[str, str]  # id -> name
    subnet_owners: Mapping[str, Optional[str]]  # id -> account
    volumes: Mapping[str, int]  # id -> GiB
    types: Mapping[str, Optional[Record]] = dataclasses.field(default_factory=dict)
    images: Mapping[str, Optional[Record]] = dataclasses.field(default_factory=dict)


def fetch(scope: aws.Scope) -> Iterator[Page[Record, Lookups]]:
    (names, owners), volumes, pages = scope.workers.before(
        aws.pages(scope, "ec2", "describe_instances", "Reservations", reads=READS),
        lambda: _subnets(scope),
        lambda: _sizes(scope),
    )
    lookups = Lookups(names, owners, volumes)
    for reservations in pages:
        instances = in_reservations(reservations)
        lookups = _with_new(scope, lookups, instances)
        yield Page(instances, lookups)


def in_reservations(reservations: Iterable[Record]) -> list[Record]:
    """The instances of a page of DescribeInstances, which lists them by the launch that they come from."""
    return [
        instance for reservation in reservations for instance in objects(reservation, "Instances")
    ]


def _subnets(scope: aws.Scope) -> tuple[dict[str, str], dict[str, Optional[str]]]:
    """The names and the owners of subnets."""
    names, owners = {}, {}
    for subnet in aws.listed(scope, "ec2", "describe_subnets", "Subnets"):
        subnet_id = needed(subnet, "SubnetId", str)
        names[subnet_id] = aws.tags(subnet).get("Name") or subnet_id
        owners[subnet_id] = field(subnet, "OwnerId", str)
    return names, owners


def _sizes(scope: aws.Scope) -> dict[str, int]:
    """The volumes' sizes in GiB, by id."""
    operation, key = "describe_volumes", "Volumes"
    return dict(aws.listed(scope, "ec2", operation, key, keep=_size, reads=READS_OF_VOLUMES))


def _size(volume: Record) -> tuple[str, int]:
    return needed(volume, "VolumeId", str), needed(volume, "Size", int)


def _with_new(scope: aws.Scope, lookups: Lookups, instances: list[Record]) -> Lookups:
    """The lookups, with the types and images of these instances."""
    types = _new(instances, "InstanceType", lookups.types)
    images = _new(instances, "ImageId", lookups.images)
    if not (types or images):
        return lookups
    new_types, new_images = scope.workers.ahead(
        (lambda: _instance_types(scope, types), lambda: _images(scope, images))
    )
    return dataclasses.replace(
        lookups,
        types={**lookups.types, **new_types},
        images={**lookups.images, **new_images},
    )


def _new(
    instances: Iterable[Record], name: str, known: Mapping[str, Optional[Record]]
) -> list[str]:
    """What the instances have in the field, without what was looked up for an earlier page, found or not."""
    values = {field(instance, name, str) for instance in instances}
    return sorted(value for value in values if value and value not in known)


def _instance_types(scope: aws.Scope, names: list[str]) -> dict[str, Optional[Record]]:
    # a filter, since one unknown name among InstanceTypes would fail the call
    types: dict[str, Optional[Record]] = dict.fromkeys(names)
    for start in range(0, len(names), TYPES_A_CALL):
        for instance_type in aws.listed(
            scope,
            "ec2",
            "describe_instance_types",
            "InstanceTypes",
            page_size=TYPES_A_CALL,
            Filters=[{"Name": "instance-type", "Values": names[start : start + TYPES_A_CALL]}],
        ):
            types[needed(instance_type, "InstanceType", str)] = instance_type
    return types


def _images(scope: aws.Scope, ids: list[str]) -> dict[str, Optional[Record]]:
    # a filter, since one deregistered AMI among ImageIds would fail the call
    images: dict[str, Optional[Record]] = dict.fromkeys(ids)
    for start in range(0, len(ids), IMAGES_A_CALL):
        for image in aws.listed(
            scope,
            "ec2",
            "describe_images",
            "Images",
            Filters=[{"Name": "image-id", "Values": ids[start : start + IMAGES_A_CALL]}],
            IncludeDeprecated=True,
            IncludeDisabled=True,
        ):
            images[needed(image, "ImageId", str)] = image
    return images


def convert(record: Record, scope: aws.Scope, lookups: Lookups) -> Server:
    instance_id = needed(record, "InstanceId", str)
    type_name = field(record, "InstanceType", str)
    instance_type = lookups.types.get(type_name or "") or {}
    provider_state = field(field(record, "State", dict) or {}, "Name", str)
    tags = aws.tags(record)
    volumes = _volumes(record)
    sizes = [lookups.volumes[volume] for volume in volumes if volume in lookups.volumes]
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


def _vcpus(record: Record, instance_type: Record) -> Optional[int]:
    """vCPUs: as launched (cores and threads can be chosen), or else the type's default."""
    options = field(record, "CpuOptions", dict) or {}
    cores, threads = field(options, "CoreCount", int), field(options, "ThreadsPerCore", int)
    if cores and threads:
        return cores * threads
    return field(field(instance_type, "VCpuInfo", dict) or {}, "DefaultVCpus", int)


def _clock(instance_type: Record) -> Optional[int]:
    processor = field(instance_type, "ProcessorInfo", dict) or {}
    ghz = field(processor, "SustainedClockSpeedInGhz", float)
    return None if ghz is None else round(ghz * 1_000_000_000)


def _ram(instance_type: Record) -> Optional[int]:
    mib = field(field(instance_type, "MemoryInfo", dict) or {}, "SizeInMiB", int)
    return None if mib is None else mib * MIB


def _is_virtual(instance_type: Record, type_name: Optional[str]) -> Optional[bool]:
    bare_metal = field(instance_type, "BareMetal", bool)
    if bare_metal is None and type_name:
        bare_metal = ".metal" in type_name
    return None if bare_metal is None else not bare_metal


def _image(record: Record, lookups: Lookups) -> Optional[ImageDetail]:
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


def _distribution(image: Record) -> Optional[str]:
    """What the AMI is billed as (Red Hat Enterprise Linux, Windows with SQL Server Web, ...)."""
    billed = field(image, "PlatformDetails", str)
    return None if billed == "Linux/UNIX" else billed  # which says no more than the type


def _created_at(record: Record) -> Optional[datetime.datetime]:
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


def _volumes(record: Record) -> list[str]:
    devices = objects(record, "BlockDeviceMappings")
    ids = {field(field(device, "Ebs", dict) or {}, "VolumeId", str) for device in devices}
    return sorted(volume for volume in ids if volume)


def _networks(record: Record, lookups: Lookups) -> list[str]:
    """The subnets of all interfaces, and the VPCs of those that are the account's own.

    A secondary interface may be in another VPC than the instance's:
    https://aws.amazon.com/about-aws/whats-new/2023/10/multi-vpc-eni-attachments/
    The VPC of a subnet that another account shares is not listed: a connection to it would dangle.
    """
    subnets, shared = {field(record, "SubnetId", str)}, set()
    vpcs = {field(record, "VpcId", str)}
    for interface in objects(record, "NetworkInterfaces"):
        subnet, vpc = field(interface, "SubnetId", str), field(interface, "VpcId", str)
        subnets.add(subnet)
        vpcs.add(vpc)
        account, owner = field(interface, "OwnerId", str), lookups.subnet_owners.get(subnet or "")
        if owner and account and owner != account:
            shared.add(vpc or field(record, "VpcId", str))
    return sorted(network for network in subnets | (vpcs - shared) if network)


def _addresses(record: Record, lookups: Lookups) -> list[IpAddress]:
    """Each address once, with its subnet; public ones are not in the subnet, only reach it."""
    addresses: dict[str, IpAddress] = {}

    def add(address: Optional[str], subnet: Optional[str], description: str) -> None:
        if address and address not in addresses:
            name = lookups.subnets.get(subnet or "")
            addresses[address] = IpAddress(address, subnet if name else None, name, description)

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
    return list(addresses.values())
