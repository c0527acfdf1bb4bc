"""The calls of a region that need nothing of one another are made a few at a time, and throttled together.

Nothing here waits for time: a call goes on once as many as may be are under way with it.
"""

import botocore.client
import pytest
from botocore.exceptions import ClientError

from modules.appliances import aws as appliances
from modules.servers import main as servers
from modules.wan_links import aws as wan_links
from shared.engine.deadline import Deadline
from shared.engine.network import Network
from shared.engine.traffic import Traffic
from shared.engine.workers import AT_ONCE
from shared.providers import aws
from shared.transport import http, throttle
from shared.transport.throttle import Throttle
from tests.fakes import ec2
from tests.fakes.poll import a_poll
from tests.test_throttle import Clock
from tests.test_workers import Crowd

REGION = "us-east-1"
ARNS = [f"arn:aws:elasticloadbalancing:{REGION}:1:loadbalancer/app/{n}/0" for n in range(180)]
NAMES = [f"classic-{n}" for n in range(180)]
FIREWALLS = [f"arn:aws:network-firewall:{REGION}:1:firewall/{n}" for n in range(9)]
FILES = [f"fs-{n:08d}" for n in range(9)]
# Of each operation, by its name and that of its service where two have it
ANSWERS = {
    "elasticloadbalancingv2 DescribeLoadBalancers": {
        "LoadBalancers": [{"LoadBalancerArn": arn} for arn in ARNS]
    },
    "DescribeTargetGroups": {
        "TargetGroups": [
            {"TargetGroupArn": f"arn:group/{n}", "LoadBalancerArns": [arn]}
            for n, arn in enumerate(ARNS)
        ]
    },
    "DescribeTargetHealth": {"TargetHealthDescriptions": []},
    "DescribeListeners": {"Listeners": []},
    "DescribeTags": {"TagDescriptions": []},
    "elasticloadbalancing DescribeLoadBalancers": {
        "LoadBalancerDescriptions": [
            {"LoadBalancerName": name, "DNSName": f"{name}.elb"} for name in NAMES
        ]
    },
    "DescribeInstanceHealth": {"InstanceStates": []},
    "ListFirewalls": {"Firewalls": [{"FirewallArn": arn} for arn in FIREWALLS]},
    "DescribeFirewall": {"Firewall": {"FirewallName": "f"}},
    "DescribeFileSystems": {
        "FileSystems": [{"FileSystemId": name, "NumberOfMountTargets": 1} for name in FILES]
    },
    "DescribeMountTargets": {"MountTargets": []},
    "DescribeGlobalNetworks": {"GlobalNetworks": [{"GlobalNetworkId": "global-network-1"}]},
    "ListPeerings": {"Peerings": [{"PeeringId": f"peering-{n}"} for n in range(9)]},
    "GetTransitGatewayPeering": {"TransitGatewayPeering": {}},
    "GetCallerIdentity": {"Account": "1"},
}
# Of each record one, or one for some
ONE_EACH = {
    (appliances, "fetch"): (
        "DescribeTargetHealth",
        "DescribeListeners",
        "DescribeTags",
        "DescribeFirewall",
        "DescribeMountTargets",
    ),
    (appliances, "fetch_status"): (
        "DescribeTargetHealth",
        "DescribeInstanceHealth",
        "DescribeFirewall",
        "DescribeMountTargets",
    ),
    (wan_links, "fetch"): ("GetTransitGatewayPeering",),
}
PARTS = ("GetConnections", "GetLinks", "GetDevices", "GetSites", "GetLinkAssociations")


class Cloud:
    """Answers botocore's calls; those of ``one_each`` once so many are under way."""

    def __init__(self, one_each=(), wanted=AT_ONCE):
        self.calls = []
        self.crowds = {name: Crowd(wanted) for name in one_each}
        self._parts = Crowd(min(wanted, len(PARTS)))
        self._wanted = wanted

    def call(self, client, operation, params):
        self.calls.append(operation)
        if operation in PARTS and self._wanted > 1:
            self._parts(0)
        if operation in self.crowds:
            self.crowds[operation](0)
        service = client.meta.service_model.service_id.hyphenize().replace("-", "")
        answer = ANSWERS.get(f"{service} {operation}") or ANSWERS.get(operation)
        shape = client.meta.service_model.operation_model(operation).output_shape
        lists = {name: [] for name, each in shape.members.items() if each.type_name == "list"}
        return {**lists, **(answer or {})}


