"""The AWS demo account a day later: what was done to it after the first cassettes had been recorded.

moto makes up its ids anew each time, and two recordings can only be compared if they are of the same objects. So
``like_the_first`` gives moto's objects the ids, addresses and times that the first cassettes have: it polls them, and
exchanges in moto's memory what tools/same_ids.py finds. ``change`` then does to them what an operator does, through
the API.
"""

import datetime
import re
import types
from collections.abc import Iterable
from typing import Any
from unittest import mock

import freezegun
import moto.backends
from moto.server import ThreadedMotoServer

from tools import demo_aws, direct_connect, network_manager
from tools.demo_aws import client
from tools.same_ids import Name

# moto chooses a zone at random for subnets that are created without one: those of the first cassettes.
ZONES = {"us-east-1b", "eu-west-1c", "ap-northeast-1c"}
SERVICES = ("directconnect", "ec2", "efs", "elb", "elbv2", "network-firewall", "networkmanager")
_UTC = datetime.timezone.utc
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?Z?")


def serve(host: str, port: int) -> tuple[ThreadedMotoServer, str]:
    """As tools/demo_aws.py serves it; each object has a time of creation of its own, which tells it from others."""
    zones = types.SimpleNamespace(
        choice=lambda known: next(each for each in known if each.name in ZONES)
    )
    apart = ["threading", "queue", "selectors", "socketserver", "urllib3"]
    with (
        mock.patch("moto.ec2.responses.subnets.random", zones),
        freezegun.freeze_time("2030-01-01", auto_tick_seconds=1, ignore=apart),
    ):
        return demo_aws.serve(host, port)


def rename(known: dict[Name, Name]) -> None:
    """Exchange texts, numbers and times, wherever moto and what this project adds to it hold them."""
    renaming = _Renaming(known)
    for service in SERVICES:
        renaming.of(moto.backends.get_backend(service))  # type: ignore[call-overload]
    for module in (direct_connect, network_manager):
        for value in vars(module).values():
            if isinstance(value, (dict, list)) and value is not vars(module)["__builtins__"]:
                renaming.of(value)


