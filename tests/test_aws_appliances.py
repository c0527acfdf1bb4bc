"""AWS appliances: records with all fields of botocore's service model, one fact a test."""

import json

import pytest

from modules.appliances import aws as appliances
from modules.appliances.aws import (
    classic_load_balancers,
    file_systems,
    firewalls,
    gateways,
    load_balancers,
)
from shared.engine.contracts import Dropped
from shared.engine.errors import UnexpectedResponse
from tests.fakes.aws_records import TIME, Session, record, shape

ARN = "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/app/{}/1"
GROUP = "arn:aws:elasticloadbalancing:us-east-1:111111111111:targetgroup/{}/1"
NETWORKS = {
    "DescribeVpcs": {"Vpcs": [{"VpcId": "vpc-a"}]},
    "DescribeSubnets": {"Subnets": [{"SubnetId": "subnet-a"}, {"SubnetId": "subnet-b"}]},
}


def balancer(name, kind="application", **changed):
    return record(
        "elbv2",
        "LoadBalancer",
        **{
            "LoadBalancerArn": ARN.format(name),
            "LoadBalancerName": name,
            "Type": kind,
            "Scheme": "internal",
            "State": {"Code": "active", "Reason": "as it should"},
            "AvailabilityZones": [{"SubnetId": "subnet-b"}, {"SubnetId": "subnet-a"}],
            **changed,
        },
    )


def group(name, kind, *balancers):
    return record(
        "elbv2",
        "TargetGroup",
        TargetGroupArn=GROUP.format(name),
        TargetGroupName=name,
        TargetType=kind,
        VpcId="vpc-a",
        LoadBalancerArns=[ARN.format(each) for each in balancers],
    )


def target(identifier, port=80, state="healthy"):
    return {
        "Target": {"Id": identifier, "Port": port},
        "TargetHealth": {"State": state, "Reason": f"it is {state}"},
    }


def interface(address, instance=None, vpc="vpc-a"):
    return {
        "VpcId": vpc,
        "Attachment": {"InstanceId": instance} if instance else {},
        "PrivateIpAddresses": [{"PrivateIpAddress": address}],
    }


def instances(**params):
    """What EC2 answers to the filter: those of the asked ids that there are."""
    (asked,) = params["Filters"]
    there = [{"InstanceId": each} for each in ("i-1", "i-2") if each in asked["Values"]]
    return {"Reservations": [{"Instances": [each]} for each in there]}


def balancing(balancers, targets=None, groups=(), **more):
    """A region's answers about load balancers of the second generation."""

    def health(TargetGroupArn):
        found = targets[TargetGroupArn]
        return found if isinstance(found, str) else {"TargetHealthDescriptions": found}

    def tags(ResourceArns):
        described = [
            {"ResourceArn": each, "Tags": [{"Key": "stage", "Value": "prod"}]}
            for each in ResourceArns
        ]
        return {"TagDescriptions": described}

    def listeners(LoadBalancerArn, PageSize):
        made = {"ListenerArn": f"{LoadBalancerArn}/l", "Port": 443, "Protocol": "HTTPS"}
        return {"Listeners": [{**made, "SslPolicy": "modern"}]}

    return {
        "DescribeTargetGroups": {"TargetGroups": list(groups)},
        "DescribeTargetHealth": health,
        "DescribeTags": tags,
        "DescribeListeners": listeners,
        "DescribeInstances": instances,
        **more,
        "elbv2": balancers,
    }


def polled(absent=(), **answers):
    """What a poll of one region makes of these answers: resources by name, and why others are dropped."""
    balancers, classic = answers.pop("elbv2", []), answers.pop("elb", [])

    def load_balancers(**params):  # both generations call it by the same name
        if "Marker" in params:
            return {}
        if session.service == "elbv2":
            return {"LoadBalancers": balancers}
        return {"LoadBalancerDescriptions": classic}

    session = _Session({**NETWORKS, "DescribeLoadBalancers": load_balancers, **answers}, absent)
    scope = session.scope()
    found, dropped = {}, []
    for page in appliances.fetch(scope):
        for entry in page.records:
            converted = appliances.convert(entry, scope, page.lookups)
            if isinstance(converted, Dropped):
                dropped.append(converted.reason)
            else:
                resource = converted.serialize()
                found[resource["base"]["name"]] = resource
    return found, dropped, session