def fetched(monkeypatch, cell, what, cloud, spare):
    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", lambda *of: cloud.call(*of))
    deadline = Deadline(600)
    network = Network(deadline)
    log = type("Log", (), {"info": lambda *_, **__: None})()
    traffic = Traffic()
    poll = a_poll(
        "appliances", deadline=deadline, traffic=traffic, log=log, network=network, spare=spare
    )
    given = {
        "aws_access_key_id": ec2.KEY,
        "aws_secret_access_key": ec2.SECRET,
        "endpoint_url": "http://127.0.0.1:9",  # where nobody is asked
    }
    session = aws.Session(aws.credentials(given, False), poll)
    session.regions = [REGION]
    scope = aws.Scope(REGION, session)
    more = (None,) if what == "fetch_status" else ()
    return list(getattr(cell, what)(scope, *more))  # the pages: records and lookups


@pytest.mark.parametrize("cell, what", ONE_EACH)
def test_a_few_at_a_time(monkeypatch, cell, what):
    cloud = Cloud(ONE_EACH[cell, what])
    several = fetched(monkeypatch, cell, what, cloud, 100)
    assert {name: each.most for name, each in cloud.crowds.items()} == dict.fromkeys(
        ONE_EACH[cell, what], AT_ONCE
    )
    alone = Cloud(ONE_EACH[cell, what], wanted=1)
    assert fetched(monkeypatch, cell, what, alone, 0) == several
    assert sorted(alone.calls) == sorted(cloud.calls)
    assert {each.most for each in alone.crowds.values()} == {1}
    again = Cloud(ONE_EACH[cell, what], wanted=1)
    fetched(monkeypatch, cell, what, again, 0)
    assert (
        again.calls == alone.calls
    )  # without threads to spare: in an order that is always the same


def test_thirty_regions_and_their_lookups_are_polled_together(monkeypatch):
    regions = [f"us-test-{n}" for n in range(30)]
    cloud = Cloud(("DescribeSubnets", "DescribeVolumes", "DescribeInstances"), wanted=30)
    lists = {"DescribeRegions": {"Regions": [{"RegionName": name} for name in regions]}}
    monkeypatch.setattr(
        botocore.client.BaseClient,
        "_make_api_call",
        lambda client, operation, params: (
            lists.get(operation) or cloud.call(client, operation, params)
        ),
    )
    given = {"aws_access_key_id": ec2.KEY, "aws_secret_access_key": ec2.SECRET}
    assert servers.get({"provider": "aws", "credentials": given}, None) == []
    assert sorted(cloud.calls) == sorted(30 * list(cloud.crowds))
    assert {each.most for each in cloud.crowds.values()} == {30}


def test_what_is_throttled_holds_the_others_back(monkeypatch):
    """Of the same service in the same region; the pauses are noted, not slept."""
    session, clock = _session(), Clock()
    monkeypatch.setattr(session._network, "pause", clock.pause)
    monkeypatch.setattr(throttle, "time", clock)
    one, other = Throttle(session._network), Throttle(session._network)
    throttled = ClientError({"Error": {"Code": "Throttling", "Message": "slow"}}, "DescribeTags")
    broken = ClientError({"ResponseMetadata": {"HTTPStatusCode": 500}}, "DescribeTags")
    monkeypatch.setattr(http, "delay_before_retry", lambda *_: 7.0)
    assert session._needs_retry(one, 1, broken) == 0
    one.wait()
    assert clock.pauses == [7.0]  # of the one that broke
    one.hold(5.0)  # of another thread
    one.wait()
    other.wait()
    assert clock.pauses == [7.0, 5.0]
    assert session._needs_retry(one, 1, throttled) == 0
    other.wait()
    assert clock.pauses == [7.0, 5.0]
    one.wait()
    assert clock.pauses == [7.0, 5.0, 7.0]


def _session():
    poll = a_poll("appliances", deadline=Deadline(600))
    given = {"aws_access_key_id": ec2.KEY, "aws_secret_access_key": ec2.SECRET}
    return aws.Session(aws.credentials(given, False), poll)


def test_all_calls_of_a_client_wait_together(monkeypatch):
    """Whatever thread they are of: the client of a service in a region is one."""
    with ec2.Cloud({REGION: ec2.records(REGION)}) as cloud:
        cloud.fail(REGION, "DescribeVolumes", ec2.THROTTLE, times=1)
        poll = a_poll("volumes", deadline=Deadline(600))
        given = {
            "aws_access_key_id": ec2.KEY,
            "aws_secret_access_key": ec2.SECRET,
            "endpoint_url": cloud.url,
        }
        session = aws.Session(aws.credentials(given, False), poll)
        scope, held = aws.Scope(REGION, session), []
        monkeypatch.setattr(Throttle, "hold", lambda self, seconds: held.append(self))
        monkeypatch.setattr(http, "FIRST_DELAY_S", 0)
        waited = []
        monkeypatch.setattr(Throttle, "wait", lambda self: waited.append(self))
        assert len(aws.listed(scope, "ec2", "describe_volumes", "Volumes")) == 3
        aws.listed(scope, "ec2", "describe_vpcs", "Vpcs")
        aws.account(session)
    assert len(held) == 1
    assert waited[:3] == held * 3
    assert waited[3] is not held[0]  # another service
