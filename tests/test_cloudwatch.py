"""CloudWatch: how many calls there are, what each requests, and that no answer is incomplete.

The responses replace HTTP (tests/fakes/aws_records.py).
"""

import datetime
import math

import pytest

from modules.appliances import aws as appliances
from modules.circuits import aws as circuits
from modules.servers import aws as servers
from modules.volumes import aws as volumes
from shared.engine.contracts import Window
from shared.engine.errors import InsufficientPermission, UnexpectedResponse, Unreachable
from shared.engine.interval import Interval
from shared.providers.aws import cloudwatch
from shared.records import metrics
from tests.fakes.aws_records import Session, record

UTC = datetime.timezone.utc
NOON = datetime.datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
MINUTES = datetime.timedelta(minutes=1)
SPAN = Interval(NOON - 15 * MINUTES, NOON)
PER_SERVER = len(metrics.of("aws.ec2"))


def window(resources=None, span=SPAN):
    return Window(span, None if resources is None else frozenset(resources))


def instances(count, monitoring="disabled"):
    made = [
        record("ec2", "Instance", InstanceId=f"i-{number:06d}", Monitoring={"State": monitoring})
        for number in range(count)
    ]
    return {"Reservations": [{"Instances": made}]}


def results(queries, **changed):
    """A complete answer to the queries: a point each."""
    return [
        {
            "Id": query["Id"],
            "Timestamps": [SPAN.start],
            "Values": [300],
            "StatusCode": "Complete",
            **changed,
        }
        for query in queries
    ]


def complete(**params):
    return {"MetricDataResults": results(params["MetricDataQueries"])}


def session(answer=complete, count=1, **answers):
    return Session({"DescribeInstances": instances(count), "GetMetricData": answer, **answers})


def points(session, cell=servers, of=None):
    scope = session.scope()
    pages = cell.metrics(scope, of or window())
    return [point for page in pages for point in page]


# --- calls ------------------------------------------------------------------------------------------


def test_a_thousand_servers_are_sixteen_calls():
    """1,000 instances x 8 metrics: ceil(8000 / 500), and 1 for the listing."""
    made = session(count=1000)
    found = points(made)
    assert PER_SERVER == 8
    assert len(found) == 8000
    assert len({(each["resource_id"], each["metric"]) for each in found}) == 8000
    calls = made.asked("GetMetricData")
    assert len(calls) == math.ceil(8000 / 500) == 16
    assert {len(each["MetricDataQueries"]) for each in calls} == {500}
    assert len(made.calls) == 17


def test_pages_are_followed_each_with_the_same_queries():
    """1,000 instances whose answers come in three pages each: 3 x 16 calls."""

    def in_three(**params):
        page = int(params.get("NextToken", 0))
        last = page == 2
        found = [
            {
                **each,
                "Timestamps": [SPAN.start + 5 * page * MINUTES],
                "StatusCode": "Complete" if last else "PartialData",
            }
            for each in results(params["MetricDataQueries"])
        ]
        return {"MetricDataResults": found, **({} if last else {"NextToken": str(page + 1)})}

    made = session(in_three, count=1000)
    found = points(made)
    assert len(found) == 3 * 8000
    calls = made.asked("GetMetricData")
    assert len(calls) == 3 * 16
    assert calls[0]["MetricDataQueries"] == calls[1]["MetricDataQueries"]
    assert [each.get("NextToken") for each in calls[:4]] == [None, "1", "2", None]


def test_no_resource_is_no_call():
    made = session(count=0)
    assert points(made) == []
    assert not made.asked("GetMetricData")


def test_what_is_requested():
    made = session()
    points(made)
    (call,) = made.asked("GetMetricData")
    assert (call["StartTime"], call["EndTime"]) == (SPAN.start, SPAN.end)
    first = call["MetricDataQueries"][0]
    assert first == {
        "Id": "q0",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/EC2",
                "MetricName": "CPUUtilization",
                "Dimensions": [{"Name": "InstanceId", "Value": "i-000000"}],
            },
            "Period": 300,
            "Stat": "Average",
        },
    }


def test_a_few_resources_are_asked_for_by_a_filter():
    made = session(count=2)
    found = points(made, of=window(["i-000001", "vol-1"]))
    (listing,) = made.asked("DescribeInstances")
    assert listing["Filters"] == [{"Name": "instance-id", "Values": ["i-000001", "vol-1"]}]
    assert {each["resource_id"] for each in found} == {"i-000001"}


