"""The status of AWS's resources: every word that botocore's model has for a state, one fact a test."""

import datetime

import pytest

from modules.appliances import aws as appliances
from modules.appliances.aws import classic_load_balancers, firewalls
from modules.circuits import aws as circuits
from modules.circuits.aws import vpns
from modules.servers import aws as servers
from modules.servers.aws import checks
from modules.volumes import aws as volumes
from shared.engine.errors import UnexpectedResponse
from shared.providers import aws
from shared.records.status import redundant
from tests.fakes.aws_records import Session, record, shape

DX = "directconnect"
THEN = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
LATER = THEN + datetime.timedelta(hours=1)


def words(service, name):
    return list(shape(service, name).enum)


def status(cell, record, lookups=None):
    """The one point of a record, or None."""
    if lookups is None and cell in (appliances, circuits):
        lookups = cell.Lookups()
    points = list(cell.status(record, Session().scope(), lookups))
    assert len(points) <= 1
    return points[0] if points else None


def level(cell, record, lookups=None):
    found = status(cell, record, lookups)
    return found.level if found else None


def told(service, name, known):
    """Each word of the model, and one that nobody knows, with the level that is expected."""
    assert set(known) >= set(words(service, name))  # an older botocore knows fewer
    return [*known.items(), ("a new word", "unknown")]


# --- servers ----------------------------------------------------------------------------------------


def instance(state="running", checks=("ok", "ok", "ok"), events=(), **changed):
    names = ("SystemStatus", "InstanceStatus", "AttachedEbsStatus")
    of = {name: {"Status": each, "Details": []} for name, each in zip(names, checks)}
    return record(
        "ec2",
        "InstanceStatus",
        **{
            "InstanceId": "i-1",
            "InstanceState": {"Name": state},
            "Events": list(events),
            **of,
            **changed,
        },
    )


STATES = {
    "pending": "warning",
    "running": "ok",
    "shutting-down": "warning",
    "terminated": "warning",
    "stopping": "warning",
    "stopped": "warning",
}


@pytest.mark.parametrize("word, expected", told("ec2", "InstanceStateName", STATES))
def test_the_state_of_an_instance(word, expected):
    point = status(servers, instance(word))
    assert (point.resource_id, point.resource_type) == ("i-1", "server")
    assert (point.level, point.message, point.time) == (expected, word, None)


CHECKS = {
    "ok": "ok",
    "impaired": "error",
    "insufficient-data": "unknown",
    "not-applicable": "ok",  # the others are
    "initializing": "unknown",
}


@pytest.mark.parametrize("check", checks.CHECKS)
@pytest.mark.parametrize("word, expected", told("ec2", "SummaryStatus", CHECKS))
def test_the_checks_of_an_instance(check, word, expected):
    point = status(servers, instance(**{check: {"Status": word}}))
    assert point.level == expected
    said = f"running; {checks.CHECKS[check]}: {word}"
    assert point.message == ("running" if expected == "ok" else said)


def test_no_check_of_an_instance_has_a_result():
    point = status(servers, instance(checks=("not-applicable",) * 3))
    assert (point.level, point.message) == ("unknown", "running; no status check has a result")
    assert level(servers, instance(checks=("not-applicable", "ok", "not-applicable"))) == "ok"


def test_the_checks_of_a_stopped_instance_say_nothing():
    assert status(servers, instance("stopped", ("impaired",) * 3)).message == "stopped"


def test_since_when_an_instance_is_impaired():
    details = [
        {"Name": "reachability", "Status": "failed", "ImpairedSince": each}
        for each in (LATER, THEN)
    ]
    found = status(servers, instance(SystemStatus={"Status": "impaired", "Details": details}))
    assert (found.level, found.time) == ("error", THEN)


EVENT = {"Code": "instance-stop", "Description": "The instance is running on degraded hardware"}


