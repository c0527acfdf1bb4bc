"""How the records of the AWS cells become resources: no server, one fact a test."""

import copy
import datetime
import json

import pytest

from modules.networks import aws as networks
from modules.servers import aws as servers
from modules.volumes import aws as volumes
from shared.engine.errors import UnexpectedResponse
from shared.providers import aws
from shared.providers.aws import regions
from tests.fakes import ec2

GIB = 1024**3
REGION = "us-east-1"


class Session:
    """Stands for a login: a scope's links need its partition only."""

    def __init__(self, partition="aws"):
        self.partition = partition


SCOPE = aws.Scope(REGION, Session())


def server_lookups():
    kinds = [ec2.instance_type(), ec2.instance_type("m5.metal")]
    return servers.Lookups(
        subnets={f"subnet-{REGION}": "front"},
        subnet_owners={f"subnet-{REGION}": "111111111111", "subnet-shared": "222222222222"},
        volumes={f"vol-{REGION}-000001": 8, "vol-2": 100},
        types={each["InstanceType"]: each for each in kinds},
        images={"ami-linux": ec2.image()},
    )


def server(scope=SCOPE, **changed):
    record = ec2.instance(1, **changed)
    record = {name: value for name, value in record.items() if value is not None}
    return servers.convert(record, scope, server_lookups()).serialize()


def details(**changed):
    return server(**changed)["details"]["server"]


def network(record, **looked_up):
    known = {"vpc_ids": {f"vpc-{REGION}"}, "public_by_default": set(), "own_route": {}}
    lookups = networks.Lookups(**{**known, **looked_up})
    return networks.convert(record, SCOPE, lookups).serialize()


def volume(**changed):
    record = ec2.volume(1, **changed)
    record = {name: value for name, value in record.items() if value is not None}
    return volumes.convert(record, SCOPE, None).serialize()


def facts(resource):
    return resource["metadata"]["provider_specific"]


# --- servers ----------------------------------------------------------------------------------------


def test_a_server_whole():
    found = server()
    found["base"].pop("last_seen_at")
    found["base"].pop("locations")
    found.pop("metadata")
    assert found == {
        "id": "i-us-east-1-000001",
        "type": "server",
        "base": {
            "name": "wéb-1",
            "provider_created_at": "2026-01-02T03:04:05Z",
            "native_portal_link": "https://us-east-1.console.aws.amazon.com/ec2/home"
            "?region=us-east-1#InstanceDetails:instanceId=i-us-east-1-000001",
        },
        "connections": {
            "network": [{"id": "subnet-us-east-1"}, {"id": "vpc-us-east-1"}],
            "volume": [{"id": "vol-us-east-1-000001"}],
        },
        "details": {
            "server": {
                "cpu_cores": 2,
                "cpu_hz": 3_100_000_000,
                "ram_b": 8 * GIB,
                "volumes_b": 8 * GIB,
                "instance_type": "m5.large",
                "state": "running",
                "provider_state": "running",
                "is_virtual": True,
                "ip_addresses": [
                    {
                        "ip_address": address,
                        "network": {"id": "subnet-us-east-1", "name": "front"},
                        "description": description,
                    }
                    for address, description in (
                        ("10.0.0.1", "private"),
                        ("203.0.113.1", "public"),
                        ("2001:db8::1", "IPv6"),
                    )
                ],
                "image_detail": {
                    "id": "ami-linux",
                    "name": "al2023",
                    "type": "Linux",
                    "distribution": None,
                    "version": None,
                    "architecture": "x86_64",
                },
            }
        },
    }


@pytest.mark.parametrize(
    "theirs, ours",
    [
        ("pending", "pending"),
        ("running", "running"),
        ("shutting-down", "shutting"),
        ("terminated", "terminated"),
        ("stopping", "stopping"),
        ("stopped", "stopped"),
        ("dreaming", "unknown"),
    ],
)
def test_states(theirs, ours):
    found = details(State={"Code": 1, "Name": theirs})
    assert (found["state"], found["provider_state"]) == (ours, theirs)


@pytest.mark.parametrize("tags", [None, [], [{"Key": "Name", "Value": ""}], [{"Key": "Name"}]])
def test_a_server_without_a_name_is_called_by_its_id(tags):
    assert server(Tags=tags)["base"]["name"] == "i-us-east-1-000001"


@pytest.mark.parametrize(
    "changed, cores",
    [
        ({"CpuOptions": {"CoreCount": 4, "ThreadsPerCore": 1}}, 4),
        ({"CpuOptions": None}, 2),
        ({"CpuOptions": {}, "InstanceType": "x9.unknown"}, None),
    ],
)
def test_cores(changed, cores):
    assert details(**changed)["cpu_cores"] == cores