def test_many_resources_are_picked_from_the_listing():
    made = session(count=1000)
    found = points(made, of=window({f"i-{number:06d}" for number in range(0, 1000, 2)}))
    (listing,) = made.asked("DescribeInstances")
    assert "Filters" not in listing
    assert len({each["resource_id"] for each in found}) == 500


def test_no_resource_is_asked_for():
    made = session(count=2)
    assert points(made, of=window([])) == []
    assert not made.calls


# --- the period ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "finest, minutes, days_ago, seconds",
    [
        (60, 15, 0, 60),
        (60, 60, 0, 60),
        (60, 65, 0, 300),
        (300, 15, 0, 300),
        (60, 15, 14, 60),
        (60, 15, 16, 300),
        (300, 65, 62, 300),
        (60, 15, 64, 3600),
    ],
)
def test_the_period_is_as_fine_as_the_data_and_their_age_let_it_be(
    finest, minutes, days_ago, seconds
):
    start = NOON - datetime.timedelta(days=days_ago) - minutes * MINUTES
    span = Interval(start, start + minutes * MINUTES)
    assert cloudwatch.period(span, finest, NOON) == seconds


@pytest.mark.parametrize(
    "monitoring, seconds", [("enabled", 60), ("disabled", 300), ("pending", 300)]
)
def test_instances_are_measured_as_often_as_they_pay_for(monitoring, seconds):
    made = session(DescribeInstances=instances(1, monitoring))
    found = {each["metric"]: each["value"] for each in points(made)}
    (call,) = made.asked("GetMetricData")
    assert {each["MetricStat"]["Period"] for each in call["MetricDataQueries"]} == {seconds}
    assert found["network-in"] == 300 / seconds
    assert found["cpu-usage"] == 300


def test_an_hours_points_of_long_ago_each_belong_to_one_poll():
    """Two polls next to each other, neither of which begins at an hour."""
    long_ago = NOON - datetime.timedelta(days=100)
    first = Interval(long_ago + 20 * MINUTES, long_ago + 80 * MINUTES)
    second = Interval(first.end, first.end + 60 * MINUTES)

    def hourly(**params):
        hours = [long_ago + number * 60 * MINUTES for number in range(4)]
        # CloudWatch takes the start back to the hour
        floor = params["StartTime"].replace(minute=0)
        times = [each for each in hours if floor <= each < params["EndTime"]]
        found = results(params["MetricDataQueries"], Timestamps=times, Values=[3600.0] * len(times))
        return {"MetricDataResults": found}

    times = []
    for span in (first, second):
        made = session(hourly)
        found = points(made, of=window(span=span))
        times += [each["time"] for each in found if each["metric"] == "network-in"]
        assert {each["value"] for each in found if each["metric"] == "network-in"} == {1.0}
        (call,) = made.asked("GetMetricData")
        assert call["EndTime"] - span.end == 55 * MINUTES  # that an hour's point be whole
    assert times == [
        (long_ago + number * 60 * MINUTES).strftime("%Y-%m-%dT%H:%M:%SZ") for number in (1, 2)
    ]


# --- complete, or an error ------------------------------------------------------------------------------


def faulty(**changed):
    """All queries are answered well but for the last one."""

    def answer(**params):
        found = results(params["MetricDataQueries"])
        found[-1].update(changed)
        return {"MetricDataResults": found}

    return answer


@pytest.mark.parametrize(
    "status, error, told",
    [
        ("PartialData", Unreachable, "PartialData"),
        ("InternalError", Unreachable, "InternalError"),
        ("Forbidden", InsufficientPermission, "may not cloudwatch:GetMetricData"),
        ("Anything", Unreachable, "Anything"),
        (None, Unreachable, "None"),
    ],
)
def test_a_result_that_is_not_complete_fails_the_poll(status, error, told):
    messages = [{"Code": "E1", "Value": "it broke"}]
    with pytest.raises(error) as caught:
        points(session(faulty(StatusCode=status, Messages=messages)))
    assert told in str(caught.value)
    assert "AWS/EC2 StatusCheckFailed of i-000000" in str(caught.value)
    assert "it broke" in str(caught.value)


def test_a_query_without_a_result_fails_the_poll():
    def one_less(**params):
        return {"MetricDataResults": results(params["MetricDataQueries"])[:-1]}

    with pytest.raises(UnexpectedResponse, match="no result for AWS/EC2 StatusCheckFailed"):
        points(session(one_less))


