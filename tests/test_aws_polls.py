"""Polls of metrics and logs on moto's server, with metric data and events put in beforehand: each comes once,
whatever the schedule, and its value is what the mapping gives when it is worked out by hand.

The clock is ours (freezegun): a day takes as long as its polls. moto is a simulator: its CloudWatch gives the
data back as they were put in, at once and complete; what AWS does late or in part is in
tests/test_cloudwatch.py.
"""

import datetime
import importlib
import random
from collections import Counter

import pytest
from freezegun import freeze_time

from shared.records import mapping
from tests.fakes import moto_polls
from tests.fakes.context import Context
from tools import demo_aws

REGION = "us-east-1"
UTC = datetime.timezone.utc
MIDNIGHT = datetime.datetime(2026, 1, 31, tzinfo=UTC)
MINUTE = datetime.timedelta(minutes=1)
DAY = [MIDNIGHT + number * MINUTE for number in range(0, 24 * 60, 5)]


@pytest.fixture(scope="module")
def url(moto_of_5_2):
    with moto_polls.added():
        server, url = demo_aws.serve()
        yield url
        server.stop()


@pytest.fixture(scope="module")
def region(url):
    """botocore's clients of the region, by service."""
    return lambda service: demo_aws.client(url, service, REGION)


def poll(url, family, what, **event):
    credentials = {
        "aws_access_key_id": demo_aws.KEY,
        "aws_secret_access_key": demo_aws.SECRET,
        "regions": REGION,
        "endpoint_url": url,
    }
    handler = getattr(importlib.import_module(f"modules.{family}.main"), f"get_{what}")
    asked = {"provider": "aws", "credentials": credentials, "poll_interval": 1800, **event}
    return handler(asked, Context())


def a_days_polls(seed):
    """What the host's clock says at each poll of a scheduler: every 30 minutes, up to 4 minutes early or late.

    Three polls in a row are left out, and the clock is up to two minutes fast or slow.
    """
    chance = random.Random(seed)
    outage = chance.randrange(10, 40)
    for number in range(50):  # a bit more than the day
        late, fast = chance.uniform(-240, 240), chance.uniform(-120, 120)
        if number not in range(outage, outage + 3):
            yield MIDNIGHT + 30 * (number + 1) * MINUTE + datetime.timedelta(seconds=late + fast)


def through_the_day(url, family, what, seed, **event):
    """What all polls of a day gave; each hands its last_update on to the next."""
    found, last_update = [], MIDNIGHT.isoformat()
    with freeze_time(MIDNIGHT) as clock:
        for moment in a_days_polls(seed):
            clock.move_to(moment)
            answer = poll(url, family, what, last_update=last_update, **event)
            assert answer["last_update"] >= last_update[:19]
            found += answer[what]
            last_update = answer["last_update"]
    return found


@pytest.fixture(scope="module")
def measured(region):
    """Instances with a day of points, one every 5 minutes: each has its own value."""
    ids = [
        each["InstanceId"]
        for group in region("ec2").describe_instances()["Reservations"]
        for each in group["Instances"]
    ][:2]
    for number, name in enumerate(ids):
        points = {
            "CPUUtilization": [(when, 10 * number + at % 7) for at, when in enumerate(DAY)],
            "NetworkIn": [(when, 300 * (1000 * number + at)) for at, when in enumerate(DAY)],
        }
        moto_polls.measure(region("cloudwatch"), "AWS/EC2", {"InstanceId": name}, points)
    return ids


def test_every_point_of_a_day_comes_once(url, measured):
    found = through_the_day(url, "servers", "metrics", 1)
    expected = {}
    for number, name in enumerate(measured):
        for at, when in enumerate(DAY):
            time = when.strftime("%Y-%m-%dT%H:%M:%SZ")
            expected[name, "cpu-usage", time] = (10 * number + at % 7, "percent")
            expected[name, "network-in", time] = (1000 * number + at, "B/s")
    keys = Counter((each["resource_id"], each["metric"], each["time"]) for each in found)
    assert [key for key, times in keys.items() if times > 1] == []
    got = {
        (each["resource_id"], each["metric"], each["time"]): (each["value"], each["unit"])
        for each in found
    }
    assert got == expected