@pytest.mark.parametrize("code", words("ec2", "EventCode"))
def test_an_event_is_scheduled(code):
    point = status(servers, instance(events=[{**EVENT, "Code": code, "NotBefore": THEN}]))
    assert point.level == "warning"
    assert point.message == (
        f"running; {code} is scheduled for 2026-01-02T03:04:05Z: "
        "The instance is running on degraded hardware"
    )


@pytest.mark.parametrize("over", ["[Completed] ", "[Canceled] "])
def test_an_event_that_is_over(over):
    done = {**EVENT, "Description": over + EVENT["Description"]}
    assert level(servers, instance(events=[done])) == "ok"


def test_an_impaired_instance_with_an_event():
    checks = ("impaired", "ok", "ok")
    assert level(servers, instance(checks=checks, events=[EVENT])) == "error"


def test_all_instances_are_asked_for():
    session = Session()
    scope = session.scope()
    assert [page.records for page in servers.fetch_status(scope, None)] == [[]]
    ((operation, asked),) = session.calls
    assert operation == "DescribeInstanceStatus"
    assert asked["IncludeAllInstances"] is True


# --- volumes ----------------------------------------------------------------------------------------


def volume(word="ok", details=(), events=()):
    checked = {"Status": word, "Details": list(details)}
    return record(
        "ec2", "VolumeStatusItem", VolumeId="vol-1", VolumeStatus=checked, Events=list(events)
    )


VOLUMES = {"ok": "ok", "impaired": "error", "insufficient-data": "unknown", "warning": "warning"}


@pytest.mark.parametrize("word, expected", told("ec2", "VolumeStatusInfoStatus", VOLUMES))
def test_the_status_of_a_volume(word, expected):
    point = status(volumes, volume(word))
    assert (point.resource_id, point.resource_type) == ("vol-1", "volume")
    assert (point.level, point.message) == (expected, word)


def test_what_is_wrong_with_a_volume():
    details = [
        {"Name": "io-enabled", "Status": "failed"},
        {"Name": "io-performance", "Status": "not-applicable"},
        {"Name": "initialization-state", "Status": "completed"},
    ]
    event = {
        "EventType": "potential-data-inconsistency",
        "Description": "THIS IS AN EXAMPLE",
        "NotBefore": THEN,
    }
    point = status(volumes, volume("impaired", details, [event]))
    assert point.level == "error"
    assert point.message == (
        "impaired; io-enabled: failed; potential-data-inconsistency: THIS IS AN EXAMPLE"
    )
    assert point.time == THEN


def test_a_volume_with_an_event_only():
    assert level(volumes, volume("ok", events=[{"EventType": "x"}])) == "warning"


# --- appliances -------------------------------------------------------------------------------------


def appliance(kind, service, name, **changed):
    return {**record(service, name, **changed), aws.KIND: kind}


def nat(state="available", addresses=()):
    return appliance(
        "nat_gateway", "ec2", "NatGateway", State=state, NatGatewayAddresses=list(addresses)
    )


def balancer(state="active", reason=None, kind="application"):
    return appliance(
        "load_balancer",
        "elbv2",
        "LoadBalancer",
        LoadBalancerArn="arn:lb",
        Type=kind,
        State={"Code": state, "Reason": reason},
    )


def with_targets(*groups):
    targets, listed = {}, []
    for number, states in enumerate(groups):
        arn = f"arn:tg{number}"
        listed.append({"TargetGroupArn": arn, "TargetGroupName": f"web{number}"})
        targets[arn] = [{"TargetHealth": {"State": state}} for state in states]
    return appliances.Lookups(groups={"arn:lb": listed}, targets=targets)


NAT = {
    "pending": "warning",
    "failed": None,  # no resource, as the inventory says
    "available": "ok",
    "deleting": "warning",
    "deleted": None,
}
HUB = {
    "pending": "warning",
    "available": "ok",
    "modifying": "ok",
    "deleting": "warning",
    "deleted": None,
}
VGW = {"pending": "warning", "available": "ok", "deleting": "warning", "deleted": None}
FILES = {
    "creating": "warning",
    "available": "ok",
    "updating": "ok",
    "deleting": "warning",
    "deleted": None,
    "error": "error",
}
BALANCER = {
    "active": "ok",
    "provisioning": "warning",
    "active_impaired": "warning",
    "failed": "error",
}
FIREWALL = {"PROVISIONING": "warning", "DELETING": "warning", "READY": "ok", "FAILED": "error"}


