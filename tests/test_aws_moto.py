"""AWS against moto's server (a simulator of AWS) on loopback, seeded as the demo account is.

What botocore's own client lists is what the families must report. It also compares the simulator of
the other tests (tests/fakes/ec2.py) with moto: the same records, read by botocore from both.
"""

import importlib
import json
import re
from collections import Counter

import pytest

from tests.fakes import ec2
from tests.fakes.context import Context
from tools import demo_aws

FAMILIES = ("appliances", "circuits", "networks", "servers", "volumes")


@pytest.fixture(scope="module")
def url(moto_of_5_2):
    server, url = demo_aws.serve()
    yield url
    server.stop()


def listed(url, operation, key, service="ec2"):
    """What botocore's own client lists, region by region."""
    found = []
    for region in demo_aws.REGIONS:
        client = demo_aws.client(url, service, region)
        if client.can_paginate(operation):
            pages = client.get_paginator(operation).paginate()
        else:
            pages = [getattr(client, operation)()]
        found += [(region, record) for page in pages for record in page[key]]
    return found


@pytest.fixture(scope="module")
def found(url):
    credentials = {
        "aws_access_key_id": demo_aws.KEY,
        "aws_secret_access_key": demo_aws.SECRET,
        "regions": list(demo_aws.REGIONS),
        "endpoint_url": url,
    }
    asked = {"provider": "aws", "credentials": credentials}
    return {
        family: importlib.import_module(f"modules.{family}.main").get(asked, Context())
        for family in FAMILIES
    }


def instances(url):
    groups = listed(url, "describe_instances", "Reservations")
    return [(region, each) for region, group in groups for each in group["Instances"]]


def ids(resources):
    return sorted(resource["id"] for resource in resources)


def test_servers_are_what_botocore_lists(url, found):
    expected = {each["InstanceId"]: (region, each) for region, each in instances(url)}
    assert ids(found["servers"]) == sorted(expected)
    assert len(expected) == 24
    for server in found["servers"]:
        region, instance = expected[server["id"]]
        details = server["details"]["server"]
        assert details["provider_state"] == instance["State"]["Name"]
        assert details["instance_type"] == instance["InstanceType"]
        assert server["base"]["locations"][0]["region"]["id"] == region


def test_volumes_are_what_botocore_lists(url, found):
    expected = {each["VolumeId"]: each for _, each in listed(url, "describe_volumes", "Volumes")}
    assert ids(found["volumes"]) == sorted(expected)
    for volume in found["volumes"]:
        record, details = expected[volume["id"]], volume["details"]["volume"]
        assert details["size_b"] == record["Size"] * 1024**3
        assert details["zone_name"] == record["AvailabilityZone"]
        assert details["encrypted"] is record["Encrypted"]
        servers = {each["id"] for each in volume["connections"].get("server", [])}
        assert servers == {each["InstanceId"] for each in record["Attachments"]}


def test_networks_are_what_botocore_lists(url, found):
    vpcs = [each["VpcId"] for _, each in listed(url, "describe_vpcs", "Vpcs")]
    subnets = [each["SubnetId"] for _, each in listed(url, "describe_subnets", "Subnets")]
    assert ids(found["networks"]) == sorted(vpcs + subnets)
    assert len(vpcs) == 9  # a default one a region, and two of the demo's


NOT_REPORTED = ("deleted", "deleting", "terminated", "failed")


def names(url, service, operation, key, name, state="State"):
    """The ids of what botocore lists and what is not deleted."""
    records = [record for _, record in listed(url, operation, key, service)]
    return [each[name] for each in records if each.get(state) not in NOT_REPORTED]


APPLIANCES = (
    ("ec2", "describe_nat_gateways", "NatGateways", "NatGatewayId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    (
        "ec2",
        "describe_egress_only_internet_gateways",
        "EgressOnlyInternetGateways",
        "EgressOnlyInternetGatewayId",
    ),
    ("ec2", "describe_vpn_gateways", "VpnGateways", "VpnGatewayId"),
    ("ec2", "describe_customer_gateways", "CustomerGateways", "CustomerGatewayId"),
    ("ec2", "describe_transit_gateways", "TransitGateways", "TransitGatewayId"),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    ("elb", "describe_load_balancers", "LoadBalancerDescriptions", "DNSName"),
    ("network-firewall", "list_firewalls", "Firewalls", "FirewallArn"),
    ("efs", "describe_file_systems", "FileSystems", "FileSystemId"),
)


