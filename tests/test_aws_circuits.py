"""AWS circuits: records with all fields of botocore's service model, one fact a test."""

import json

import botocore
import pytest

from modules.circuits import aws as circuits
from modules.circuits.aws import peerings, transit_gateways, vpns
from shared.engine.contracts import Dropped
from shared.engine.errors import UnexpectedResponse
from tests.fakes.aws_records import Session, record, shape
from tools import direct_connect

DX = "directconnect"
# The last botocore of Python 3.9 does not know these fields yet.
NEWER = {"billingMode", "rateLimit"}
OLD_BOTOCORE = tuple(map(int, botocore.__version__.split(".")[:2])) < (1, 43)
OWNER = "111111111111"
US, EU = "us-east-1", "eu-west-1"
VPC = {
    "VpcId": "vpc-a",
    "OwnerId": OWNER,
    "Tags": [{"Key": "Name", "Value": "prod"}],
    "State": "available",
}
CUSTOMER = {
    "CustomerGatewayId": "cgw-a",
    "IpAddress": "203.0.113.7",
    "State": "available",
    "Tags": [{"Key": "Name", "Value": "Tokyo office"}],
}
GATEWAY = {"VpnGatewayId": "vgw-a", "State": "available", "Tags": []}
HUB = {
    "TransitGatewayId": "tgw-a",
    "OwnerId": OWNER,
    "State": "available",
    "Tags": [{"Key": "Name", "Value": "hub"}],
}
ACCOUNT = {
    "DescribeVpcs": {"Vpcs": [VPC]},
    "DescribeCustomerGateways": {"CustomerGateways": [CUSTOMER]},
    "DescribeVpnGateways": {"VpnGateways": [GATEWAY]},
    "DescribeTransitGateways": {"TransitGateways": [HUB]},
    "DescribeLocations": {
        "locations": [{"locationCode": "EqTY2", "locationName": "Tokyo DC1"}],
    },
    "DescribeDirectConnectGateways": {
        "directConnectGateways": [
            {"directConnectGatewayId": "dxgw-a", "directConnectGatewayName": "global"}
        ]
    },
}


def line(**changed):
    return record(
        DX,
        "Connection",
        **{
            "connectionId": "dxcon-a",
            "connectionName": "東京 DC1",
            "connectionState": "available",
            "bandwidth": "10Gbps",
            "location": "EqTY2",
            "lagId": None,
            **changed,
        },
    )


def interface(**changed):
    return record(
        DX,
        "VirtualInterface",
        **{
            "virtualInterfaceId": "dxvif-a",
            "virtualInterfaceState": "available",
            "virtualInterfaceType": "private",
            "connectionId": "dxcon-a",
            "location": "EqTY2",
            "virtualGatewayId": "vgw-a",
            "directConnectGatewayId": None,
            **changed,
        },
    )


def vpn(**changed):
    return record(
        "ec2",
        "VpnConnection",
        **{
            "VpnConnectionId": "vpn-a",
            "State": "available",
            "CustomerGatewayId": "cgw-a",
            "VpnGatewayId": "vgw-a",
            "TransitGatewayId": None,
            "CoreNetworkArn": None,
            "Tags": [{"Key": "Name", "Value": "office"}],
            **changed,
        },
    )


def side(vpc, region, owner=OWNER, of="VpcPeeringConnectionVpcInfo", name="VpcId"):
    return record("ec2", of, **{name: vpc, "Region": region, "OwnerId": owner})


def peering(requester, accepter, code="active"):
    return record(
        "ec2",
        "VpcPeeringConnection",
        VpcPeeringConnectionId="pcx-a",
        RequesterVpcInfo=requester,
        AccepterVpcInfo=accepter,
        Status={"Code": code, "Message": "as it should"},
        Tags=[],
    )


def hub_side(hub, region, owner=OWNER):
    shape_name = "PeeringTgwInfo"
    made = {"TransitGatewayId": hub, "Region": region, "OwnerId": owner, "CoreNetworkId": None}
    return record("ec2", shape_name, **made)


def hub_peering(requester, accepter, **changed):
    return record(
        "ec2",
        "TransitGatewayPeeringAttachment",
        **{
            "TransitGatewayAttachmentId": "tgw-attach-peer",
            "RequesterTgwInfo": requester,
            "AccepterTgwInfo": accepter,
            "State": "available",
            "Tags": [],
            **changed,
        },
    )