@pytest.mark.parametrize("word, expected", told("ec2", "NatGatewayState", NAT))
def test_nat_gateways(word, expected):
    assert level(appliances, nat(word)) == expected


def test_an_address_of_a_nat_gateway_failed():
    addresses = [
        {"Status": "succeeded", "PublicIp": "192.0.2.1"},
        {"Status": "failed", "PublicIp": "192.0.2.2", "FailureMessage": "it is taken"},
    ]
    point = status(appliances, nat(addresses=addresses))
    assert (point.level, point.message) == ("error", "address 192.0.2.2 failed: it is taken")


@pytest.mark.parametrize("word, expected", told("ec2", "TransitGatewayState", HUB))
def test_transit_gateways(word, expected):
    hub = appliance("transit_gateway", "ec2", "TransitGateway", State=word)
    assert level(appliances, hub) == expected


@pytest.mark.parametrize("word, expected", told("ec2", "VpnState", VGW))
def test_virtual_private_and_customer_gateways(word, expected):
    attached = [{"VpcId": "vpc-1", "State": "attached"}]
    gateway = appliance("vpn_gateway", "ec2", "VpnGateway", State=word, VpcAttachments=attached)
    assert level(appliances, gateway) == expected
    customer = appliance("customer_gateway", "ec2", "CustomerGateway", State=word)
    assert level(appliances, customer) == expected


ATTACHED = {
    "attaching": "warning",
    "attached": "ok",
    "detaching": "warning",
    "detached": "warning",
}


@pytest.mark.parametrize(
    "word, expected", [*told("ec2", "AttachmentStatus", ATTACHED), ("available", "ok")]
)
@pytest.mark.parametrize(
    "kind, name",
    [
        ("internet_gateway", "InternetGateway"),
        ("egress_only_gateway", "EgressOnlyInternetGateway"),
    ],
)
def test_internet_gateways_are_as_they_are_attached(kind, name, word, expected):
    attached = [{"VpcId": "vpc-1", "State": word}]
    point = status(appliances, appliance(kind, "ec2", name, Attachments=attached))
    assert (point.level, point.message) == (expected, f"vpc-1: {word}")
    point = status(appliances, appliance(kind, "ec2", name, Attachments=[]))
    assert (point.level, point.message) == ("warning", "attached to no VPC")


def test_a_virtual_private_gateway_needs_no_vpc():
    gateway = appliance("vpn_gateway", "ec2", "VpnGateway", State="available", VpcAttachments=[])
    assert level(appliances, gateway) == "ok"


@pytest.mark.parametrize("word, expected", told("efs", "LifeCycleState", FILES))
def test_file_systems(word, expected):
    files = appliance("file_system", "efs", "FileSystemDescription", LifeCycleState=word)
    assert level(appliances, files) == expected


@pytest.mark.parametrize("word", words("efs", "LifeCycleState"))
def test_mount_targets(word):
    files = appliance(
        "file_system",
        "efs",
        "FileSystemDescription",
        FileSystemId="fs-1",
        LifeCycleState="available",
    )
    mounts = {"fs-1": [{"LifeCycleState": word, "SubnetId": "subnet-1"}]}
    expected = {**FILES, "deleted": "unknown"}[word]
    assert level(appliances, files, appliances.Lookups(mounts=mounts)) == expected


@pytest.mark.parametrize("word, expected", told("elbv2", "LoadBalancerStateEnum", BALANCER))
def test_load_balancers(word, expected):
    assert level(appliances, balancer(word)) == expected


def test_why_a_load_balancer_is_impaired():
    point = status(appliances, balancer("active_impaired", "no free addresses"))
    assert point.message == "active_impaired; no free addresses"


