"""WAN links of AWS: Network Manager and Cloud WAN, on moto's server as far as moto has them.

moto 5.2.5 has global and core networks, sites, devices and links; tools/network_manager.py adds the rest, whose
records are compared with botocore's model here. How AWS itself fills the fields is not tested.
"""

import datetime
import re
import socket
import types

import botocore.session
import botocore.validate
import pytest
from moto.core.exceptions import ServiceException
from moto.networkmanager.responses import NetworkManagerResponse

from modules.wan_links import aws as cell
from modules.wan_links import main
from modules.wan_links.aws import core_networks, listings, records, site_links
from shared.engine.errors import InsufficientPermission, UnexpectedResponse
from shared.providers import aws
from tests.fakes.context import Context
from tests.fakes.poll import a_poll
from tools import demo_aws, network_manager

MODEL = botocore.session.get_session().get_service_model("networkmanager")
OWNER = network_manager.OWNER
KINDS = {
    "link": "Link",
    "connection": "Connection",
    "attachment": "Attachment",
    "peering": "Peering",
}
DETAILS = {
    "link": site_links.LINK_DETAILS,
    "connection": site_links.CONNECTION_DETAILS,
    "attachment": core_networks.ATTACHMENT_DETAILS,
    "peering": core_networks.PEERING_DETAILS,
}


@pytest.fixture(scope="module")
def url(moto_of_5_2):
    server, url = demo_aws.serve()
    yield url
    server.stop()


def poll(url, regions=demo_aws.REGIONS, context=None):
    credentials = {
        "aws_access_key_id": demo_aws.KEY,
        "aws_secret_access_key": demo_aws.SECRET,
        "regions": list(regions),
        "endpoint_url": url,
    }
    event = {"provider": "aws", "credentials": credentials}
    return main.get(event, context or Context())


@pytest.fixture(scope="module")
def links(url):
    return {each["base"]["name"]: each for each in poll(url)}


def manager(url):
    return demo_aws.client(url, "networkmanager", "us-east-1")


def circuit(link):
    return link["details"]["circuit"]


def specific(link):
    return link["metadata"]["provider_specific"]


def connected(link):
    return {kind: [each["id"] for each in ids] for kind, ids in link["connections"].items()}


# --- the demo account, on moto ------------------------------------------------------------------------


def test_whatever_network_manager_lists_is_a_link(url, links):
    client = manager(url)
    (network,) = client.describe_global_networks()["GlobalNetworks"]
    at = {"GlobalNetworkId": network["GlobalNetworkId"]}
    listed = {each["LinkId"] for each in client.get_links(**at)["Links"]}
    listed |= {each["ConnectionId"] for each in client.get_connections(**at)["Connections"]}
    listed |= {each["AttachmentId"] for each in client.list_attachments()["Attachments"]}
    listed |= {each["PeeringId"] for each in client.list_peerings()["Peerings"]}
    assert {each["id"] for each in links.values()} == listed
    assert len(listed) == 9
    assert {(each["type"], circuit(each)["type_id"]) for each in links.values()} == {
        ("circuit", "wan_link")
    }


def test_a_line_at_a_site(links):
    line = links["line 本社"]
    assert circuit(line)["carrier"] == "Invented Telecom"
    assert circuit(line)["endpoint_a"] == "本社 (edge 本社)"
    assert circuit(line)["endpoint_b"] is None  # Network Manager does not know where it leads
    assert specific(line)["download_bps"] == 1000 * 10**6
    assert specific(line)["upload_bps"] == 100 * 10**6
    assert specific(line)["state"] == "running"
    (place,) = line["base"]["locations"]
    assert place["location"] == {"name": "本社", "latitude": 35.68, "longitude": 139.77}


def test_a_line_joins_the_customer_gateway_that_is_behind_it(url, links):
    ec2 = demo_aws.client(url, "ec2", "us-east-1")
    gateways = ec2.describe_customer_gateways()["CustomerGateways"]
    named = {each["CustomerGatewayId"]: aws.tags(each).get("Name") for each in gateways}
    ((kind, (joined,)),) = connected(links["line 本社"]).items()
    assert (kind, named[joined]) == ("appliance", "本社")
    assert connected(links["line Zürich"]) == {}