def attachment(kind, other, **changed):
    return record(
        "ec2",
        "TransitGatewayAttachment",
        **{
            "TransitGatewayAttachmentId": "tgw-attach-a",
            "TransitGatewayId": "tgw-a",
            "ResourceType": kind,
            "ResourceId": other,
            "State": "available",
            "Tags": [],
            **changed,
        },
    )


def polled(region=US, absent=(), **answers):
    """What a poll of one region makes of these answers: resources by id, and why others are dropped."""
    session = Session({**ACCOUNT, **answers}, (US, EU), absent)
    scope = session.scope(region)
    found, dropped = {}, []
    for page in circuits.fetch(scope):
        for entry in page.records:
            converted = circuits.convert(entry, scope, page.lookups)
            if isinstance(converted, Dropped):
                dropped.append(converted.reason)
            else:
                resource = converted.serialize()
                found[resource["id"]] = resource
    return found, dropped, session


def only(**answers):
    found, dropped, _ = polled(**answers)
    assert not dropped
    (resource,) = found.values()
    return resource


def ends(resource):
    circuit = resource["details"]["circuit"]
    return circuit["endpoint_a"], circuit["endpoint_b"]


def facts(resource):
    return resource["metadata"]["provider_specific"]


def joined(resource):
    return {kind: [each["id"] for each in to] for kind, to in resource["connections"].items()}


# --- Direct Connect ---------------------------------------------------------------------------------


def test_a_line_whole():
    found = only(DescribeConnections={"connections": [line()]})
    assert found["details"]["circuit"] == {
        "type_id": "direct_connect",
        "carrier": "partnerName",
        "reference": "dxcon-a",
        "endpoint_a": "Tokyo DC1",
        "endpoint_b": "AWS us-east-1",
    }
    assert found["base"]["name"] == "東京 DC1"
    assert facts(found)["bandwidth_bps"] == 10_000_000_000
    assert facts(found)["connectionState"] == "available"
    assert found["metadata"]["provider_metadata"] == {"key": "value"}
    assert not found["connections"]


@pytest.mark.parametrize(
    "text, bps",
    [
        ("50Mbps", 50_000_000),
        ("1Gbps", 1_000_000_000),
        ("400Gbps", 400_000_000_000),
        ("1.5Gbps", None),
        ("fast", None),
        ("", None),
        (None, None),
    ],
)
def test_bandwidth(text, bps):
    found = only(DescribeConnections={"connections": [line(bandwidth=text)]})
    assert facts(found).get("bandwidth_bps") == bps


def test_a_line_without_a_name_or_a_partner_at_an_unlisted_location():
    bare = line(connectionName="", partnerName=None, providerName="", location="Xx9")
    found = only(DescribeConnections={"connections": [bare]})
    assert found["base"]["name"] == "dxcon-a"
    assert found["details"]["circuit"]["carrier"] is None
    assert ends(found) == ("Xx9", "AWS us-east-1")


def test_a_lag_and_its_line():
    lag = record(
        DX,
        "Lag",
        lagId="dxlag-a",
        lagState="available",
        connectionsBandwidth="10Gbps",
        numberOfConnections=2,
        location="EqTY2",
    )
    found, _, _ = polled(
        DescribeLags={"lags": [lag]}, DescribeConnections={"connections": [line(lagId="dxlag-a")]}
    )
    assert facts(found["dxlag-a"])["bandwidth_bps"] == 20_000_000_000
    assert found["dxlag-a"]["base"]["name"] == "lagName"
    assert joined(found["dxcon-a"]) == {"circuit": ["dxlag-a"]}


@pytest.mark.parametrize(
    "changed, far, connected",
    [
        ({}, "vgw-a", {"appliance": ["vgw-a"], "circuit": ["dxcon-a"]}),
        (
            {"virtualGatewayId": "", "directConnectGatewayId": "dxgw-a"},
            "dxgw-a (global)",
            {"circuit": ["dxcon-a"]},
        ),
        (
            {"virtualGatewayId": None, "directConnectGatewayId": "dxgw-of-another"},
            "dxgw-of-another",
            {"circuit": ["dxcon-a"]},
        ),
        (
            {"virtualGatewayId": None, "virtualInterfaceType": "public"},
            "AWS public services",
            {"circuit": ["dxcon-a"]},
        ),
        ({"virtualGatewayId": "vgw-gone"}, "vgw-gone", {"circuit": ["dxcon-a"]}),
    ],
)
def test_the_far_end_of_an_interface(changed, far, connected):
    found, _, _ = polled(
        DescribeConnections={"connections": [line()]},
        DescribeVirtualInterfaces={"virtualInterfaces": [interface(**changed)]},
    )
    assert ends(found["dxvif-a"]) == ("dxcon-a (東京 DC1)", far)
    assert joined(found["dxvif-a"]) == connected