TARGETS = {
    "initial": "warning",
    "healthy": "ok",
    "unhealthy": "error",
    "unhealthy.draining": "ok",  # not meant to serve
    "unused": "ok",
    "draining": "ok",
    "unavailable": "unknown",
}


@pytest.mark.parametrize("word, expected", told("elbv2", "TargetHealthStateEnum", TARGETS))
def test_the_only_target_of_a_load_balancer(word, expected):
    assert level(appliances, balancer(), with_targets([word])) == expected


@pytest.mark.parametrize(
    "groups, expected, message",
    [
        ([["healthy", "healthy"]], "ok", "active; web0: 2 of 2 targets healthy"),
        ([["healthy", "unhealthy"]], "warning", "web0: 1 of 2 targets healthy"),
        ([["unhealthy", "unhealthy"]], "error", "web0: 0 of 2 targets healthy"),
        ([["healthy", "draining"]], "ok", "active; web0: 1 of 1 targets healthy"),
        ([["healthy"], ["unhealthy"]], "error", "web1: 0 of 1 targets healthy"),
        ([[]], "ok", "active"),
        ([], "ok", "active"),
    ],
)
def test_targets_of_a_group_stand_in_for_each_other(groups, expected, message):
    point = status(appliances, balancer(), with_targets(*groups))
    assert (point.level, point.message) == (expected, message)


@pytest.mark.parametrize(
    "states, expected",
    [
        (["InService"], "ok"),
        (["InService", "OutOfService"], "warning"),
        (["OutOfService"], "error"),
        (["Unknown"], "unknown"),
        ([], "ok"),
    ],
)
def test_classic_load_balancers(states, expected):
    made = appliance(
        "classic_load_balancer", "elb", "LoadBalancerDescription", DNSName="mail.example"
    )
    made[classic_load_balancers.INSTANCE_STATES] = [{"State": each} for each in states]
    point = status(appliances, made)
    assert (point.resource_id, point.level) == ("mail.example", expected)


def test_a_classic_load_balancer_that_is_gone_meanwhile():
    class Classic(Session):
        def client(self, service, region):
            self.service = service
            return super().client(service, region)

    def listed(**_):
        known = [{"LoadBalancerName": "mail", "DNSName": "mail.example"}]
        if session.service == "elb":
            return {"LoadBalancerDescriptions": known}
        return {"LoadBalancers": []}

    session = Classic(
        {"DescribeLoadBalancers": listed, "DescribeInstanceHealth": "LoadBalancerNotFound"}
    )
    scope = session.scope()
    pages = appliances.fetch_status(scope, None)
    assert [entry for page in pages for entry in page.records] == []


def firewall(word="READY", config="IN_SYNC", zones=None):
    made = appliance("firewall", "network-firewall", "Firewall", FirewallArn="arn:fw")
    made["Status"] = word
    made[firewalls.STATUS] = {
        "Status": word,
        "ConfigurationSyncStateSummary": config,
        "SyncStates": zones or {},
    }
    return made


@pytest.mark.parametrize(
    "word, expected", told("network-firewall", "FirewallStatusValue", FIREWALL)
)
def test_firewalls(word, expected):
    assert level(appliances, firewall(word)) == expected


SYNC = {"PENDING": "warning", "IN_SYNC": "ok", "CAPACITY_CONSTRAINED": "warning"}


@pytest.mark.parametrize("word, expected", told("network-firewall", "ConfigurationSyncState", SYNC))
def test_the_configuration_of_a_firewall(word, expected):
    assert level(appliances, firewall(config=word)) == expected


ENDPOINTS = {
    "CREATING": "warning",
    "DELETING": "warning",
    "FAILED": "error",
    "ERROR": "error",
    "SCALING": "ok",
    "READY": "ok",
}


@pytest.mark.parametrize("word, expected", told("network-firewall", "AttachmentStatus", ENDPOINTS))
def test_the_endpoints_of_a_firewall(word, expected):
    zones = {"us-east-1a": {"Attachment": {"Status": word}}}
    point = status(appliances, firewall(zones=zones))
    assert point.level == expected
    assert f"us-east-1a: {word}" in point.message