def test_appliances_are_what_botocore_lists(url, found):
    # moto gives the classic load balancers of all regions one DNS name; AWS puts a number into it
    expected = {each for asked in APPLIANCES for each in names(url, *asked)}
    assert ids(found["appliances"]) == sorted(expected)
    kinds = Counter(each["details"]["appliance"]["type_id"] for each in found["appliances"])
    assert kinds == {"router": 24, "load_balancer": 9, "storage": 6, "firewall": 1}


def test_circuits_are_what_botocore_lists(url, found):
    lines = (
        ("describe_connections", "connections", "connectionId", "connectionState"),
        ("describe_lags", "lags", "lagId", "lagState"),
        (
            "describe_virtual_interfaces",
            "virtualInterfaces",
            "virtualInterfaceId",
            "virtualInterfaceState",
        ),
    )
    attachments = "describe_transit_gateway_attachments", "TransitGatewayAttachments"
    expected = {each for asked in lines for each in names(url, "directconnect", *asked)}
    expected.update(names(url, "ec2", *attachments, "TransitGatewayAttachmentId"))
    expected.update(
        names(url, "ec2", "describe_vpn_connections", "VpnConnections", "VpnConnectionId")
    )
    # one of two regions is listed in both, under the same id
    asked = "describe_vpc_peering_connections", "VpcPeeringConnections", "VpcPeeringConnectionId"
    expected.update(names(url, "ec2", *asked))
    assert ids(found["circuits"]) == sorted(expected)
    kinds = Counter(each["details"]["circuit"]["type_id"] for each in found["circuits"])
    assert kinds == {
        "direct_connect": 8,
        "direct_connect_lag": 2,
        "virtual_interface": 6,
        "vpn": 6,
        "vpc_peering": 4,
        "transit_gateway_attachment": 6,
        "transit_gateway_peering": 1,
    }


def test_the_ends_of_circuits_are_readable(url, found):
    """Of one region: names where there are names, and else what the thing is known by."""
    region = "ap-northeast-1"
    ends = {
        (
            each["details"]["circuit"]["type_id"],
            each["details"]["circuit"]["endpoint_a"],
            each["details"]["circuit"]["endpoint_b"],
        )
        for each in found["circuits"]
        if each["base"]["locations"][0]["region"]["id"] == region
    }

    def id_of(operation, key, name, tagged=True):
        records = [each for where, each in listed(url, operation, key) if where == region]
        (found,) = (each[name] for each in records if bool(each.get("Tags")) is tagged)
        return found

    vpc = id_of("describe_vpcs", "Vpcs", "VpcId") + f" (shop {region})"
    bare = next(b for kind, a, b in ends if kind == "vpc_peering")
    vgw = id_of("describe_vpn_gateways", "VpnGateways", "VpnGatewayId") + f" (vgw {region})"
    hub = id_of("describe_transit_gateways", "TransitGateways", "TransitGatewayId")
    hub += f" (hub {region})"
    line = next(a for kind, a, b in ends if b == vgw and kind == "virtual_interface")
    global_hub = "c0ffee00-0000-4000-8000-000000000030 (global ap-northeast-1)"
    attached = {b for kind, a, b in ends if kind == "transit_gateway_attachment"}
    assert ends == {
        ("direct_connect", "Equinix TY2, Tokyo, JPN", "AWS ap-northeast-1"),
        ("direct_connect_lag", "Equinix TY2, Tokyo, JPN", "AWS ap-northeast-1"),
        ("virtual_interface", line, vgw),
        ("virtual_interface", line, global_hub),
        ("virtual_interface", "Equinix TY2, Tokyo, JPN", "AWS public services"),
        ("vpn", "203.0.113.7 (本社)", vgw),
        ("vpn", "198.51.100.9", hub),
        ("vpc_peering", vpc, bare),
        *(("transit_gateway_attachment", hub, each) for each in attached),
    }
    assert line.endswith(" (東京 DC1)")
    assert bare in names(url, "ec2", "describe_vpcs", "Vpcs", "VpcId")
    assert vpc in attached