def test_an_interface_on_a_line_of_another_account():
    hosted = interface(connectionId="dxcon-theirs")
    found = only(DescribeVirtualInterfaces={"virtualInterfaces": [hosted]})
    assert ends(found) == ("Tokyo DC1", "vgw-a")
    assert joined(found) == {"appliance": ["vgw-a"]}


def test_locations_and_gateways_are_asked_for_only_where_they_are_needed():
    _, _, session = polled()
    assert not session.asked("DescribeLocations")
    _, _, session = polled(DescribeVirtualInterfaces={"virtualInterfaces": [interface()]})
    assert len(session.asked("DescribeLocations")) == 1
    assert not session.asked("DescribeDirectConnectGateways")


def test_a_region_without_direct_connect():
    found, _, session = polled(absent=(DX,), DescribeVpnConnections={"VpnConnections": [vpn()]})
    assert list(found) == ["vpn-a"]
    absences = [fields["service"] for event, fields in session.notes if event == "absent"]
    assert set(absences) == {DX}
    assert not session.asked("DescribeConnections")


# --- VPNs -------------------------------------------------------------------------------------------


def test_a_vpn_whole():
    tunnels = [
        {"OutsideIpAddress": "198.51.100.2", "Status": "DOWN", "StatusMessage": "IPSEC IS DOWN"},
        {"OutsideIpAddress": "198.51.100.1", "Status": "UP", "AcceptedRouteCount": 3},
    ]
    found = only(DescribeVpnConnections={"VpnConnections": [vpn(VgwTelemetry=tunnels)]})
    assert found["base"]["name"] == "office"
    assert ends(found) == ("203.0.113.7 (Tokyo office)", "vgw-a")
    assert joined(found) == {"appliance": ["cgw-a", "vgw-a"]}
    told = facts(found)["tunnels"]
    assert [(each["OutsideIpAddress"], each["Status"]) for each in told] == [
        ("198.51.100.1", "UP"),
        ("198.51.100.2", "DOWN"),
    ]
    assert told[1]["StatusMessage"] == "IPSEC IS DOWN"


@pytest.mark.parametrize(
    "changed, far",
    [
        ({"VpnGatewayId": None, "TransitGatewayId": "tgw-a"}, "tgw-a (hub)"),
        ({"VpnGatewayId": None, "CoreNetworkArn": "arn:x:core-network/cn-1"}, "cn-1"),
        ({"VpnGatewayId": None}, None),
    ],
)
def test_the_aws_end_of_a_vpn(changed, far):
    found = only(DescribeVpnConnections={"VpnConnections": [vpn(**changed)]})
    assert ends(found)[1] == far


# --- peerings and attachments -----------------------------------------------------------------------


def test_a_peering_inside_a_region():
    asked = peering(side("vpc-a", US), side("vpc-gone", US))
    found = only(DescribeVpcPeeringConnections={"VpcPeeringConnections": [asked]})
    assert ends(found) == ("vpc-a (prod)", "vpc-gone")
    assert joined(found) == {"network": ["vpc-a"]}
    assert (facts(found)["State"], facts(found)["StateReason"]) == ("active", "as it should")


def test_a_peering_of_two_regions_is_reported_by_the_requesters():
    asked = peering(side("vpc-a", US), side("vpc-b", EU))
    answers = {"DescribeVpcPeeringConnections": {"VpcPeeringConnections": [asked]}}
    found, dropped, _ = polled(US, **answers)
    assert ends(found["pcx-a"]) == ("vpc-a (prod)", "vpc-b (eu-west-1)")
    assert joined(found["pcx-a"]) == {"network": ["vpc-a", "vpc-b"]}
    assert not dropped
    assert polled(EU, **answers)[:2] == ({}, ["reported in the requester's region"])


@pytest.mark.parametrize("region, owner", [("ap-south-1", OWNER), (EU, "222222222222")])
def test_a_peering_whose_requester_is_not_polled_is_reported_here(region, owner):
    asked = peering(side("vpc-far", region, owner), side("vpc-a", US))
    found = only(DescribeVpcPeeringConnections={"VpcPeeringConnections": [asked]})
    where = region if owner == OWNER else f"account {owner}, {region}"
    assert ends(found) == (f"vpc-far ({where})", "vpc-a (prod)")
    assert joined(found) == {"network": ["vpc-a"]}


