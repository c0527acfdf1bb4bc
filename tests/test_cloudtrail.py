"""CloudTrail: whose events are told, what of them, and that each is told once (tests/fakes/aws_records.py)."""

import datetime
import importlib
import json

import pytest

from shared import cloudtrail
from shared.errors import UnexpectedResponse
from shared.interval import Interval
from shared.run import Asked
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


def told(*events, family="servers", resources=None, span=HOUR):
    cell = importlib.import_module(f"modules.{family}.aws")

    def lookup(**params):
        (wanted,) = params["LookupAttributes"]
        assert wanted["AttributeKey"] == "ResourceType"
        found = [
            each
            for each in events
            if any(of.get("ResourceType") == wanted["AttributeValue"] for of in each["Resources"])
        ]
        start, size = int(params.get("NextToken", 0)), params["MaxResults"]
        more = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return {"Events": found[start : start + size], **more}

    session = Session({"LookupEvents": lookup})
    scope = session.scope()
    asked = Asked(span, None if resources is None else frozenset(resources))
    lookups = cell.lookups(scope) if hasattr(cell, "lookups") else None
    return [each for page in cell.logs(scope, lookups, asked) for each in page], session


def test_an_event_whole():
    found, _ = told(event())
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
    (found,), _ = told(event(whole=whole))
    assert found["severity"] == "error"
    assert found["message"] == "StopInstances by alice: Client.UnauthorizedOperation"
    assert "invented-secret" not in str(found)
    assert "AKIA" not in str(found)


@pytest.mark.parametrize(
    "identity, user",
    [({"invokedBy": "autoscaling.amazonaws.com"}, "autoscaling.amazonaws.com"), ({}, None)],
)
def test_who_did_it_where_it_was_no_user(identity, user):
    (found,), _ = told(event(Username=None, whole={"userIdentity": identity}))
    assert found["user"] == user
    assert found["message"] == "StopInstances" + (f" by {user}" if user else "")


def test_an_event_about_several_resources_is_told_of_each():
    several = ((KIND, "i-2"), (KIND, "i-1"), ("AWS::EC2::Volume", "vol-1"), (KIND, "i-1"))
    found, _ = told(event(resources=several))
    assert [(each["id"], each["resource_id"]) for each in found] == [("e-1", "i-1"), ("e-1", "i-2")]
    found, _ = told(event(resources=several), family="volumes")
    assert [(each["resource_id"], each["resource_type"]) for each in found] == [("vol-1", "volume")]


def test_only_what_was_asked_for():
    found, _ = told(event(1), event(2, resources=((KIND, "i-2"),)), resources=["i-2"])
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
    found, session = told(event(when=when))
    assert bool(found) is there
    (call,) = session.asked("LookupEvents")
    assert (call["StartTime"], call["EndTime"]) == (HOUR.start, HOUR.end)


def test_pages_of_fifty():
    found, session = told(*(event(number) for number in range(101)))
    assert len({each["id"] for each in found}) == len(found) == 101
    calls = session.asked("LookupEvents")
    assert [each["MaxResults"] for each in calls] == [50] * 3


@pytest.mark.parametrize(
    "family, kind, name, identifier",
    [
        ("appliances", "AWS::EC2::NatGateway", "nat-1", "nat-1"),
        ("appliances", "AWS::EFS::FileSystem", "fs-1", "fs-1"),
        (
            "appliances",
            "AWS::EFS::FileSystem",
            "arn:aws:elasticfilesystem:us-east-1:1:file-system/fs-1",
            "fs-1",
        ),
        ("appliances", "AWS::ElasticLoadBalancingV2::LoadBalancer", "arn:lb", "arn:lb"),
        ("appliances", "AWS::ElasticLoadBalancingV2::LoadBalancer", "shop", None),
        ("appliances", "AWS::NetworkFirewall::Firewall", "arn:fw", "arn:fw"),
        ("appliances", "AWS::EC2::TransitGateway", "tgw-1", "tgw-1"),
        ("circuits", "AWS::EC2::VPNConnection", "vpn-1", "vpn-1"),
        ("circuits", "AWS::DirectConnect::Connection", "dxcon-1", "dxcon-1"),
        ("circuits", "AWS::EC2::VPCPeeringConnection", "pcx-1", "pcx-1"),
        ("servers", KIND, "web-1", None),
    ],
)
def test_the_id_is_the_inventorys(family, kind, name, identifier):
    found, _ = told(event(resources=((kind, name),)), family=family)
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
        told(event(**changed))


def test_the_span_leaves_room_for_late_events_and_has_whole_seconds():
    assert cloudtrail.SPAN["skew_s"] == 900
    assert cloudtrail.SPAN["period_s"] == 1