class _Renaming:
    def __init__(self, known: dict[Name, Name]):
        self._known = known
        longest_first = sorted((each for each in known if isinstance(each, str)), key=len)[::-1]
        self._texts = re.compile("|".join(map(re.escape, longest_first)))
        self._times: dict[datetime.datetime, datetime.datetime] = {}
        for new, first in known.items():
            moment = _moment(new)
            if moment:
                self._times[moment] = _moment(first)
        self._seen: dict[int, Any] = {}  # holds them, so that no id is another object's

    def of(self, value: Any) -> Any:
        """The value as it is named; containers and objects of moto are changed in place."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, datetime.datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=_UTC)
            return self._times.get(aware, aware).replace(tzinfo=value.tzinfo)
        if isinstance(value, (int, float)):
            return self._known.get(value, value)
        if type(value) is tuple:
            return tuple(map(self.of, value))
        if id(value) not in self._seen:
            self._seen[id(value)] = value
            self._within(value)
        return value

    def _text(self, text: str) -> str:
        if text not in self._known and _moment(text) in self._times:  # of another precision
            return f"{self._times[_moment(text)]:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        return self._texts.sub(lambda found: str(self._known[found[0]]), text)

    def _within(self, value: Any) -> None:
        if isinstance(value, dict):
            items = [(self.of(key), self.of(each)) for key, each in value.items()]
            if [key for key, _ in items] != list(value):
                value.clear()
            for key, each in items:
                value[key] = each
        elif isinstance(value, list):
            value[:] = map(self.of, value)
        elif isinstance(value, set):
            named = [self.of(each) for each in value]
            value.clear()
            value.update(named)
        elif hasattr(value, "__dict__") and type(value).__module__.startswith("moto."):
            for name, each in list(vars(value).items()):
                vars(value)[name] = self.of(each)


def _moment(time: Name) -> Any:
    """A time as JSON or XML have it; None of anything else."""
    if not isinstance(time, str):
        return datetime.datetime.fromtimestamp(time, _UTC) if time > 1e9 else None
    found = _TIME.fullmatch(time)
    if not found:
        return None
    return datetime.datetime.fromisoformat(found[1] + (found[2] or ".").ljust(7, "0") + "+00:00")


# --- a day later ------------------------------------------------------------------------------------


def change(endpoint_url: str) -> None:
    """Servers, volumes, networks, appliances, circuits and WAN links created, changed, moved and deleted."""
    home, away, far = (_Region(endpoint_url, region) for region in demo_aws.REGIONS)
    _servers(home)
    _volumes(home)
    _networks(home)
    _appliances(home, away)
    _circuits(home, away, far)
    _wide_area(client(endpoint_url, "networkmanager", home.name))
    address = away.ec2.describe_addresses()["Addresses"]
    (of_first,) = [
        each for each in address if each.get("InstanceId") == away.server("café-serveur")
    ]
    away.ec2.disassociate_address(AssociationId=of_first["AssociationId"])
    away.ec2.associate_address(
        AllocationId=of_first["AllocationId"], InstanceId=away.server("сервер-1")
    )
    far.tag([far.server("検証用")], Name="検証用-2")


class _Region:
    def __init__(self, endpoint_url: str, name: str):
        self.name, self._url = name, endpoint_url
        self.ec2 = self.client("ec2")

    def client(self, service: str) -> Any:
        return client(self._url, service, self.name)

    def server(self, name: str) -> str:
        found = self.ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": [name]}])
        (reservation,) = found["Reservations"]
        return str(reservation["Instances"][0]["InstanceId"])

    def volume(self, name: str) -> str:
        found = self.ec2.describe_volumes(Filters=[{"Name": "tag:Name", "Values": [name]}])
        return str(found["Volumes"][0]["VolumeId"])

    def subnet(self, name: str) -> dict[str, Any]:
        found = self.ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": [name]}])
        subnet: dict[str, Any] = found["Subnets"][0]
        return subnet

    def start(self, name: str, kind: str, subnet: str, **more: Any) -> str:
        """A server of the image that web-1 has."""
        described = self.ec2.describe_instances(InstanceIds=[self.server("web-1")])
        image = described["Reservations"][0]["Instances"][0]["ImageId"]
        started = self.ec2.run_instances(
            ImageId=image,
            InstanceType=kind,
            MinCount=1,
            MaxCount=1,
            SubnetId=self.subnet(subnet)["SubnetId"],
            TagSpecifications=demo_aws._tagged("instance", name, stage="prod", кто="команда"),
            **more,
        )
        return str(started["Instances"][0]["InstanceId"])

    def tag(self, ids: Iterable[str], **tags: str) -> None:
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.ec2.create_tags(Resources=list(ids), Tags=listed)


def _servers(home: _Region) -> None:
    """One is stopped, one resized, one gone, one created anew, one new; tags and interfaces change."""
    ec2 = home.ec2
    ec2.stop_instances(InstanceIds=[home.server("web-2")])
    ec2.modify_instance_attribute(
        InstanceId=home.server("app-3"), InstanceType={"Value": "m6g.xlarge"}
    )
    ec2.terminate_instances(InstanceIds=[home.server("metal-1"), home.server("db-2")])
    forget_terminated()
    home.start("db-2", "r5.xlarge", "private-b", EbsOptimized=True)
    home.start("web-3", "t3.micro", "public-a")
    home.tag([home.server("app-1")], stage="test")
    ec2.delete_tags(Resources=[home.server("app-2")], Tags=[{"Key": "кто"}])
    interface = ec2.create_network_interface(SubnetId=home.subnet("private-b")["SubnetId"])
    ec2.attach_network_interface(
        NetworkInterfaceId=interface["NetworkInterface"]["NetworkInterfaceId"],
        InstanceId=home.server("app-1"),
        DeviceIndex=1,
    )


def forget_terminated() -> None:
    """As AWS does an hour after: a terminated instance is no longer listed. moto lists it for ever."""
    for regions in moto.backends.get_backend("ec2").values():
        for backend in regions.values():
            for key, reservation in list(backend.reservations.items()):
                if all(each.state == "terminated" for each in reservation.instances):
                    del backend.reservations[key]


def _volumes(home: _Region) -> None:
    """One is deleted, one new, one larger, and one goes from server to server."""
    ec2 = home.ec2
    ec2.delete_volume(VolumeId=home.volume("nicht-angehängt"))
    ec2.create_volume(
        AvailabilityZone=f"{home.name}a",
        Size=200,
        VolumeType="gp3",
        TagSpecifications=demo_aws._tagged("volume", "archive", backup="wöchentlich"),
    )
    moved = home.volume("data")
    ec2.detach_volume(VolumeId=moved, InstanceId=home.server("web-1"))
    ec2.attach_volume(VolumeId=moved, InstanceId=home.server("app-2"), Device="/dev/sdf")
    home.tag([home.volume("quorum")], backup="nie")


def _networks(home: _Region) -> None:
    """A VPC with a subnet is new; another subnet has a new name, and gives its servers public addresses."""
    ec2 = home.ec2
    vpc = ec2.create_vpc(
        CidrBlock="10.20.0.0/16", TagSpecifications=demo_aws._tagged("vpc", "staging")
    )["Vpc"]["VpcId"]
    ec2.create_subnet(
        VpcId=vpc,
        CidrBlock="10.20.0.0/24",
        AvailabilityZone=f"{home.name}a",
        TagSpecifications=demo_aws._tagged("subnet", "staging-a"),
    )
    changed = home.subnet("public-b")["SubnetId"]
    home.tag([changed], Name="public-c")
    ec2.modify_subnet_attribute(SubnetId=changed, MapPublicIpOnLaunch={"Value": True})


def _appliances(home: _Region, away: _Region) -> None:
    """A load balancer has another target, one is created anew, and a file system is gone."""
    elb = home.client("elbv2")
    (group,) = elb.describe_target_groups(Names=["web"])["TargetGroups"]
    arn = group["TargetGroupArn"]
    for register, name in ((elb.deregister_targets, "web-1"), (elb.register_targets, "web-3")):
        register(TargetGroupArn=arn, Targets=[{"Id": home.server(name), "Port": 80}])
    elb = away.client("elbv2")
    (old,) = elb.describe_load_balancers(Names=["inspect"])["LoadBalancers"]
    elb.delete_load_balancer(LoadBalancerArn=old["LoadBalancerArn"])
    zones = [each["SubnetId"] for each in old["AvailabilityZones"]]
    elb.create_load_balancer(Name="inspect", Type="gateway", Subnets=zones)
    efs = home.client("efs")
    (scratch,) = efs.describe_file_systems(CreationToken="scratch")["FileSystems"]
    efs.delete_file_system(FileSystemId=scratch["FileSystemId"])


def _circuits(home: _Region, away: _Region, far: _Region) -> None:
    """A VPN is new, with its gateway; another one is gone; a line has another name."""
    gateway = away.ec2.create_customer_gateway(
        Type="ipsec.1",
        PublicIp="203.0.113.80",
        BgpAsn=65012,
        TagSpecifications=demo_aws._tagged("customer-gateway", "Zürich"),
    )["CustomerGateway"]["CustomerGatewayId"]
    hub = away.ec2.describe_transit_gateways()["TransitGateways"][0]["TransitGatewayId"]
    away.ec2.create_vpn_connection(
        Type="ipsec.1",
        CustomerGatewayId=gateway,
        TransitGatewayId=hub,
        TagSpecifications=demo_aws._tagged("vpn-connection", "Zürich - eu-west-1"),
    )
    for each in far.ec2.describe_vpn_connections()["VpnConnections"]:
        if not each.get("Tags"):
            far.ec2.delete_vpn_connection(VpnConnectionId=each["VpnConnectionId"])
    lines = home.client("directconnect")
    for each in lines.describe_connections()["connections"]:
        if each["connectionName"] == "Ashburn DC":
            lines.update_connection(connectionId=each["connectionId"], connectionName="Ashburn DC2")


def _wide_area(manager: Any) -> None:
    """A site is new, with its line; another line has a tag more."""
    network = manager.describe_global_networks()["GlobalNetworks"][0]["GlobalNetworkId"]
    at = {"GlobalNetworkId": network}
    site = manager.create_site(
        **at,
        Location={"Address": "1 Invented Street, Oslo", "Latitude": "59.91", "Longitude": "10.75"},
        Tags=[{"Key": "Name", "Value": "Oslo"}],
    )["Site"]["SiteId"]
    manager.create_link(
        **at,
        SiteId=site,
        Bandwidth={"UploadSpeed": 20, "DownloadSpeed": 200},
        Provider="Invented Telecom",
        Type="fibre",
        Tags=[{"Key": "Name", "Value": "line Oslo"}],
    )
    for each in manager.get_links(**at)["Links"]:
        if {"Key": "Name", "Value": "line Zürich"} in each["Tags"]:
            manager.tag_resource(
                ResourceArn=each["LinkArn"], Tags=[{"Key": "contract", "Value": "2027"}]
            )