@pytest.mark.parametrize(
    "vpcs", [[], [{"VpcId": "vpc-shared", "OwnerId": "999999999999", "State": "available"}]]
)
def test_whose_a_peering_is_does_not_depend_on_the_vpcs_that_are_listed(vpcs):
    """There may be none, or the first is one that another account shares."""
    both = hub_peering(hub_side("tgw-a", US), hub_side("tgw-b", EU))
    found = only(
        DescribeVpcs={"Vpcs": vpcs},
        DescribeTransitGatewayPeeringAttachments={"TransitGatewayPeeringAttachments": [both]},
    )
    assert ends(found) == ("tgw-a (hub)", "tgw-b (eu-west-1)")
    assert joined(found) == {"appliance": ["tgw-a", "tgw-b"]}


def test_the_account_number_is_asked_for_only_where_there_are_peerings():
    _, _, session = polled(DescribeVpnConnections={"VpnConnections": [vpn()]})
    assert not session.asked("GetCallerIdentity")
    asked = peering(side("vpc-a", US), side("vpc-b", EU))
    _, _, session = polled(DescribeVpcPeeringConnections={"VpcPeeringConnections": [asked]})
    assert len(session.asked("GetCallerIdentity")) == 1


def test_a_peering_of_transit_gateways_is_reported_once():
    both = hub_peering(hub_side("tgw-a", US), hub_side("tgw-b", EU))
    same = attachment("peering", "tgw-b", TransitGatewayAttachmentId="tgw-attach-peer")
    answers = {
        "DescribeTransitGatewayPeeringAttachments": {"TransitGatewayPeeringAttachments": [both]},
        "DescribeTransitGatewayAttachments": {"TransitGatewayAttachments": [same]},
    }
    found, dropped, _ = polled(US, **answers)
    resource = found["tgw-attach-peer"]
    assert resource["details"]["circuit"]["type_id"] == "transit_gateway_peering"
    assert ends(resource) == ("tgw-a (hub)", "tgw-b (eu-west-1)")
    assert joined(resource) == {"appliance": ["tgw-a", "tgw-b"]}
    assert dropped == ["reported as a peering"]
    assert polled(EU, **answers)[0] == {}


@pytest.mark.parametrize(
    "kind, other, far, connected",
    [
        ("vpc", "vpc-a", "vpc-a (prod)", {"appliance": ["tgw-a"], "network": ["vpc-a"]}),
        ("vpc", "vpc-of-another", "vpc-of-another", {"appliance": ["tgw-a"]}),
        ("vpn", "vpn-a", "vpn-a (office)", {"appliance": ["tgw-a"], "circuit": ["vpn-a"]}),
        ("direct-connect-gateway", "dxgw-a", "dxgw-a (global)", {"appliance": ["tgw-a"]}),
        ("connect", "tgw-attach-z", "tgw-attach-z", {"appliance": ["tgw-a"]}),
    ],
)
def test_what_a_transit_gateway_is_attached_to(kind, other, far, connected):
    found, _, _ = polled(
        DescribeVpnConnections={"VpnConnections": [vpn()]},
        DescribeTransitGatewayAttachments={"TransitGatewayAttachments": [attachment(kind, other)]},
    )
    assert ends(found["tgw-attach-a"]) == ("tgw-a (hub)", far)
    assert joined(found["tgw-attach-a"]) == connected


def test_an_attachment_to_a_vpn_that_was_deleted_dangles_nowhere():
    found, dropped, _ = polled(
        DescribeVpnConnections={"VpnConnections": [vpn(State="deleted")]},
        DescribeTransitGatewayAttachments={
            "TransitGatewayAttachments": [attachment("vpn", "vpn-a")]
        },
    )
    assert joined(found["tgw-attach-a"]) == {"appliance": ["tgw-a"]}
    assert dropped == ["deleted"]