def test_only_the_resource_that_was_asked_for(url, measured):
    with freeze_time(MIDNIGHT + datetime.timedelta(hours=2)):
        asked = {"resource": {"id": measured[1], "type": "server"}}
        some = poll(url, "servers", "metrics", **asked)["metrics"]
        account = {"resource": {"id": "a", "type": "account"}, "account_id": "a"}
        everything = poll(url, "servers", "metrics", **account)["metrics"]
    assert {each["resource_id"] for each in some} == {measured[1]}
    assert {each["resource_id"] for each in everything} == set(measured)


def test_every_event_of_a_day_comes_once(url, measured):
    """Of the servers only; events are there to be looked up 15 minutes late."""
    moto_polls.trail.clear()
    chance = random.Random(3)
    expected = []
    for number in range(300):
        when = MIDNIGHT + datetime.timedelta(seconds=chance.randrange(24 * 3600))
        if number % 3:
            kind, name = "AWS::EC2::Instance", measured[number % 2]
            expected.append(f"00000000-0000-4000-8000-{number:012d}")
        else:
            kind, name = "AWS::EC2::Volume", "vol-1"
        moto_polls.trail.append(moto_polls.event("Touched", when, kind, name, number=number))
    for at_the_second in range(60):  # more than a page
        number, when = 1000 + at_the_second, MIDNIGHT + datetime.timedelta(hours=7)
        event = moto_polls.event("Touched", when, "AWS::EC2::Instance", measured[0], number=number)
        moto_polls.trail.append(event)
        expected.append(f"00000000-0000-4000-8000-{number:012d}")
    for number, moment in enumerate(a_days_polls(2)):  # just where a poll's span ends
        when = moment.replace(microsecond=0) - 15 * MINUTE
        if MIDNIGHT <= when < MIDNIGHT + datetime.timedelta(days=1):
            kind, name = "AWS::EC2::Instance", measured[1]
            event = moto_polls.event("Touched", when, kind, name, number=2000 + number)
            moto_polls.trail.append(event)
            expected.append(event["EventId"])
    found = through_the_day(url, "servers", "logs", 2)
    assert sorted(each["id"] for each in found) == sorted(expected)
    assert "invented-secret" not in str(found)


# --- each entry of the mapping ----------------------------------------------------------------------