def test_a_type_that_aws_does_not_describe_leaves_unknowns():
    found = details(InstanceType="x9.unknown", CpuOptions=None)
    assert (found["cpu_cores"], found["cpu_hz"], found["ram_b"]) == (None, None, None)
    assert found["instance_type"] == "x9.unknown"


@pytest.mark.parametrize(
    "name, virtual", [("m5.large", True), ("m5.metal", False), ("x9.metal-48xl", False)]
)
def test_bare_metal_is_not_virtual(name, virtual):
    assert details(InstanceType=name)["is_virtual"] is virtual


@pytest.mark.parametrize(
    "attached, total",
    [
        (["vol-us-east-1-000001", "vol-2"], 108 * GIB),
        (["vol-us-east-1-000001", "vol-not-listed"], None),
        ([], 0),
    ],
)
def test_sizes_of_attached_volumes_are_summed(attached, total):
    devices = [{"DeviceName": "/dev/x", "Ebs": {"VolumeId": each}} for each in attached]
    found = server(BlockDeviceMappings=devices)
    assert found["details"]["server"]["volumes_b"] == total
    joined = [each["id"] for each in found["connections"].get("volume", [])]
    assert joined == sorted(attached)


@pytest.mark.parametrize("platform, kind", [(None, "Linux"), ("windows", "Windows")])
def test_windows_or_linux(platform, kind):
    assert details(Platform=platform)["image_detail"]["type"] == kind


@pytest.mark.parametrize("architecture", ["x86_64_mac", "arm64_mac"])
def test_macos_is_not_linux(architecture):
    lookups = server_lookups()
    lookups.images["ami-mac"] = ec2.image(
        ImageId="ami-mac", Architecture=architecture, PlatformDetails="Linux/UNIX"
    )
    for image in ("ami-mac", "ami-gone"):  # the second is known by the instance only
        record = ec2.instance(1, ImageId=image, Architecture=architecture)
        found = servers.convert(record, SCOPE, lookups).serialize()["details"]["server"]
        assert found["image_detail"]["type"] is None
        assert found["image_detail"]["distribution"] == "macOS"


def test_a_deregistered_image_is_its_id():
    found = details(ImageId="ami-gone")["image_detail"]
    assert found["id"] == "ami-gone"
    assert found["name"] is None


def test_a_terminated_instance_has_neither_volumes_nor_networks():
    found = server(
        State={"Code": 48, "Name": "terminated"},
        BlockDeviceMappings=[],
        NetworkInterfaces=[],
        SubnetId=None,
        VpcId=None,
        PrivateIpAddress=None,
    )
    assert found["connections"] == {}
    assert found["details"]["server"]["ip_addresses"] == []


def test_a_second_interface_adds_its_addresses_and_subnet():
    record = ec2.instance(1)
    second = {"SubnetId": "subnet-2", "PrivateIpAddresses": [{"PrivateIpAddress": "10.9.9.9"}]}
    found = server(NetworkInterfaces=[*record["NetworkInterfaces"], second])
    assert {"id": "subnet-2"} in found["connections"]["network"]
    addresses = found["details"]["server"]["ip_addresses"]
    # a subnet that was not listed has no name, and CMP takes a network only with one
    assert {"ip_address": "10.9.9.9", "description": "private"} in addresses


def interface(subnet, vpc, owner="111111111111", **more):
    return {"SubnetId": subnet, "VpcId": vpc, "OwnerId": owner, **more}


def test_a_second_interface_in_another_vpc_connects_the_server_to_that_vpc_too():
    """https://aws.amazon.com/about-aws/whats-new/2023/10/multi-vpc-eni-attachments/"""
    both = [interface(f"subnet-{REGION}", f"vpc-{REGION}"), interface("subnet-2", "vpc-2")]
    found = server(NetworkInterfaces=both)["connections"]["network"]
    assert [each["id"] for each in found] == [
        "subnet-2",
        f"subnet-{REGION}",
        "vpc-2",
        f"vpc-{REGION}",
    ]


def test_only_the_vpc_that_another_account_shares_is_left_out():
    both = [
        interface(f"subnet-{REGION}", f"vpc-{REGION}"),
        interface("subnet-shared", "vpc-theirs"),
    ]
    found = server(NetworkInterfaces=both)["connections"]["network"]
    assert [each["id"] for each in found] == ["subnet-shared", f"subnet-{REGION}", f"vpc-{REGION}"]