class _Session(Session):
    def __init__(self, answers, absent):
        super().__init__(answers, absent=absent)
        self.service = None

    def client(self, service, region):
        self.service = service
        return super().client(service, region)


def only(**answers):
    found, dropped, _ = polled(**answers)
    assert not dropped
    (resource,) = found.values()
    return resource


def facts(resource):
    return resource["metadata"]["provider_specific"]


def joined(resource):
    return {kind: [each["id"] for each in to] for kind, to in resource["connections"].items()}


# --- load balancers ---------------------------------------------------------------------------------


def test_a_load_balancer_whole():
    found = only(
        **balancing(
            [balancer("shop")],
            {GROUP.format("web"): [target("i-2"), target("i-1", state="unhealthy")]},
            [group("web", "instance", "shop")],
        )
    )
    assert found["id"] == ARN.format("shop")
    assert found["details"]["appliance"] == {"type_id": "load_balancer"}
    assert found["base"]["provider_created_at"] == "2026-01-02T03:04:05Z"
    assert joined(found) == {"network": ["subnet-a", "subnet-b"], "server": ["i-1", "i-2"]}
    told = facts(found)
    assert (told["DNSName"], told["Scheme"], told["State"]) == ("DNSName", "internal", "active")
    assert told["listeners"] == [
        {
            "ListenerArn": ARN.format("shop") + "/l",
            "Port": 443,
            "Protocol": "HTTPS",
            "SslPolicy": "modern",
        }
    ]
    (made,) = told["target_groups"]
    assert made["TargetGroupName"] == "web"
    assert made["targets"] == [
        {
            "Id": "i-1",
            "Port": 80,
            "State": "unhealthy",
            "Reason": "it is unhealthy",
            "server_id": "i-1",
        },
        {
            "Id": "i-2",
            "Port": 80,
            "State": "healthy",
            "Reason": "it is healthy",
            "server_id": "i-2",
        },
    ]
    assert found["metadata"]["provider_metadata"] == {"stage": "prod"}


def test_a_target_that_ec2_no_longer_has_is_named_and_not_joined():
    found = only(
        **balancing(
            [balancer("shop")],
            {GROUP.format("web"): [target("i-gone")]},
            [group("web", "instance", "shop")],
        )
    )
    assert "server" not in joined(found)
    (told,) = facts(found)["target_groups"][0]["targets"]
    assert (told["Id"], told["server_id"]) == ("i-gone", None)


@pytest.mark.parametrize(
    "there, servers",
    [
        ([interface("10.0.0.1", "i-1")], ["i-1"]),
        ([interface("10.0.0.1")], []),  # of no instance
        ([interface("10.0.0.1", "i-1", vpc="vpc-other")], []),  # the same address elsewhere
        ([interface("10.0.0.2", "i-1")], []),
        ([], []),
    ],
)
def test_a_target_by_address_is_a_server_where_that_is_certain(there, servers):
    found = only(
        **balancing(
            [balancer("shop")],
            {GROUP.format("web"): [target("10.0.0.1")]},
            [group("web", "ip", "shop")],
            DescribeNetworkInterfaces={"NetworkInterfaces": there},
        )
    )
    assert joined(found).get("server", []) == servers


def test_a_target_by_ipv6_is_a_server_however_it_is_written():
    """A target's address is as somebody wrote it, EC2's is the shortest form."""
    record = interface("10.0.0.9", "i-6")
    record["Ipv6Addresses"] = [{"Ipv6Address": "2001:db8::1f"}]
    asked = []

    def interfaces(**params):
        (filtered,) = params["Filters"]
        asked.append((filtered["Name"], filtered["Values"]))
        return {"NetworkInterfaces": [record] if filtered["Name"].startswith("ipv6") else []}

    found = only(
        **balancing(
            [balancer("shop")],
            {GROUP.format("web"): [target("2001:0DB8:0:0::1F"), target("10.0.0.1")]},
            [group("web", "ip", "shop")],
            DescribeNetworkInterfaces=interfaces,
        )
    )
    assert joined(found)["server"] == ["i-6"]
    assert asked == [
        ("addresses.private-ip-address", ["10.0.0.1"]),
        ("ipv6-addresses.ipv6-address", ["2001:db8::1f"]),
    ]