# Two samples, 30 and 60, in one period: their average is 45, their sum 90. What the mapping makes of them,
# worked out by hand: of a sum, so much a second, of a minute's points in 60 s and of the others in 300 s.
BY_HAND = """
  aws.ec2
    CPUUtilization cpu-usage 45 percent
    NetworkIn network-in 0.3 B/s
    NetworkOut network-out 0.3 B/s
    NetworkPacketsIn network-packets-in 0.3 count/s
    NetworkPacketsOut network-packets-out 0.3 count/s
    DiskReadBytes disk-reads 0.3 B/s
    DiskWriteBytes disk-writes 0.3 B/s
    StatusCheckFailed status-check-failed 60 count
  aws.ebs
    VolumeReadBytes disk-reads 1.5 B/s
    VolumeWriteBytes disk-writes 1.5 B/s
    VolumeReadOps disk-read-ops 1.5 count/s
    VolumeWriteOps disk-write-ops 1.5 count/s
    VolumeQueueLength disk-queue-length 45 count
    BurstBalance disk-burst-balance 45 percent
  aws.elb
    RequestCount requests 1.5 count/s
    EstimatedProcessedBytes throughput 1.5 B/s
    Latency response-time 45 s
    HealthyHostCount healthy-targets 30 count
    UnHealthyHostCount unhealthy-targets 60 count
    HTTPCode_ELB_4XX load-balancer-errors-4xx 1.5 count/s
    HTTPCode_ELB_5XX load-balancer-errors-5xx 1.5 count/s
    HTTPCode_Backend_4XX target-errors-4xx 1.5 count/s
    HTTPCode_Backend_5XX target-errors-5xx 1.5 count/s
    BackendConnectionErrors target-connection-errors 1.5 count/s
    SurgeQueueLength surge-queue-length 60 count
    SpilloverCount rejected-connections 1.5 count/s
  aws.applicationelb
    RequestCount requests 1.5 count/s
    ProcessedBytes throughput 1.5 B/s
    TargetResponseTime response-time 45 s
    ActiveConnectionCount active-connections 90 count
    NewConnectionCount new-connections 1.5 count/s
    RejectedConnectionCount rejected-connections 1.5 count/s
    TargetConnectionErrorCount target-connection-errors 1.5 count/s
    HTTPCode_ELB_4XX_Count load-balancer-errors-4xx 1.5 count/s
    HTTPCode_ELB_5XX_Count load-balancer-errors-5xx 1.5 count/s
    HTTPCode_Target_4XX_Count target-errors-4xx 1.5 count/s
    HTTPCode_Target_5XX_Count target-errors-5xx 1.5 count/s
  aws.networkelb
    ProcessedBytes throughput 1.5 B/s
    ProcessedPackets packets 1.5 count/s
    ActiveFlowCount active-connections 45 count
    NewFlowCount new-connections 1.5 count/s
    PortAllocationErrorCount port-allocation-errors 1.5 count/s
    TCP_Client_Reset_Count client-resets 1.5 count/s
    TCP_ELB_Reset_Count load-balancer-resets 1.5 count/s
    TCP_Target_Reset_Count target-resets 1.5 count/s
  aws.applicationelb_targets
    HealthyHostCount healthy-targets 30 count
    UnHealthyHostCount unhealthy-targets 60 count
  aws.networkelb_targets
    HealthyHostCount healthy-targets 30 count
    UnHealthyHostCount unhealthy-targets 60 count
  aws.gatewayelb_targets
    HealthyHostCount healthy-targets 30 count
    UnHealthyHostCount unhealthy-targets 60 count
  aws.gatewayelb
    ProcessedBytes throughput 1.5 B/s
    ActiveFlowCount active-connections 45 count
    NewFlowCount new-connections 1.5 count/s
  aws.natgateway
    BytesInFromDestination network-in 1.5 B/s
    BytesOutToDestination network-out 1.5 B/s
    PacketsInFromDestination network-packets-in 1.5 count/s
    PacketsOutToDestination network-packets-out 1.5 count/s
    PacketsDropCount dropped-packets 1.5 count/s
    ActiveConnectionCount active-connections 60 count
    ConnectionEstablishedCount new-connections 1.5 count/s
    ErrorPortAllocation port-allocation-errors 1.5 count/s
    IdleTimeoutCount idle-timeouts 1.5 count/s
  aws.transitgateway
    BytesIn network-in 1.5 B/s
    BytesOut network-out 1.5 B/s
    PacketsIn network-packets-in 1.5 count/s
    PacketsOut network-packets-out 1.5 count/s
    PacketDropCountBlackhole dropped-packets-blackhole 1.5 count/s
    PacketDropCountNoRoute dropped-packets-no-route 1.5 count/s
  aws.efs
    DataReadIOBytes disk-reads 1.5 B/s
    DataWriteIOBytes disk-writes 1.5 B/s
    MetadataIOBytes metadata-io 1.5 B/s
    TotalIOBytes disk-io 1.5 B/s
    PermittedThroughput permitted-throughput 45 B/s
    PercentIOLimit io-limit-usage 60 percent
    BurstCreditBalance burst-credit-balance 45 B
    ClientConnections client-connections 90 count
  aws.efs_storage
    StorageBytes storage-in-use 45 B
  aws.networkfirewall
    ReceivedPackets received-packets 0.3 count/s
    PassedPackets passed-packets 0.3 count/s
    DroppedPackets dropped-packets 0.3 count/s
    InvalidDroppedPackets dropped-packets-invalid 0.3 count/s
    OtherDroppedPackets dropped-packets-other 0.3 count/s
    RejectedPackets rejected-packets 0.3 count/s
  aws.vpn
    TunnelState tunnel-state 30 count
    TunnelDataIn network-in 0.3 B/s
    TunnelDataOut network-out 0.3 B/s
  aws.vpn_tunnel
    TunnelState tunnel-state 30 count
  aws.dx
    ConnectionState connection-state 30 count
    ConnectionBpsIngress network-in 5.625 B/s
    ConnectionBpsEgress network-out 5.625 B/s
    ConnectionPpsIngress network-packets-in 45 count/s
    ConnectionPpsEgress network-packets-out 45 count/s
    ConnectionErrorCount network-errors 0.3 count/s
    ConnectionDiscardsPpsEgress network-drops-out 45 count/s
    ConnectionEncryptionState connection-encryption-state 30 count
  aws.dx_lane
    ConnectionLightLevelTx light-level-out 45 dBm
    ConnectionLightLevelRx light-level-in 45 dBm
  aws.dx_interface
    VirtualInterfaceBpsIngress network-in 5.625 B/s
    VirtualInterfaceBpsEgress network-out 5.625 B/s
    VirtualInterfacePpsIngress network-packets-in 45 count/s
    VirtualInterfacePpsEgress network-packets-out 45 count/s
  aws.dx_bgp
    VirtualInterfaceBgpStatus bgp-state 30 count
"""