# --- circuits ---------------------------------------------------------------------------------------


def circuit(kind, service, name, **changed):
    return {**record(service, name, **changed), aws.KIND: kind}


LINE = {
    "ordering": "warning",
    "requested": "warning",
    "pending": "warning",
    "available": "ok",
    "down": "error",
    "deleting": "warning",
    "deleted": None,
    "rejected": None,
    "unknown": "unknown",
}


@pytest.mark.parametrize("word, expected", told(DX, "ConnectionState", LINE))
def test_lines(word, expected):
    line = circuit("direct_connect", DX, "Connection", connectionId="dxcon-1", connectionState=word)
    assert level(circuits, line) == expected


@pytest.mark.parametrize(
    "word, expected",
    told(DX, "LagState", {word: LINE[word] for word in words(DX, "LagState")}),
)
def test_lags(word, expected):
    assert level(circuits, circuit("direct_connect_lag", DX, "Lag", lagState=word)) == expected


def interface(state="available", *peers):
    known = [{"addressFamily": "ipv4", "bgpStatus": each} for each in peers]
    return circuit(
        "virtual_interface",
        DX,
        "VirtualInterface",
        virtualInterfaceId="dxvif-1",
        virtualInterfaceState=state,
        bgpPeers=known,
    )


INTERFACE = {
    "confirming": "warning",
    "verifying": "warning",
    "pending": "warning",
    "available": "ok",
    "down": "error",
    "testing": "warning",
    "deleting": "warning",
    "deleted": None,
    "rejected": None,
    "unknown": "unknown",
}


@pytest.mark.parametrize("word, expected", told(DX, "VirtualInterfaceState", INTERFACE))
def test_virtual_interfaces(word, expected):
    assert level(circuits, interface(word, "up")) == expected


BGP = {"up": "ok", "down": "error", "unknown": "unknown"}


@pytest.mark.parametrize("word, expected", told(DX, "BGPStatus", BGP))
def test_the_bgp_session_of_an_interface(word, expected):
    point = status(circuits, interface("available", word))
    assert (point.level, point.message) == (expected, f"available; BGP ipv4 {word}")


def test_one_of_two_bgp_sessions_is_down():
    assert level(circuits, interface("available", "up", "down")) == "warning"
    assert level(circuits, interface("available", "down", "down")) == "error"


def vpn(*tunnels, state="available"):
    known = [
        {"OutsideIpAddress": f"192.0.2.{9 - number}", "LastStatusChange": when, "Status": word}
        for number, (word, when) in enumerate(tunnels)
    ]
    return circuit(
        "vpn", "ec2", "VpnConnection", VpnConnectionId="vpn-1", State=state, VgwTelemetry=known
    )


@pytest.mark.parametrize(
    "first, second, expected",
    [
        ("UP", "UP", "ok"),
        ("UP", "DOWN", "warning"),
        ("DOWN", "UP", "warning"),
        ("DOWN", "DOWN", "error"),
        ("UP", "a new word", "unknown"),
    ],
)
def test_the_tunnels_of_a_vpn(first, second, expected):
    point = status(circuits, vpn((first, THEN), (second, LATER)))
    assert (point.resource_id, point.resource_type) == ("vpn-1", "circuit")
    assert point.level == expected
    # by address, so that the same state has the same message
    assert point.message == f"available; tunnel 192.0.2.8 {second}; tunnel 192.0.2.9 {first}"
    assert point.time == LATER


def test_every_word_for_a_tunnel_is_known():
    assert set(words("ec2", "TelemetryStatus")) <= set(vpns.TUNNEL_LEVELS)


def test_why_a_tunnel_is_down():
    record = vpn(("DOWN", THEN))
    record["VgwTelemetry"][0]["StatusMessage"] = "IPSEC IS DOWN"
    assert status(circuits, record).message == "available; tunnel 192.0.2.9 DOWN (IPSEC IS DOWN)"


def test_a_vpn_of_whose_tunnels_nothing_is_known():
    point = status(circuits, vpn())
    assert (point.level, point.time) == ("unknown", None)


