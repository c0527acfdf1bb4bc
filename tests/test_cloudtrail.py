"""CloudTrail: which resources' events are logged, what is logged of them, and that each is logged once.

The responses replace HTTP (tests/fakes/aws_records.py).
"""

import datetime
import importlib
import json

import pytest

from shared.engine.contracts import Window
from shared.engine.errors import UnexpectedResponse
from shared.engine.interval import Interval
from shared.providers.aws import cloudtrail
from tests.built import CELLS
from tests.fakes.aws_records import Session

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=UTC)
SECOND = datetime.timedelta(seconds=1)
HOUR = Interval(NOON, NOON + datetime.timedelta(hours=1))
KIND = "AWS::EC2::Instance"


def event(number=1, when=NOON, resources=((KIND, "i-1"),), whole=None, **changed):
    made = {
        "EventId": f"e-{number}",
        "EventName": "StopInstances",
        "EventTime": when,
        "Username": "alice",
        "AccessKeyId": "AKIAINVENTED00000000",
        "Resources": [{"ResourceType": kind, "ResourceName": name} for kind, name in resources],
        "CloudTrailEvent": json.dumps(whole or {}),
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def found_by(event, AttributeKey, AttributeValue):
    """As CloudTrail looks an event up."""
    if AttributeKey == "ResourceType":
        return any(each.get("ResourceType") == AttributeValue for each in event["Resources"])
    return event.get(AttributeKey) == AttributeValue


def log_events(*events, family="servers", resources=None, span=HOUR):
    cell = importlib.import_module(f"modules.{family}.aws")

    def lookup(**params):
        (wanted,) = params["LookupAttributes"]
        found = [each for each in events if found_by(each, **wanted)]
        start, size = int(params.get("NextToken", 0)), params["MaxResults"]
        more = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return {"Events": found[start : start + size], **more}

    session = Session({"LookupEvents": lookup})
    scope = session.scope()
    window = Window(span, None if resources is None else frozenset(resources))
    return [entry for page in cell.logs(scope, window) for entry in page], session


def test_an_event_whole():
    found, _ = log_events(event())
    assert found == [
        {
            "id": "e-1",
            "resource_id": "i-1",
            "resource_type": "server",
            "severity": "info",
            "message": "StopInstances by alice",
            "time": "2026-01-31T12:00:00Z",
            "user": "alice",
        }
    ]


def test_what_failed_is_an_error_and_says_no_more_than_its_code():
    whole = {
        "errorCode": "Client.UnauthorizedOperation",
        "errorMessage": "invented-secret",
        "requestParameters": {"userData": "invented-secret"},
        "responseElements": {"keyMaterial": "invented-secret"},
    }
    (found,), _ = log_events(event(whole=whole))
    assert found["severity"] == "error"
    assert found["message"] == "StopInstances by alice: Client.UnauthorizedOperation"
    assert "invented-secret" not in str(found)
    assert "AKIA" not in str(found)


@pytest.mark.parametrize(
    "identity, user",
    [({"invokedBy": "autoscaling.amazonaws.com"}, "autoscaling.amazonaws.com"), ({}, None)],
)
def test_who_did_it_where_it_was_no_user(identity, user):
    (found,), _ = log_events(event(Username=None, whole={"userIdentity": identity}))
    assert found["user"] == user
    assert found["message"] == "StopInstances" + (f" by {user}" if user else "")


def test_an_event_about_several_resources_is_told_of_each():
    several = ((KIND, "i-2"), (KIND, "i-1"), ("AWS::EC2::Volume", "vol-1"), (KIND, "i-1"))
    found, _ = log_events(event(resources=several))
    assert [(each["id"], each["resource_id"]) for each in found] == [("e-1", "i-1"), ("e-1", "i-2")]
    found, _ = log_events(event(resources=several), family="volumes")
    assert [(each["resource_id"], each["resource_type"]) for each in found] == [("vol-1", "volume")]


def test_only_what_was_asked_for():
    found, _ = log_events(event(1), event(2, resources=((KIND, "i-2"),)), resources=["i-2"])
    assert [each["id"] for each in found] == ["e-2"]


@pytest.mark.parametrize(
    "when, there",
    [
        (HOUR.start - SECOND, False),
        (HOUR.start, True),
        (HOUR.end - SECOND, True),
        (HOUR.end, False),  # the next poll's, though CloudTrail gives it
    ],
)
def test_a_moment_belongs_to_one_poll(when, there):
    found, session = log_events(event(when=when))
    assert bool(found) is there
    (call,) = session.asked("LookupEvents")
    assert (call["StartTime"], call["EndTime"]) == (HOUR.start, HOUR.end)


def test_pages_of_fifty():
    found, session = log_events(*(event(number) for number in range(101)))
    assert len({each["id"] for each in found}) == len(found) == 101
    calls = session.asked("LookupEvents")
    assert [each["MaxResults"] for each in calls] == [50] * 3


@pytest.mark.parametrize(
    "family, kind, name, identifier",
    [
        ("appliances", "AWS::EC2::NatGateway", "nat-1", "nat-1"),
        ("appliances", "AWS::EC2::CustomerGateway", "cgw-1", "cgw-1"),
        ("circuits", "AWS::EC2::VPNConnection", "vpn-1", "vpn-1"),
        ("circuits", "AWS::EC2::VPCPeeringConnection", "pcx-1", "pcx-1"),
        ("servers", KIND, "web-1", None),
    ],
)
def test_the_id_is_the_inventorys(family, kind, name, identifier):
    found, _ = log_events(event(resources=((kind, name),)), family=family)
    assert [each["resource_id"] for each in found] == ([identifier] if identifier else [])


@pytest.mark.parametrize(
    "changed",
    [
        {"EventId": None},
        {"EventTime": None},
        {"EventName": ""},
        {"CloudTrailEvent": "<xml/>"},
        {"CloudTrailEvent": "[]"},
        {"CloudTrailEvent": '{"errorCode": 7}'},
    ],
)
def test_an_event_that_can_not_be_understood(changed):
    with pytest.raises(UnexpectedResponse, match="field"):
        log_events(event(**changed))


def test_the_span_leaves_room_for_late_events_and_has_whole_seconds():
    assert cloudtrail.SPAN.skew_s == 900
    assert cloudtrail.SPAN.period_s == 1


# --- what CloudTrail has no resource type for -------------------------------------------------------

# What AWS documents of EC2 and load balancing, as of 2026:
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events-supported-resource-types.html
TYPES = set(
    """
    Ami BundleTask ConversionTask CustomerGateway DHCPOptions EIP EIPAssociation ExportTask FlowLog Host
    ImportTask Instance InternetGateway KeyPair NatGateway NetworkAcl NetworkInterface
    NetworkInterfaceAttachment PlacementGroup ReservedInstance ReservedInstancesListing
    ReservedInstancesModification RouteTable ScheduledInstance SecurityGroup Snapshot SpotFleetRequest
    SpotInstanceRequest Subnet SubnetNetworkAclAssociation SubnetRouteTableAssociation Volume VPC
    VPCEndpoint VPCPeeringConnection VPNConnection VPNGateway
    """.split()
)
TRAILS = {
    family: importlib.import_module(f"modules.{family}.aws").TRAIL
    for family, provider in CELLS
    if provider == "aws" and hasattr(importlib.import_module(f"modules.{family}.aws"), "logs")
}


def test_only_resource_types_that_cloudtrail_documents_are_looked_up_as_such():
    """Others have no events there, and nothing says so."""
    assert set(TRAILS) == {"appliances", "circuits", "servers", "volumes"}
    for family, trail in TRAILS.items():
        for lookup in trail:
            if lookup.attribute == "ResourceType":
                known = {value.rpartition("::")[2] for value in lookup.values}
                assert known <= TYPES, (family, lookup)
                assert all(value.startswith("AWS::EC2::") for value in lookup.values)


SHOP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/shop/0123456789abcdef"
WALL = "arn:aws:network-firewall:us-east-1:123456789012:firewall/wall"
CASES = [
    # family, source, event name, request, answer, ids
    (
        "appliances",
        "ec2",
        "CreateTransitGateway",
        {"CreateTransitGatewayRequest": {"Description": "of tgw-0123"}},
        {"CreateTransitGatewayResponse": {"transitGateway": {"transitGatewayId": "tgw-1"}}},
        ["tgw-1"],
    ),
    (
        "appliances",
        "ec2",
        "DeleteEgressOnlyInternetGateway",
        {"DeleteEgressOnlyInternetGatewayRequest": {"EgressOnlyInternetGatewayId": "eigw-1"}},
        None,
        ["eigw-1"],
    ),
    (
        "appliances",
        "elasticfilesystem",
        "TagResource",
        {"resourceId": "arn:aws:elasticfilesystem:us-east-1:1:file-system/fs-1"},
        None,
        ["fs-1"],
    ),
    (
        "appliances",
        "elasticfilesystem",
        "CreateMountTarget",
        {"fileSystemId": "fs-1"},
        {},
        ["fs-1"],
    ),
    (
        "appliances",
        "network-firewall",
        "UpdateFirewallDescription",
        {"firewallName": "wall"},
        {"firewallArn": WALL},
        [WALL],
    ),
    ("appliances", "elasticloadbalancing", "SetSubnets", {"loadBalancerArn": SHOP}, None, [SHOP]),
    (
        "appliances",
        "elasticloadbalancing",
        "CreateLoadBalancer",
        {"name": "shop"},
        {"loadBalancers": [{"loadBalancerArn": SHOP}]},
        [SHOP],
    ),
    (
        "appliances",
        "elasticloadbalancing",
        "DeleteListener",
        {"listenerArn": SHOP.replace(":loadbalancer/", ":listener/") + "/fedcba9876543210"},
        None,
        [SHOP],
    ),
    (
        "appliances",  # a classic one
        "elasticloadbalancing",
        "CreateLoadBalancer",
        {"loadBalancerName": "mail"},
        {"dNSName": "mail-1.us-east-1.elb.amazonaws.com"},
        [],
    ),
    (
        "circuits",
        "directconnect",
        "CreatePrivateVirtualInterface",
        {"connectionId": "dxcon-1", "newPrivateVirtualInterface": {"authKey": "invented-secret"}},
        {"virtualInterfaceId": "dxvif-1", "authKey": "invented-secret"},
        ["dxcon-1", "dxvif-1"],
    ),
    (
        "circuits",
        "ec2",
        "CreateTransitGatewayVpcAttachment",
        {"CreateTransitGatewayVpcAttachmentRequest": {"TransitGatewayId": "tgw-1"}},
        {"transitGatewayVpcAttachment": {"transitGatewayAttachmentId": "tgw-attach-1"}},
        ["tgw-attach-1"],
    ),
]


def unlisted(source, name, request, answer, **changed):
    whole = {"requestParameters": request, "responseElements": answer}
    where = f"{source}.amazonaws.com"
    return event(EventName=name, EventSource=where, whole=whole, **{"resources": (), **changed})


@pytest.mark.parametrize("family, source, name, request_, answer, ids", CASES)
def test_an_event_is_about_the_ids_in_its_request_and_answer(
    family, source, name, request_, answer, ids
):
    found, _ = log_events(unlisted(source, name, request_, answer), family=family)
    assert [each["resource_id"] for each in found] == ids
    assert all(each["message"] == f"{name} by alice" for each in found)
    assert "invented-secret" not in str(found)


def test_events_that_only_read_are_left_out():
    """Most are of polls like this one. ``ReadOnly`` is text."""
    about = unlisted("network-firewall", "DescribeFirewall", {"firewallArn": WALL}, None)
    for word, there in (("true", 0), ("false", 1)):
        found, _ = log_events({**about, "ReadOnly": word}, family="appliances")
        assert len(found) == there


def test_looked_up_are_only_events_of_what_is_asked_for():
    """CloudTrail allows two calls a second."""
    for family, name, calls in (
        ("appliances", "nat-1", 1),
        ("appliances", WALL, 1),
        ("appliances", "eigw-1", 2),
        ("appliances", "mail-1.us-east-1.elb.amazonaws.com", 0),
        ("circuits", "dxcon-1", 1),
        ("circuits", "somebody-elses", 0),
    ):
        _, session = log_events(family=family, resources=[name])
        assert len(session.asked("LookupEvents")) == calls, name


def test_how_many_lookups_a_poll_of_everything_makes():
    """At two calls a second: of the README."""
    for family, calls in (("servers", 1), ("volumes", 1), ("circuits", 14), ("appliances", 20)):
        _, session = log_events(family=family)
        assert len(session.asked("LookupEvents")) == calls