def by_hand():
    """service -> metric -> (CMP's name, value, unit)"""
    found, of = {}, None
    for words in (line.split() for line in BY_HAND.strip().splitlines()):
        if len(words) == 1:
            (service,) = words
            of = found[service] = {}
        else:
            metric, name, value, unit = words
            of[metric] = name, float(value), unit
    return found


def test_every_entry_was_worked_out():
    known = {key for key in mapping.load(mapping.MAPPING) if key.startswith("aws.")}
    assert {f"{service}.{metric}" for service, of in by_hand().items() for metric in of} == known


def resources(region):
    """service -> (family, id in CMP, namespace, dimensions) of something that the demo account has."""
    ec2, lines = region("ec2"), region("directconnect")
    (nat,) = (
        each["NatGatewayId"]
        for each in ec2.describe_nat_gateways()["NatGateways"]
        if each["State"] == "available"
    )
    balancers = {
        each["Type"]: each["LoadBalancerArn"]
        for each in region("elbv2").describe_load_balancers()["LoadBalancers"]
    }
    (classic,) = region("elb").describe_load_balancers()["LoadBalancerDescriptions"]
    hub = ec2.describe_transit_gateways()["TransitGateways"][0]["TransitGatewayId"]
    files = region("efs").describe_file_systems()["FileSystems"][0]["FileSystemId"]
    instance = ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    volume = ec2.describe_volumes()["Volumes"][0]["VolumeId"]
    family = lines.describe_virtual_interfaces()["virtualInterfaces"][0]["addressFamily"]
    vpn = ec2.describe_vpn_connections()["VpnConnections"][0]["VpnConnectionId"]
    interface = lines.describe_virtual_interfaces()["virtualInterfaces"][0]
    line, vif = interface["connectionId"], interface["virtualInterfaceId"]

    def group(kind):
        found = region("elbv2").describe_target_groups(LoadBalancerArn=balancers[kind])
        return found["TargetGroups"][0]["TargetGroupArn"].rpartition(":")[2]

    def short(kind):
        return {"LoadBalancer": balancers[kind].partition("loadbalancer/")[2]}

    return {
        "aws.ec2": ("servers", instance, "AWS/EC2", {"InstanceId": instance}),
        "aws.ebs": ("volumes", volume, "AWS/EBS", {"VolumeId": volume}),
        "aws.elb": ("appliances", classic["DNSName"], "AWS/ELB", {"LoadBalancerName": "mail"}),
        "aws.applicationelb": (
            "appliances",
            balancers["application"],
            "AWS/ApplicationELB",
            short("application"),
        ),
        "aws.networkelb": (
            "appliances",
            balancers["network"],
            "AWS/NetworkELB",
            short("network"),
        ),
        "aws.gatewayelb": (
            "appliances",
            balancers["gateway"],
            "AWS/GatewayELB",
            short("gateway"),
        ),
        "aws.natgateway": ("appliances", nat, "AWS/NATGateway", {"NatGatewayId": nat}),
        "aws.transitgateway": ("appliances", hub, "AWS/TransitGateway", {"TransitGateway": hub}),
        **{
            f"aws.{kind}elb_targets": (
                "appliances",
                balancers[kind],
                f"AWS/{kind.capitalize()}ELB",
                {**short(kind), "TargetGroup": group(kind)},
            )
            for kind in ("application", "network")
        },
        "aws.efs": ("appliances", files, "AWS/EFS", {"FileSystemId": files}),
        "aws.efs_storage": (
            "appliances",
            files,
            "AWS/EFS",
            {"FileSystemId": files, "StorageClass": "Total"},
        ),
        "aws.vpn": ("circuits", vpn, "AWS/VPN", {"VpnId": vpn}),
        "aws.dx": ("circuits", line, "AWS/DX", {"ConnectionId": line}),
        "aws.dx_lane": (
            "circuits",
            line,
            "AWS/DX",
            {"ConnectionId": line, "OpticalLaneNumber": "2"},
        ),
        "aws.dx_interface": (
            "circuits",
            vif,
            "AWS/DX",
            {"ConnectionId": line, "VirtualInterfaceId": vif},
        ),
        "aws.dx_bgp": (
            "circuits",
            vif,
            "AWS/DX",
            {"ConnectionId": line, "VirtualInterfaceId": vif, "IpAddressFamily": family},
        ),
    }