def test_a_message_about_the_whole_answer_fails_the_poll():
    def answer(**params):
        told = [{"Code": "MaxMetricsExceeded", "Value": "too many"}]
        return {**complete(**params), "Messages": told}

    with pytest.raises(UnexpectedResponse, match="in part only: MaxMetricsExceeded: too many"):
        points(session(answer))


@pytest.mark.parametrize(
    "changed",
    [
        {"Id": "q999"},
        {"Id": None},
        {"Values": [1.0, 2.0]},
        {"Values": ["1"]},
        {"Timestamps": ["x"]},
    ],
)
def test_a_result_that_can_not_be_understood(changed):
    with pytest.raises(UnexpectedResponse, match="Id|Values|Timestamps"):
        points(session(faulty(**changed)))


def test_an_answer_without_the_results():
    made = session()

    def client(service, region):
        found = Session.client(made, service, region)
        if service == "cloudwatch":  # the session of the tests would fill in an empty list
            found.get_metric_data = lambda **_: {}
        return found

    made.client = client
    with pytest.raises(UnexpectedResponse, match="gave no MetricDataResults"):
        points(made)


def test_points_outside_of_the_interval_are_not_ours():
    answer = faulty(Timestamps=[SPAN.start - MINUTES, SPAN.start, SPAN.end], Values=[1.0, 0.0, 1.0])
    found = [each for each in points(session(answer)) if each["metric"] == "status-check-failed"]
    assert [each["value"] for each in found] == [0.0]


# --- what the other families ask for ------------------------------------------------------------------------


