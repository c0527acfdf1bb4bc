"""Seeds a moto server with the account that the AWS cassettes are recorded from.

    python tools/demo_aws.py http://127.0.0.1:5055

moto is a simulator of AWS. Everything in the account is invented. It has three regions with servers in
mixed states, Windows and Linux, a deregistered AMI, volumes of several types (unattached,
multi-attach, without a name), IPv6, an Elastic IP, public and private subnets, tags, and names in several scripts.
"""

import sys
from typing import Any

import botocore.session

REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
KEY, SECRET = "AKIADEMOINVENTED0000", "invented-demo-secret"

# name, instance type, subnet, Windows, state in the end
SERVERS: dict[str, list[tuple[str, str, str, bool, str]]] = {
    "us-east-1": [
        ("web-1", "t3.micro", "public-a", False, "running"),
        ("web-2", "t3.micro", "public-b", False, "running"),
        ("app-1", "m5.large", "private-a", False, "running"),
        ("app-2", "m5.large", "private-a", False, "running"),
        ("app-3", "m6g.large", "private-b", False, "stopped"),
        ("db-1", "r5.xlarge", "private-a", False, "running"),
        ("db-2", "r5.xlarge", "private-b", False, "running"),
        ("batch-old", "c5.2xlarge", "private-b", False, "terminated"),
        ("ad-1", "m5.large", "private-a", True, "running"),
        ("metal-1", "m5.metal", "private-b", False, "running"),
        ("", "t3.nano", "public-a", False, "running"),
    ],
    "eu-west-1": [
        ("café-serveur", "t3.small", "public-a", False, "running"),
        ("Zählwerk Süd", "t3.small", "public-b", False, "stopped"),
        ("сервер-1", "m5.large", "private-a", False, "running"),
        ("reports", "c5.large", "private-b", True, "stopped"),
        ("retired", "t2.micro", "private-b", False, "terminated"),
        ('cache <&> "1"', "r5.large", "private-a", False, "running"),
    ],
    "ap-northeast-1": [
        ("東京-web", "t3.medium", "public-a", False, "running"),
        ("東京-db", "r5.large", "private-a", False, "running"),
        ("検証用", "t3.micro", "private-b", False, "stopped"),
        ("edge-🚀", "t4g.small", "public-b", False, "running"),
    ],
}


def seed(endpoint_url: str) -> None:
    """Fill the server, which should be a new one."""
    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    session.set_credentials(KEY, SECRET)
    for number, region in enumerate(REGIONS):
        ec2 = session.create_client("ec2", region_name=region, endpoint_url=endpoint_url)
        _seed_region(ec2, region, 10 + number)


def _seed_region(ec2: Any, region: str, octet: int) -> None:
    subnets = _network(ec2, region, octet)
    servers = _servers(ec2, region, subnets)
    _volumes(ec2, region, servers)
    states: dict[str, list[str]] = {"stopped": [], "terminated": []}
    for name, _, _, _, state in SERVERS[region]:
        if state in states:
            states[state].append(servers[name])
    ec2.stop_instances(InstanceIds=states["stopped"])
    if states["terminated"]:
        ec2.terminate_instances(InstanceIds=states["terminated"])


def _network(ec2: Any, region: str, octet: int) -> dict[str, str]:
    """A VPC with two public and two private subnets; returns the subnets' ids by name."""
    vpc = ec2.create_vpc(
        CidrBlock=f"10.{octet}.0.0/16",
        AmazonProvidedIpv6CidrBlock=True,
        TagSpecifications=_tagged("vpc", f"shop {region}", owner="Größe & Söhne"),
    )["Vpc"]["VpcId"]
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock=f"10.{octet + 100}.0.0/16")
    (described,) = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    ipv6 = described["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].split("::")[0]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    made = {}
    for number, name in enumerate(("public-a", "public-b", "private-a", "private-b")):
        zone = f"{region}{'a' if name.endswith('a') else 'c'}"
        more = {"Ipv6CidrBlock": f"{ipv6}::/64"} if name == "public-a" else {}
        made[name] = ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.{octet}.{number}.0/24",
            AvailabilityZone=zone,
            TagSpecifications=_tagged("subnet", name, tier=name.partition("-")[0]),
            **more,
        )["Subnet"]["SubnetId"]
        if name.startswith("public"):
            ec2.associate_route_table(RouteTableId=table, SubnetId=made[name])
            ec2.modify_subnet_attribute(
                SubnetId=made[name], MapPublicIpOnLaunch={"Value": name == "public-a"}
            )
    ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{octet + 100}.0.0/24")  # without a name
    return made


def _servers(ec2: Any, region: str, subnets: dict[str, str]) -> dict[str, str]:
    """The instances, on an Amazon AMI, a Windows AMI or an own one that is gone; ids by name."""
    images = ec2.describe_images(Owners=["amazon"])["Images"]
    windows = [each for each in images if each.get("Platform") == "windows"]
    linux = [each for each in images if each.get("Platform") != "windows"]
    by_name = sorted(linux, key=lambda image: image["Name"])
    made: dict[str, str] = {}
    for name, kind, subnet, is_windows, _ in SERVERS[region]:
        image = windows[0] if is_windows else by_name[len(made) % 3]
        more: dict[str, Any] = {}
        if name.startswith("db-"):
            more["EbsOptimized"] = True
        if name == "web-1":
            more["Ipv6AddressCount"] = 1
        made[name] = ec2.run_instances(
            ImageId=image["ImageId"],
            InstanceType=kind,
            MinCount=1,
            MaxCount=1,
            SubnetId=subnets[subnet],
            TagSpecifications=_tagged("instance", name, stage="prod", кто="команда"),
            **more,
        )["Instances"][0]["InstanceId"]
    first = next(iter(made.values()))
    own = ec2.create_image(InstanceId=first, Name=f"golden-{region}")["ImageId"]
    gone = ec2.run_instances(
        ImageId=own,
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnets["private-a"],
        TagSpecifications=_tagged("instance", "from-deregistered-image"),
    )["Instances"][0]["InstanceId"]
    ec2.deregister_image(ImageId=own)
    made["from-deregistered-image"] = gone
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=address, InstanceId=first)
    return made


def _volumes(ec2: Any, region: str, servers: dict[str, str]) -> None:
    zone, running = f"{region}a", [servers[each[0]] for each in SERVERS[region]][:2]

    def create(name: str, **more: Any) -> str:
        tags = _tagged("volume", name, backup="täglich") if name else []
        made = ec2.create_volume(AvailabilityZone=zone, TagSpecifications=tags, **more)
        return made["VolumeId"]

    create("nicht-angehängt", Size=100, VolumeType="gp3", Iops=4000, Throughput=250)
    create("", Size=1, VolumeType="standard")
    data = create("data", Size=500, VolumeType="gp3", Throughput=500, Encrypted=True)
    ec2.attach_volume(VolumeId=data, InstanceId=running[0], Device="/dev/sdf")
    shared = create("quorum", Size=20, VolumeType="io2", Iops=2000, MultiAttachEnabled=True)
    # moto keeps one attachment a volume, so that a second server would show at one end only
    ec2.attach_volume(VolumeId=shared, InstanceId=running[1], Device="/dev/sdq")


def _tagged(kind: str, name: str, **tags: str) -> list[dict[str, Any]]:
    named = {"Name": name, **tags} if name else tags
    if not named:
        return []
    listed = [{"Key": key, "Value": value} for key, value in named.items()]
    return [{"ResourceType": kind, "Tags": listed}]


if __name__ == "__main__":
    seed(sys.argv[1])