def moment(day):
    return datetime.datetime(2025, 6, day, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    "launched, root, primary, created",
    [
        (9, 2, 1, "2025-06-01T00:00:00Z"),  # stopped and started since
        (9, 1, None, "2025-06-01T00:00:00Z"),
        (9, 5, 1, "2025-06-01T00:00:00Z"),  # its root volume was replaced since
        (1, 2, 2, "2025-06-01T00:00:00Z"),
        (9, None, None, "2025-06-09T00:00:00Z"),
    ],
)
def test_a_restart_does_not_make_an_instance_younger(launched, root, primary, created):
    old = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    devices = []
    interfaces = [interface("subnet-2", "vpc-2", Attachment={"DeviceIndex": 1, "AttachTime": old})]
    if root:
        ebs = {"VolumeId": "vol-1", "AttachTime": moment(root)}
        devices.append({"DeviceName": "/dev/xvda", "Ebs": ebs})
    if primary:
        attachment = {"DeviceIndex": 0, "AttachTime": moment(primary)}
        interfaces.append(interface("subnet-1", "vpc-1", Attachment=attachment))
    found = server(
        LaunchTime=moment(launched),
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=devices,
        NetworkInterfaces=interfaces,
    )
    assert found["base"]["provider_created_at"] == created
    assert facts(found)["LaunchTime"] == moment(launched).isoformat().replace("+00:00", "Z")


def test_other_volumes_say_nothing_of_when_an_instance_was_created():
    ebs = {"VolumeId": "vol-2", "AttachTime": moment(1)}
    found = server(
        LaunchTime=moment(9),
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "Ebs": ebs}],
    )
    assert found["base"]["provider_created_at"] == "2025-06-09T00:00:00Z"


def test_tags_and_what_cmp_has_no_field_for():
    found = server(KeyName="ops", InstanceLifecycle="spot", UserData="secret")
    assert found["metadata"]["provider_metadata"] == {"Name": "wéb-1", "env": "тест"}
    assert facts(found)["KeyName"] == "ops"
    assert facts(found)["InstanceLifecycle"] == "spot"
    assert facts(found)["Placement"]["AvailabilityZone"] == "us-east-1a"
    assert "UserData" not in facts(found)