def dimensions(made):
    """namespace -> dimensions -> how many queries"""
    found = {}
    for call in made.asked("GetMetricData"):
        for query in call["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            key = tuple((each["Name"], each["Value"]) for each in metric["Dimensions"])
            of = found.setdefault(metric["Namespace"], {})
            of[key] = of.get(key, 0) + 1
    return found


def test_volumes():
    made = Session(
        {
            "DescribeVolumes": {"Volumes": [record("ec2", "Volume", VolumeId="vol-1")]},
            "GetMetricData": complete,
        }
    )
    found = points(made, volumes)
    assert dimensions(made) == {"AWS/EBS": {(("VolumeId", "vol-1"),): 6}}
    assert {each["resource_type"] for each in found} == {"volume"}
    assert {each["value"] for each in found if each["metric"] == "disk-reads"} == {
        5.0
    }  # 300 / 60 s


def test_a_firewall_is_measured_a_zone_and_an_engine():
    firewall = record("network-firewall", "Firewall", FirewallArn="arn:f", FirewallName="f")
    zones = {"us-east-1b": {"Attachment": {"Status": "READY"}}, "us-east-1a": {}}
    made = Session(
        {
            "ListFirewalls": {"Firewalls": [{"FirewallArn": "arn:f", "FirewallName": "f"}]},
            "DescribeFirewall": {"Firewall": firewall, "FirewallStatus": {"SyncStates": zones}},
            "GetMetricData": complete,
        }
    )
    found = points(made, appliances)
    of = dimensions(made)["AWS/NetworkFirewall"]
    assert set(of) == {
        (("FirewallName", "f"), ("AvailabilityZone", zone), ("Engine", engine))
        for zone in zones
        for engine in ("Stateful", "Stateless")
    }
    assert {each["resource_id"] for each in found} == {"arn:f"}
    keys = {(each["metric"], each["specialisation"]) for each in found}
    assert len(keys) == len(found) == 4 * len(metrics.of("aws.networkfirewall")) == 24
    assert ("dropped-packets", "us-east-1a Stateful") in keys
    assert {each["value"] for each in found} == {1.0}  # 300 in 300 s


@pytest.mark.parametrize("cell", [appliances, circuits])
def test_what_was_deleted_has_no_metrics(cell):
    made = Session(
        {
            "DescribeNatGateways": {
                "NatGateways": [record("ec2", "NatGateway", NatGatewayId="nat-1", State="deleted")]
            },
            "DescribeVpnConnections": {
                "VpnConnections": [
                    record("ec2", "VpnConnection", VpnConnectionId="vpn-1", State="deleted")
                ]
            },
        }
    )
    assert points(made, cell) == []
    assert not made.asked("GetMetricData")


def test_attachments_and_peerings_of_transit_gateways():
    def side(hub, region):
        return record("ec2", "PeeringTgwInfo", TransitGatewayId=hub, Region=region, OwnerId="1")

    def peering(name, requester, accepter):
        return record(
            "ec2",
            "TransitGatewayPeeringAttachment",
            TransitGatewayAttachmentId=name,
            RequesterTgwInfo=requester,
            AccepterTgwInfo=accepter,
            State="available",
        )

    here, there = side("tgw-here", "us-east-1"), side("tgw-there", "eu-west-1")
    elsewhere = side("tgw-elsewhere", "ap-south-1")
    attachment = record(
        "ec2",
        "TransitGatewayAttachment",
        TransitGatewayAttachmentId="tgw-attach-vpc",
        TransitGatewayId="tgw-here",
        ResourceType="vpc",
        State="available",
    )
    made = Session(
        {
            "DescribeTransitGatewayPeeringAttachments": {
                "TransitGatewayPeeringAttachments": [
                    peering("tgw-attach-out", here, there),
                    peering("tgw-attach-in", there, here),  # eu-west-1 reports it
                    peering("tgw-attach-far", elsewhere, here),  # a region that is not polled
                ]
            },
            "DescribeTransitGatewayAttachments": {"TransitGatewayAttachments": [attachment]},
            "GetMetricData": complete,
        }
    )
    points(made, circuits)
    assert {names for names in dimensions(made)["AWS/TransitGateway"]} == {
        (("TransitGateway", "tgw-here"), ("TransitGatewayAttachment", name))
        for name in ("tgw-attach-out", "tgw-attach-far", "tgw-attach-vpc")
    }


def test_the_state_of_each_tunnel_of_a_vpn():
    """https://docs.aws.amazon.com/vpn/latest/s2svpn/monitoring-cloudwatch-vpn.html"""
    tunnels = [record("ec2", "VgwTelemetry", OutsideIpAddress=f"192.0.2.{n}") for n in (8, 9)]
    vpn = record(
        "ec2", "VpnConnection", VpnConnectionId="vpn-1", State="available", VgwTelemetry=tunnels
    )
    made = Session({"DescribeVpnConnections": {"VpnConnections": [vpn]}, "GetMetricData": complete})
    found = points(made, circuits)
    assert dimensions(made) == {
        "AWS/VPN": {
            (("VpnId", "vpn-1"),): 3,
            (("VpnId", "vpn-1"), ("TunnelIpAddress", "192.0.2.8")): 1,
            (("VpnId", "vpn-1"), ("TunnelIpAddress", "192.0.2.9")): 1,
        }
    }
    states = [each for each in found if each["metric"] == "tunnel-state"]
    assert [each.get("specialisation") for each in states] == [None, "192.0.2.8", "192.0.2.9"]


def line(**changed):
    names = {"connectionId": "dxcon-1", "connectionState": "available", **changed}
    return record("directconnect", "Connection", **names)


def interface(*families):
    return record(
        "directconnect",
        "VirtualInterface",
        virtualInterfaceId="dxvif-1",
        connectionId="dxcon-1",
        virtualInterfaceState="available",
        bgpPeers=[{"addressFamily": family} for family in families],
    )


def listed(*series):
    """What ListMetrics tells of AWS/DX."""
    return {
        "Metrics": [
            {
                "Namespace": "AWS/DX",
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in of.items()],
            }
            for name, of in series
        ]
    }


def lane(name, number, port="dxcon-1"):
    return f"ConnectionLightLevel{name}", {"ConnectionId": port, "OpticalLaneNumber": number}


def bgp(**more):
    of = {"ConnectionId": "dxcon-1", "VirtualInterfaceId": "dxvif-1", **more}
    return "VirtualInterfaceBgpStatus", of