# What moto has none of is in tests/test_cloudwatch.py: firewalls' zones, tunnels, targets behind a gateway.
NOT_MOTOS = {"aws.networkfirewall", "aws.vpn_tunnel", "aws.gatewayelb_targets"}
SERVICES = sorted({*by_hand()} - NOT_MOTOS)


@pytest.fixture(scope="module")
def polled(url, region):
    """What a poll of each family gives after two samples of each metric."""
    when = MIDNIGHT + datetime.timedelta(days=3)
    for service, (_, _, namespace, dimensions) in resources(region).items():
        two = [(when, 30.0), (when + datetime.timedelta(seconds=30), 60.0)]
        points = {name: two for name in of_service(service)}
        moto_polls.measure(region("cloudwatch"), namespace, dimensions, points)
    with freeze_time(when + 20 * MINUTE):
        found = {
            family: poll(url, family, "metrics")["metrics"]
            for family in ("servers", "volumes", "appliances", "circuits")
        }
    return found, when.strftime("%Y-%m-%dT%H:%M:%SZ")


def of_service(service):
    return by_hand()[service]


@pytest.mark.parametrize("service", SERVICES)
def test_the_mapping_worked_out_by_hand(polled, region, service):
    found, when = polled
    family, name, _, _ = resources(region)[service]
    names = {each[0] for each in of_service(service).values()}
    part = PARTS.get(service)
    of = [
        each
        for each in found[family]
        if each["resource_id"] == name
        and each.get("specialisation") == part
        and (part or each["metric"] in names or service not in SHARED)
    ]
    assert {each["time"] for each in of} == {when}
    assert {each["resource_type"] for each in of} == {TYPES[family]}
    got = sorted((each["metric"], round(each["value"], 9), each["unit"]) for each in of)
    assert got == sorted(of_service(service).values())


# How parts of a resource are told apart, and of which resources several services tell.
PARTS = {
    "aws.applicationelb_targets": "web-by-address",
    "aws.networkelb_targets": "alb-behind-nlb",
    "aws.dx_lane": "lane 2",
    "aws.dx_bgp": "ipv4",
}
SHARED = ("aws.efs", "aws.efs_storage")
TYPES = {"servers": "server", "volumes": "volume", "appliances": "appliance", "circuits": "circuit"}