def test_a_connection_of_two_devices(links):
    link = links["本社 - 1"]
    assert circuit(link)["endpoint_a"] == "本社 (edge 本社 line 本社)"
    assert circuit(link)["endpoint_b"] == "Zürich (edge Zürich line Zürich)"
    assert circuit(link)["carrier"] == "Invented Telecom"
    lines = sorted(links[name]["id"] for name in ("line 本社", "line Zürich"))
    assert connected(link) == {"circuit": lines}
    assert len(link["base"]["locations"]) == 2


def test_a_connection_whose_lines_are_not_of_one_carrier_names_none(links):
    assert circuit(links["本社 - 2"])["carrier"] is None
    assert circuit(links["line Lagos"])["carrier"] is None
    assert [end["Provider"] for end in specific(links["本社 - 2"])["ends"]] == [
        "Invented Telecom",
        None,
    ]


def test_a_site_without_coordinates_has_none(links):
    (place,) = links["line Lagos"]["base"]["locations"]
    assert place["location"] == {"name": "Lagos"}


def test_an_attachment_joins_its_vpc(url, links):
    link = links["shop"]
    (vpc,) = connected(link)["network"]
    described = demo_aws.client(url, "ec2", "us-east-1").describe_vpcs(VpcIds=[vpc])
    assert described["Vpcs"]
    core = specific(link)["CoreNetworkId"]
    assert circuit(link)["endpoint_a"] == f"{core} (backbone, us-east-1)"
    assert circuit(link)["endpoint_b"] == f"{vpc} (us-east-1)"
    assert link["base"]["locations"][0]["region"]["id"] == "us-east-1"


def test_an_attached_vpn_is_connected_to_and_not_repeated(url, links):
    link = links["attachment-00000000000000002"]  # it has no name
    (vpn,) = connected(link)["circuit"]
    ec2 = demo_aws.client(url, "ec2", "eu-west-1")
    assert vpn in {
        each["VpnConnectionId"] for each in ec2.describe_vpn_connections()["VpnConnections"]
    }
    assert vpn not in {each["id"] for each in links.values()}


def test_what_is_another_accounts_is_named_and_not_connected_to(links):
    link = links["partner"]
    assert connected(link) == {}
    assert circuit(link)["endpoint_b"] == (
        "vpc-0123456789abcdef0 (account 210987654321, eu-central-1)"
    )
    assert specific(link)["state"] == "pending"


def test_a_peering_joins_the_transit_gateway_and_its_attachment(url, links):
    link = links["hub to backbone"]
    (gateway,), (attachment,) = connected(link)["appliance"], connected(link)["circuit"]
    ec2 = demo_aws.client(url, "ec2", "us-east-1")
    listed = ec2.describe_transit_gateway_peering_attachments(
        TransitGatewayAttachmentIds=[attachment]
    )["TransitGatewayPeeringAttachments"]
    assert listed[0]["RequesterTgwInfo"]["TransitGatewayId"] == gateway
    assert circuit(link)["endpoint_b"] == f"{gateway} (us-east-1)"


def test_one_region_polls_the_whole_account(url, links):
    """As many calls with one region as with three, and the same links."""
    contexts = Context(), Context()
    (one, three) = (
        {each["id"] for each in poll(url, regions, context)}
        for regions, context in zip((["eu-west-1"], demo_aws.REGIONS), contexts)
    )
    assert one == three == {each["id"] for each in links.values()}
    calls = {re.search(r" calls=(\d+)", each.logged("polled ")[0])[1] for each in contexts}
    assert len(calls) == 1


def test_what_is_in_a_region_that_is_not_polled_is_not_connected_to(url):
    found = {each["base"]["name"]: each for each in poll(url, ["eu-west-1"])}
    assert connected(found["shop"]) == {}
    assert connected(found["hub to backbone"]) == {}
    assert connected(found["attachment-00000000000000002"])["circuit"]


def test_pages_are_followed(url, links, monkeypatch):
    monkeypatch.setattr(listings, "PAGE_SIZE", 1)
    assert {each["id"] for each in poll(url)} == {each["id"] for each in links.values()}


class Refused(ServiceException):
    """Not defined in a package of moto, so that moto looks up the code in Network Manager's model."""