def test_the_light_of_each_optical_lane_of_a_port():
    """Light levels have two dimensions, and what lanes there are only ListMetrics knows.

    https://docs.aws.amazon.com/directconnect/latest/UserGuide/monitoring-cloudwatch.html
    """
    made = Session(
        {
            "DescribeConnections": {
                "connections": [line(), line(connectionId="dxcon-hosted")],
            },
            "ListMetrics": listed(
                lane("Tx", "10"),
                lane("Tx", "2"),
                lane("Rx", "2"),
                lane("Rx", "1", "dxcon-of-another"),
                ("ConnectionState", {"ConnectionId": "dxcon-1"}),
            ),
            "GetMetricData": complete,
        }
    )
    found = points(made, circuits)
    port, of_lane = len(metrics.of("aws.dx")), len(metrics.of("aws.dx_lane"))
    assert of_lane == 2
    assert dimensions(made) == {
        "AWS/DX": {
            (("ConnectionId", "dxcon-1"),): port,
            (("ConnectionId", "dxcon-hosted"),): port,
            (("ConnectionId", "dxcon-1"), ("OpticalLaneNumber", "2")): 2,
            (("ConnectionId", "dxcon-1"), ("OpticalLaneNumber", "10")): 2,
        }
    }
    light = [each for each in found if each["metric"].startswith("light-level")]
    assert {(each["resource_id"], each["specialisation"]) for each in light} == {
        ("dxcon-1", "lane 2"),
        ("dxcon-1", "lane 10"),
    }
    assert len(made.asked("ListMetrics")) == 1


@pytest.mark.parametrize(
    "families, series, asked_for",
    [
        (("ipv4",), [bgp(IpAddressFamily="ipv4"), bgp(IpAddressFamily="ipv6")], ["ipv4"]),
        (
            ("ipv4", "ipv6"),
            [bgp(), bgp(IpAddressFamily="ipv4"), bgp(IpAddressFamily="ipv6")],
            ["ipv4", "ipv6"],
        ),
        (("ipv4",), [bgp()], [None]),
        (("ipv4",), [("VirtualInterfaceBgpStatus", {"VirtualInterfaceId": "dxvif-2"})], []),
    ],
)
def test_the_bgp_state_of_an_interface_is_that_of_its_peers(families, series, asked_for):
    """CloudWatch may have points of an address family without a peer, which say "down"."""
    made = Session(
        {
            "DescribeVirtualInterfaces": {"virtualInterfaces": [interface(*families)]},
            "ListMetrics": listed(*series),
            "GetMetricData": complete,
        }
    )
    found = [each for each in points(made, circuits) if each["metric"] == "bgp-state"]
    assert [each.get("specialisation") for each in found] == asked_for


def test_dimensions_are_asked_for_only_where_there_is_direct_connect():
    made = Session({"GetMetricData": complete})
    assert points(made, circuits) == []
    assert not made.asked("ListMetrics")


def balancer(kind):
    short = {"application": "app", "network": "net", "gateway": "gwy"}[kind]
    arn = f"arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/{short}/{kind}/0"
    return record("elbv2", "LoadBalancer", LoadBalancerArn=arn, Type=kind)


def test_the_health_of_each_target_group():
    balancers = [balancer(kind) for kind in ("application", "gateway", "network")]
    of = {each["Type"]: each["LoadBalancerArn"] for each in balancers}
    groups = [
        record(
            "elbv2",
            "TargetGroup",
            TargetGroupArn=f"arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/{name}/9",
            TargetGroupName=name,
            LoadBalancerArns=arns,
        )
        for name, arns in (
            ("web", [of["application"]]),
            ("both", [of["network"], of["application"]]),
            ("walls", [of["gateway"]]),
            ("unused", []),
        )
    ]
    made = Session(
        {
            "DescribeLoadBalancers": {"LoadBalancers": balancers},
            "DescribeTargetGroups": {"TargetGroups": groups},
            "GetMetricData": complete,
        }
    )
    found = points(made, appliances)
    health = [each for each in found if each["metric"].endswith("healthy-targets")]
    assert sorted({(each["resource_id"], each["specialisation"]) for each in health}) == sorted(
        [
            (of["application"], "both"),
            (of["application"], "web"),
            (of["network"], "both"),
            (of["gateway"], "walls"),
        ]
    )
    assert len(health) == 8
    asked_for = dimensions(made)
    walls = (("LoadBalancer", "gwy/gateway/0"), ("TargetGroup", "targetgroup/walls/9"))
    assert asked_for["AWS/GatewayELB"][walls] == 2


def test_the_size_of_a_file_system_is_that_of_all_its_storage_classes():
    files = record("efs", "FileSystemDescription", FileSystemId="fs-1", LifeCycleState="available")
    made = Session({"DescribeFileSystems": {"FileSystems": [files]}, "GetMetricData": complete})
    points(made, appliances)
    assert dimensions(made) == {
        "AWS/EFS": {
            (("FileSystemId", "fs-1"),): len(metrics.of("aws.efs")),
            (("FileSystemId", "fs-1"), ("StorageClass", "Total")): 1,
        }
    }