# --- all of them ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["deleted", "expired", "failed", "rejected"])
def test_what_was_deleted_is_dropped(state):
    found, dropped, _ = polled(
        DescribeConnections={"connections": [line(connectionState=state)]},
        DescribeLags={"lags": [record(DX, "Lag", lagState=state)]},
        DescribeVirtualInterfaces={"virtualInterfaces": [interface(virtualInterfaceState=state)]},
        DescribeVpnConnections={"VpnConnections": [vpn(State=state)]},
        DescribeVpcPeeringConnections={
            "VpcPeeringConnections": [peering(side("vpc-a", US), side("vpc-a", US), state)]
        },
        DescribeTransitGatewayPeeringAttachments={
            "TransitGatewayPeeringAttachments": [
                hub_peering(hub_side("tgw-a", US), hub_side("tgw-a", US), State=state)
            ]
        },
        DescribeTransitGatewayAttachments={
            "TransitGatewayAttachments": [attachment("vpc", "vpc-a", State=state)]
        },
    )
    assert not found
    assert dropped == [state] * 7


@pytest.mark.parametrize("state", ["pending", "available", "down", "deleting"])
def test_what_is_not_yet_or_still_there_is_reported(state):
    found, dropped, _ = polled(
        DescribeConnections={"connections": [line(connectionState=state)]},
        DescribeVpnConnections={"VpnConnections": [vpn(State=state)]},
    )
    assert set(found) == {"dxcon-a", "vpn-a"}
    assert not dropped


def test_no_secret_is_taken_over():
    """Whatever the model holds that is one: filled in by its own name, which must not come out."""
    found, _, _ = polled(
        DescribeConnections={"connections": [line()]},
        DescribeVirtualInterfaces={"virtualInterfaces": [interface()]},
        DescribeVpnConnections={"VpnConnections": [vpn()]},
    )
    assert len(found) == 3
    text = json.dumps(found)
    given = json.dumps([line(), interface(), vpn()], default=str)
    for secret in (
        "authKey",
        "customerRouterConfig",
        "CustomerGatewayConfiguration",
        "PreSharedKey",
        "PreSharedKeyArn",
        "macSecKeys",
        "secretARN",
    ):
        assert secret in given
        assert secret not in text


@pytest.mark.parametrize(
    "operation, key, name",
    [
        ("DescribeConnections", "connections", "connectionId"),
        ("DescribeVirtualInterfaces", "virtualInterfaces", "virtualInterfaceId"),
        ("DescribeVpnConnections", "VpnConnections", "VpnConnectionId"),
        ("DescribeVpcPeeringConnections", "VpcPeeringConnections", "VpcPeeringConnectionId"),
    ],
)
def test_a_record_without_its_id(operation, key, name):
    with pytest.raises(UnexpectedResponse, match=name):
        polled(**{operation: {key: [{"Status": {"Code": "active"}}]}})


@pytest.mark.parametrize(
    "details, service, name",
    [
        (circuits.direct_connect.CONNECTION_DETAILS, DX, "Connection"),
        (circuits.direct_connect.LAG_DETAILS, DX, "Lag"),
        (circuits.direct_connect.INTERFACE_DETAILS, DX, "VirtualInterface"),
        (circuits.direct_connect.BGP_DETAILS, DX, "BGPPeer"),
        (vpns.DETAILS, "ec2", "VpnConnection"),
        (vpns.OPTIONS, "ec2", "VpnConnectionOptions"),
        (vpns.TUNNEL_DETAILS, "ec2", "VgwTelemetry"),
        (peerings.DETAILS, "ec2", "VpcPeeringConnection"),
        (transit_gateways.ATTACHMENT_DETAILS, "ec2", "TransitGatewayAttachment"),
        (transit_gateways.PEERING_DETAILS, "ec2", "TransitGatewayPeeringAttachment"),
    ],
)
def test_every_field_that_is_read_is_in_botocores_model(details, service, name):
    known = set(shape(service, name).members)
    assert set(details) - known <= (NEWER if OLD_BOTOCORE else set())


def test_what_we_added_to_moto_has_fields_of_botocores_model_only():
    direct_connect.add_to_moto()
    made = direct_connect.interface(
        US, 1, {"location": "EqDC2", "connectionId": "dxcon-1"}, "private", virtualGatewayId="vgw-1"
    )
    hub = direct_connect.gateway(1, "global")
    try:
        interface = direct_connect.interfaces[US][made]
        assert set(interface) <= set(shape(DX, "VirtualInterface").members)
        assert set(interface["bgpPeers"][0]) <= set(shape(DX, "BGPPeer").members)
        assert set(direct_connect.gateways[hub]) <= set(shape(DX, "DirectConnectGateway").members)
        for secret in ("authKey", "customerRouterConfig"):
            assert interface[secret]
    finally:
        direct_connect.add_to_moto()