@pytest.mark.parametrize(
    "operation, permission",
    [
        ("describe_global_networks", "networkmanager:DescribeGlobalNetworks"),
        ("get_connections", "networkmanager:GetConnections"),
        ("list_attachments", "networkmanager:ListAttachments"),
        ("get_transit_gateway_peering", "networkmanager:GetTransitGatewayPeering"),
    ],
)
def test_the_error_names_the_missing_permission(url, monkeypatch, operation, permission):
    def denied(response):
        raise Refused("AccessDeniedException", "you may not")

    monkeypatch.setattr(NetworkManagerResponse, operation, denied)
    with pytest.raises(InsufficientPermission, match=permission):
        poll(url)


@pytest.mark.parametrize("operation", ["get_sites", "get_transit_gateway_peering"])
def test_what_is_deleted_while_it_is_read_is_left_out(url, links, monkeypatch, operation):
    def gone(response):
        raise Refused("ResourceNotFoundException", "it is gone")

    monkeypatch.setattr(NetworkManagerResponse, operation, gone)
    found = {each["base"]["name"]: each for each in poll(url)}
    if operation == "get_sites":  # the global network went
        assert set(found) == {"shop", "partner", "attachment-00000000000000002", "hub to backbone"}
    else:
        assert set(found) == set(links)
        assert "circuit" not in connected(found["hub to backbone"])