def test_a_load_balancer_behind_another():
    found, _, _ = polled(
        **balancing(
            [balancer("front", "network"), balancer("behind")],
            {GROUP.format("alb"): [target(ARN.format("behind")), target("arn:gone")]},
            [group("alb", "alb", "front")],
        )
    )
    assert joined(found["front"])["appliance"] == [ARN.format("behind")]
    assert "appliance" not in joined(found["behind"])


def test_a_group_without_a_load_balancer_is_not_asked_for_its_targets():
    _, _, session = polled(**balancing([balancer("shop")], {}, [group("unused", "instance")]))
    assert not session.asked("DescribeTargetHealth")


def test_without_load_balancers_nothing_is_asked_about_them():
    _, _, session = polled(**balancing([]))
    for operation in ("DescribeTargetGroups", "DescribeListeners", "DescribeTags"):
        assert not session.asked(operation)


@pytest.mark.parametrize("count", [20, 21])
def test_tags_of_twenty_at_once(count):
    found, _, session = polled(**balancing([balancer(f"b{n}") for n in range(count)]))
    assert len(found) == count
    asked = [len(each["ResourceArns"]) for each in session.asked("DescribeTags")]
    assert asked == [20] * (count // 20) + [count % 20] * bool(count % 20)


def test_a_load_balancer_that_failed_is_still_one():
    found, dropped, _ = polled(elbv2=[balancer("web", State={"Code": "failed"})])
    assert facts(found["web"])["State"] == "failed"
    assert not dropped


def test_a_load_balancer_that_is_deleted_while_the_poll_runs():
    """Its tags and those of its batch fail: the others are asked for one by one, and none gets lost."""
    gone = ARN.format("gone")

    def tags(ResourceArns):
        if gone in ResourceArns:
            return "LoadBalancerNotFound"
        return {"TagDescriptions": [{"ResourceArn": each, "Tags": []} for each in ResourceArns]}

    def listeners(LoadBalancerArn, PageSize):
        return {"Listeners": []}

    found, dropped, _ = polled(
        **balancing(
            [balancer("a"), balancer("gone"), balancer("b")],
            DescribeTags=tags,
            DescribeListeners=listeners,
        )
    )
    assert sorted(found) == ["a", "b"]
    assert dropped == ["deleted while the poll ran"]


def test_a_load_balancer_whose_listeners_are_gone_with_it():
    def listeners(LoadBalancerArn, PageSize):
        return "LoadBalancerNotFound" if "gone" in LoadBalancerArn else {"Listeners": []}

    found, dropped, _ = polled(
        **balancing([balancer("gone"), balancer("a")], DescribeListeners=listeners)
    )
    assert sorted(found) == ["a"]
    assert dropped == ["deleted while the poll ran"]


def test_a_target_group_that_is_deleted_while_the_poll_runs():
    found = only(
        **balancing(
            [balancer("shop")],
            {GROUP.format("web"): [target("i-1")], GROUP.format("old"): "TargetGroupNotFound"},
            [group("old", "instance", "shop"), group("web", "instance", "shop")],
        )
    )
    assert joined(found)["server"] == ["i-1"]


@pytest.mark.parametrize("kind", ["application", "network", "gateway"])
def test_each_type_of_load_balancer(kind):
    assert facts(only(**balancing([balancer("b", kind)])))["Type"] == kind


def test_a_classic_load_balancer():
    mail = record(
        "elb",
        "LoadBalancerDescription",
        LoadBalancerName="mail",
        DNSName="mail-1.us-east-1.elb.amazonaws.com",
        Subnets=["subnet-a", "subnet-theirs"],
        Instances=[{"InstanceId": "i-2"}, {"InstanceId": "i-gone"}],
        ListenerDescriptions=[{"Listener": {"Protocol": "TCP", "LoadBalancerPort": 25}}],
    )

    def tags(LoadBalancerNames):
        described = [
            {"LoadBalancerName": each, "Tags": [{"Key": "since", "Value": "2012"}]}
            for each in LoadBalancerNames
        ]
        return {"TagDescriptions": described}

    found = only(elb=[mail], DescribeTags=tags, DescribeInstances=instances)
    assert found["id"] == "mail-1.us-east-1.elb.amazonaws.com"
    assert joined(found) == {"network": ["subnet-a"], "server": ["i-2"]}
    assert facts(found)["instances"] == ["i-2", "i-gone"]
    assert facts(found)["listeners"] == [{"Protocol": "TCP", "LoadBalancerPort": 25}]
    assert facts(found)["Type"] == "classic"
    assert found["metadata"]["provider_metadata"] == {"since": "2012"}


# --- gateways ---------------------------------------------------------------------------------------

NAMED = [{"Key": "Name", "Value": "edge"}]
TO_A = [{"VpcId": "vpc-a", "State": "attached"}]


@pytest.mark.parametrize(
    "operation, key, made, identifier, networks",
    [
        (
            "DescribeNatGateways",
            "NatGateways",
            record(
                "ec2",
                "NatGateway",
                NatGatewayId="nat-a",
                State="available",
                SubnetId="subnet-a",
                Tags=NAMED,
            ),
            "nat-a",
            ["subnet-a"],
        ),
        (
            "DescribeNatGateways",
            "NatGateways",  # a regional one is in no subnet
            record(
                "ec2",
                "NatGateway",
                NatGatewayId="nat-a",
                State="pending",
                SubnetId=None,
                VpcId="vpc-a",
                Tags=NAMED,
            ),
            "nat-a",
            ["vpc-a"],
        ),
        (
            "DescribeInternetGateways",
            "InternetGateways",
            record(
                "ec2", "InternetGateway", InternetGatewayId="igw-a", Attachments=TO_A, Tags=NAMED
            ),
            "igw-a",
            ["vpc-a"],
        ),
        (
            "DescribeEgressOnlyInternetGateways",
            "EgressOnlyInternetGateways",
            record(
                "ec2",
                "EgressOnlyInternetGateway",
                EgressOnlyInternetGatewayId="eigw-a",
                Attachments=TO_A,
                Tags=NAMED,
            ),
            "eigw-a",
            ["vpc-a"],
        ),
        (
            "DescribeVpnGateways",
            "VpnGateways",
            record(
                "ec2",
                "VpnGateway",
                VpnGatewayId="vgw-a",
                State="available",
                VpcAttachments=[*TO_A, {"VpcId": "vpc-a", "State": "detached"}],
                Tags=NAMED,
            ),
            "vgw-a",
            ["vpc-a"],
        ),
        (
            "DescribeCustomerGateways",
            "CustomerGateways",
            record(
                "ec2", "CustomerGateway", CustomerGatewayId="cgw-a", State="available", Tags=NAMED
            ),
            "cgw-a",
            [],
        ),
        (
            "DescribeTransitGateways",
            "TransitGateways",
            record(
                "ec2", "TransitGateway", TransitGatewayId="tgw-a", State="available", Tags=NAMED
            ),
            "tgw-a",
            [],
        ),
    ],
)
def test_each_gateway_is_a_router(operation, key, made, identifier, networks):
    found = only(**{operation: {key: [made]}})
    assert found["id"] == identifier
    assert found["base"]["name"] == "edge"
    assert found["details"]["appliance"]["type_id"] == "router"
    assert joined(found).get("network", []) == networks


def test_a_gateway_that_was_detached_joins_nothing():
    attachments = [{"VpcId": "vpc-a", "State": state} for state in ("detaching", "detached")]
    made = record("ec2", "InternetGateway", InternetGatewayId="igw-a", Attachments=attachments)
    assert not joined(only(DescribeInternetGateways={"InternetGateways": [made]}))


@pytest.mark.parametrize("state", ["deleted", "failed"])
def test_what_was_deleted_is_dropped(state):
    nat = record("ec2", "NatGateway", NatGatewayId="nat-a", State=state)
    hub = record("ec2", "TransitGateway", TransitGatewayId="tgw-a", State=state)
    found, dropped, _ = polled(
        DescribeNatGateways={"NatGateways": [nat]},
        DescribeTransitGateways={"TransitGateways": [hub]},
    )
    assert not found
    assert dropped == [state, state]


# --- firewalls and file systems ---------------------------------------------------------------------

WALL = "arn:aws:network-firewall:us-east-1:111111111111:firewall/{}"


def walls(*there, gone=()):
    def describe(FirewallArn):
        name = FirewallArn.rpartition("/")[2]
        if name in gone:
            return "ResourceNotFoundException"
        made = record(
            "network-firewall",
            "Firewall",
            FirewallArn=FirewallArn,
            FirewallName=name,
            VpcId="vpc-a",
            SubnetMappings=[{"SubnetId": "subnet-a"}],
        )
        return {"Firewall": made, "FirewallStatus": {"Status": "READY"}}

    listed = [{"FirewallArn": WALL.format(each), "FirewallName": each} for each in (*there, *gone)]
    return {"ListFirewalls": {"Firewalls": listed}, "DescribeFirewall": describe}


def test_a_firewall():
    found = only(**walls("edge"))
    assert found["id"] == WALL.format("edge")
    assert found["details"]["appliance"]["type_id"] == "firewall"
    assert joined(found) == {"network": ["subnet-a", "vpc-a"]}
    assert facts(found)["Status"] == "READY"


def test_a_firewall_that_is_deleted_while_the_poll_runs():
    assert list(polled(**walls("edge", gone=("old",)))[0]) == ["edge"]


def test_a_firewall_that_may_not_be_described_fails_the_poll():
    answers = {**walls("edge"), "DescribeFirewall": "AccessDeniedException"}
    with pytest.raises(Exception, match="AccessDenied"):
        polled(**answers)


def storage(mounts, **changed):
    made = record(
        "efs",
        "FileSystemDescription",
        **{
            "FileSystemId": "fs-a",
            "Name": "homes",
            "LifeCycleState": "available",
            "NumberOfMountTargets": 2,
            "SizeInBytes": {"Value": 6144},
            "CreationTime": TIME,
            **changed,
        },
    )
    return {"DescribeFileSystems": {"FileSystems": [made]}, "DescribeMountTargets": mounts}


def test_a_file_system():
    mounts = [{"MountTargetId": f"fsmt-{x}", "SubnetId": f"subnet-{x}"} for x in "ba"]
    found = only(**storage({"MountTargets": mounts}))
    assert found["details"]["appliance"]["type_id"] == "storage"
    assert found["base"]["name"] == "homes"
    assert joined(found) == {"network": ["subnet-a", "subnet-b"]}
    assert facts(found)["size_b"] == 6144
    assert [each["MountTargetId"] for each in facts(found)["mount_targets"]] == ["fsmt-a", "fsmt-b"]


def test_a_file_system_that_is_mounted_nowhere_costs_no_call():
    found, _, session = polled(**storage("never asked", NumberOfMountTargets=0, Name=None, Tags=[]))
    assert not session.asked("DescribeMountTargets")
    assert list(found) == ["fs-a"]


def test_a_file_system_that_is_deleted_while_the_poll_runs():
    """It was there when it was listed; the next poll misses it."""
    found = only(**storage("FileSystemNotFound"))
    assert "mount_targets" not in facts(found)


@pytest.mark.parametrize(
    "service, operation", [("network-firewall", "ListFirewalls"), ("efs", "DescribeFileSystems")]
)
def test_a_region_without_the_service(service, operation):
    found, _, session = polled(absent=(service,), **walls("edge"), **storage({"MountTargets": []}))
    assert len(found) == 1
    assert not session.asked(operation)
    assert [fields["service"] for _, fields in session.notes] == [service]


# --- all of them ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation, key",
    [
        ("DescribeNatGateways", "NatGateways"),
        ("DescribeTransitGateways", "TransitGateways"),
        ("DescribeFileSystems", "FileSystems"),
        ("ListFirewalls", "Firewalls"),
    ],
)
def test_a_record_without_its_id(operation, key):
    with pytest.raises(UnexpectedResponse, match="Id|Arn"):
        polled(**{operation: {key: [{"State": "available"}]}})


def test_what_comes_out_is_json():
    found, _, _ = polled(**walls("edge"), **storage({"MountTargets": []}))
    assert json.dumps(found)


@pytest.mark.parametrize(
    "details, service, name",
    [
        (load_balancers.DETAILS, "elbv2", "LoadBalancer"),
        (load_balancers.LISTENER_DETAILS, "elbv2", "Listener"),
        (load_balancers.GROUP_DETAILS, "elbv2", "TargetGroup"),
        (classic_load_balancers.DETAILS, "elb", "LoadBalancerDescription"),
        *(
            (
                {*gateway.details, gateway.id, gateway.created, gateway.attachments} - {None},
                "ec2",
                gateway.key[:-1],
            )
            for gateway in gateways.GATEWAYS
        ),
        (firewalls.DETAILS, "network-firewall", "Firewall"),
        (file_systems.DETAILS, "efs", "FileSystemDescription"),
    ],
)
def test_every_field_that_is_read_is_in_botocores_model(details, service, name):
    assert set(details) <= set(shape(service, name).members)