@pytest.mark.parametrize(
    "partition, region, host",
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_console_of_each_partition(partition, region, host):
    found = server(aws.Scope(region, Session(partition)))
    assert found["base"]["native_portal_link"].startswith(
        f"https://{host}/ec2/home?region={region}#"
    )


def test_places():
    known = server()["base"]
    assert known["locations"][0]["region"] == {"id": REGION, "name": "US East (N. Virginia)"}
    assert known["locations"][0]["country"] == {"name": "United States"}
    unknown = server(aws.Scope("mars-north-1", Session()))["base"]
    assert unknown["regions"] == [{"id": "mars-north-1"}]
    assert "locations" not in unknown


@pytest.mark.parametrize("region", sorted(regions._AWS))
def test_every_place_is_on_the_globe(region):
    (place,) = regions.aws(region)["locations"].serialize()
    assert -90 <= place["city"]["latitude"] <= 90
    assert -180 <= place["city"]["longitude"] <= 180


# --- networks ---------------------------------------------------------------------------------------


def test_a_subnet_connects_to_its_vpc():
    found = network(ec2.subnet(REGION))
    assert (found["id"], found["base"]["name"]) == ("subnet-us-east-1", "front")
    assert found["connections"] == {"network": [{"id": "vpc-us-east-1"}]}
    assert facts(found)["network_kind"] == "subnet"
    assert facts(found)["AvailableIpAddressCount"] == 250
    assert found["base"]["native_portal_link"].endswith("#SubnetDetails:subnetId=subnet-us-east-1")


def test_a_subnet_that_another_account_shares_does_not_dangle():
    found = network(ec2.subnet(REGION, VpcId="vpc-theirs", OwnerId="999999999999"))
    assert found["connections"] == {}
    assert facts(found)["VpcId"] == "vpc-theirs"
    assert facts(found)["OwnerId"] == "999999999999"


def test_a_vpc():
    found = network(ec2.vpc(REGION, IsDefault=True))
    assert (found["id"], found["base"]["name"]) == ("vpc-us-east-1", "vpc-us-east-1")
    assert found["connections"] == {}
    assert facts(found)["network_kind"] == "vpc"
    assert facts(found)["IsDefault"] is True
    assert "public" not in facts(found)


@pytest.mark.parametrize(
    "main_is_public, own, public",
    [(True, None, True), (False, None, False), (True, False, False), (False, True, True)],
)
def test_a_subnet_is_public_by_its_own_route_table_or_else_the_main_one(
    main_is_public, own, public
):
    found = network(
        ec2.subnet(REGION),
        public_by_default={f"vpc-{REGION}"} if main_is_public else set(),
        own_route={} if own is None else {f"subnet-{REGION}": own},
    )
    assert facts(found)["public"] is public


def test_cidrs_in_use():
    found = network(
        ec2.vpc(
            REGION,
            CidrBlockAssociationSet=[
                {"CidrBlock": "10.0.0.0/8", "CidrBlockState": {"State": "associated"}},
                {"CidrBlock": "100.64.0.0/16", "CidrBlockState": {"State": "associated"}},
                {"CidrBlock": "100.65.0.0/16", "CidrBlockState": {"State": "disassociated"}},
            ],
            Ipv6CidrBlockAssociationSet=[
                {"Ipv6CidrBlock": "2001:db8::/56", "Ipv6CidrBlockState": {"State": "associated"}}
            ],
        )
    )
    assert facts(found)["CidrBlocks"] == ["10.0.0.0/8", "100.64.0.0/16"]
    assert facts(found)["Ipv6CidrBlocks"] == ["2001:db8::/56"]


# --- volumes ----------------------------------------------------------------------------------------


def test_a_volume_whole():
    found = volume()
    assert found["details"] == {
        "volume": {
            "size_b": 8 * GIB,
            "iops": 3000,
            "encrypted": True,
            "zone_name": "us-east-1a",
        }
    }
    assert found["base"]["name"] == "vol-us-east-1-000001"
    assert found["base"]["provider_created_at"] == "2026-01-02T03:04:00Z"
    assert found["connections"] == {"server": [{"id": "i-us-east-1-000001"}]}
    named = ("Throughput", "VolumeType", "State", "SnapshotId", "MultiAttachEnabled")
    assert [facts(found)[name] for name in named] == [125, "gp3", "in-use", "snap-1", False]


@pytest.mark.parametrize(
    "attachments, joined",
    [
        ([], []),
        ([{"InstanceId": "i-2"}, {"InstanceId": "i-1"}], ["i-1", "i-2"]),
        ([{"InstanceId": "i-1"}, {"InstanceId": "i-1"}], ["i-1"]),
        ([{"AssociatedResource": "arn:aws:ecs:x:1:task/t"}], []),
        ([{"InstanceId": "i-1", "State": "detached"}], []),
    ],
)
def test_attachments_to_instances_are_connections(attachments, joined):
    found = volume(Attachments=attachments)["connections"]
    assert [each["id"] for each in found.get("server", [])] == joined


def test_a_magnetic_volume_has_no_iops():
    assert volume(Iops=None)["details"]["volume"]["iops"] is None


# --- drift ------------------------------------------------------------------------------------------

RECORDS = {
    "server": (
        ec2.instance(1, Platform="windows", KeyName="k"),
        lambda record: servers.convert(record, SCOPE, server_lookups()),
    ),
    "vpc": (ec2.vpc(REGION, Tags=[{"Key": "a", "Value": "b"}]), network),
    "subnet": (ec2.subnet(REGION), network),
    "volume": (ec2.volume(1), lambda record: volumes.convert(record, SCOPE, None)),
}
OTHERS = (None, 7, 1.5, "text", "", True, [], ["x"], [None], {}, {"x": 1}, [[]])
OTHER_VALUES = (*OTHERS, datetime.datetime(2026, 1, 1))


def paths(value, at=()):
    if at:
        yield at
    children = {}
    if isinstance(value, dict):
        children = value
    elif isinstance(value, list):
        children = dict(enumerate(value))
    for key, each in children.items():
        yield from paths(each, (*at, key))


def damaged(record, path, value, remove=False):
    made = copy.deepcopy(record)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return made


@pytest.mark.parametrize("kind", sorted(RECORDS))
def test_a_damaged_record_is_answered_or_refused(kind):
    record, convert = RECORDS[kind]
    answered = refused = 0
    for path in paths(record):
        variants = [damaged(record, path, value) for value in OTHER_VALUES]
        for made in [*variants, damaged(record, path, None, remove=True)]:
            try:
                resource = convert(made)
            except UnexpectedResponse:
                refused += 1
                continue
            resource = resource if isinstance(resource, dict) else resource.serialize()
            json.dumps(resource)
            assert resource["id"]
            assert resource["base"]["name"]
            answered += 1
    assert answered > 50
    assert refused > 20


def test_the_vpc_of_a_shared_subnet_is_not_connected_to():
    """Another account's VPC is not listed: the connection would dangle."""
    for subnet, connected in (
        (f"subnet-{REGION}", [f"subnet-{REGION}", f"vpc-{REGION}"]),
        ("subnet-shared", ["subnet-shared"]),
    ):
        interface = {"SubnetId": subnet, "OwnerId": "111111111111"}
        found = server(SubnetId=subnet, NetworkInterfaces=[interface])
        assert [each["id"] for each in found["connections"]["network"]] == connected