def test_the_service_is_there_in_its_partitions_whatever_names_can_be_looked_up(monkeypatch):
    def no_names(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    for region, offered in (("eu-west-1", True), ("us-gov-west-1", True), ("cn-north-1", False)):
        given = {"aws_access_key_id": "A", "aws_secret_access_key": "b", "regions": region}
        request = a_poll("wan_links")
        session = aws.Session(aws.credentials(given, False), request)
        assert session.offers("networkmanager", region) is offered


# --- records by botocore's model ------------------------------------------------------------------------


def full(shape, path=""):
    """A value with every field that the model has."""
    kind = shape.type_name
    if kind == "structure":
        return {name: full(each, name) for name, each in shape.members.items()}
    if kind == "list":
        return [full(shape.member, path)]
    if kind == "timestamp":
        return datetime.datetime(2026, 5, 1, tzinfo=datetime.timezone.utc)
    simple = {"integer": 7, "boolean": True, "float": 0.5}
    return simple.get(kind, shape.enum[0] if getattr(shape, "enum", None) else f"a {path}")


SCOPE = aws.Scope("us-east-1", types.SimpleNamespace(regions=["us-east-1"]))


def record(kind, **changed):
    return {**full(MODEL.shape_for(KINDS[kind])), aws.KIND: kind, **changed}


def status(kind, **changed):
    (point,) = cell.status(record(kind, **changed), SCOPE, None)
    return point


# The last botocore of Python 3.9 does not know these fields yet.
NEWER = {"NatGatewaySupport", "NatSystemRouteSupport"}
OLD_BOTOCORE = tuple(map(int, botocore.__version__.split(".")[:2])) < (1, 43)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_with_all_fields_of_the_model(kind):
    made = record(kind)
    link = cell.convert(made, SCOPE, cell.Lookups()).serialize()
    assert link["id"] == f"a {KINDS[kind]}Id"
    details = DETAILS[kind]
    missing = {*details} - {*made, core_networks.TRANSIT_GATEWAY_ATTACHMENT}
    assert missing <= (NEWER if OLD_BOTOCORE else set())
    for name in set(details) & set(made):
        assert name in specific(link)


@pytest.mark.parametrize("kind", KINDS)
def test_each_state_of_the_model_is_known(kind):
    for word in MODEL.shape_for(KINDS[kind]).members["State"].enum:
        assert word in records.STATES


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_state_is_unknown(kind):
    link = cell.convert(record(kind, State="FLYING"), SCOPE, cell.Lookups()).serialize()
    assert specific(link)["state"] == "unknown"
    assert specific(link)["State"] == "FLYING"
    point = status(kind, State="FLYING", LastModificationErrors=[])
    assert (point.level, point.message) == ("unknown", "FLYING")


@pytest.mark.parametrize(
    "kind, state, errors, level, message",
    [
        ("attachment", "AVAILABLE", [], "ok", "AVAILABLE"),
        ("attachment", "CREATING", [], "warning", "CREATING"),
        ("attachment", "PENDING_TAG_ACCEPTANCE", [], "warning", "PENDING_TAG_ACCEPTANCE"),
        ("attachment", "DELETING", [], "warning", "DELETING"),
        ("attachment", "REJECTED", [], "error", "REJECTED"),
        (
            "attachment",
            "FAILED",
            [{"Code": "SUBNET_NOT_FOUND", "Message": "no such\nsubnet"}],
            "error",
            "FAILED: SUBNET_NOT_FOUND no such subnet",
        ),
        (
            "peering",
            "AVAILABLE",
            [{"Code": "DELETION_FAILED"}],
            "warning",
            "AVAILABLE: DELETION_FAILED",
        ),
        (
            "link",
            "AVAILABLE",
            [],
            "ok",
            "AVAILABLE in Network Manager, which does not measure it",
        ),
        ("connection", "PENDING", [], "warning", "PENDING"),
        ("connection", None, [], "unknown", "Network Manager tells no state"),
        ("connection", " ", [], "unknown", "Network Manager tells no state"),
    ],
)
def test_status(kind, state, errors, level, message):
    point = status(kind, State=state, LastModificationErrors=errors)
    assert point.resource_id == f"a {KINDS[kind]}Id"
    assert (point.resource_type, point.level, point.message) == ("circuit", level, message)
    assert point.time is None


def test_a_connect_attachment_joins_the_attachment_that_it_runs_on():
    known = cell.Lookups(attachments={"attachment-1"})
    arn = f"arn:aws:networkmanager::{OWNER}:attachment/attachment-{{}}".format
    for number, joined in ((1, {"circuit": ["attachment-1"]}), (2, {})):
        made = record("attachment", AttachmentType="CONNECT", ResourceArn=arn(number))
        assert connected(cell.convert(made, SCOPE, known).serialize()) == joined


def test_a_direct_connect_gateway_is_at_several_edges():
    made = record(
        "attachment",
        EdgeLocation=None,
        EdgeLocations=["us-east-1", "eu-west-1"],
        CoreNetworkId="core-1",
        ResourceArn=f"arn:aws:directconnect::{OWNER}:dx-gateway/0f1e",
    )
    link = cell.convert(made, SCOPE, cell.Lookups(owner=OWNER)).serialize()
    assert circuit(link)["endpoint_a"] == "core-1 (us-east-1, eu-west-1)"
    assert circuit(link)["endpoint_b"] == "0f1e"
    assert connected(link) == {}  # no family reports it


@pytest.mark.parametrize(
    "latitude, longitude, found",
    [
        ("35.68", "139.77", True),
        ("-0", "+0.0", True),
        (" 1 ", "2", True),
        ("35.68 N", "139.77 E", False),
        ("35.68", None, False),
        ("nan", "inf", False),
    ],
)
def test_coordinates_are_text_that_a_person_wrote(latitude, longitude, found):
    location = {"Latitude": latitude, "Longitude": longitude}
    sites = {"site-1": {"SiteId": "site-1", "Location": location}}
    made = record("link", SiteId="site-1")
    link = cell.convert(made, SCOPE, cell.Lookups(sites=sites)).serialize()
    (place,) = link["base"]["locations"]
    assert ("latitude" in place["location"]) is found


def test_a_record_of_no_kind_is_refused():
    with pytest.raises(UnexpectedResponse, match="kind"):
        cell.convert({**record("link"), aws.KIND: "cable"}, SCOPE, cell.Lookups())


# --- the simulator --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("url")
def test_the_simulated_operations_answer_with_the_fields_of_the_model():
    validator = botocore.validate.ParamValidator()
    for name, samples in (
        ("Connection", network_manager.connections),
        ("LinkAssociation", network_manager.link_associations),
        ("CustomerGatewayAssociation", network_manager.gateway_associations),
        ("Attachment", network_manager.attachments),
        ("TransitGatewayPeering", list(network_manager.peerings.values())),
    ):
        assert samples
        for sample in samples:
            report = validator.validate(sample, MODEL.shape_for(name))
            assert not report.has_errors(), report.generate_report()


def test_the_declared_permissions_are_operations_of_the_service():
    known = {f"networkmanager:{name}" for name in MODEL.operation_names}
    assert set(cell.CELL.permissions) - {"ec2:DescribeRegions"} <= known