@pytest.mark.parametrize("word, expected", told("ec2", "VpnState", VGW))
def test_the_state_of_a_vpn(word, expected):
    assert level(circuits, vpn(("UP", THEN), ("UP", THEN), state=word)) == expected


PEERING = {
    "initiating-request": "warning",
    "pending-acceptance": "warning",
    "active": "ok",
    "deleted": None,
    "rejected": None,
    "failed": None,
    "expired": None,
    "provisioning": "warning",
    "deleting": "warning",
}


@pytest.mark.parametrize(
    "word, expected", told("ec2", "VpcPeeringConnectionStateReasonCode", PEERING)
)
def test_vpc_peerings(word, expected):
    made = circuit(
        "vpc_peering",
        "ec2",
        "VpcPeeringConnection",
        VpcPeeringConnectionId="pcx-1",
        Status={"Code": word, "Message": "so it is"},
    )
    point = status(circuits, made)
    assert (point and point.level) == expected
    if point:
        assert point.message == (word if expected == "ok" else f"{word}; so it is")


ATTACHMENT = {
    "initiating": "warning",
    "initiatingRequest": "warning",
    "pendingAcceptance": "warning",
    "rollingBack": "warning",
    "pending": "warning",
    "available": "ok",
    "modifying": "ok",
    "deleting": "warning",
    "deleted": None,
    "failed": None,
    "rejected": None,
    "rejecting": "warning",
    "failing": "error",
}


@pytest.mark.parametrize("word, expected", told("ec2", "TransitGatewayAttachmentState", ATTACHMENT))
@pytest.mark.parametrize(
    "kind, name",
    [
        ("transit_gateway_attachment", "TransitGatewayAttachment"),
        ("transit_gateway_peering", "TransitGatewayPeeringAttachment"),
    ],
)
def test_attachments_and_peerings_of_transit_gateways(kind, name, word, expected):
    made = circuit(kind, "ec2", name, TransitGatewayAttachmentId="tgw-attach-1", State=word)
    assert level(circuits, made) == expected


def test_a_peering_has_its_status_where_it_is_reported():
    made = circuit(
        "vpc_peering",
        "ec2",
        "VpcPeeringConnection",
        RequesterVpcInfo={"VpcId": "vpc-1", "OwnerId": "1", "Region": "eu-west-1"},
        AccepterVpcInfo={"VpcId": "vpc-2", "OwnerId": "1", "Region": "us-east-1"},
        Status={"Code": "active"},
    )
    assert status(circuits, made) is None


# --- all of them ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "levels, expected",
    [
        (["ok", "ok"], "ok"),
        (["ok", "error"], "warning"),
        (["error", "error"], "error"),
        (["unknown", "error"], "error"),
        (["ok", "unknown"], "unknown"),
        (["ok", "unknown", "error"], "warning"),
        ([], "unknown"),
    ],
)
def test_things_that_stand_in_for_each_other(levels, expected):
    assert redundant(levels) == expected


@pytest.mark.parametrize("cell", [appliances, circuits])
def test_a_record_of_no_kind(cell):
    with pytest.raises(UnexpectedResponse, match="kind"):
        status(cell, {"kind": "none", "State": "available"})


@pytest.mark.parametrize(
    "cell, of", [(servers, instance()), (volumes, volume()), (circuits, vpn())]
)
def test_a_record_without_its_id(cell, of):
    name = next(each for each in ("InstanceId", "VolumeId", "VpnConnectionId") if each in of)
    with pytest.raises(UnexpectedResponse, match=name):
        status(cell, {**of, name: None})


def test_a_status_poll_asks_for_no_more_than_it_needs():
    """Of the inventory's calls: no VPCs, subnets, names and tags."""
    for cell, calls in ((servers, 1), (volumes, 1), (appliances, 10), (circuits, 7)):
        session = Session()
        scope = session.scope()
        list(cell.fetch_status(scope, None))
        assert len(session.calls) == calls, session.calls