def test_connections_join_up_across_the_families(found):
    everything = {each["id"]: each for family in FAMILIES for each in found[family]}
    joined = Counter()
    for resource in everything.values():
        for kind, others in resource["connections"].items():
            for other in others:
                assert everything[other["id"]]["type"] == kind
                joined[resource["type"], kind] += 1
    assert set(joined) == {
        ("appliance", "appliance"),
        ("appliance", "network"),
        ("appliance", "server"),
        ("circuit", "appliance"),
        ("circuit", "circuit"),
        ("circuit", "network"),
        ("network", "network"),
        ("server", "network"),
        ("server", "volume"),
        ("volume", "server"),
    }


def test_connections_between_servers_and_volumes_are_the_same_from_both_ends(found):
    def pairs(family, other):
        return {
            frozenset((each["id"], joined["id"]))
            for each in found[family]
            for joined in each["connections"].get(other, [])
        }

    assert pairs("servers", "volume") == pairs("volumes", "server")


def test_json_and_no_secret(url, found):
    text = json.dumps(found)
    vpns = [each for _, each in listed(url, "describe_vpn_connections", "VpnConnections")]
    shared_keys = {
        key
        for each in vpns
        for key in re.findall("<pre_shared_key>(.+?)<", each["CustomerGatewayConfiguration"])
    }
    assert shared_keys
    for secret in (demo_aws.SECRET, demo_aws.KEY, "invented-bgp-key", *shared_keys):
        assert secret not in text


def test_the_demo_shows_what_it_should(found):
    servers = {each["base"]["name"]: each for each in found["servers"]}
    states = {each["details"]["server"]["state"] for each in found["servers"]}
    assert states == {"running", "stopped", "terminated"}
    assert {"東京-db", "сервер-1", 'cache <&> "1"', "edge-🚀"} <= set(servers)
    detail = {name: each["details"]["server"] for name, each in servers.items()}
    assert detail["ad-1"]["image_detail"]["type"] == "Windows"
    gone = detail["from-deregistered-image"]["image_detail"]
    assert gone["name"] is None
    assert gone["id"].startswith("ami-")
    assert detail["metal-1"]["is_virtual"] is False
    assert detail["app-1"]["is_virtual"] is True
    assert (detail["app-1"]["cpu_cores"], detail["app-1"]["ram_b"]) == (2, 8 * 1024**3)
    assert any(each["id"] == each["base"]["name"] for each in found["servers"])  # no name tag
    described = {ip["description"] for ip in detail["web-1"]["ip_addresses"]}
    assert described >= {"private", "public"}
    volumes = {each["base"]["name"]: each for each in found["volumes"]}
    assert not volumes["nicht-angehängt"]["connections"]
    assert len(volumes["quorum"]["connections"]["server"]) == 1
    assert volumes["data"]["details"]["volume"]["encrypted"] is True
    public = {
        each["base"]["name"]: each["metadata"]["provider_specific"].get("public")
        for each in found["networks"]
    }
    assert public["public-a"] is public["public-b"] is True
    assert public["private-a"] is public["private-b"] is False


@pytest.mark.parametrize(
    "operation, name, key",
    [
        ("describe_instances", "DescribeInstances", "Reservations"),
        ("describe_volumes", "DescribeVolumes", "Volumes"),
        ("describe_subnets", "DescribeSubnets", "Subnets"),
        ("describe_vpcs", "DescribeVpcs", "Vpcs"),
        ("describe_route_tables", "DescribeRouteTables", "RouteTables"),
    ],
)
def test_the_simulator_of_the_other_tests_answers_as_moto_does(url, operation, name, key):
    region = "us-east-1"
    records = [record for where, record in listed(url, operation, key) if where == region]
    assert records
    with ec2.Cloud({region: {name: records}}) as cloud:
        theirs = demo_aws.client(cloud.url, "ec2", region, ec2.KEY, ec2.SECRET)
        pages = theirs.get_paginator(operation).paginate(PaginationConfig={"PageSize": 5})
        assert [record for page in pages for record in page[key]] == records


def test_both_simulators_send_the_list_also_where_it_is_empty(url):
    nobody = "eu-central-1"
    with ec2.Cloud({nobody: {}}) as cloud:
        for ec2_client in (
            demo_aws.client(url, "ec2", nobody),
            demo_aws.client(cloud.url, "ec2", nobody, ec2.KEY, ec2.SECRET),
        ):
            assert ec2_client.describe_instances()["Reservations"] == []
            assert ec2_client.describe_volumes()["Volumes"] == []
