"""Fills moto's server with the AWS demo account: three regions, all that the cells have to show.

moto is a simulator: what it can't do here (IPv6 addresses on an instance, more than one attachment of
a volume, say) the tests check on records of their own.
"""

from typing import Any

import botocore.session

REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
NAMES = ("web", "データベース", "büro", "кэш", "api gateway", "worker", "x" * 60)


def client(endpoint_url: str, region: str) -> Any:
    """An EC2 client with invented credentials, for a server on loopback."""
    session = botocore.session.Session()
    session.set_credentials("AKIADEMOINVENTED0000", "invented-demo-secret")
    return session.create_client("ec2", region_name=region, endpoint_url=endpoint_url)


def seed(endpoint_url: str) -> None:
    """Make everything, in each region a little differently."""
    for number, region in enumerate(REGIONS):
        _region(client(endpoint_url, region), number)


def _named(kind: str, name: str, **more: str) -> list[dict[str, Any]]:
    tags = [{"Key": key, "Value": value} for key, value in {"Name": name, **more}.items()]
    return [{"ResourceType": kind, "Tags": tags}]


def _region(ec2: Any, number: int) -> None:
    subnets = _networks(ec2, number)
    linux, windows = _images(ec2)
    zone = subnets[0]["AvailabilityZone"]
    instances = []
    for count, name in enumerate(NAMES[: 7 - number]):
        instances += ec2.run_instances(
            ImageId=windows if count == 2 else linux,
            InstanceType=("t3.micro", "m5.xlarge", "c5.large")[count % 3],
            MinCount=1,
            MaxCount=1,
            KeyName="ops",
            SubnetId=subnets[count % len(subnets)]["SubnetId"],
            TagSpecifications=_named("instance", f"{name}-{count}", env="prod", owner="チーム"),
        )["Instances"]
    ids = [instance["InstanceId"] for instance in instances]
    ec2.run_instances(ImageId=linux, InstanceType="t3.nano", MinCount=2, MaxCount=2)  # no names
    ec2.stop_instances(InstanceIds=ids[1:2])
    ec2.terminate_instances(InstanceIds=ids[3:4])
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=ids[0])
    _volumes(ec2, zone, ids[0])
    gone = ec2.register_image(Name=f"gone-{number}", Architecture="arm64")["ImageId"]
    ec2.run_instances(ImageId=gone, InstanceType="m6g.large", MinCount=1, MaxCount=1)
    ec2.deregister_image(ImageId=gone)


def _networks(ec2: Any, number: int) -> list[dict[str, Any]]:
    """A VPC with a public and a private subnet; the private one has IPv6."""
    vpc = ec2.create_vpc(
        CidrBlock=f"10.{number}.0.0/16",
        AmazonProvidedIpv6CidrBlock=True,
        TagSpecifications=_named("vpc", f"prod-{number}", env="prod"),
    )["Vpc"]
    ec2.associate_vpc_cidr_block(VpcId=vpc["VpcId"], CidrBlock=f"10.{100 + number}.0.0/16")
    described = ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"][0]
    prefix = described["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
    public = ec2.create_subnet(
        VpcId=vpc["VpcId"],
        CidrBlock=f"10.{number}.1.0/24",
        TagSpecifications=_named("subnet", f"öffentlich-{number}"),
    )["Subnet"]
    private = ec2.create_subnet(
        VpcId=vpc["VpcId"],
        CidrBlock=f"10.{number}.2.0/24",
        Ipv6CidrBlock=prefix,
        TagSpecifications=_named("subnet", f"private-{number}"),
    )["Subnet"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc["VpcId"])
    table = ec2.create_route_table(VpcId=vpc["VpcId"])["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=public["SubnetId"])
    return [public, private]


def _images(ec2: Any) -> tuple[str, str]:
    """A Linux and a Windows AMI of those that moto knows."""
    images = ec2.describe_images(Owners=["amazon"])["Images"]
    windows = [image["ImageId"] for image in images if image.get("Platform") == "windows"]
    linux = [image["ImageId"] for image in images if image.get("Platform") != "windows"]
    return sorted(linux)[0], sorted(windows)[0]


def _volumes(ec2: Any, zone: str, instance: str) -> None:
    """Volumes of each kind: attached, not attached, encrypted, with IOPS and throughput."""
    ec2.create_volume(AvailabilityZone=zone, Size=1, VolumeType="standard")
    fast = ec2.create_volume(
        AvailabilityZone=zone,
        Size=100,
        VolumeType="io2",
        Iops=5000,
        MultiAttachEnabled=True,
        TagSpecifications=_named("volume", "журнал"),
    )
    ec2.create_volume(
        AvailabilityZone=zone,
        Size=500,
        VolumeType="gp3",
        Iops=4000,
        Throughput=250,
        Encrypted=True,
        TagSpecifications=_named("volume", "backup"),
    )
    ec2.attach_volume(VolumeId=fast["VolumeId"], InstanceId=instance, Device="/dev/sdf")
